// The child's page as a child's device meets it: in a network of its own, where the router and the devices have the
// addresses of the recording. Needs root, for that network.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { browser as launch, CHROMIUM, house, scratch, visit } from './house.mjs';
import { crowdedCapture } from './pcap.mjs';

const skip = process.getuid() === 0 ? false : 'needs root for a network of its own';
const PAGE = 'http://192.168.7.1:8991/';
// Packets to the router go out as if from this device.
const from = addr => `ip route replace local 192.168.7.1 dev lo table local src ${addr}`;
const CONF = `config streamguard 'main'
config web 'web'
	option child_page '1'
	option child_listen '192.168.7.1:8991'
config client
	option name 'Mia <b>'
	list mac '02:00:00:00:02:00'
config client
	option name 'Grown-up'
	list mac '02:00:00:00:02:01'
	option policy 'exempt'
config client
	option name 'No video'
	list mac '02:00:00:00:02:02'
	option policy 'deny'
`;

let files, home, chrome, become;
before(async () => {
	if (skip)
		return;
	files = scratch();
	const script = (name, lines) => {
		const path = files.file(name, `#!/bin/sh\n${lines}\n`);
		chmodSync(path, 0o755);
		return path;
	};
	const addresses = ['192.168.7.1', '192.168.7.20', '192.168.7.21', '192.168.7.22', '192.168.7.99'];
	const net = script('net', `ip link set lo up\n${addresses.map(addr => `ip addr add ${addr}/32 dev lo`).join('\n')}\n${from('192.168.7.20')}\nexec "$@"`);
	home = await house({
		capture: files.file('house.pcap', crowdedCapture(3)), conf: files.file('house.conf', CONF), speed: 10,
		within: ['unshare', '--net', net],
	});
	// The program keeps the process that unshare began, so its network is this one's.
	const inside = `nsenter --net=/proc/${home.child.pid}/ns/net`;
	become = addr => execFileSync('sh', ['-c', `${inside} ${from(addr)}`]);
	chrome = await launch(script('chromium', `exec ${inside} ${CHROMIUM} "$@"`));
});
after(async () => {
	if (skip)
		return;
	await Promise.allSettled([chrome && chrome.close(), home && home.stop()]);
	files.remove();
});

// What the device at this address is told.
async function seen(addr, options = {}) {
	become(addr);
	const { page, context, sins } = await visit(chrome, PAGE, { viewport: { width: 360, height: 640 }, ...options }, '#left:not(:text-is("…"))');
	const told = await page.evaluate(() => ['name', 'left', 'more'].map(id => document.getElementById(id).textContent));
	return { told, page, context, sins };
}

test('a device is told its own time, and nobody else’s', { skip, timeout: 60000 }, async () => {
	// The recording has to get so far that all three have been seen.
	for (let turn = 0; turn < 40; turn++) {
		const { told, context } = await seen('192.168.7.22');
		await context.close();
		if (told[0] === 'No video')
			break;
		await new Promise(done => setTimeout(done, 250));
	}
	for (const [addr, expected] of [
		['192.168.7.20', ['Mia <b>', '30 min', '0 min watched today']],
		['192.168.7.21', ['Grown-up', '∞', 'This device has no limit.']],
		['192.168.7.22', ['No video', '0 min', 'No video on this device.']],
	]) {
		const { told, context, sins } = await seen(addr);
		assert.deepEqual(told, expected);
		assert.deepEqual(sins, []);
		await context.close();
	}
	const { told, context } = await seen('192.168.7.20', { locale: 'de-DE' });
	assert.deepEqual(told, ['Mia <b>', '30 Min.', 'heute 0 Min. geschaut']);
	await context.close();
});

test('the child’s door leads to its page alone', { skip, timeout: 60000 }, async () => {
	const { page, context } = await seen('192.168.7.20');
	const ask = (path, method = 'GET') => page.evaluate(([path, method]) => fetch(path, { method, headers: { 'X-Streamguard': '1' } }).then(async answer => [answer.status, await answer.text()]), [path, method]);
	const [status, mine] = await ask('/api/v1/mine');
	assert.equal(status, 200);
	assert.deepEqual(Object.keys(JSON.parse(mine)).sort(), ['left_s', 'name', 'quota_s', 'standing', 'until', 'used_s']);
	for (const path of ['/index.html', '/app.js', '/dashboard.js', '/metrics', '/health', '/api/v1/status', '/api/v1/clients', '/api/v1/client?who=Grown-up', '/api/v1/session', '/api/v1/openapi.json'])
		assert.equal((await ask(path))[0], 404, path);
	assert.equal((await ask('/api/v1/grant', 'POST'))[0], 405);
	await context.close();
	const stranger = await seen('192.168.7.99');
	assert.deepEqual(stranger.told, ['Time left', '30 min', '0 min watched today'], 'who is new has what new devices have');
	await stranger.context.close();
});
