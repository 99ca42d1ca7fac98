// Stands in for LuCI: its public JavaScript API as far as the views use it. The session is what follows the page's `?`.
const SESSION = location.search.slice(1) || 'full';
window.TRANSLATED = { 'Pause': 'Anhalten' };
window.form = { asked: [] };

const E = (tag, attributes, children) => {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {}))
		typeof value === 'function' ? element.addEventListener(name, value) : element.setAttribute(name, value);
	element.append(...[children || []].flat());
	return element;
};
String.prototype.format = function(...args) { let index = 0; return this.replace(/%[sd]/g, () => args[index++]); };
const _ = text => window.TRANSLATED[text] || text;

async function ask(method, params) {
	const answer = await (await fetch('/ubus/', { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })).json();
	if (answer.error)
		throw new Error(answer.error.message);
	return answer.result;
}

const post = (path, form) => fetch(path, { method: 'POST', body: new URLSearchParams({ sessionid: SESSION, ...form }) }).then(answer => {
	if (!answer.ok)
		throw new Error(answer.statusText);
	return answer.blob();
});

for (const kind of ['Flag', 'Value', 'ListValue', 'DynamicList', 'TypedSection', 'NamedSection'])
	form[kind] = kind;
form.Map = class {
	constructor(config, title) { this.box = E('div', { class: 'cbi-map' }, [E('h2', {}, title)]); }
	section(kind, ...names) {
		const box = E('div', {}, [E('h3', {}, names.at(-1))]);
		this.box.append(box);
		return { option: (kind, name, label) => {
			const option = { values: [], value(key) { this.values.push(key); } };
			form.asked.push({ section: names[0], kind, name, option });
			box.append(E('label', {}, label));
			return option;
		} };
	}
	render() { return Promise.resolve(this.box); }
};

const extend = object => object;
const modules = {
	baseclass: { extend }, view: { extend }, form,
	fs: {
		exec_direct: (command, args) => post('/cgi-bin/cgi-exec', { command: [command, ...args].join(' ') }),
		read_direct: path => post('/cgi-bin/cgi-download', { path }),
	},
	rpc: {
		declare: ({ object, method, params = [], expect }) => (...values) =>
			ask('call', [SESSION, object, method, Object.fromEntries(params.map((name, index) => [name, values[index]]))])
				.then(([, data]) => expect ? data[Object.keys(expect)[0]] : data),
		list: object => ask('list', [SESSION, object]).then(found => found),
	},
	uci: { load: () => Promise.resolve(), sections: (config, type, each) => [{ '.name': 'kids', name: 'Kids' }].forEach(each) },
	network: { getHostHints: () => Promise.resolve({ getMACHints: () => [['02:00:00:00:00:01', 'tablet']] }) },
};
const L = {
	resource: path => '/luci-static/resources/' + path,
	url: (...parts) => '/cgi-bin/luci/' + parts.join('/'),
	resolveDefault: (promise, value) => Promise.resolve(promise).catch(() => value),
	toArray: value => Array.isArray(value) ? value : value ? [value] : [],
};
async function require_(name) {
	if (modules[name])
		return modules[name];
	const source = await (await fetch(L.resource(name.replaceAll('.', '/') + '.js'))).text();
	const needs = [...source.matchAll(/^'require ([\w.]+)(?: as (\w+))?';$/gm)];
	const given = await Promise.all(needs.map(need => require_(need[1])));
	const names = needs.map(need => need[2] || need[1]);
	return modules[name] = new Function('L', 'E', '_', ...names, source)(L, E, _, ...given);
}
require_('view.streamguard.' + location.pathname.split('/').pop()).then(async view => {
	document.getElementById('view').append(await view.render(await view.load()));
});
