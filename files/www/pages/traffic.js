// Traffic: how much, whose, where to. What cannot be known is shown as a dash, never as zero.
import { _, fill } from '../i18n.js';
import { bytes, clean, clientName, field, h, name, rate, select, table } from '../ui.js';
import { chart } from '../chart.js';

// Points of the live chart.
const POINTS = 120;
// Seconds, what a point stands for, and how that is asked for.
const RANGES = {
	3600: [60, 'minute', () => _('Last hour')], 86400: [3600, 'hour', () => _('Last day')], 604800: [86400, 'day', () => _('Last week')],
};
// IANA's numbers of protocols.
const PROTOCOLS = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6' };
const KINDS = [
	['service', () => _('Services')], ['protocol', () => _('Protocols')], ['peer', () => _('Servers')],
];

export function trafficPage(context, main) {
	const live = { x: [], down: [], up: [], last: null };
	const view = { who: '', range: '3600' };
	const whoBox = h('div', {});
	const speeds = h('p', { class: 'sg-summary' });
	const liveBox = h('section', { class: 'sg-panel' }, h('h2', {}, _('Live')));
	const pastBox = h('section', { class: 'sg-panel' });
	const topBox = h('section', { class: 'sg-panel' });
	const flowBox = h('section', { class: 'sg-panel' });
	main.append(h('div', { class: 'sg-bar' }, speeds, whoBox), liveBox, pastBox, topBox, flowBox);
	let plot = null, past = null, shownClients = '', polls = 0, asked = 0;

	function begin() {
		plot = chart(context.root, {
			title: _('Live throughput'), x: live.x, format: rate, least: 1000,
			series: [{ label: _('Down'), data: live.down }, { label: _('Up'), data: live.up }],
		});
		liveBox.append(plot.box);
	}

	function sum(status) {
		const mine = status.clients.filter(client => !view.who || client.client === view.who);
		return { at: status.time_s, down: mine.reduce((all, client) => all + client.down_bytes, 0), up: mine.reduce((all, client) => all + client.up_bytes, 0) };
	}

	function update(status) {
		chooseWho(status);
		const now = sum(status);
		const seconds = live.last ? now.at - live.last.at : 0;
		if (seconds > 0 && now.down >= live.last.down) {
			live.x.push(now.at);
			live.down.push((now.down - live.last.down) / seconds);
			live.up.push((now.up - live.last.up) / seconds);
			if (live.x.length > POINTS) {
				live.x.shift();
				live.down.shift();
				live.up.shift();
			}
			speeds.textContent = fill(_('Down %s, up %s'), rate(live.down.at(-1)), rate(live.up.at(-1)));
			plot.update(live.x, [live.down, live.up]);
		}
		if (!live.last || seconds > 0)
			live.last = now;
		top(status);
		if (polls++ % 3 === 0)
			flows();
		if (polls % 12 === 1)
			history(status);
	}

	function chooseWho(status) {
		const options = [['', _('All devices')], ...status.clients.map(client => [client.client, clean(clientName(client), 40)])];
		const key = JSON.stringify(options);
		if (key === shownClients)
			return;
		shownClients = key;
		whoBox.replaceChildren(field(_('Device'), select(options, view.who, value => {
			view.who = value;
			Object.assign(live, { x: [], down: [], up: [], last: null });
			plot.update([], [[], []]);
			update(context.status);
			history(context.status);
		})));
	}

	function top(status) {
		const rows = status.clients.filter(client => client.up_bytes + client.down_bytes > 0)
			.sort((a, b) => b.down_bytes + b.up_bytes - a.down_bytes - a.up_bytes).slice(0, 20)
			.map(client => [name(clientName(client), 40), bytes(client.down_bytes), bytes(client.up_bytes)]);
		fillTable(topBox, _('Devices by volume'), table(_('Devices by volume'),
			[[_('Device')], [_('Down'), 'number'], [_('Up'), 'number']], rows));
	}

	async function flows() {
		const found = await context.transport.read('flows', { limit: 30 }).catch(() => null);
		if (!found)
			return;
		const heads = [[_('Protocol')], [_('From')], [_('To')], [_('Service')], [_('Sent'), 'number'], [_('Received'), 'number'],
			[_('Round trip'), 'number'], [_('Resent'), 'number']];
		const rows = found.flows.map(flow => [
			PROTOCOLS[flow.proto] || clean(flow.proto), name(flow.orig, 50), name(flow.resp, 50), name(flow.service || '—', 40),
			bytes(flow.bytes_orig), bytes(flow.bytes_resp),
			flow.rtt_us === undefined || flow.rtt_us === null ? '—' : fill(_('%s ms'), (flow.rtt_us / 1000).toFixed(1)),
			flow.retransmitted === undefined || flow.retransmitted === null ? '—' : String(flow.retransmitted)]);
		fillTable(flowBox, _('Largest connections now'), table(_('Largest connections now'), heads, rows));
	}

	async function history(status) {
		const turn = ++asked;
		const range = Number(view.range), [step, per] = RANGES[view.range];
		const of = { from: String(status.time_s - range), to: String(status.time_s + 60), who: view.who || undefined };
		const ask = more => context.transport.read('traffic', { ...of, ...more }).then(found => found.traffic, () => null);
		const [moved, ...lists] = await Promise.all([ask({ per, by: 'client', limit: 1000 }),
			...KINDS.map(([by]) => ask({ per: 'total', by, limit: 12 }))]);
		if (turn !== asked)
			return;
		const heading = h('div', { class: 'sg-bar' }, h('h2', { class: 'sg-summary' }, _('Over time')),
			field(_('Range'), select(Object.entries(RANGES).map(([key, [, , text]]) => [key, text()]), view.range, value => {
				view.range = value;
				history(context.status);
			})));
		if (past)
			past.close();
		past = null;
		const sums = new Map();
		for (let at = Math.floor((status.time_s - range) / step) * step; per === 'minute' && at <= status.time_s; at += step)
			sums.set(at, [0, 0]);
		for (const row of moved || []) {
			const sum = sums.get(row.start_s) || [0, 0];
			sums.set(row.start_s, [sum[0] + row.down_bytes, sum[1] + row.up_bytes]);
		}
		const x = [...sums.keys()].sort((a, b) => a - b);
		past = chart(context.root, {
			title: _('Throughput over time'), x, format: rate, least: 1000,
			series: [{ label: _('Down'), data: x.map(at => sums.get(at)[0] / step) }, { label: _('Up'), data: x.map(at => sums.get(at)[1] / step) }],
		});
		const tables = KINDS.map(([by, title], index) => {
			const rows = (lists[index] || []).map(row => [name(row[by] || '—', 60), bytes(row.down_bytes), bytes(row.up_bytes)]);
			return h('div', {}, h('h3', {}, title()), table(title(), [[title()], [_('Down'), 'number'], [_('Up'), 'number']], rows));
		});
		pastBox.replaceChildren(heading, moved ? past.box : h('p', { class: 'sg-empty' }, '—'), h('div', { class: 'sg-columns' }, tables));
	}

	begin();
	context.listeners.add(update);
	return {
		close() {
			plot.close();
			if (past)
				past.close();
		},
		redraw() {
			plot.close();
			plot.box.remove();
			begin();
			if (context.status)
				history(context.status);
		},
	};
}

function fillTable(box, title, content) {
	const scroll = box.querySelector('.sg-scroll');
	const left = scroll ? scroll.scrollLeft : 0;
	box.replaceChildren(h('h2', {}, title), content);
	content.scrollLeft = left;
}
