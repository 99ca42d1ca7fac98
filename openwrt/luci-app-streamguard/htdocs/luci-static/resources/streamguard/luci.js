'use strict';
'require baseclass';
'require fs';
'require rpc';
'require view';

/* The dashboard inside of LuCI: the same modules as in the gateway, with ubus below them instead of HTTP. */

var EXPORT = '/usr/libexec/streamguard-export';

/* What this session may do, as rpcd has it: { ubus: { object: [ method, ... ] }, uci: ... }, with wildcards. */
var callAccess = rpc.declare({ object: 'session', method: 'access' });
var callUciSet = rpc.declare({ object: 'uci', method: 'set', params: [ 'config', 'section', 'values' ], reject: true });
var callUciCommit = rpc.declare({ object: 'uci', method: 'commit', params: [ 'config' ], reject: true });
var callUciGet = rpc.declare({ object: 'uci', method: 'get', params: [ 'config', 'section' ], expect: { values: {} } });

function call(method, params) {
	var names = [], values = [];
	Object.keys(params || {}).forEach(function(name) {
		if (params[name] !== undefined && params[name] !== null) {
			names.push(name);
			values.push(params[name]);
		}
	});
	return rpc.declare({ object: 'streamguard', method: method, params: names, reject: true }).apply(null, values).then(function(answer) {
		if (answer && typeof answer.error === 'string')
			throw new Error(answer.error);
		return answer;
	});
}

/* rpcd compares like a shell does: * stands for anything. */
function fits(pattern, text) {
	return new RegExp('^' + pattern.split('*').map(function(part) {
		return part.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
	}).join('.*') + '$').test(text);
}

function may(scope, object, name) {
	return Object.keys(scope || {}).some(function(pattern) {
		return fits(pattern, object) && scope[pattern].some(function(one) { return fits(one, name); });
	});
}

/* Takes a source out of the detectors' sight; what it returns puts it back. */
function exempt(source) {
	function put(change) {
		return callUciGet('streamguard', 'detect').then(function(values) {
			return callUciSet('streamguard', 'detect', { exempt: change(L.toArray(values.exempt)) });
		}).then(function() { return callUciCommit('streamguard'); });
	}
	function without(list) {
		return list.filter(function(one) { return one !== source; });
	}
	return put(function(list) { return without(list).concat(source); }).then(function() {
		return function() { return put(without); };
	});
}

function sheet(url) {
	if (!document.querySelector('link[href="%s"]'.format(url)))
		document.head.append(E('link', { 'rel': 'stylesheet', 'href': url }));
}

/* LuCI's themes choose their colours themselves: ours follow what is behind them. */
function theme() {
	var at = document.querySelector('#maincontent') || document.body;
	for (; at; at = at.parentElement) {
		var parts = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) || []).map(Number);
		if (parts.length >= 3 && parts[3] !== 0)
			return 0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2] < 128 ? 'dark' : 'light';
	}
	return 'light';
}

function transport(methods, access) {
	var mayExport = may(access.file, EXPORT + ' usage', 'exec') && may(access['cgi-io'], 'exec', 'read');
	var mayDownload = may(access.file, '/tmp/streamguard/packets.pcapng', 'read') && may(access['cgi-io'], 'download', 'read');
	return {
		session: {
			login: 'not_needed',
			methods: methods.filter(function(method) { return may(access.ubus, 'streamguard', method); })
		},
		pollMs: 5000,
		read: call,
		write: call,
		page: function(name) { return L.url('admin/services/streamguard', name); },
		download: mayExport ? function(what, format, from, to) {
			return {
				name: 'streamguard-%s-%s-%s.%s'.format(what, from, to, format),
				load: function() { return fs.exec_direct(EXPORT, [ what, format, from, to ], 'blob'); }
			};
		} : null,
		recording: mayDownload ? function(path) {
			return { name: path.split('/').pop(), load: function() { return fs.read_direct(path, 'blob'); } };
		} : null,
		exempt: may(access.uci, 'streamguard', 'write') ? exempt : null
	};
}

return baseclass.extend({
	call: call,

	/* The view of one page of the dashboard. */
	page: function(name) {
		return view.extend({
			load: function() {
				sheet(L.resource('streamguard/style.css'));
				return Promise.all([
					import(L.resource('streamguard/dashboard.js')),
					import(L.resource('streamguard/i18n.js')),
					L.resolveDefault(rpc.list('streamguard'), {}),
					L.resolveDefault(callAccess(), {})
				]);
			},

			render: function(loaded) {
				var root = E('div', { 'class': 'sg', 'data-theme': theme() });
				loaded[1].useTranslator(function(text) { return _(text); });
				loaded[0].mount(root, transport(Object.keys((loaded[2] || {}).streamguard || {}), loaded[3] || {}), { page: name, chrome: false });
				return root;
			},

			handleSave: null,
			handleSaveApply: null,
			handleReset: null
		});
	}
});
