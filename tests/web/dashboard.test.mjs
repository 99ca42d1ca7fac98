// The dashboard as a parent meets it: over the demo's capture, in a browser.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { browser as launch, house, open, scratch, visit, ROOT } from './house.mjs';
import { HOSTILE, hostileCapture } from './pcap.mjs';

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const PAGES = ['Now', 'History', 'Traffic', 'Alerts', 'Packets', 'Settings'];

let chrome, files, demo;
before(async () => {
	files = scratch();
	[chrome, demo] = await Promise.all([launch(), house({ speed: 12 })]);
});
after(async () => {
	await Promise.allSettled([chrome && chrome.close(), demo && demo.stop()]);
	files.remove();
});

const card = (page, name) => page.locator('.sg-card', { has: page.locator(`.sg-name:text-is("${name}")`) });
const text = locator => locator.innerText();

// Asks the page until it says yes.
async function until(page, asked, seconds = 90) {
	for (let turn = 0; turn < seconds * 2; turn++) {
		if (await page.evaluate(asked))
			return;
		await page.waitForTimeout(500);
	}
	assert.fail('it never came: ' + asked);
}

async function axe(page, where) {
	await page.evaluate(AXE);
	const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
	const serious = found.violations.filter(one => ['serious', 'critical'].includes(one.impact));
	assert.deepEqual(serious.map(one => `${where}: ${one.id}: ${one.nodes.map(node => node.html).slice(0, 3).join(' ')}`), []);
}

test('the demo opens, shows its devices and changes by itself', async () => {
	const { page, context, sins } = await visit(chrome, demo.url);
	await page.waitForFunction(() => document.querySelectorAll('.sg-card').length === 7);
	await card(page, 'Tablet').locator('.sg-chip').waitFor();
	const minutes = card(page, 'Tablet').locator('.sg-minutes');
	const before = await text(minutes);
	await page.waitForFunction(before => [...document.querySelectorAll('.sg-card')]
		.some(one => one.querySelector('h2').textContent === 'Tablet' && one.querySelector('.sg-minutes').innerText !== before), before, { timeout: 20000 });
	assert.match(await text(page.locator('.sg-health')), /recording/);
	assert.deepEqual(sins, []);
	await context.close();
});

test('minutes are granted and taken back, a pause begins and is undone', async () => {
	const { page, context, sins } = await visit(chrome, demo.url);
	const television = card(page, 'Television');
	await television.waitFor();
	await television.getByRole('button', { name: '15 minutes more for Television' }).click();
	await television.locator('.sg-minutes:has-text("of 45:00")').waitFor();
	await page.locator('.sg-toast', { hasText: '15 minutes more' }).getByRole('button', { name: 'Undo' }).click();
	await television.locator('.sg-minutes:has-text("of 30:00")').waitFor();
	await television.getByRole('button', { name: 'Pause Television' }).click();
	await television.locator('.sg-chip:has-text("Paused")').waitFor();
	await page.locator('.sg-toast', { hasText: 'Television: paused' }).getByRole('button', { name: 'Undo' }).click();
	await page.waitForFunction(() => ![...document.querySelectorAll('.sg-chip')].some(chip => chip.textContent.startsWith('Paused')));
	await television.getByRole('button', { name: 'Reset today of Television' }).click();
	await page.locator('.sg-toast', { hasText: 'starts again in a moment' }).getByRole('button', { name: 'Undo' }).click();
	assert.deepEqual(sins, []);
	await context.close();
});

