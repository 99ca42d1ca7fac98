'use strict';
'require view';
'require form';
'require network';
'require uci';
'require streamguard.luci as app';

/* What the service says of an option, where it is one of a section there is only one of. */
function findingOf(findings, schema, option) {
	var title = schema.type === 'streamguard' ? 'main' : schema.fixed;
	var found = findings.filter(function(one) { return one.section === title && one.option === option; });
	return found.length ? '“%s”: %s'.format(found[0].value || '', found[0].reason) : null;
}

function addOption(section, option, hints, problem) {
	var name = option[0], kind = option[1], label = option[2], help = option[3], standard = option[4];
	var o;
	if (kind === 'flag') {
		o = section.option(form.Flag, name, label, help);
		o.default = standard || '0';
		o.rmempty = false;
	} else if (kind === 'list') {
		o = section.option(form.DynamicList, name, label, help);
		if (name === 'mac') {
			o.datatype = 'macaddr';
			hints.getMACHints().forEach(function(hint) { o.value(hint[0], hint[1] ? '%s (%s)'.format(hint[0], hint[1]) : hint[0]); });
		}
	} else if (kind === 'profile') {
		o = section.option(form.ListValue, name, label, help);
		o.value('', _('none'));
		uci.sections('streamguard', 'profile', function(profile) { o.value(profile['.name'], profile.name || profile['.name']); });
		o.optional = true;
	} else if (Array.isArray(kind)) {
		o = section.option(form.ListValue, name, label, help);
		kind.forEach(function(key) { o.value(key); });
		o.default = standard || kind[0];
	} else {
		o = section.option(form.Value, name, label, help);
		o.placeholder = standard || '';
		if (kind === 'number')
			o.datatype = 'uinteger';
		else if (kind === 'time')
			o.validate = function(_section, value) { return value === '' || /^([01]\d|2[0-3]):[0-5]\d$/.test(value) || _('A time such as 04:00'); };
	}
	if (problem)
		o.description = problem;
	return o;
}

return view.extend({
	load: function() {
		return Promise.all([
			import(L.resource('streamguard/settings-schema.js')),
			import(L.resource('streamguard/i18n.js')),
			network.getHostHints(),
			L.resolveDefault(app.call('check'), { findings: [] }),
			uci.load('streamguard')
		]);
	},

	render: function(loaded) {
		loaded[1].useTranslator(function(text) { return _(text); });
		var hints = loaded[2], findings = loaded[3].findings || [];
		var map = new form.Map('streamguard', _('Settings'), findings.length
			? findings.map(function(one) { return [one.section, one.option, one.reason].filter(Boolean).join(': '); }).join(' · ') : null);
		loaded[0].SECTIONS().forEach(function(schema) {
			var section;
			if (schema.many) {
				section = map.section(form.TypedSection, schema.type, schema.title);
				section.addremove = true;
				section.anonymous = schema.type === 'client';
			} else {
				section = map.section(form.NamedSection, schema.fixed, schema.type, schema.title);
			}
			schema.options.forEach(function(option) {
				addOption(section, option, hints, schema.many ? null : findingOf(findings, schema, option[0]));
			});
		});
		return map.render();
	}
});
