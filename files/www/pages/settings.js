// Settings in the gateway: the configuration file as forms. Every change is judged by the service while it is made,
// and what is wrong is said at its field; what is wrong cannot be saved.
import { _, fill } from '../i18n.js';
import { clean, field, h } from '../ui.js';
import { SECTIONS } from '../settings-schema.js';

const CHECK_AFTER_MS = 400;

export function settingsPage(context, main) {
	const file = context.transport.settings;
	const body = h('div', {});
	const note = h('p', { class: 'sg-summary', role: 'status' });
	const save = h('button', { class: 'sg-primary', disabled: true, onclick: keep }, _('Save'));
	const drop = h('button', { disabled: true, onclick: load }, _('Discard'));
	main.append(h('div', { class: 'sg-bar' }, note, h('div', { class: 'sg-buttons' }, save, drop)), body);
	let loaded = null, added = [], removed = new Set(), changed = new Map(), fields = new Map(), timer = 0, turn = 0;

	async function load() {
		try {
			loaded = await file.load();
		} catch (error) {
			body.replaceChildren(h('p', { class: 'sg-problem', role: 'alert' }, clean(error.message, 300)));
			return;
		}
		added = [];
		removed = new Set();
		changed = new Map();
		draw();
		tell(loaded.findings);
		state();
	}

	// Sections of the file, then the new ones: their index is what changes are addressed by.
	const sections = () => [...loaded.sections.map((one, index) => ({ ...one, index })), ...added];

	function draw() {
		fields = new Map();
		body.replaceChildren(...SECTIONS().map(schema => {
			const own = sections().filter(one => one.type === schema.type && !removed.has(one.index));
			const forms = own.map(one => form(schema, one, own.length));
			if (!schema.many && !own.length)
				forms.push(h('button', { onclick: () => add(schema, schema.fixed) }, _('Set')));
			if (schema.many)
				forms.push(newSection(schema));
			return h('details', { class: 'sg-panel', open: schema.type === 'streamguard' || own.some(one => !one.options || changed.has(one.index)) },
				h('summary', {}, h('h2', {}, schema.title), schema.many ? h('span', { class: 'sg-sub' }, String(own.length)) : null), forms);
		}), others());
	}

	// What this page has no form for is still there, and said to be.
	function others() {
		const known = new Set(SECTIONS().map(schema => schema.type));
		const rest = [...new Set(loaded.sections.filter(one => !known.has(one.type)).map(one => one.type))];
		return rest.length ? h('p', { class: 'sg-help' }, fill(_('Only in the file %s: %s'), loaded.path, rest.map(type => clean(type, 40)).join(', '))) : '';
	}

	function form(schema, one, count) {
		const title = clean(valuesOf(one, 'name')[0] || one.name || one.type, 60);
		const inputs = schema.options.map(option => input(one, option));
		const remove = schema.many ? h('button', { type: 'button', class: 'sg-quiet', onclick: () => { removed.add(one.index); draw(); state(); judge(); } },
			fill(_('Remove %s'), title)) : null;
		return schema.many ? h('fieldset', {}, h('legend', {}, h('bdi', {}, title)), inputs, remove) : h('div', { class: 'sg-form' }, inputs, count > 1 ? title : null);
	}

	function newSection(schema) {
		const text = h('input', { type: 'text', maxlength: '32', pattern: '[A-Za-z0-9_]+', placeholder: 'kids' });
		return h('form', { class: 'sg-form sg-inline', onsubmit: event => { event.preventDefault(); add(schema, text.value.trim()); } },
			field(fill(_('New: %s'), schema.one), text, _('A short name: letters, digits and _')), h('button', {}, _('Add')));
	}

	function add(schema, name) {
		if (!/^[A-Za-z0-9_]{1,32}$/.test(name || ''))
			return;
		added.push({ type: schema.type, name, options: {}, index: loaded.sections.length + added.length, isNew: true });
		changed.set(added.at(-1).index, new Map());
		draw();
		state();
		judge();
	}

	function valuesOf(one, option) {
		const mine = changed.get(one.index);
		return mine && mine.has(option) ? mine.get(option) : one.options[option] || [];
	}

	function input(one, [name, kind, label, help, standard]) {
		const values = valuesOf(one, name);
		const set = given => {
			if (!changed.has(one.index))
				changed.set(one.index, new Map());
			const before = one.options[name] || [];
			if (JSON.stringify(before) === JSON.stringify(given))
				changed.get(one.index).delete(name);
			else
				changed.get(one.index).set(name, given);
			state();
			judge();
		};
		const text = () => [control.value.trim()].filter(value => value !== '');
		let control;
		if (kind === 'flag') {
			control = h('input', { type: 'checkbox', checked: (values[0] || standard || '0') === '1', onchange: () => set([control.checked ? '1' : '0']) });
		} else if (kind === 'list') {
			control = h('textarea', { rows: Math.max(2, values.length), spellcheck: 'false',
				oninput: () => set(control.value.split('\n').map(line => line.trim()).filter(line => line)) });
			control.value = values.join('\n');
		} else if (kind === 'profile' || Array.isArray(kind)) {
			const choices = Array.isArray(kind) ? kind.map(key => [key, key])
				: [['', _('none')], ...sections().filter(other => other.type === 'profile' && other.name).map(other => [other.name, clean(valuesOf(other, 'name')[0] || other.name, 40)])];
			const value = values[0] || standard || choices[0][0];
			if (!choices.some(([key]) => key === value))
				choices.push([value, clean(value, 40)]);
			control = h('select', { onchange: () => set(text()) }, choices.map(([key, shown]) => h('option', { value: key, selected: key === value }, shown)));
		} else {
			control = h('input', { type: 'text', inputmode: kind === 'number' ? 'numeric' : null, placeholder: standard || '', maxlength: '512', oninput: () => set(text()) });
			control.value = values[0] || '';
		}
		const problem = h('p', { class: 'sg-problem', hidden: true });
		const box = field(label, control, help);
		problem.id = control.id + '-problem';
		box.append(problem);
		if (kind === 'flag')
			box.classList.add('sg-check');
		fields.set(one.index + '\n' + name, { control, problem });
		return box;
	}

	function changes() {
		const list = added.map(one => ({ do: 'add', kind: one.type, name: one.name }));
		for (const [section, options] of changed) {
			if (!removed.has(section))
				for (const [option, values] of options)
					list.push({ do: 'set', section, option, values });
		}
		// From the end, so that what comes before keeps its number.
		for (const section of [...removed].sort((a, b) => b - a))
			list.push({ do: 'remove', section });
		return list;
	}

	function state() {
		const dirty = changes().length > 0;
		save.disabled = !dirty || !loaded.writable;
		drop.disabled = !dirty;
		note.textContent = !loaded.writable ? fill(_('This page may not change %s.'), loaded.path)
			: dirty ? _('Not saved yet.') : fill(_('Settings of %s'), loaded.path);
	}

	function judge() {
		clearTimeout(timer);
		timer = setTimeout(async () => {
			const mine = ++turn;
			try {
				const judged = await file.check(loaded.revision, changes());
				if (mine === turn)
					tell(judged.findings);
			} catch (error) {
				if (mine === turn)
					note.textContent = clean(error.message, 200);
			}
		}, CHECK_AFTER_MS);
	}

	const titleOf = one => one.title || (one.type === 'streamguard' ? 'main' : one.type === one.name ? one.type : one.type + " '" + one.name + "'");

	// Findings at their fields; what has no field goes to the note.
	function tell(findings) {
		for (const { control, problem } of fields.values()) {
			problem.hidden = true;
			control.removeAttribute('aria-invalid');
		}
		const homeless = [];
		for (const finding of findings) {
			const one = sections().find(one => titleOf(one) === finding.section && !removed.has(one.index));
			const place = one && finding.option && fields.get(one.index + '\n' + finding.option);
			if (!place) {
				homeless.push((finding.section ? finding.section + ': ' : '') + (finding.option ? finding.option + ': ' : '') + finding.reason);
				continue;
			}
			place.problem.textContent = (finding.value ? '‘' + clean(finding.value, 60) + '’: ' : '') + clean(finding.reason, 200);
			place.problem.hidden = false;
			place.control.setAttribute('aria-invalid', 'true');
			place.control.setAttribute('aria-describedby', place.problem.id);
			place.control.closest('details').open = true;
		}
		if (homeless.length)
			note.textContent = homeless.map(text => clean(text, 200)).join(' · ');
	}

	async function keep() {
		try {
			loaded = await file.save(loaded.revision, changes());
			added = [];
			removed = new Set();
			changed = new Map();
			draw();
			tell(loaded.findings);
			state();
			context.toast(_('Saved, and in force.'));
			context.refresh();
		} catch (error) {
			tell(error.findings || []);
			context.toast(fill(_('Not saved: %s'), clean(error.message, 200)), null, 'bad');
		}
	}

	load();
	return { close: () => clearTimeout(timer) };
}
