// The gateway as programs and attackers meet it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { DEMO_CONF, house, PROGRAM, scratch } from './house.mjs';

const JSON_BODY = { 'X-Streamguard': '1', 'Content-Type': 'application/json' };
const GRANT = JSON.stringify({ who: 'Tablet', minutes: 1 });
let files, open, locked, token;

before(async () => {
	files = scratch();
	const made = spawnSync(PROGRAM, ['web', '--new-token'], { encoding: 'utf8' }).stdout;
	token = made.match(/token +(\S+)\n/)[1];
	const hash = made.match(/token_hash +(\S+)\n/)[1];
	const conf = readFileSync(DEMO_CONF, 'utf8') + `\nconfig web 'web'\n\toption token_hash '${hash}'\n`;
	[open, locked] = await Promise.all([house({ speed: 50 }), house({ speed: 50, conf: files.file('locked.conf', conf) })]);
});
after(async () => {
	await Promise.allSettled([open && open.stop(), locked && locked.stop()]);
	files.remove();
});

// fetch does not let us choose Host.
function ask(url, { method = 'GET', headers = {}, body } = {}) {
	return new Promise((resolve, reject) => {
		const sent = request(url, { method, headers }, answer => {
			const parts = [];
			answer.on('data', part => parts.push(part));
			answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() }));
		});
		sent.on('error', reject);
		sent.end(body);
	});
}

const status = async (...args) => (await ask(...args)).status;

test('nothing is written without the header, from another site, or for another name', async () => {
	const grant = open.url + 'api/v1/grant';
	const write = headers => status(grant, { method: 'POST', headers, body: GRANT });
	assert.equal(await write({ 'Content-Type': 'application/json' }), 403);
	assert.equal(await write({ ...JSON_BODY, Origin: 'http://evil.example' }), 403);
	assert.equal(await write({ ...JSON_BODY, Origin: 'null' }), 403);
	assert.equal(await write({ ...JSON_BODY, 'Sec-Fetch-Site': 'cross-site' }), 403);
	assert.equal(await write({ ...JSON_BODY, Host: 'evil.example' }), 403);
	assert.equal(await status(open.url + 'api/v1/status', { headers: { Host: 'evil.example' } }), 403);
	assert.equal(await write({ ...JSON_BODY, Origin: open.url.slice(0, -1) }), 200);
});

test('what does not fit is refused with the status for it', async () => {
	const at = path => open.url + path;
	const post = (body, headers = JSON_BODY) => status(at('api/v1/grant'), { method: 'POST', headers, body });
	assert.equal(await post('{'), 400);
	assert.equal(await post('{"who":"Tablet"}'), 400);
	assert.equal(await post('{"who":"Tablet","minutes":99999}'), 400);
	assert.equal(await post('{"who":"nobody at all","minutes":1}'), 404);
	assert.equal(await post(GRANT, { 'X-Streamguard': '1', 'Content-Type': 'text/plain' }), 415);
	assert.equal(await post(' '.repeat(70000)), 413);
	const wrong = await ask(at('api/v1/grant'), { headers: JSON_BODY });
	assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'POST']);
	for (const path of ['api/v1/nothing', 'nothing', '..%2f..%2fetc%2fpasswd', 'api/v1/export/passwd.csv', 'api/v1/recordings/..%2f..%2fetc%2fpasswd',
		'api/v1/recordings/.hidden', 'api/v1/export/usage.exe'])
		assert.equal(await status(at(path)), 404, path);
	for (const path of ['api/v1/usage?from=x', 'api/v1/flows?limit=-1', 'api/v1/status?x=1', 'api/v1/client', 'api/v1/client?who=a&who=b', 'api/v1/export/usage.csv?from=%3Cb'])
		assert.equal(await status(at(path)), 400, path);
});

