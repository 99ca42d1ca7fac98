// The few things every page is built of. Text goes into text nodes only: names come off the wire, and anybody in
// the house (or a server somewhere) can choose them.
import { _, fill } from './i18n.js';

const SVG = 'http://www.w3.org/2000/svg';

export function h(tag, attributes, ...children) {
	return build(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
	return build(document.createElementNS(SVG, tag), attributes, children);
}

function build(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes || {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (name.startsWith('on'))
			element.addEventListener(name.slice(2), value);
		else
			element.setAttribute(name, value === true ? '' : String(value));
	}
	element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
	return element;
}

export function clear(element) {
	element.replaceChildren();
	return element;
}

// Sets text only if it differs, so that a refresh neither moves the focus nor makes a screen reader talk.
export function put(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}

// A name as it may be shown: no control characters, nothing that turns the line around, not endless.
export function clean(text, most = 80) {
	const plain = String(text === null || text === undefined ? '' : text)
		.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, '\ufffd');
	const letters = [...plain];
	return letters.length > most ? letters.slice(0, most - 1).join('') + '…' : plain;
}

// A hostile name in a sentence of ours: its direction ends where it ends.
export function name(text, most) {
	return h('bdi', { class: 'sg-name' }, clean(text, most));
}

// What a device is called: by its people, by itself, else by an address.
export const clientName = client => clean(client.name || client.addresses[0] || client.client);

export function minutes(seconds) {
	if (seconds === null || seconds === undefined)
		return '—';
	const whole = Math.floor(seconds / 60);
	if (whole >= 60)
		return fill(_('%s h %s min'), Math.floor(whole / 60), whole % 60);
	return fill(_('%s min'), whole);
}

export function clock(seconds) {
	if (seconds === null || seconds === undefined)
		return '—';
	const pad = number => String(number).padStart(2, '0');
	const whole = Math.floor(seconds);
	return Math.floor(whole / 3600) ? Math.floor(whole / 3600) + ':' + pad(Math.floor(whole / 60) % 60) + ':' + pad(whole % 60)
		: Math.floor(whole / 60) + ':' + pad(whole % 60);
}

export function bytes(count) {
	if (count === null || count === undefined)
		return '—';
	const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
	let index = 0;
	while (count >= 1000 && index < units.length - 1) {
		count /= 1000;
		index++;
	}
	return (index && count < 100 ? count.toFixed(1) : Math.round(count)) + ' ' + units[index];
}

export function rate(bytesPerSecond) {
	if (bytesPerSecond === null || bytesPerSecond === undefined)
		return '—';
	const units = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'];
	let bits = bytesPerSecond * 8, index = 0;
	while (bits >= 1000 && index < units.length - 1) {
		bits /= 1000;
		index++;
	}
	return (index && bits < 100 ? bits.toFixed(1) : Math.round(bits)) + ' ' + units[index];
}

export const when = seconds => seconds === null || seconds === undefined ? '—'
	: new Date(seconds * 1000).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' });

export const timeOfDay = seconds => seconds === null || seconds === undefined ? '—'
	: new Date(seconds * 1000).toLocaleTimeString([], { timeStyle: 'short' });

// YYYY-MM-DD of a day in this browser's zone.
export function dayOf(date) {
	const pad = number => String(number).padStart(2, '0');
	return date.getFullYear() + '-' + pad(date.getMonth() + 1) + '-' + pad(date.getDate());
}

// Wall time as the service writes it: nanoseconds, seconds, or a date in text.
export function instant(value) {
	if (value === null || value === undefined)
		return null;
	if (typeof value === 'number')
		return value > 1e14 ? value / 1e9 : value;
	const parsed = Date.parse(value);
	return Number.isNaN(parsed) ? null : parsed / 1000;
}

const ICONS = [
	[/phone|handy|pixel|galaxy|iphone|mobil/i, 'M9 2h6a2 2 0 0 1 2 2v16a2 2 0 0 1-2 2H9a2 2 0 0 1-2-2V4a2 2 0 0 1 2-2zm2 17h2'],
	[/tablet|ipad|\btab\b|kindle/i, 'M5 3h14a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zm6 15h2'],
	[/tv|tele|fernseh|chromecast|firestick|roku|beamer/i, 'M3 6h18a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1zm5 15h8'],
	[/laptop|book|notebook|thinkpad/i, 'M5 5h14a1 1 0 0 1 1 1v10H4V6a1 1 0 0 1 1-1zM2 19h20'],
	[/pc|desktop|computer|workstation/i, 'M4 4h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zm8 12v4m-4 0h8'],
	[/console|playstation|xbox|switch|nintendo/i, 'M7 8h10a5 5 0 0 1 4 8c-2 2-4-2-5-2H8c-1 0-3 4-5 2a5 5 0 0 1 4-8zm0 2v4m-2-2h4'],
	[/speaker|echo|sonos|radio|homepod/i, 'M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zm4 4h.01M12 17a3 3 0 1 0 0-6 3 3 0 0 0 0 6z'],
	[/cam|doorbell|klingel/i, 'M4 8h10a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zm11 3 5-3v8l-5-3'],
];
const ANY = 'M4 7h16a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1zm3 5h.01M11 12h6';

export function deviceIcon(text) {
	const known = ICONS.find(([pattern]) => pattern.test(text || ''));
	return svg('svg', { class: 'sg-icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' },
		svg('path', { d: known ? known[1] : ANY }));
}

// A table with a caption for screen readers; cells are texts or nodes.
export function table(caption, heads, rows, empty) {
	const head = heads.map(([text, kind]) => h('th', { scope: 'col', class: kind === 'number' ? 'sg-number' : null }, text));
	const body = rows.map(cells => h('tr', {}, cells.map((cell, index) =>
		h('td', { class: heads[index][1] === 'number' ? 'sg-number' : null, 'data-head': heads[index][0] }, cell))));
	if (!rows.length)
		body.push(h('tr', {}, h('td', { colspan: heads.length, class: 'sg-empty' }, empty || _('Nothing yet.'))));
	return h('div', { class: 'sg-scroll', tabindex: '0', role: 'region', 'aria-label': caption },
		h('table', { class: 'sg-table' }, h('caption', { class: 'sg-hidden' }, caption),
			h('thead', {}, h('tr', {}, head)), h('tbody', {}, body)));
}

// A link to a file or, where it has to be asked for, a button: `file` is an address, or {name, load()} for a Blob.
export function save(file, text, failed) {
	if (typeof file === 'string')
		return h('a', { class: 'sg-button', download: true, href: file }, text);
	return h('button', {
		onclick: async () => {
			try {
				const href = URL.createObjectURL(await file.load());
				h('a', { href, download: file.name }).click();
				setTimeout(() => URL.revokeObjectURL(href), 60000);
			} catch (error) {
				failed(fill(_('That did not work: %s'), clean(error.message, 200)), null, 'bad');
			}
		},
	}, text);
}

export function field(label, control, help) {
	const id = control.id || 'sg-f' + field.next++;
	control.id = id;
	if (help) {
		control.setAttribute('aria-describedby', id + '-help');
	}
	return h('div', { class: 'sg-field' }, h('label', { for: id }, label), control,
		help ? h('p', { class: 'sg-help', id: id + '-help' }, help) : null);
}
field.next = 1;

export function select(options, value, onchange) {
	const element = h('select', { onchange: event => onchange(event.target.value) });
	for (const [key, text] of options)
		element.append(h('option', { value: key, selected: key === value }, text));
	return element;
}

// A colour of the present theme.
export function colour(root, variable) {
	return getComputedStyle(root).getPropertyValue(variable).trim();
}
