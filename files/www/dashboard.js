// The dashboard: a page at a time, one question every few seconds while somebody looks, none while nobody does.
import { _, fill } from './i18n.js';
import { clear, clean, h } from './ui.js';
import { nowPage } from './pages/now.js';
import { historyPage } from './pages/history.js';
import { trafficPage } from './pages/traffic.js';
import { alertsPage } from './pages/alerts.js';
import { packetsPage } from './pages/packets.js';
import { banner, problems } from './health.js';

const PAGES = [
	['now', () => _('Now'), nowPage],
	['history', () => _('History'), historyPage],
	['traffic', () => _('Traffic'), trafficPage],
	['alerts', () => _('Alerts'), alertsPage],
	['packets', () => _('Packets'), packetsPage],
];
const THEMES = ['auto', 'light', 'dark'];
// Every so many polls `doctor` is asked again.
const DOCTOR_EVERY = 6;

// `more` are pages that only one home of the dashboard has: [[id, title(), make]].
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
		const signs = { auto: '◐', light: '☀', dark: '☾' };
		const button = h('button', { class: 'sg-tool', onclick: () => choose(THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % 3]) });
		const choose = theme => {
			root.dataset.theme = theme;
			button.textContent = signs[theme];
			button.title = words[theme];
			button.setAttribute('aria-label', words[theme]);
			try {
				localStorage.setItem('sg-theme', theme);
			} catch { /* a private window */ }
			if (shown && shown.redraw)
				shown.redraw();
		};
		choose(THEMES.includes(kept) ? kept : 'auto');
		const leave = transport.logout
			? h('button', { class: 'sg-tool', onclick: () => { stop(); transport.logout(); } }, _('Log out')) : null;
		return h('div', { class: 'sg-tools' }, button, leave);
	}

	function show(id) {
		const [key, title, make] = pages.find(([key]) => key === id) || pages[0];
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
		shown = { id: key, ...make(context, main) };
		if (context.status)
			context.listeners.forEach(listener => listener(context.status));
	}

	async function refresh() {
		if (timer.busy)
			return;
		timer.busy = true;
		try {
			const wantsDoctor = context.can('doctor') && timer.polls++ % DOCTOR_EVERY === 0;
			const [status, doctor] = await Promise.all([
				transport.read('status'), wantsDoctor ? transport.read('doctor').catch(() => null) : null]);
			context.status = status;
			context.doctor = doctor || context.doctor;
			banner(health, problems(status, context.doctor));
			context.listeners.forEach(listener => listener(status));
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
	show(hash ? location.hash.slice(1) : page);
	refresh().then(schedule);
	return stop;
}
