// Charts by uPlot, dressed in the page's colours, with a text for those who do not see them.
import { _ } from './i18n.js';
import { colour, h, when } from './ui.js';

const VENDOR = new URL('vendor/', import.meta.url);
// Pixels between two times on the axis: room for 10:38:05 PM.
const TIMES_APART = 92;
const FONT = '12px system-ui, sans-serif';
export const COLOURS = ['--sg-c1', '--sg-c2', '--sg-c3', '--sg-c4', '--sg-c5', '--sg-c6'];

let library = null;

// The library, fetched when the first chart is drawn: no page waits for it.
function uplot() {
	library ??= new Promise((done, failed) => {
		document.head.append(h('link', { rel: 'stylesheet', href: VENDOR + 'uPlot.min.css' }),
			h('script', { src: VENDOR + 'uPlot.iife.min.js', onload: () => done(globalThis.uPlot), onerror: failed }));
	});
	return library;
}

// Ticks of the time axis as people here write times.
function times(_u, ticks, _axis, _space, step) {
	const format = step >= 86400 ? { day: 'numeric', month: 'short' }
		: step >= 60 ? { hour: '2-digit', minute: '2-digit' } : { hour: '2-digit', minute: '2-digit', second: '2-digit' };
	return ticks.map(tick => new Date(tick * 1000).toLocaleString([], format));
}

// chart(root, {title, series: [{label, data, bars}], x: [seconds], format, height, bars, tick}); with bars, tick(second)
// is what stands below a bar, or nothing.
export function chart(root, wanted) {
	const box = h('div', { class: 'sg-chart', role: 'img', 'aria-label': wanted.title });
	const text = colour(root, '--sg-soft') || '#555', grid = colour(root, '--sg-line') || '#ddd';
	let plot = null, uPlot = null, closed = false;
	const lines = () => wanted.series.map((one, index) => {
		const stroke = colour(root, COLOURS[index % COLOURS.length]) || '#0f6e63';
		return {
			label: one.label, stroke, width: 2, points: { show: false },
			fill: one.bars ? stroke : stroke + '22',
			paths: one.bars ? uPlot.paths.bars({ size: [0.7, 60] }) : undefined,
			value: (_u, value) => value === null || value === undefined ? '—' : wanted.format(value),
		};
	});
	const axis = { stroke: text, font: FONT, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } };
	const options = width => ({
		width, height: wanted.height || 180, legend: { show: !wanted.bars }, cursor: { drag: { x: false, y: false } },
		scales: { x: { time: true, range: wanted.bars ? (_u, min, max) => [min - half, max + half] : undefined }, y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.1 : wanted.least || 1] } },
		series: [{ label: _('Time'), value: (_u, at) => at === null ? '—' : when(at) }, ...lines()],
		axes: [{ ...axis, ...wanted.bars ? {} : { space: TIMES_APART }, values: wanted.bars ? (_u, ticks) => ticks.map(wanted.tick) : times, splits: wanted.bars ? () => wanted.x : undefined }, { ...axis, size: 86, values: (_u, ticks) => ticks.map(wanted.format) }],
	});
	const half = wanted.x.length > 1 ? (wanted.x[1] - wanted.x[0]) / 2 : 43200;
	const draw = () => {
		const width = Math.floor(box.clientWidth);
		if (!width || !uPlot)
			return;
		if (plot)
			plot.setSize({ width, height: wanted.height || 180 });
		else
			plot = new uPlot(options(width), [wanted.x, ...wanted.series.map(one => one.data)], box);
	};
	const watcher = new ResizeObserver(draw);
	uplot().then(found => {
		uPlot = found;
		if (!closed)
			watcher.observe(box);
	}, () => box.append(h('p', { class: 'sg-empty' }, '—')));
	return {
		box,
		update(x, columns) {
			if (plot)
				plot.setData([x, ...columns]);
			else
				wanted = { ...wanted, x, series: wanted.series.map((one, index) => ({ ...one, data: columns[index] })) };
		},
		close() {
			closed = true;
			watcher.disconnect();
			if (plot)
				plot.destroy();
		},
	};
}