test('answers forbid what a page must not do, and files are sent once', async () => {
	const page = await ask(open.url);
	assert.match(page.headers['content-security-policy'], /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/);
	assert.doesNotMatch(page.headers['content-security-policy'], /unsafe/);
	assert.equal(page.headers['x-content-type-options'], 'nosniff');
	assert.equal(await status(open.url, { headers: { 'If-None-Match': page.headers.etag } }), 304);
	const document = JSON.parse((await ask(open.url + 'api/v1/openapi.json')).text);
	assert.ok(document.paths['/api/v1/status'].get && document.paths['/api/v1/grant'].post);
	assert.match((await ask(open.url + 'metrics')).text, /^# (HELP|TYPE) streamguard_/);
});

test('programs of older tools find their addresses, and are told of the new ones', async () => {
	const { paths } = JSON.parse((await ask(open.url + 'api/v1/openapi.json')).text);
	const old = Object.keys(paths).filter(path => Object.values(paths[path]).some(one => one.deprecated));
	assert.ok(old.length > 18);
	for (const path of old.filter(path => paths[path].get)) {
		const answer = await ask(open.url + path.slice(1));
		assert.equal(answer.status, 200, path + answer.text);
		assert.equal(answer.headers.deprecation, 'true');
		assert.match(answer.headers.link, /^<\/api\/v1\/[a-z]+>; rel="successor-version"$/);
		assert.equal(await status(locked.url + path.slice(1)), 401, path);
	}
	const recent = JSON.parse((await ask(open.url + 'api/packets/recent?limit=3')).text).packets;
	assert.ok(recent.length === 3 && recent.every(one => one.src_ip && one.size > 0));
	const sources = JSON.parse((await ask(open.url + 'api/top-sources?limit=2')).text);
	assert.ok(sources.length === 2 && sources[0].packet_count >= sources[1].packet_count);
	for (const path of ['api/packets?limit=x', 'api/packets?what=1', 'api/alerts?limit=1&limit=2', 'api/traffic-history?hours=-1'])
		assert.equal(await status(open.url + path), 400, path);
	const post = (path, headers, body = '{}') => status(open.url + path, { method: 'POST', headers, body });
	for (const path of ['api/alerts/1/resolve', 'api/capture/start', 'api/capture/stop'])
		assert.equal(await post(path, { 'Content-Type': 'application/json' }), 403, path);
	assert.equal(await post('api/alerts/999/resolve', JSON_BODY), 400);
	assert.equal(await post('api/capture/start', JSON_BODY, '{"interface":5}'), 400);
	assert.equal(await post('api/capture/stop', JSON_BODY), 404, 'nothing is captured here');
	assert.equal(await post('ingest', JSON_BODY, '[]'), 404);
});

test('with a token, nothing is told or done without it', async () => {
	const at = path => locked.url + 'api/v1/' + path;
	for (const path of ['status', 'doctor', 'settings', 'events/stream', 'export/usage.csv', 'recordings/x'])
		assert.equal(await status(at(path)), 401, path);
	assert.equal(await status(locked.url + 'metrics'), 401);
	const session = async headers => JSON.parse((await ask(at('session'), { headers })).text);
	assert.deepEqual([(await session({})).login, (await session({})).status], ['needed', null], 'who is not logged in hears of nobody');
	assert.equal(await status(at('grant'), { method: 'POST', headers: JSON_BODY, body: GRANT }), 401);
	const login = given => ask(at('login'), { method: 'POST', headers: JSON_BODY, body: JSON.stringify({ token: given }) });
	assert.equal((await login('wrong')).status, 401);
	const done = await login(token);
	assert.equal(done.status, 200);
	const cookie = done.headers['set-cookie'][0];
	assert.match(cookie, /HttpOnly; SameSite=Strict/);
	const cookies = { Cookie: cookie.split(';')[0] };
	assert.equal(await status(at('status'), { headers: cookies }), 200);
	assert.equal((await session(cookies)).status.clients.length > 0, true);
	assert.equal(await status(at('grant'), { method: 'POST', headers: { ...cookies, 'Content-Type': 'application/json' }, body: GRANT }), 403);
	assert.equal(await status(at('grant'), { method: 'POST', headers: { ...cookies, ...JSON_BODY }, body: GRANT }), 200);
	const bearer = { Authorization: 'Bearer ' + token };
	assert.equal(await status(at('grant'), { method: 'POST', headers: { ...bearer, 'Content-Type': 'application/json' }, body: GRANT }), 200);
	const settings = await ask(at('settings'), { headers: bearer });
	assert.equal(settings.status, 200);
	assert.doesNotMatch(settings.text, /pbkdf2/);
	assert.equal(await status(at('logout'), { method: 'POST', headers: { ...cookies, ...JSON_BODY } }), 200);
	assert.equal(await status(at('status'), { headers: cookies }), 401);
	for (let turn = 0; turn < 5; turn++)
		await login('guess' + turn);
	assert.equal((await login('guess')).status, 429);
	assert.equal(await status(at('status'), { headers: bearer }), 200, 'who has the token is not locked out by who has not');
});

test('an address that others reach needs a token', () => {
	const refused = spawnSync(PROGRAM, ['web', '--listen', '0.0.0.0:0'], { encoding: 'utf8', timeout: 5000 });
	assert.equal(refused.status, 2);
	assert.match(refused.stderr, /token/);
});
