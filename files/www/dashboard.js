// The dashboard: a page at a time, one question every few seconds while somebody looks, none while nobody does.
import { _, fill } from './i18n.js';
import { clear, clean, h, svg } from './ui.js';
import { banner, problems } from './health.js';

// A page is loaded when it is first shown, so that the first one does not wait for the others.
const PAGES = [
	['now', () => _('Now'), async () => (await import('./pages/now.js')).nowPage],
	['history', () => _('History'), async () => (await import('./pages/history.js')).historyPage],
	['traffic', () => _('Traffic'), async () => (await import('./pages/traffic.js')).trafficPage],
	['alerts', () => _('Alerts'), async () => (await import('./pages/alerts.js')).alertsPage],
	['packets', () => _('Packets'), async () => (await import('./pages/packets.js')).packetsPage],
];
// A circle half full, empty, full: drawn, because a sign that the font lacks costs a search through all fonts.
const THEMES = { auto: 'M12 3a9 9 0 0 1 0 18z', light: '', dark: 'M12 3a9 9 0 0 1 0 18a9 9 0 0 1 0-18z' };
// Every so many polls `doctor` is asked again.
const DOCTOR_EVERY = 6;

// `more` are pages that only one home of the dashboard has: [[id, title(), load()]].
export function mount(root, transport, { hash = false, page = null, chrome = true, more = [] } = {}) {
	const context = {
		root, transport, status: null, doctor: null,
		can: method => transport.session.methods.includes(method),
		act, toast, refresh, listeners: new Set(), events: new Set(),
	};
	const pages = [...PAGES, ...more].filter(([id]) => !page || id === page);
	const links = new Map();
	const health = h('div', { class: 'sg-health', role: 'status' });
	const main = h('main', { class: 'sg-main', id: 'sg-main', tabindex: '-1' });
	const toasts = h('div', { class: 'sg-toasts', role: 'status', 'aria-live': 'polite' });
	const timer = { id: 0, polls: 0, busy: false };
	let shown = null;

	if (chrome)
		root.append(h('header', { class: 'sg-head' }, h('div', { class: 'sg-brand' }, 'streamguard'), navigation(), tools()));
	root.append(health, main, toasts);
	if (!chrome)
		main.classList.add('sg-bare');

	function navigation() {
		const items = pages.map(([id, title]) => {
			const link = h('a', { href: '#' + id }, title());
			links.set(id, link);
			return h('li', {}, link);
		});
		return h('nav', { 'aria-label': _('Pages') }, h('ul', { class: 'sg-nav' }, items));
	}

	function tools() {
		const kept = (() => {
			try {
				return localStorage.getItem('sg-theme') || 'auto';
			} catch {
				return 'auto';
			}
		})();
		const words = { auto: _('Colours: automatic'), light: _('Colours: light'), dark: _('Colours: dark') };
		const names = Object.keys(THEMES);
		const half = svg('path', { fill: 'currentColor' });
		const sign = svg('svg', { class: 'sg-icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' }, svg('circle', { cx: 12, cy: 12, r: 9 }), half);
		const button = h('button', { class: 'sg-tool', onclick: () => choose(names[(names.indexOf(root.dataset.theme) + 1) % 3]) }, sign);
		const choose = theme => {
			root.dataset.theme = theme;
			half.setAttribute('d', THEMES[theme]);
			button.title = words[theme];
			button.setAttribute('aria-label', words[theme]);
			try {
				localStorage.setItem('sg-theme', theme);
			} catch { /* a private window */ }
			if (shown && shown.redraw)
				shown.redraw();
		};
		choose(names.includes(kept) ? kept : 'auto');
		const leave = transport.logout
			? h('button', { class: 'sg-tool', onclick: () => { stop(); transport.logout(); } }, _('Log out')) : null;
		return h('div', { class: 'sg-tools' }, button, leave);
	}

	async function show(id) {
		const [key, title, load] = pages.find(([key]) => key === id) || pages[0];
		if (shown && shown.id === key)
			return;
		if (shown && shown.close)
			shown.close();
		for (const [other, link] of links)
			other === key ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current');
		context.listeners.clear();
		context.events.clear();
		clear(main);
		if (chrome)
			document.title = title() + ' · streamguard';
		main.append(h('h1', { class: 'sg-hidden' }, title()));
		const mine = shown = { id: key };
		try {
			const make = await load();
			if (shown === mine)
				Object.assign(mine, make(context, main));
		} catch (error) {
			main.append(h('p', { class: 'sg-problem', role: 'alert' }, fill(_('No answer: %s'), clean(error.message, 200))));
		}
		if (shown === mine && context.status)
			context.listeners.forEach(listener => listener(context.status));
	}

	function tell(status) {
		context.status = status;
		banner(health, problems(status, context.doctor));
		context.listeners.forEach(listener => listener(status));
	}

	async function refresh() {
		if (timer.busy)
			return;
		timer.busy = true;
		try {
			const wantsDoctor = context.can('doctor') && timer.polls++ % DOCTOR_EVERY === 0;
			const [status, doctor] = await Promise.all([
				transport.read('status'), wantsDoctor ? transport.read('doctor').catch(() => null) : null]);
			context.doctor = doctor || context.doctor;
			tell(status);
		} catch (error) {
			banner(health, [{ level: 'bad', text: fill(_('No answer: %s'), clean(error.message, 200)) }]);
		}
		timer.busy = false;
	}

	function schedule() {
		clearTimeout(timer.id);
		if (!document.hidden)
			timer.id = setTimeout(() => refresh().then(schedule), transport.pollMs);
	}

	function visible() {
		if (document.hidden)
			clearTimeout(timer.id);
		else
			refresh().then(schedule);
	}

	// Something a parent did: says what, refreshes, offers to take it back.
	async function act(method, params, said, undo) {
		try {
			await transport.write(method, params);
			toast(said, undo);
			await refresh();
			return true;
		} catch (error) {
			toast(fill(_('That did not work: %s'), clean(error.message, 200)), null, 'bad');
			return false;
		}
	}

	function toast(text, undo, level) {
		const box = h('div', { class: 'sg-toast' + (level ? ' sg-' + level : '') }, h('span', {}, text));
		const remove = () => box.remove();
		if (undo)
			box.append(h('button', { onclick: () => { remove(); undo(); } }, _('Undo')));
		box.append(h('button', { 'aria-label': _('Close'), onclick: remove }, '×'));
		toasts.append(box);
		while (toasts.children.length > 3)
			toasts.firstChild.remove();
		setTimeout(remove, level ? 15000 : 10000);
		return remove;
	}

	const onHash = () => show(location.hash.slice(1).split('?')[0]);
	const stopEvents = transport.events ? transport.events(event => {
		context.events.forEach(listener => listener(event));
		refresh();
	}) : null;
	function stop() {
		clearTimeout(timer.id);
		document.removeEventListener('visibilitychange', visible);
		window.removeEventListener('hashchange', onHash);
		if (stopEvents)
			stopEvents();
		if (shown && shown.close)
			shown.close();
	}
	document.addEventListener('visibilitychange', visible);
	if (hash)
		window.addEventListener('hashchange', onHash);
	show(hash ? location.hash.slice(1).split('?')[0] : page);
	const begin = () => refresh().then(schedule);
	if (transport.status) {
		// What is known already is painted before more is asked.
		tell(transport.status);
		requestAnimationFrame(() => setTimeout(begin));
	} else {
		begin();
	}
	return stop;
}
