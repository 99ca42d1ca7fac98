// A household to look at: `streamguard replay --listen` over a capture, and a browser that tells on the page.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const DEMO = join(ROOT, 'tests/fixtures/demo.pcap.zst');
export const DEMO_CONF = join(ROOT, 'tests/fixtures/demo.conf');
export const PROGRAM = process.env.STREAMGUARD || join(ROOT, 'target/debug/streamguard');

// Starts the program, if need be by another ([program, arguments before ours]); {url, stop, child}.
export async function house({ capture = DEMO, conf = DEMO_CONF, speed = 20, args = [], within = [] } = {}) {
	const [program, ...rest] = [...within, PROGRAM, 'replay', capture, '--config', conf, '--listen', '127.0.0.1:0', '--speed', String(speed), ...args];
	const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
	const url = await new Promise((resolve, reject) => {
		let text = '';
		child.stdout.on('data', data => {
			text += data;
			if (text.includes('\n'))
				resolve(text.split('\n')[0]);
		});
		child.on('exit', code => reject(new Error('streamguard ended with ' + code)));
	});
	const gone = new Promise(resolve => child.on('exit', resolve));
	return { url, stop: async () => { child.kill('SIGTERM'); await gone; }, child };
}

export function scratch() {
	const directory = mkdtempSync(join(tmpdir(), 'streamguard-web-'));
	return {
		file(name, content) {
			const path = join(directory, name);
			writeFileSync(path, content);
			return path;
		},
		remove: () => rmSync(directory, { recursive: true, force: true }),
	};
}

export const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
export const CHROMIUM_ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
export const browser = (program = CHROMIUM) => chromium.launch({ executablePath: program, args: CHROMIUM_ARGS });

// A page, and what it did that it must not: console errors, exceptions, requests to anywhere else.
export async function visit(browser, url, options = {}, there = '.sg-card, .sg-login, .sg-panel') {
	const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, timezoneId: 'UTC', acceptDownloads: true, ...options });
	const page = await context.newPage();
	const sins = [];
	page.on('console', message => {
		if (message.type() === 'error')
			sins.push('console: ' + message.text());
	});
	page.on('pageerror', error => sins.push('exception: ' + error));
	page.on('dialog', dialog => {
		sins.push('dialog: ' + dialog.message());
		dialog.dismiss();
	});
	page.on('request', request => {
		if (new URL(request.url()).origin !== new URL(url).origin && !/^(data|blob):/.test(request.url()))
			sins.push('request: ' + request.url());
	});
	await page.goto(url);
	await page.waitForSelector(there);
	return { page, context, sins };
}

export async function open(page, name) {
	await page.click(`.sg-nav a:text-is("${name}")`);
	await page.waitForSelector(`.sg-nav a[aria-current]:text-is("${name}")`);
}
