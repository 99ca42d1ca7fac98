// The LuCI app on a router: its views over ubus, and what a login may do with them. A stand-in for LuCI is always
// there; with LUCI_ROOT=/path/to/a/router's/www, every test runs in that LuCI too.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { browser as launch, house, PROGRAM, ROOT, scratch } from './house.mjs';
import { catalogue, router } from './luci.mjs';
import { DENIED, OK, rights, rpcd } from './rpcd.mjs';

const APP = 'luci-app-streamguard';
const SESSIONS = { full: rights({ [APP]: ['read', 'write'] }), viewer: rights({ [APP]: ['read'] }), control: rights({ 'streamguard-view': ['read'], 'streamguard-control': ['write'] }) };
const EXPORT = '/usr/libexec/streamguard-export';
const UCI = {
	main: { '.name': 'main', '.type': 'streamguard', quota: '30' }, kids: { '.name': 'kids', '.type': 'profile', name: 'Kids' },
	detect: { '.name': 'detect', '.type': 'detect', exempt: ['192.168.1.9'] },
};
const HOMES = [['the stand-in', undefined], ...process.env.LUCI_ROOT ? [['LuCI itself', process.env.LUCI_ROOT]] : []];

let chrome, demo, daemon, document_;
const routers = new Map();
before(async () => {
	[chrome, demo] = await Promise.all([launch(), house({ speed: 12 })]);
	const doctor = await (await fetch(demo.url + 'api/v1/doctor')).json();
	document_ = await (await fetch(demo.url + 'api/v1/openapi.json')).json();
	daemon = rpcd({ directory: dirname(doctor.storage.database), sessions: SESSIONS, uci: { streamguard: UCI } });
	for (const [home, root] of HOMES)
		routers.set(home, await router(daemon, root));
});
after(async () => {
	await Promise.allSettled([chrome && chrome.close(), demo && demo.stop()]);
	routers.forEach(one => one.stop());
	daemon.stop();
});

// /etc/config/streamguard with what was saved.
const configuration = () => Object.values(UCI).map(({ '.type': type, '.name': name, ...options }) => `config ${type} '${name}'\n`
	+ Object.entries(options).flatMap(([key, value]) => Array.isArray(value) ? value.map(one => `\tlist ${key} '${one}'\n`) : `\toption ${key} '${value}'\n`).join('')).join('\n');

async function until(holds) {
	for (let turn = 0; turn < 100 && !holds(); turn++)
		await new Promise(done => setTimeout(done, 50));
	assert.ok(holds(), String(holds));
}

async function visit(home, view, session = 'full') {
	const context = await chrome.newContext({ viewport: { width: 900, height: 800 }, acceptDownloads: true });
	const page = await context.newPage();
	const sins = [];
	page.on('console', message => message.type() === 'error' && sins.push(message.text()));
	page.on('pageerror', error => sins.push(String(error)));
	await page.goto(`${routers.get(home).url}${view}?${session}`);
	await page.locator('.sg-main, .cbi-map').first().waitFor({ timeout: 15000 });
	return { page, context, sins };
}

// The methods of the table, by what they do.
const methods = verb => Object.entries(document_.paths).filter(([path, one]) => one[verb] && !one[verb].deprecated && path.startsWith('/api/v1/')
	&& daemon.signatures[path.slice('/api/v1/'.length)]).map(([path]) => path.slice('/api/v1/'.length)).sort();

test('the access lists name every method of the table, and nothing else', () => {
	const reading = methods('get'), writing = methods('post');
	assert.deepEqual([...reading, ...writing].sort(), Object.keys(daemon.signatures).sort());
	assert.deepEqual([...SESSIONS.viewer.ubus.streamguard].sort(), reading);
	assert.deepEqual([...SESSIONS.full.ubus.streamguard].sort(), [...reading, ...writing].sort());
	assert.deepEqual([...SESSIONS.control.ubus.streamguard].sort(), [...reading, ...writing].sort());
});

test('a login that may only read is refused every act, and the household stays as it was', async () => {
	const params = { who: 'Television', minutes: 15, alert: 1, interface: 'lo' };
	const quotas = async () => (await daemon.call('viewer', 'streamguard', 'status', {}))[1].clients.map(one => [one.client, one.quota_s, one.granted_min]);
	const before = await quotas();
	for (const method of methods('post')) {
		const wanted = Object.fromEntries(Object.keys(daemon.signatures[method]).filter(name => params[name]).map(name => [name, params[name]]));
		assert.deepEqual(await daemon.call('viewer', 'streamguard', method, wanted), [DENIED], method);
	}
	assert.deepEqual(await daemon.call('viewer', 'uci', 'set', { config: 'streamguard', section: 'main', values: { quota: '999' } }), [DENIED]);
	assert.deepEqual(await daemon.call('nobody', 'streamguard', 'status', {}), [DENIED]);
	assert.deepEqual(await quotas(), before);
	const [status, answer] = await daemon.call('full', 'streamguard', 'grant', { who: 'Television', minutes: 15 });
	assert.equal(status, OK);
	assert.equal(answer.client.granted_min, 15);
	await daemon.call('full', 'streamguard', 'revoke', { who: 'Television' });
});

