// Now: a card for each device, the ones that matter first, with what a parent wants to do about it.
import { _, fill } from '../i18n.js';
import { clean, clientName, clock, deviceIcon, h, instant, minutes, put, timeOfDay } from '../ui.js';

// Beyond this many devices, those that did nothing today are folded away.
const FOLD_ABOVE = 24;
// A reset cannot be taken back, so it is sent only after this long.
const RESET_AFTER_MS = 6000;
// Cards made in one frame: a screenful. The others follow frame by frame, so that a full house keeps nobody waiting.
const CARDS_A_FRAME = 12;

export function nowPage(context, main) {
	const cards = new Map();
	const summary = h('p', { class: 'sg-summary' });
	const search = h('input', { type: 'search', placeholder: _('Find a device'), 'aria-label': _('Find a device'), oninput: () => arrange() });
	const grid = h('ul', { class: 'sg-cards', 'aria-label': _('Devices') });
	const rest = h('ul', { class: 'sg-cards', 'aria-label': _('Other devices') });
	const fold = h('details', { class: 'sg-fold', ontoggle: () => arrange() }, h('summary', {}, _('Other devices')), rest);
	const empty = h('p', { class: 'sg-empty' }, _('No device has been seen yet.'));
	main.append(h('div', { class: 'sg-bar' }, summary, search), grid, fold, empty);
	let clients = [], frame = 0;

	function update(status) {
		clients = status.clients;
		const there = new Map(clients.map(client => [client.client, client]));
		for (const [id, one] of cards) {
			if (there.has(id)) {
				one.update(there.get(id));
			} else {
				one.box.remove();
				cards.delete(id);
			}
		}
		const watching = clients.filter(client => client.watching).length;
		const used = clients.reduce((sum, client) => sum + client.used_s, 0);
		put(summary, fill(_('%s devices, %s watching now, %s watched today'), clients.length, watching, minutes(used)));
		arrange();
	}

	function arrange() {
		const wanted = search.value.trim().toLowerCase();
		const matches = client => !wanted || (client.name || '').toLowerCase().includes(wanted)
			|| client.client.includes(wanted) || client.addresses.some(address => address.includes(wanted));
		const sorted = clients.filter(matches).sort((a, b) => rank(a) - rank(b) || b.used_s - a.used_s
			|| Number(!a.name) - Number(!b.name) || clientName(a).localeCompare(clientName(b)));
		const rests = client => rank(client) > 2 && !client.used_s;
		const folds = clients.length > FOLD_ABOVE && !wanted && !clients.every(rests);
		const idle = sorted.filter(client => folds && rests(client));
		fold.hidden = !idle.length;
		empty.hidden = clients.length > 0;
		const all = place(grid, idle.length ? sorted.filter(client => !idle.includes(client)) : sorted)
			&& place(rest, fold.open ? idle : []);
		cancelAnimationFrame(frame);
		if (!all)
			frame = requestAnimationFrame(arrange);
	}

	// Moves only what is out of place: a card that is moved loses the focus. Says whether all that is wanted is there.
	function place(list, wanted) {
		let made = 0;
		for (const [index, client] of wanted.entries()) {
			if (!cards.has(client.client)) {
				if (made++ >= CARDS_A_FRAME)
					return false;
				cards.set(client.client, card(context, client));
			}
			const { box } = cards.get(client.client);
			if (list.children[index] !== box)
				list.insertBefore(box, list.children[index] || null);
		}
		while (list.children.length > wanted.length)
			list.lastChild.remove();
		return true;
	}

	context.listeners.add(update);
	return { close: () => cancelAnimationFrame(frame) };
}

const BLOCKED = ['exhausted', 'outside_hours', 'denied', 'capped'];

function rank(client) {
	if (client.watching)
		return 0;
	if (BLOCKED.includes(client.standing) || client.standing === 'paused')
		return 1;
	if (client.standing === 'grace' || client.standing === 'warned')
		return 2;
	return 3;
}

function state(client) {
	const until = instant(client.until);
	const at = until ? ' ' + fill(_('until %s'), timeOfDay(until)) : '';
	switch (client.standing) {
	case 'exhausted': return ['blocked', _('Time is used up') + at];
	case 'outside_hours': return ['blocked', _('Not at this hour') + at];
	case 'denied': return ['blocked', _('Not allowed')];
	case 'capped': return ['blocked', _('Data plan is used up') + at];
	case 'paused': return ['paused', _('Paused') + at];
	case 'exempt': return client.watching ? ['watching', _('Watching, not limited')] : ['exempt', _('Not limited')];
	case 'grace': return ['warned', _('Time is used up, ends in a moment')];
	default: break;
	}
	if (client.watching)
		return ['watching', _('Watching')];
	return client.standing === 'warned' ? ['warned', _('Almost used up')] : ['quiet', _('Not watching')];
}

