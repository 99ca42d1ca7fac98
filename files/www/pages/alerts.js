// Alerts: what looked like an attack, with the numbers it rests on.
import { _, fill } from '../i18n.js';
import { bytes, clean, field, h, name, save, select, when } from '../ui.js';

const SEVERITIES = ['low', 'medium', 'high', 'critical'];
const WEEK_S = 7 * 86400;

export function alertsPage(context, main) {
	const view = { severity: 'low', state: 'all', text: '', days: '7' };
	const list = h('ul', { class: 'sg-alerts', 'aria-label': _('Alerts') });
	const summary = h('p', { class: 'sg-summary', role: 'status' });
	const search = h('input', { type: 'search', oninput: event => { view.text = event.target.value.trim().toLowerCase(); draw(); } });
	const words = { low: _('low'), medium: _('medium'), high: _('high'), critical: _('critical') };
	main.append(h('div', { class: 'sg-bar' }, summary,
		field(_('At least'), select(SEVERITIES.map(key => [key, words[key]]), view.severity, value => { view.severity = value; draw(); })),
		field(_('State'), select([['all', _('all')], ['open', _('going on')], ['new', _('not seen yet')]], view.state, value => { view.state = value; draw(); })),
		field(_('Period'), select([['1', _('Day')], ['7', _('Week')], ['31', _('Month')]], view.days, value => { view.days = value; load(); })),
		field(_('Find'), search)), list);
	const links = h('div', { class: 'sg-links' });
	main.append(links);
	let alerts = [], open = new Set(), polls = 0;

	function bounds() {
		const now = context.status ? context.status.time_s : Math.floor(Date.now() / 1000);
		return [String(now - (Number(view.days) * WEEK_S / 7)), String(now + 86400)];
	}

	async function load() {
		const [from, to] = bounds();
		if (context.transport.download)
			links.replaceChildren(...['csv', 'json', 'ndjson'].map(format =>
				save(context.transport.download('alerts', format, from, to), _('Alerts') + ' · ' + format.toUpperCase(), context.toast)));
		try {
			alerts = (await context.transport.read('alerts', { from, to })).alerts;
			draw();
		} catch (error) {
			list.replaceChildren(h('li', { class: 'sg-problem', role: 'alert' }, clean(error.message, 200)));
		}
	}

	const type = alert => String(alert.type || alert.kind || '');
	const isOpen = alert => alert.open === true || alert.closed === false;
	const isSeen = alert => alert.acked_s !== null && alert.acked_s !== undefined;

	function draw() {
		const least = SEVERITIES.indexOf(view.severity);
		const shown = alerts.filter(alert => SEVERITIES.indexOf(alert.severity) >= least
			&& (view.state !== 'open' || isOpen(alert)) && (view.state !== 'new' || !isSeen(alert))
			&& (!view.text || JSON.stringify(alert).toLowerCase().includes(view.text)));
		shown.sort((a, b) => b.last_s - a.last_s);
		summary.textContent = fill(_('%s alerts'), shown.length);
		const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.key : null;
		list.replaceChildren(...shown.slice(0, 200).map(card));
		if (!shown.length)
			list.append(h('li', { class: 'sg-empty' }, _('No alerts. That is how it should be.')));
		const again = focused && [...list.querySelectorAll('[data-key]')].find(element => element.dataset.key === focused);
		if (again)
			again.focus();
	}

	function card(alert) {
		const details = h('details', {
			open: open.has(alert.id), ontoggle: event => event.target.open ? open.add(alert.id) : open.delete(alert.id),
		}, h('summary', { 'data-key': 'd' + alert.id }, _('Evidence')), evidence(alert.evidence));
		const source = alert.source_name ? alert.source_name + ' (' + alert.source + ')' : alert.source;
		return h('li', { class: 'sg-alert', 'data-severity': SEVERITIES.includes(alert.severity) ? alert.severity : null },
			h('div', { class: 'sg-cardhead' },
				h('h2', {}, clean(type(alert).replaceAll('_', ' '), 40)),
				h('span', { class: 'sg-chip' }, words[alert.severity] || clean(alert.severity, 20)),
				isOpen(alert) ? h('span', { class: 'sg-chip sg-open' }, _('going on')) : null,
				isSeen(alert) ? h('span', { class: 'sg-chip' }, _('seen')) : null),
			h('p', {}, name(source, 80), alert.target ? [' → ', name(alert.target, 80)] : null),
			h('p', { class: 'sg-sub' }, fill(_('%s to %s'), when(alert.first_s), when(alert.last_s)),
				alert.note ? [' · ', name(alert.note, 200)] : null),
			opinion(alert.opinion), details, buttons(alert));
	}

	// The learned second opinion, and whether it moved the severity.
	function opinion(given) {
		if (!given || typeof given !== 'object')
			return null;
		const moved = { raised: _('one step more severe for it'), lowered: _('one step less severe for it') }[given.severity];
		return h('p', { class: 'sg-sub' },
			fill(_('Second opinion: %s, by %s %'), clean(given.class, 40).replaceAll('_', ' '), clean(given.share_pct, 4)), moved ? [' · ', moved] : null);
	}

	function buttons(alert) {
		const items = [];
		if (context.can('ack') && !isSeen(alert)) {
			items.push(h('button', { 'data-key': 'a' + alert.id, onclick: () => acknowledge(alert, 0) }, _('Seen')));
			items.push(h('button', { 'data-key': 'r' + alert.id, onclick: () => acknowledge(alert, 1) }, _('Settled')));
		}
		if (context.can('packets'))
			items.push(h('a', { class: 'sg-button', href: context.transport.page('packets') + '#packets?' + encodeURIComponent(alert.source) }, _('Packets')));
		if (context.transport.exempt)
			items.push(h('button', { 'data-key': 'e' + alert.id, onclick: () => exempt(alert) }, _('Ignore this source')));
		return h('div', { class: 'sg-buttons' }, items);
	}

	async function acknowledge(alert, resolve) {
		await context.act('ack', { alert: alert.id, resolve }, _('Noted.'));
		load();
	}

	async function exempt(alert) {
		try {
			const undo = await context.transport.exempt(alert.source);
			context.toast(fill(_('%s raises no more alerts.'), clean(alert.source, 60)), undo);
		} catch (error) {
			context.toast(clean(error.message, 200), null, 'bad');
		}
	}

	context.listeners.add(() => {
		if (polls++ % 3 === 0)
			load();
	});
	return {};
}

// Evidence comes as an object, or as the text of one; what it says is shown as it is.
export function evidence(given) {
	let found = given;
	if (typeof given === 'string') {
		try {
			found = JSON.parse(given);
		} catch {
			return h('p', {}, clean(given, 400));
		}
	}
	const terms = [];
	for (const [key, value] of Object.entries(found || {})) {
		const shown = key.endsWith('bytes') && typeof value === 'number' ? bytes(value)
			: typeof value === 'object' && value !== null ? clean(JSON.stringify(value), 300) : clean(value, 300);
		terms.push(h('dt', {}, clean(key.replaceAll('_', ' '), 60)), h('dd', {}, h('bdi', {}, shown)));
	}
	return h('dl', { class: 'sg-evidence' }, terms);
}
