// History: how much was watched when, by whom, of what; and the same as files.
import { _, fill } from '../i18n.js';
import { clean, clock, dayOf, field, h, minutes, name, save, select, table, when } from '../ui.js';
import { chart } from '../chart.js';

const DAY_MS = 86400000;

export function historyPage(context, main) {
	const now = new Date((context.status ? context.status.time_s : Date.now() / 1000) * 1000);
	const view = { span: 'week', end: startOfDay(now), who: '' };
	const title = h('h2', { class: 'sg-period', 'aria-live': 'polite' });
	const body = h('div', {});
	const whoBox = h('div', {});
	const forward = h('button', { 'aria-label': _('Later'), onclick: () => move(1) }, '›');
	main.append(h('div', { class: 'sg-bar' },
		field(_('Period'), select([['day', _('Day')], ['week', _('Week')], ['month', _('Month')]], view.span,
			value => { view.span = value; load(); })), whoBox,
		h('div', { class: 'sg-steps' }, h('button', { 'aria-label': _('Earlier'), onclick: () => move(-1) }, '‹'), title, forward)),
	body);
	let charts = [], asked = 0, shownClients = '';

	function span() {
		const days = view.span === 'day' ? 1 : view.span === 'week' ? 7 : 30;
		const to = new Date(view.end.getTime());
		to.setDate(to.getDate() + 1);
		const from = new Date(to.getTime());
		from.setDate(from.getDate() - days);
		return { from, to, days };
	}

	function move(direction) {
		view.end.setDate(view.end.getDate() + direction * span().days);
		const today = startOfDay(now);
		if (view.end > today)
			view.end = today;
		load();
	}

	function chooseWho(status) {
		const options = [['', _('All devices')], ...status.clients.filter(client => client.name || client.used_s)
			.map(client => [client.client, clean(client.name || client.client, 40)])];
		const key = JSON.stringify(options);
		if (key === shownClients)
			return;
		shownClients = key;
		whoBox.replaceChildren(field(_('Device'), select(options, view.who, value => { view.who = value; load(); })));
	}

	async function load() {
		const turn = ++asked;
		const { from, to, days } = span();
		forward.disabled = view.end >= startOfDay(now);
		title.textContent = days === 1 ? from.toLocaleDateString([], { dateStyle: 'full' })
			: from.toLocaleDateString() + ' – ' + new Date(to - DAY_MS).toLocaleDateString();
		const range = { from: String(Math.floor(from / 1000)), to: String(Math.floor(to / 1000)) };
		let usage, sessions;
		try {
			[usage, sessions] = await Promise.all([
				context.transport.read('usage', { from: dayOf(from), to: dayOf(to) }),
				context.transport.read('sessions', range)]);
		} catch (error) {
			body.replaceChildren(h('p', { class: 'sg-problem', role: 'alert' }, clean(error.message, 200)));
			return;
		}
		if (turn !== asked)
			return;
		const mine = row => !view.who || row.client === view.who;
		draw({ from, to, days }, usage.usage.filter(mine), sessions.sessions.filter(mine));
	}

	function draw({ from, to, days }, usage, sessions) {
		charts.forEach(one => one.close());
		charts = [];
		body.replaceChildren();
		const total = usage.reduce((sum, row) => sum + row.used_s, 0);
		body.append(h('p', { class: 'sg-summary' }, fill(_('%s watched in this period, in %s sessions'), minutes(total), sessions.length)));
		body.append(bars({ from, days }, usage, sessions), heat({ from, days }, sessions), services(sessions), list(sessions), exports(from, to));
	}

	// Minutes by day, or by hour of one day.
	function bars({ from, days }, usage, sessions) {
		const x = [], y = [];
		if (days === 1) {
			const hours = perHour(from, 1, sessions);
			for (let hour = 0; hour < 24; hour++) {
				x.push(from / 1000 + hour * 3600 + 1800);
				y.push(hours[0][hour] / 60);
			}
		} else {
			for (let day = 0; day < days; day++) {
				const date = new Date(from);
				date.setDate(date.getDate() + day);
				x.push(date / 1000 + 43200);
				y.push(usage.filter(row => row.day === dayOf(date)).reduce((sum, row) => sum + row.used_s, 0) / 60);
			}
		}
		const tick = at => {
			const date = new Date(at * 1000);
			if (days === 1)
				return date.getHours() % 3 ? '' : String(date.getHours());
			if (days === 7)
				return date.toLocaleDateString([], { weekday: 'short' });
			return date.getDate() % 3 === 1 ? String(date.getDate()) : '';
		};
		const text = days === 1 ? _('Minutes watched by hour') : _('Minutes watched by day');
		const one = chart(context.root, {
			title: text, x, tick, bars: true, least: 10, height: 170,
			series: [{ label: _('Minutes'), data: y.map(value => value || null), bars: true }], format: value => Math.round(value) + ' min',
		});
		charts.push(one);
		return h('section', { class: 'sg-panel' }, h('h3', {}, text), one.box);
	}

	// When in the day: one row a day, one cell an hour.
	function heat({ from, days }, sessions) {
		const hours = perHour(from, days, sessions);
		const head = [h('th', { scope: 'col' }, _('Day'))];
		for (let hour = 0; hour < 24; hour++)
			head.push(h('th', { scope: 'col' }, hour % 3 === 0 ? String(hour) : h('span', { class: 'sg-hidden' }, String(hour))));
		const rows = hours.map((cells, day) => {
			const date = new Date(from);
			date.setDate(date.getDate() + day);
			const text = date.toLocaleDateString([], { weekday: 'short', day: 'numeric' });
			return h('tr', {}, h('th', { scope: 'row' }, text), cells.map((seconds, hour) => {
				const level = Math.min(4, Math.ceil(seconds / 900));
				const told = fill(_('%s, %s o’clock: %s'), text, hour, minutes(seconds));
				return h('td', { class: 'sg-heat' + level, title: told }, h('span', { class: 'sg-hidden' }, minutes(seconds)));
			}));
		});
		const caption = _('When in the day');
		return h('section', { class: 'sg-panel' }, h('h3', {}, caption),
			h('div', { class: 'sg-scroll', tabindex: '0', role: 'region', 'aria-label': caption },
				h('table', { class: 'sg-heat' }, h('caption', { class: 'sg-hidden' }, caption), h('thead', {}, h('tr', {}, head)), h('tbody', {}, rows))));
	}

	function services(sessions) {
		const sums = new Map();
		for (const session of sessions) {
			const named = session.services.length ? session.services : [_('unnamed')];
			for (const service of named)
				sums.set(service, (sums.get(service) || 0) + session.watch_s / named.length);
		}
		const most = Math.max(1, ...sums.values());
		const rows = [...sums].sort((a, b) => b[1] - a[1]).slice(0, 12).map(([service, seconds]) => {
			const bar = h('div', { class: 'sg-meter', 'aria-hidden': 'true' }, h('div', {}));
			bar.firstChild.style.width = (100 * seconds / most).toFixed(1) + '%';
			return [name(service, 48), bar, clock(seconds)];
		});
		return h('section', { class: 'sg-panel' }, h('h3', {}, _('Services')),
			table(_('Services'), [[_('Service')], [''], [_('Watched'), 'number']], rows, _('Nothing was watched in this period.')));
	}

	function list(sessions) {
		const names = new Map((context.status ? context.status.clients : []).map(client => [client.client, client.name]));
		const rows = [...sessions].reverse().slice(0, 200).map(session => [
			name(names.get(session.client) || session.client, 40), when(session.start_s), clock(session.watch_s),
			name(session.services.join(', ') || '—', 60)]);
		return h('section', { class: 'sg-panel' }, h('h3', {}, _('Sessions')),
			table(_('Sessions'), [[_('Device')], [_('Began')], [_('Watched'), 'number'], [_('Services')]], rows, _('Nothing was watched in this period.')));
	}

	function exports(from, to) {
		if (!context.transport.download)
			return '';
		const links = [];
		for (const [what, text] of [['usage', _('Minutes by day')], ['sessions', _('Sessions')], ['traffic', _('Traffic')]]) {
			for (const format of ['csv', 'json', 'ndjson']) {
				links.push(save(context.transport.download(what, format, dayOf(from), dayOf(to)), text + ' · ' + format.toUpperCase(), context.toast));
			}
		}
		return h('section', { class: 'sg-panel' }, h('h3', {}, _('Save this period')), h('div', { class: 'sg-links' }, links));
	}

	context.listeners.add(chooseWho);
	load();
	return { close: () => charts.forEach(one => one.close()), redraw: load };
}

function startOfDay(date) {
	return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}

// Seconds watched by day and hour: a session's time spread evenly over its span.
function perHour(from, days, sessions) {
	const hours = Array.from({ length: days }, () => new Array(24).fill(0));
	for (const session of sessions) {
		const length = Math.max(1, session.end_s - session.start_s);
		for (let at = session.start_s; at < session.end_s;) {
			const date = new Date(at * 1000);
			const next = Math.min(session.end_s, at - date.getMinutes() * 60 - date.getSeconds() + 3600);
			const day = Math.round((startOfDay(date) - from) / DAY_MS);
			if (day >= 0 && day < days)
				hours[day][date.getHours()] += (next - at) / length * session.watch_s;
			at = next;
		}
	}
	return hours;
}
