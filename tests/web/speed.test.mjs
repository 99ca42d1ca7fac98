// Quick enough for an old phone and a full house. The machine may be busy with other things: what is measured is
// compared with what a page of one line needs in the same minute, and both are printed.
import assert from 'node:assert/strict';
import { loadavg } from 'node:os';
import { after, before, test } from 'node:test';
import { chromium } from './cdp.mjs';
import { house, scratch } from './house.mjs';
import { blank, median, paint, THROTTLE } from './paint.mjs';
import { crowdedCapture } from './pcap.mjs';

const ROUNDS = 7;
const PAINT_MS = 1000;
// The devices themselves come after the first answer.
const CARDS_MS = 2000;
// What the page of one line needs on a quiet machine of our class (350 to 414 ms).
// A machine that needs longer is that much busier, or slower.
const BLANK_MS = 380;
const DEVICES = 200;
// A display shows a new picture every 17 ms. Half of the frames must keep up with it, and nearly all must come before
// the eye sees the picture stand still.
const FRAME_MS = { median: 17.5, most: 100 };

let chrome, files;
before(async () => {
	files = scratch();
	chrome = await chromium();
});
after(async () => {
	await chrome.stop();
	files.remove();
});

test('on a slow phone, Now is painted within a second and its cards within two', { timeout: 120000 }, async () => {
	const [demo, line] = await Promise.all([house({ speed: 2, args: ['--skip', '150'] }), blank()]);
	try {
		await paint(chrome, demo.url);
		const nows = [], blanks = [];
		for (let round = 0; round < ROUNDS; round++) {
			blanks.push(await paint(chrome, line.url));
			nows.push(await paint(chrome, demo.url));
		}
		const [first, cards, least] = [median(nows.map(now => now.first)), median(nows.map(now => now.wanted)), median(blanks.map(one => one.wanted))];
		const scale = Math.min(1, BLANK_MS / least);
		console.log(`processor / ${THROTTLE}: first paint ${first.toFixed(0)} ms, cards ${cards.toFixed(0)} ms, a page of one line `
			+ `${least.toFixed(0)} ms; without the rest of the machine's work: ${(first * scale).toFixed(0)} and ${(cards * scale).toFixed(0)} ms; `
			+ `median of ${ROUNDS}, load ${loadavg()[0].toFixed(1)}`);
		assert.ok(first * scale <= PAINT_MS, `first paint ${(first * scale).toFixed(0)} ms`);
		assert.ok(cards * scale <= CARDS_MS, `cards ${(cards * scale).toFixed(0)} ms`);
	} finally {
		line.stop();
		await demo.stop();
	}
});

test('two hundred devices scroll smoothly', { timeout: 120000 }, async () => {
	const full = await house({ capture: files.file('full.pcap', crowdedCapture(DEVICES)), speed: 3 });
	const page = await chrome.page(412, 892);
	try {
		await page.send('Page.navigate', { url: full.url });
		await page.evaluate(`new Promise(done => {
			const look = () => document.querySelectorAll('.sg-card').length >= ${DEVICES} ? done() : setTimeout(look, 50);
			look();
		})`);
		await page.evaluate(`globalThis.frames = []; globalThis.goes = true;
			(function frame(at) { frames.push(at); if (goes) requestAnimationFrame(frame); })(performance.now())`);
		await page.send('Input.synthesizeScrollGesture', { x: 200, y: 400, yDistance: -12000, speed: 2000, gestureSourceType: 'mouse', preventFling: true });
		const { y, frames } = await page.evaluate('goes = false, { y: scrollY, frames }');
		const between = frames.slice(1).map((at, index) => at - frames[index]).sort((a, b) => a - b);
		const most = between[Math.floor(between.length * 0.95)];
		console.log(`${DEVICES} devices, ${y} pixels in ${between.length} frames: median ${median(between).toFixed(1)} ms, 95 % ${most.toFixed(1)} ms, `
			+ `longest ${between.at(-1).toFixed(0)} ms, load ${loadavg()[0].toFixed(1)}`);
		assert.ok(y >= 10000);
		assert.ok(median(between) <= FRAME_MS.median && most <= FRAME_MS.most);
	} finally {
		await page.close();
		await full.stop();
	}
});
