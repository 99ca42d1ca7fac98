// A router's web server as far as LuCI needs one: the app's files as they are installed, /ubus in JSON-RPC, cgi-exec and
// cgi-download, and one page for each view. Around the views stands either a stand-in for LuCI (luci-stub.js) or, where
// $LUCI_ROOT names a router's /www, LuCI itself.
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DENIED } from './rpcd.mjs';
import { ROOT } from './house.mjs';

const STUB = readFileSync(fileURLToPath(new URL('luci-stub.js', import.meta.url)));
const APP = join(ROOT, 'openwrt/luci-app-streamguard/htdocs');
const TYPES = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', png: 'image/png' };

function installed(path, luci) {
	const own = path.replace('/luci-static/resources/streamguard/', '');
	return [join(APP, path), own !== path && join(ROOT, 'files/www', own), luci && join(luci, path)].find(file => file && existsSync(file));
}

const head = title => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title><meta name="viewport" content="width=device-width, initial-scale=1">`;
const stubbed = () => head('LuCI') + '</head><body style="background:#fff"><main id="maincontent"><div id="view"></div></main><script src="/stub.js"></script></body></html>';

// What LuCI's own templates write around a view.
function real(view, session, readonly) {
	const env = {
		media: '/luci-static/bootstrap', resource: '/luci-static/resources', scriptname: '/cgi-bin/luci', cgi_base: '/cgi-bin', ubuspath: '/ubus/',
		pathinfo: '/admin/services/streamguard/' + view, documentroot: '/www', requestpath: ['admin', 'services', 'streamguard', view],
		dispatchpath: ['admin', 'services', 'streamguard', view], pollinterval: 5, sessionid: session, token: 'x',
		nodespec: { satisfied: true, readonly }, apply_rollback: 90, apply_holdoff: 4, apply_timeout: 5, apply_display: 1.5,
	};
	return head('LuCI') + '<link rel="stylesheet" href="/luci-static/bootstrap/cascade.css"><script src="/translations.js"></script>'
		+ '<script src="/luci-static/resources/cbi.js"></script></head><body><header></header><div id="maincontent" class="container">'
		+ `<script src="/luci-static/resources/luci.js"></script><script>L = new LuCI(${JSON.stringify(env)});</script>`
		+ `<div id="view"><div class="spinning">…</div><script>L.require('ui').then(ui => ui.instantiateView('streamguard/${view}'));</script></div></div></body></html>`;
}

async function body(request) {
	const parts = [];
	for await (const part of request)
		parts.push(part);
	return Buffer.concat(parts).toString();
}

// The texts of a catalogue as LuCI hands them to its pages: {hash: text}.
export function catalogue(file) {
	const bytes = readFileSync(file);
	const found = {};
	for (let at = bytes.readUInt32BE(bytes.length - 4); at < bytes.length - 4; at += 16) {
		const [key, , offset, length] = [0, 4, 8, 12].map(field => bytes.readUInt32BE(at + field));
		found[key.toString(16).padStart(8, '0')] = bytes.toString('utf8', offset, offset + length);
	}
	return found;
}

// {url, stop}: `url` + view + '?' + session is a page.
export async function router(rpcd, luci, texts = {}) {
	const one = async ({ id, method, params }) => {
		if (method === 'list')
			return { jsonrpc: '2.0', id, result: rpcd.list((params || []).at(-1)) };
		const result = await rpcd.call(...params);
		return result[0] === DENIED ? { jsonrpc: '2.0', id, error: { code: -32002, message: 'Access denied' } } : { jsonrpc: '2.0', id, result };
	};
	const server = createServer(async (request, response) => {
		const { pathname, searchParams, search } = new URL(request.url, 'http://router');
		const send = (kind, bytes, status = 200) => response.writeHead(status, { 'Content-Type': kind }).end(bytes);
		const given = bytes => bytes === null ? send('text/plain', 'denied', 403) : send('application/octet-stream', bytes);
		if (/^\/ubus\/?$/.test(pathname)) {
			const asked = JSON.parse(await body(request));
			send('application/json', JSON.stringify(Array.isArray(asked) ? await Promise.all(asked.map(one)) : await one(asked)));
		} else if (pathname === '/cgi-bin/cgi-exec') {
			const form = new URLSearchParams(await body(request));
			given(await rpcd.exec(form.get('sessionid'), form.get('command')));
		} else if (pathname === '/cgi-bin/cgi-download') {
			const form = new URLSearchParams(await body(request));
			given(rpcd.download(form.get('sessionid'), form.get('path')));
		} else if (pathname === '/stub.js') {
			send('text/javascript', STUB);
		} else if (pathname === '/translations.js') {
			send('text/javascript', 'window.TR = ' + JSON.stringify(texts));
		} else if (pathname.startsWith('/luci-static/')) {
			const file = installed(pathname, luci);
			file ? send(TYPES[file.split('.').pop()] || 'application/octet-stream', readFileSync(file)) : send('text/plain', 'none', 404);
		} else if (pathname.startsWith('/cgi-bin/luci/admin/services/streamguard/')) {
			const view = pathname.split('/').pop(), session = search.slice(1) || 'full';
			send('text/html', luci ? real(view, session, session !== 'full') : stubbed());
		} else {
			send('text/plain', 'none', pathname === '/favicon.ico' ? 204 : 404);
		}
	});
	await new Promise(ready => server.listen(0, '127.0.0.1', ready));
	return {
		url: `http://127.0.0.1:${server.address().port}/cgi-bin/luci/admin/services/streamguard/`,
		stop: () => server.close(),
	};
}
