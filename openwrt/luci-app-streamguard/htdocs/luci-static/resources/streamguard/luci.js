'use strict';
'require baseclass';
'require rpc';

/* The dashboard inside of LuCI: the same modules as in the gateway, with ubus below them instead of HTTP. Whether a
   session may write is decided by rpcd; here it only decides which buttons there are. */

var WRITES = ['grant', 'revoke', 'pause', 'resume', 'reset', 'ack', 'capture_start', 'capture_stop', 'export_pcap', 'reload'];

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

return baseclass.extend({
	call: call,

	load: function() {
		sheet(L.resource('streamguard/style.css'));
		return Promise.all([
			import(L.resource('streamguard/dashboard.js')),
			import(L.resource('streamguard/i18n.js')),
			L.resolveDefault(rpc.list('streamguard'), {})
		]);
	},

	show: function(loaded, page) {
		var dashboard = loaded[0], methods = Object.keys((loaded[2] || {}).streamguard || {});
		var mayWrite = L.hasViewPermission() === true;
		loaded[1].useTranslator(function(text) { return _(text); });
		var root = E('div', { 'class': 'sg', 'data-theme': theme() });
		dashboard.mount(root, {
			session: {
				login: 'not_needed',
				methods: methods.filter(function(method) { return mayWrite || WRITES.indexOf(method) < 0; })
			},
			pollMs: 5000,
			read: call,
			write: call,
			events: null,
			download: null,
			recording: null,
			settings: null
		}, { page: page, chrome: false });
		return root;
	}
});