test('what a login can save is what it may read, and nothing is written by saving', async () => {
	assert.match(String(await daemon.exec('viewer', `${EXPORT} usage csv 2026-11-01 2026-12-01`)), /^day,client,/);
	for (const args of ['usage csv 2026-11-01 2026-12-01 -o /tmp/streamguard-test', 'usage csv -o /tmp/streamguard-test', 'pcap csv 2026-11-01 2026-12-01',
		'usage exe 2026-11-01 2026-12-01', 'usage csv --help 2', 'usage csv', 'usage csv 1 --to', 'usage csv $(id) 2'])
		assert.equal(await daemon.exec('viewer', `${EXPORT} ${args}`), null, args);
	assert.equal(await daemon.exec('viewer', '/usr/sbin/streamguard export usage'), null);
	assert.equal(daemon.download('viewer', '/etc/shadow'), null);
	assert.equal(daemon.download('viewer', '/tmp/streamguard/packets-1.pcapng'), null);
});

for (const [home] of HOMES) {
	test(`${home}: every view loads, asks ubus and shows what it says`, async () => {
		for (const [name, wanted] of [['now', '.sg-card'], ['history', '.sg-panel h3'], ['traffic', '.sg-panel canvas'],
			['alerts', '.sg-alerts li'], ['packets', '.sg-panel td']]) {
			const { page, context, sins } = await visit(home, name);
			await page.locator(wanted).first().waitFor();
			assert.equal(await page.locator('.sg-nav').count(), 0, 'LuCI has its own menu');
			assert.deepEqual(sins, [], name);
			await context.close();
		}
	});

	test(`${home}: acts go through ubus and can be taken back`, async () => {
		const { page, context, sins } = await visit(home, 'now');
		const card = page.locator('.sg-card', { has: page.locator('.sg-name:text-is("Television")') });
		await card.getByRole('button', { name: 'Pause Television' }).click();
		await card.locator('.sg-chip:has-text("Paused")').waitFor();
		await page.locator('.sg-toast button:text-is("Undo")').click();
		await page.waitForFunction(() => ![...document.querySelectorAll('.sg-chip')].some(chip => chip.textContent.startsWith('Paused')));
		assert.deepEqual(sins, []);
		await context.close();
	});

	test(`${home}: a session that may only read has nothing to press`, async () => {
		const { page, context } = await visit(home, 'now', 'viewer');
		await page.locator('.sg-card').first().waitFor();
		assert.equal(await page.locator('.sg-card button').count(), 0);
		await context.close();
	});

	test(`${home}: history is saved as files`, async () => {
		const { page, context, sins } = await visit(home, 'history', 'viewer');
		const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Sessions · CSV' }).click()]);
		assert.match(download.suggestedFilename(), /^streamguard-sessions-.*\.csv$/);
		assert.match(readFileSync(await download.path(), 'utf8'), /^start_s,end_s,client,/);
		assert.deepEqual(sins, []);
		await context.close();
	});

	test(`${home}: the settings are a form with every option of the schema`, async () => {
		const { page, context, sins } = await visit(home, 'settings');
		for (const label of ['Minutes of video a day', 'A day begins at', 'Sensitivity', 'Port scans'])
			await page.getByText(label, { exact: true }).first().waitFor();
		assert.deepEqual(sins, []);
		await context.close();
	});
}

test('a setting is saved by LuCI, and one that cannot be is told at its field', { skip: process.env.LUCI_ROOT ? false : 'needs LUCI_ROOT, a router’s /www' }, async () => {
	const { page, context, sins } = await visit('LuCI itself', 'settings');
	const quota = page.locator('[id="widget.cbid.streamguard.main.quota"]');
	await quota.fill('soon');
	await quota.blur();
	await page.locator('.cbi-input-invalid[id="widget.cbid.streamguard.main.quota"]').waitFor();
	await quota.fill('45');
	await page.locator('.cbi-button-save').click();
	await until(() => UCI.main.quota === '45');
	assert.deepEqual(UCI.detect.exempt, ['192.168.1.9'], 'what was not touched stays');
	assert.equal(UCI.kids.name, 'Kids');
	const files = scratch();
	execFileSync(PROGRAM, ['check', files.file('streamguard', configuration())]);
	files.remove();
	assert.deepEqual(sins, []);
	await context.close();
});

test('the catalogues hold what LuCI looks for', { skip: process.env.LUCI_ROOT ? false : 'needs LUCI_ROOT, a router’s /www' }, async () => {
	const files = scratch();
	const directory = dirname(files.file('x', ''));
	execFileSync('python3', [join(ROOT, 'openwrt/i18n.py'), '--lmo', directory]);
	const texts = catalogue(join(directory, 'streamguard.de.lmo'));
	assert.ok(Object.keys(texts).length > 200);
	routers.set('German', await router(daemon, process.env.LUCI_ROOT, texts));
	const { page, context } = await visit('German', 'settings');
	for (const label of ['Minuten Video am Tag', 'Ein Tag beginnt um', 'Geräte ohne Namen teilen sich ein Kontingent', 'Portscans', 'So lange wird nichts gesperrt.'])
		await page.getByText(label).first().waitFor();
	await context.close();
	files.remove();
});

test('texts go through LuCI’s translator', async () => {
	const { page, context } = await visit('the stand-in', 'now');
	await page.locator('.sg-card').getByText('Anhalten', { exact: true }).first().waitFor();
	await context.close();
});

test('the settings have an input for each option', async () => {
	const { page, context } = await visit('the stand-in', 'settings');
	const asked = await page.evaluate(() => globalThis.form.asked.map(one => [one.section, one.kind, one.name, one.option.values.length]));
	assert.ok(asked.length > 50);
	assert.ok(asked.some(([section, kind, name]) => section === 'main' && kind === 'Value' && name === 'quota'));
	assert.ok(asked.some(([section, kind, name, values]) => section === 'client' && kind === 'DynamicList' && name === 'mac' && values === 1));
	await context.close();
});