function card(context, first) {
	const id = first.client;
	const title = h('bdi', { class: 'sg-name' });
	const sub = h('span', { class: 'sg-sub' });
	const icon = h('span', { class: 'sg-iconbox' });
	const chip = h('span', { class: 'sg-chip' });
	const services = h('bdi', { class: 'sg-services' });
	const fill_ = h('div', { class: 'sg-fill' });
	const bar = h('div', { class: 'sg-quota', role: 'progressbar', 'aria-valuemin': '0' }, fill_);
	const used = h('span', {}), left = h('span', {});
	const button = (text, work, kind) => h('button', { class: kind || null, onclick: work }, text);
	const more15 = button('+15', () => grant(15)), more30 = button('+30', () => grant(30));
	const pause = button(_('Pause'), toggle);
	const reset = button(_('Reset'), resetLater, 'sg-quiet');
	const buttons = h('div', { class: 'sg-buttons' }, more15, more30, pause, reset);
	const box = h('li', { class: 'sg-card' },
		h('div', { class: 'sg-cardhead' }, icon, h('div', { class: 'sg-title' }, h('h2', {}, title), sub), chip),
		services, bar, h('div', { class: 'sg-minutes' }, used, left), context.can('grant') ? buttons : null);
	let client = first, known = '', iconOf = null, pending = 0;

	const label = () => clientName(client);

	async function grant(count) {
		const before = client.granted_min;
		await context.act('grant', { who: id, minutes: count }, fill(_('%s: %s minutes more'), label(), count), async () => {
			// There is no taking back of one grant: all go, and what was there before comes back.
			if (await context.act('revoke', { who: id }, fill(_('%s: taken back'), label())) && before)
				await context.act('grant', { who: id, minutes: before }, fill(_('%s: taken back'), label()));
		});
	}

	async function toggle() {
		const paused = client.standing === 'paused';
		const back = paused && client.until
			? Math.max(1, Math.min(1440, Math.round((instant(client.until) - context.status.time_s) / 60))) : undefined;
		const on = () => context.act('pause', { who: id, minutes: back }, fill(_('%s: paused'), label()), off);
		const off = () => context.act('resume', { who: id }, fill(_('%s: goes on'), label()), on);
		await (paused ? off() : on());
	}

	function resetLater() {
		if (pending)
			return;
		const remove = context.toast(fill(_('%s: today starts again in a moment'), label()), () => {
			clearTimeout(pending);
			pending = 0;
			reset.disabled = false;
		});
		reset.disabled = true;
		pending = setTimeout(async () => {
			remove();
			await context.act('reset', { who: id }, fill(_('%s: today starts again'), label()));
			pending = 0;
			reset.disabled = false;
		}, RESET_AFTER_MS);
	}

	function update(fresh) {
		const told = JSON.stringify(fresh);
		if (told === known)
			return;
		known = told;
		client = fresh;
		const text = label();
		put(title, text);
		put(sub, client.name ? clean(client.addresses[0] || client.client, 40)
			: clean(client.client, 40) + (client.random_mac ? ', ' + _('random') : ''));
		if (iconOf !== text) {
			iconOf = text;
			icon.replaceChildren(deviceIcon(text));
		}
		const [kind, word] = state(client);
		box.dataset.state = kind;
		put(chip, word);
		put(services, client.watching ? clean(client.watching.services.join(', ') || _('an unnamed service'), 120) : '');
		services.hidden = !client.watching;
		const limited = client.quota_s !== null && client.standing !== 'exempt';
		const share = limited ? Math.min(1, client.quota_s ? client.budget_used_s / client.quota_s : 1) : 0;
		fill_.style.width = (share * 100).toFixed(1) + '%';
		bar.hidden = !limited;
		if (limited) {
			bar.setAttribute('aria-valuemax', String(client.quota_s));
			bar.setAttribute('aria-valuenow', String(Math.min(client.budget_used_s, client.quota_s)));
			bar.setAttribute('aria-valuetext', fill(_('%s of %s used'), clock(client.budget_used_s), clock(client.quota_s)));
			bar.setAttribute('aria-label', fill(_('Time of %s today'), text));
		}
		const shared = client.budget_used_s > client.used_s ? ' ' + _('(shared)') : '';
		put(used, limited ? fill(_('%s of %s'), clock(client.budget_used_s), clock(client.quota_s)) + shared
			: fill(_('%s today'), clock(client.used_s)));
		put(left, limited ? fill(_('%s left'), minutes(Math.max(0, client.left_s))) : '');
		const paused = client.standing === 'paused';
		put(pause, paused ? _('Resume') : _('Pause'));
		more15.setAttribute('aria-label', fill(_('15 minutes more for %s'), text));
		more30.setAttribute('aria-label', fill(_('30 minutes more for %s'), text));
		pause.setAttribute('aria-label', fill(paused ? _('Resume %s') : _('Pause %s'), text));
		reset.setAttribute('aria-label', fill(_('Reset today of %s'), text));
		const unlimited = !limited && !paused;
		more15.disabled = more30.disabled = unlimited;
	}

	update(first);
	return { box, update };
}
