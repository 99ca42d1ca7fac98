// What `doctor` says, in words a parent understands: what does not work, and what that means.
import { _, fill } from './i18n.js';
import { clean, h } from './ui.js';

// [{level: 'bad'|'warn'|'info', text}], worst first.
export function problems(status, doctor) {
	const found = [];
	const bad = text => found.push({ level: 'bad', text });
	const warn = text => found.push({ level: 'warn', text });
	const info = text => found.push({ level: 'info', text });
	if (status.enforcement && status.enforcement.startsWith('refused'))
		bad(fill(_('Nothing is blocked: %s'), clean(status.enforcement, 200)));
	if (doctor) {
		for (const ear of doctor.capture || []) {
			if (ear.trouble)
				bad(fill(_('%s is not being watched: %s'), clean(ear.interface), clean(ear.trouble, 160)));
			else if (ear.received > 1000 && ear.dropped / (ear.received + ear.dropped) > 0.01)
				warn(fill(_('%s is busier than this router can watch: some minutes are not counted.'), clean(ear.interface)));
		}
		for (const table of doctor.offload || []) {
			if (/not (measurable|seen)/.test(table.effect || ''))
				bad(_('The router forwards past the counters (offloading): watch time is not measurable.'));
		}
		if (doctor.storage && doctor.storage.trouble)
			warn(fill(_('History is not being saved: %s'), clean(doctor.storage.trouble, 160)));
		for (const shortfall of doctor.shortfalls || [])
			warn(clean(shortfall, 200));
	}
	if (status.clock && /past|not sync/.test(status.clock))
		warn(_('The clock is not set yet: today goes on until it is.'));
	if (status.findings)
		warn(fill(_('Some settings cannot be used (%s): see Settings.'), status.findings));
	if (status.learning)
		info(_('Still learning: nothing is blocked yet.'));
	if (status.mode === 'monitor')
		info(_('Only watching: nothing is blocked.'));
	if (status.mode === 'replay')
		info(_('This is a recording: what you do here changes nothing outside.'));
	const order = { bad: 0, warn: 1, info: 2 };
	return found.sort((a, b) => order[a.level] - order[b.level]);
}

export function banner(box, found) {
	const words = { bad: _('Problem'), warn: _('Note'), info: _('Information') };
	const key = JSON.stringify(found);
	if (box.dataset.key === key)
		return;
	box.dataset.key = key;
	box.replaceChildren(...found.map(one => h('p', { class: 'sg-banner sg-' + one.level },
		h('strong', {}, words[one.level] + ': '), one.text)));
}
