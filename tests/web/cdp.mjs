// Chromium by its own protocol, for measuring: Playwright puts scripts of its own into each page, and with the
// processor throttled they cost more than ours.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHROMIUM, CHROMIUM_ARGS } from './house.mjs';

// {send, on, page, stop}: page() is a new page in a profile that has never been anywhere.
export async function chromium() {
	const profile = mkdtempSync(join(tmpdir(), 'streamguard-cdp-'));
	const child = spawn(CHROMIUM, [...CHROMIUM_ARGS, '--headless=new', '--no-first-run', '--remote-debugging-pipe', `--user-data-dir=${profile}`],
		{ stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
	const gone = new Promise(done => child.on('exit', done));
	const waiting = new Map(), heard = new Map();
	let next = 1, rest = '';
	const send = (method, params = {}, sessionId) => new Promise((done, failed) => {
		waiting.set(next, { done, failed });
		child.stdio[3].write(JSON.stringify({ id: next++, method, params, sessionId }) + '\0');
	});
	child.stdio[4].on('data', data => {
		const messages = (rest + data).split('\0');
		rest = messages.pop();
		for (const message of messages.map(text => JSON.parse(text))) {
			const { done, failed } = waiting.get(message.id) || {};
			waiting.delete(message.id);
			if (message.error && failed)
				failed(new Error(message.error.message));
			else if (done)
				done(message.result);
			else
				(heard.get(message.sessionId) || []).forEach(([name, listener]) => name === message.method && listener(message.params));
		}
	});
	return {
		async page(width, height) {
			const { browserContextId } = await send('Target.createBrowserContext');
			const { targetId } = await send('Target.createTarget', { url: 'about:blank', browserContextId, width, height });
			const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
			const mine = [];
			heard.set(sessionId, mine);
			const tell = (method, params) => send(method, params, sessionId);
			await tell('Page.enable');
			await tell('Runtime.enable');
			return {
				send: tell,
				on: (name, listener) => mine.push([name, listener]),
				async evaluate(expression) {
					const { result, exceptionDetails } = await tell('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
					if (exceptionDetails)
						throw new Error(exceptionDetails.exception?.description || exceptionDetails.text);
					return result.value;
				},
				async close() {
					heard.delete(sessionId);
					await send('Target.disposeBrowserContext', { browserContextId });
				},
			};
		},
		async stop() {
			await send('Browser.close');
			await gone;
			// Its children may write a last line after it has gone.
			rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
		},
	};
}