test('history shows sessions, and its files say the same', async () => {
	const { page, context, sins } = await visit(chrome, demo.url + '#history');
	await until(page, async () => (await (await fetch('api/v1/sessions')).json()).sessions.length > 0);
	await page.selectOption('select:has(option[value="month"])', 'month');
	await page.locator('.sg-panel:has(h3:text-is("Sessions")) tbody td').first().waitFor();
	await page.locator('.sg-panel:has(h3:text-is("Minutes watched by day")) canvas').waitFor();
	const save = async name => {
		const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name, exact: true }).click()]);
		assert.match(download.suggestedFilename(), /^streamguard-[a-z]+-\d{4}-\d{2}-\d{2}-\d{4}-\d{2}-\d{2}\.(csv|json|ndjson)$/);
		return readFileSync(await download.path(), 'utf8');
	};
	const rows = JSON.parse(await save('Sessions · JSON')).sessions;
	assert.ok(rows.length >= 1 && rows[0].services.length > 0 && rows[0].watch_s > 0, JSON.stringify(rows));
	const csv = (await save('Sessions · CSV')).trimEnd().split('\r\n');
	assert.equal(csv[0], 'start_s,end_s,client,name,watch_s,services,servers');
	assert.ok(csv.length - 1 >= rows.length);
	const lines = (await save('Minutes by day · NDJSON')).trimEnd().split('\n').map(line => JSON.parse(line));
	assert.ok(lines.every(row => row.day === '2026-11-20' && row.used_s > 0));
	assert.deepEqual(sins, []);
	await context.close();
});

test('traffic draws what passes', async () => {
	const { page, context, sins } = await visit(chrome, demo.url + '#traffic');
	await page.locator('.sg-panel canvas').first().waitFor();
	await page.locator('.sg-panel:has(h2:text-is("Devices by volume")) tbody tr').first().waitFor();
	const flows = page.locator('.sg-panel:has(h2:text-is("Largest connections now")) tbody tr');
	await flows.filter({ hasText: /^TCP.* ms\d+$/ }).first().waitFor();
	await flows.filter({ hasText: /^UDP.*——$/ }).first().waitFor();
	assert.deepEqual(sins, []);
	await context.close();
});

test('recent packets are listed, saved and read back', async () => {
	const { page, context, sins } = await visit(chrome, demo.url + '#packets');
	await page.locator('.sg-panel:has(h2:has-text("Recent packets")) tbody td').nth(3).waitFor();
	await page.getByRole('button', { name: 'Save the recent packets' }).click();
	const link = page.locator('a:has-text("Download packets")');
	await link.waitFor();
	const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
	const bytes = readFileSync(await download.path());
	assert.equal(bytes.readUInt32LE(0), 0x0a0d0d0a, 'a pcapng file');
	assert.ok(bytes.length > 10000);
	assert.deepEqual(sins, []);
	await context.close();
});

test('a setting that does not fit says so at its field and is not saved', async () => {
	const { page, context, sins } = await visit(chrome, demo.url + '#settings');
	const quota = page.getByLabel('Minutes of video a day').first();
	await quota.fill('lots');
	const field = page.locator('.sg-field', { has: page.locator('input[aria-invalid]') }).first();
	await field.locator('.sg-problem').waitFor();
	assert.match(await text(field.locator('.sg-problem')), /lots.*(number|minutes|from 0 to)/i);
	const status = await page.evaluate(async () => (await (await fetch('api/v1/settings')).json()).sections[0].options.quota);
	assert.deepEqual(status, ['30']);
	await quota.fill('40');
	await page.waitForFunction(() => !document.querySelector('[aria-invalid]'));
	await page.getByRole('button', { name: 'Save' }).click();
	await page.locator('.sg-toast', { hasText: 'Saved' }).waitFor();
	const saved = await page.evaluate(async () => (await (await fetch('api/v1/status')).json()).clients.find(one => one.name === 'Television').quota_s);
	assert.equal(saved, 2400);
	await quota.fill('30');
	await page.getByRole('button', { name: 'Save' }).click();
	await page.locator('.sg-toast', { hasText: 'Saved' }).nth(1).waitFor();
	assert.deepEqual(sins, []);
	await context.close();
});

