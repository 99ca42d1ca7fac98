// How soon a page is painted when the processor is slow: measured beside a page of one line, in the same browser and
// the same minute, because the machine may be busy with other things.
import { createServer } from 'node:http';

// As slow a processor as a cheap phone has, seen from a PC.
export const THROTTLE = 6;

// Runs in the page before anything else: tells when something was painted, and when what counts was.
const WATCH = `(() => {
	const when = { first: null, wanted: null };
	const tell = () => when.first !== null && when.wanted !== null && painted(JSON.stringify(when));
	new PerformanceObserver(list => {
		for (const entry of list.getEntriesByName('first-contentful-paint'))
			when.first = entry.startTime;
		tell();
	}).observe({ type: 'paint', buffered: true });
	const observer = new MutationObserver(() => {
		if (!document.querySelector('.sg-card, .blank'))
			return;
		observer.disconnect();
		// A frame that begins after the next one began has been preceded by its painting.
		requestAnimationFrame(() => requestAnimationFrame(() => {
			when.wanted = performance.now();
			tell();
		}));
	});
	observer.observe(document, { childList: true, subtree: true });
})()`;

// {first, wanted}: milliseconds from the beginning of the navigation to the first paint and to that of the first card,
// in a browser that has never been there.
export async function paint(chrome, url, throttle = THROTTLE) {
	const page = await chrome.page(412, 892);
	await page.send('Runtime.addBinding', { name: 'painted' });
	await page.send('Page.addScriptToEvaluateOnNewDocument', { source: WATCH });
	await page.send('Emulation.setCPUThrottlingRate', { rate: throttle });
	const painted = new Promise(done => page.on('Runtime.bindingCalled', ({ payload }) => done(JSON.parse(payload))));
	await page.send('Page.navigate', { url });
	const when = await painted;
	await page.close();
	return when;
}

// A page of one line: what the browser and the machine need for any page at all.
export async function blank() {
	const server = createServer((_request, response) => response.writeHead(200, { 'Content-Type': 'text/html' })
		.end('<!doctype html><title>blank</title><p class="blank">blank</p>'));
	await new Promise(ready => server.listen(0, '127.0.0.1', ready));
	return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

export const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
