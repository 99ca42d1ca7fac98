// Packets: headers of the last few, and an extra capture to a file.
import { _, fill } from '../i18n.js';
import { clean, field, h, name, save, table } from '../ui.js';

const SHOWN = 100;

export function packetsPage(context, main) {
	if (!context.can('packets')) {
		main.append(h('p', { class: 'sg-empty' }, _('This version of the service does not keep recent packets.')));
		return {};
	}
	const wanted = decodeURIComponent(location.hash.split('?')[1] || '');
	const search = h('input', { type: 'search', value: wanted, oninput: () => draw() });
	const frozen = h('input', { type: 'checkbox' });
	const box = h('section', { class: 'sg-panel' });
	const capture = h('section', { class: 'sg-panel' });
	const files = h('div', { class: 'sg-links', role: 'status' });
	main.append(h('div', { class: 'sg-bar' }, field(_('Filter (address, port, protocol, name)'), search), field(_('Hold still'), frozen)), box, capture);
	let packets = [];

	async function load() {
		if (frozen.checked)
			return;
		const found = await context.transport.read('packets', { limit: 500 }).catch(error => ({ error }));
		if (found.error) {
			box.replaceChildren(h('p', { class: 'sg-problem', role: 'alert' }, clean(found.error.message, 200)));
			return;
		}
		packets = found.packets || [];
		draw();
	}

	function draw() {
		const text = search.value.trim().toLowerCase();
		const rows = packets.filter(packet => !text || JSON.stringify(packet).toLowerCase().includes(text)).slice(0, SHOWN);
		const time = packet => new Date(packet.time_s * 1000).toLocaleTimeString([], { hour12: false })
			+ '.' + String(Math.floor(packet.time_s * 1000) % 1000).padStart(3, '0');
		const scroll = box.querySelector('.sg-scroll');
		const left = scroll ? scroll.scrollLeft : 0;
		const content = table(_('Recent packets'),
			[[_('Time')], [_('From')], [_('To')], [_('Protocol')], [_('Bytes'), 'number']],
			rows.map(packet => [time(packet), name(packet.src || '—', 60), name(packet.dst || '—', 60),
				name(packet.path || '—', 60), String(packet.wire_len)]), _('No packet fits.'));
		box.replaceChildren(h('h2', {}, fill(_('Recent packets (%s)'), rows.length)), content);
		content.scrollLeft = left;
	}

	// A file lies on the service's machine.
	function tellFile(answer) {
		const file = String(answer.file || '');
		const link = context.transport.recording && file
			? save(context.transport.recording(file), fill(_('Download %s'), file.split('/').pop()), context.toast) : null;
		files.replaceChildren(h('p', {}, fill(_('Written to %s'), clean(answer.file, 200))), link || '');
	}

	async function write(method, params, said) {
		try {
			const answer = await context.transport.write(method, params);
			context.toast(said);
			if (answer.file)
				tellFile(answer);
		} catch (error) {
			context.toast(fill(_('That did not work: %s'), clean(error.message, 200)), null, 'bad');
		}
	}

	function captures() {
		const device = h('input', { type: 'text', placeholder: 'br-lan', maxlength: '15', required: true });
		const filter = h('input', { type: 'text', placeholder: 'host 192.168.1.20 and tcp port 443', maxlength: '250' });
		const seconds = h('input', { type: 'number', min: '1', max: '3600', value: '60' });
		const form = h('form', { class: 'sg-form', onsubmit: event => {
			event.preventDefault();
			write('capture_start', {
				interface: device.value.trim(), filter: filter.value.trim() || undefined, seconds: Number(seconds.value),
			}, _('The capture runs.'));
		} },
		field(_('Interface'), device), field(_('BPF filter'), filter), field(_('Seconds'), seconds),
		h('div', { class: 'sg-buttons' }, h('button', { class: 'sg-primary' }, _('Start')),
			h('button', { type: 'button', onclick: () => write('capture_stop', {}, _('The capture has ended.')) }, _('Stop')),
			h('button', { type: 'button', onclick: () => write('export_pcap', {}, _('The recent packets are in a file.')) }, _('Save the recent packets'))));
		capture.append(h('h2', {}, _('Capture to a file')), h('p', { class: 'sg-help' },
			_('Headers only, bounded in size and time; the file stays on the device until it is downloaded.')), form, files);
	}

	captures();
	context.listeners.add(load);
	return {};
}