test('a phone of 360 pixels shows everything without scrolling sideways', async () => {
	const { page, context, sins } = await visit(chrome, demo.url, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
	for (const name of PAGES) {
		await open(page, name);
		await page.waitForTimeout(300);
		const width = await page.evaluate(() => document.documentElement.scrollWidth);
		assert.ok(width <= 360, `${name}: ${width} px`);
	}
	assert.deepEqual(sins, []);
	await context.close();
});

test('light and dark, wide and narrow: axe finds nothing serious', async () => {
	for (const options of [{}, { colorScheme: 'dark' }, { viewport: { width: 360, height: 740 } }]) {
		const { page, context, sins } = await visit(chrome, demo.url, options);
		if (options.colorScheme === 'dark') {
			const [red] = (await page.evaluate(() => getComputedStyle(document.querySelector('.sg')).backgroundColor)).match(/\d+/g);
			assert.ok(Number(red) < 60, 'dark background');
		}
		for (const name of PAGES) {
			await open(page, name);
			await page.waitForTimeout(300);
			await axe(page, `${JSON.stringify(options)} ${name}`);
		}
		assert.deepEqual(sins, []);
		await context.close();
	}
});

test('hostile names are names, and an alert shows its evidence', async () => {
	const { capture, devices } = hostileCapture();
	const conf = ["config streamguard 'main'", ...devices.map(device =>
		`config client\n\toption name '${device.name.replace(/[\u0000-\u001f]/g, ' ').slice(0, 60)}'\n\tlist mac '${device.mac}'`)].join('\n') + '\n';
	const hostile = await house({ capture: files.file('hostile.pcap', capture), conf: files.file('hostile.conf', conf), speed: 10 });
	const { page, context, sins } = await visit(chrome, hostile.url);
	try {
		await page.waitForFunction(count => document.querySelectorAll('.sg-card').length >= count, HOSTILE.length);
		for (const name of PAGES) {
			await open(page, name);
			await page.waitForTimeout(400);
			assert.equal(await page.locator('.sg img, .sg script').count(), 0);
			assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), name);
		}
		const csv = await page.evaluate(async () => (await fetch('api/v1/export/usage.csv?from=2026-11-01&to=2026-11-30')).text());
		assert.ok(!/(^|,|\n)[=+@]/.test(csv), csv);
		await open(page, 'Now');
		assert.ok(!/[\u0000-\u0008\u001b\u202e]/.test(await page.evaluate(() => document.querySelector('.sg').textContent)));
		const alerts = await page.evaluate(async () => (await (await fetch('api/v1/alerts')).json()).alerts);
		assert.ok(alerts.some(alert => alert.type === 'port_scan'), JSON.stringify(alerts));
		await open(page, 'Alerts');
		await page.locator('.sg-alert summary').first().click();
		await page.locator('.sg-alert .sg-evidence dd').first().waitFor();
		const { opinion } = alerts.find(alert => alert.type === 'port_scan');
		await page.locator('.sg-alert', { hasText: `Second opinion: ${opinion.class}, by ${opinion.share_pct} %` }).first().waitFor();
		await page.locator('.sg-alert').getByRole('button', { name: 'Seen' }).first().click();
		await page.locator('.sg-alert .sg-chip:has-text("seen")').first().waitFor();
		const spared = () => page.evaluate(async () => (await (await fetch('api/v1/settings')).json()).sections.filter(one => one.type === 'detect').flatMap(one => one.options.exempt || []));
		await page.locator('.sg-alert').getByRole('button', { name: 'Ignore this source' }).first().click();
		const toast = page.locator('.sg-toast', { hasText: 'raises no more alerts' });
		await toast.waitFor();
		assert.deepEqual(await spared(), ['192.168.7.20']);
		await toast.getByRole('button', { name: 'Undo' }).click();
		await until(page, async () => !(await (await fetch('api/v1/settings')).json()).sections.some(one => one.type === 'detect' && (one.options.exempt || []).length));
		assert.deepEqual(sins, []);
	} finally {
		await context.close();
		await hostile.stop();
	}
});

test('the vendored chart library is the one that npm has, and its licence lies beside it', () => {
	for (const [mine, theirs] of [['uPlot.iife.min.js', 'dist/uPlot.iife.min.js'], ['uPlot.min.css', 'dist/uPlot.min.css'], ['uPlot.LICENSE.txt', 'LICENSE']]) {
		const vendored = readFileSync(`${ROOT}/files/www/vendor/${mine}`);
		assert.ok(vendored.equals(readFileSync(`${ROOT}/tests/web/node_modules/uplot/${theirs}`)), mine);
	}
});
