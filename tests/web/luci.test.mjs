// The LuCI app's views in a page that stands in for LuCI: its public JavaScript API as far as the views use it, with
// ubus answered by a replayed household. A real LuCI is tried elsewhere; this finds what breaks before that.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { browser as launch, house, ROOT } from './house.mjs';

const RESOURCES = [join(ROOT, 'openwrt/luci-app-streamguard/htdocs/luci-static/resources'), null];
const STUB = `
const E = (tag, attributes, children) => {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes || {}))
		typeof value === 'function' ? element.addEventListener(name, value) : element.setAttribute(name, value);
	element.append(...[children || []].flat());
	return element;
};
String.prototype.format = function(...args) { let index = 0; return this.replace(/%[sd]/g, () => args[index++]); };
const _ = text => window.TRANSLATED[text] || text;
window.TRANSLATED = { 'Pause': 'Anhalten' };
const ask = body => fetch('/ubus', { method: 'POST', body: JSON.stringify(body) }).then(answer => answer.json());
const form = { asked: [] };
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
	rpc: {
		declare: spec => (...values) => ask({ method: spec.method, params: Object.fromEntries(spec.params.map((name, index) => [name, values[index]])) }),
		list: () => ask({ method: 'list' }).then(methods => ({ streamguard: methods })),
	},
	uci: { load: () => Promise.resolve(), sections: (config, type, each) => [{ '.name': 'kids', name: 'Kids' }].forEach(each) },
	network: { getHostHints: () => Promise.resolve({ getMACHints: () => [['02:00:00:00:00:01', 'tablet']] }) },
};
const L = {
	resource: path => '/luci-static/resources/' + path,
	resolveDefault: (promise, value) => Promise.resolve(promise).catch(() => value),
	hasViewPermission: () => !location.search.includes('readonly'),
};
async function require_(name) {
	if (modules[name])
		return modules[name];
	const source = await (await fetch(L.resource(name.replaceAll('.', '/') + '.js'))).text();
	const needs = [...source.matchAll(/^'require ([\\w.]+)(?: as (\\w+))?';$/gm)];
	const given = await Promise.all(needs.map(need => require_(need[1])));
	const names = needs.map(need => need[2] || need[1]);
	return modules[name] = eval('(function(L, E, _, ' + names.join(', ') + ') { ' + source + '\\n})')(L, E, _, ...given);
}
window.form = form;
const page = location.pathname.split('/').pop();
require_('view.streamguard.' + page).then(async view => {
	document.getElementById('view').append(await view.render(await view.load()));
	document.body.dataset.ready = 'yes';
});
`;
const PAGE = '<!doctype html><html lang="en"><head><title>LuCI</title><meta name="viewport" content="width=device-width"></head><body style="background:#fff"><main id="maincontent"><div id="view"></div></main><script src="/stub.js"></script></body></html>';

let chrome, demo, server, url;

function file(path) {
	const name = path.replace('/luci-static/resources/', '');
	const app = join(RESOURCES[0], name);
	return existsSync(app) ? app : join(ROOT, 'files/www', name.replace(/^streamguard\//, ''));
}

async function ubus({ method, params }) {
	if (method === 'list')
		return Object.fromEntries((await (await fetch(demo.url + 'api/v1/session')).json()).methods.map(name => [name, {}]));
	const reading = await fetch(`${demo.url}api/v1/${method}?${new URLSearchParams(params)}`);
	const answer = reading.status !== 405 ? reading : await fetch(`${demo.url}api/v1/${method}`, {
		method: 'POST', body: JSON.stringify(params), headers: { 'X-Streamguard': '1', 'Content-Type': 'application/json' },
	});
	const body = await answer.json();
	return body.error ? { error: body.error.message } : body;
}

before(async () => {
	[chrome, demo] = await Promise.all([launch(), house({ speed: 12 })]);
	server = createServer(async (request, response) => {
		const path = new URL(request.url, 'http://x').pathname;
		const send = (kind, body) => response.writeHead(200, { 'Content-Type': kind }).end(body);
		if (path === '/ubus') {
			const parts = [];
			for await (const part of request)
				parts.push(part);
			send('application/json', JSON.stringify(await ubus(JSON.parse(Buffer.concat(parts)))));
		} else if (path === '/stub.js') {
			send('text/javascript', STUB);
		} else if (path.startsWith('/luci-static/')) {
			send(path.endsWith('.css') ? 'text/css' : 'text/javascript', readFileSync(file(path)));
		} else {
			send('text/html', PAGE);
		}
	});
	await new Promise(ready => server.listen(0, '127.0.0.1', ready));
	url = `http://127.0.0.1:${server.address().port}/luci/`;
});
after(async () => {
	await Promise.allSettled([chrome && chrome.close(), demo && demo.stop()]);
	server.close();
});

async function visit(name, query = '') {
	const context = await chrome.newContext({ viewport: { width: 900, height: 800 } });
	const page = await context.newPage();
	const sins = [];
	page.on('console', message => message.type() === 'error' && !/favicon/.test(message.location().url) && sins.push(message.text()));
	page.on('pageerror', error => sins.push(String(error)));
	await page.goto(url + name + query);
	await page.locator('body[data-ready]').waitFor({ timeout: 15000 });
	return { page, context, sins };
}

test('every view loads, asks ubus and shows what it says', async () => {
	for (const [name, wanted] of [['now', '.sg-card'], ['history', '.sg-panel h3'], ['traffic', '.sg-panel canvas'],
		['alerts', '.sg-alerts li'], ['packets', '.sg-panel td']]) {
		const { page, context, sins } = await visit(name);
		await page.locator(wanted).first().waitFor();
		assert.equal(await page.locator('.sg-nav').count(), 0, 'LuCI has its own menu');
		assert.deepEqual(sins, [], name);
		await context.close();
	}
});

test('texts go through LuCI’s translator, and acts through ubus', async () => {
	const { page, context, sins } = await visit('now');
	const card = page.locator('.sg-card', { has: page.locator('.sg-name:text-is("Television")') });
	await card.getByText('Anhalten', { exact: true }).click();
	await card.locator('.sg-chip:has-text("Paused")').waitFor();
	await page.locator('.sg-toast button:text-is("Undo")').click();
	assert.deepEqual(sins, []);
	await context.close();
});

test('a session that may only read has nothing to press', async () => {
	const { page, context } = await visit('now', '?readonly');
	await page.locator('.sg-card').first().waitFor();
	assert.equal(await page.locator('.sg-card button').count(), 0);
	await context.close();
});

test('the settings are a form.Map with every option of the schema', async () => {
	const { page, context, sins } = await visit('settings');
	const asked = await page.evaluate(() => globalThis.form.asked.map(one => [one.section, one.kind, one.name, one.option.values.length]));
	assert.ok(asked.length > 50);
	assert.ok(asked.some(([section, kind, name]) => section === 'main' && kind === 'Value' && name === 'quota'));
	assert.ok(asked.some(([section, kind, name, values]) => section === 'client' && kind === 'DynamicList' && name === 'mac' && values === 1));
	assert.deepEqual(sins, []);
	await context.close();
});
