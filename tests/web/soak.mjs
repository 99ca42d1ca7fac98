// Ten minutes of bad manners (SOAK_S seconds): slow headers, slow bodies, readers that do not read, too much, nonsense,
// hoarded event streams. The household behind it must count every frame as without, and answer within 50 ms: or, on a
// machine that is busy with other things, within 50 ms of what a second household needs that nobody bothers.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { DEMO, house, PROGRAM } from './house.mjs';

const SECONDS = Number(process.env.SOAK_S || 600);
const LATENCY_MS = 50;
const speed = Math.max(2, 470 / (SECONDS * 0.8));
const [demo, calm] = await Promise.all([house({ speed }), house({ speed })]);
const { hostname, port } = new URL(demo.url);
const end = Date.now() + SECONDS * 1000;
const sleep = ms => new Promise(done => setTimeout(done, ms));
const done = { connections: 0, closed: 0 };

function open(first) {
	done.connections++;
	const socket = connect(Number(port), hostname);
	socket.on('error', () => {});
	socket.on('close', () => done.closed++);
	socket.write(first);
	return socket;
}

async function keep(count, pause, once) {
	await Promise.all(Array.from({ length: count }, async () => {
		while (Date.now() < end) {
			await once().catch(() => {});
			await sleep(pause);
		}
	}));
}

const head = 'Host: ' + hostname + ':' + port + '\r\n';
const manners = {
	slowHeader: () => keep(40, 100, async () => {
		const socket = open('GET / HTTP/1.1\r\n' + head);
		while (Date.now() < end && !socket.destroyed) {
			socket.write('X-' + Math.random() + ': 1\r\n');
			await sleep(2000);
		}
	}),
	slowBody: () => keep(10, 100, async () => {
		const socket = open('POST /api/v1/grant HTTP/1.1\r\n' + head + 'X-Streamguard: 1\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{');
		while (Date.now() < end && !socket.destroyed) {
			socket.write(' ');
			await sleep(1000);
		}
	}),
	noReader: () => keep(10, 100, async () => {
		const socket = open(('GET /vendor/uPlot.iife.min.js HTTP/1.1\r\n' + head + '\r\n').repeat(200));
		socket.pause();
		for (let turn = 0; turn < 40 && Date.now() < end; turn++)
			await sleep(1000);
		socket.destroy();
	}),
	nonsense: () => keep(5, 20, async () => {
		const socket = open(randomBytes(1 + Math.floor(Math.random() * 3000)));
		await sleep(30);
		socket.destroy();
	}),
	tooMuch: () => keep(3, 100, async () => {
		const socket = open('GET / HTTP/1.1\r\n' + head + 'X: ' + 'a'.repeat(1 << 20));
		await sleep(300);
		socket.destroy();
	}),
	hoard: () => keep(30, 500, async () => {
		const socket = open('GET /api/v1/events/stream HTTP/1.1\r\n' + head + '\r\n');
		await sleep(10000);
		socket.destroy();
	}),
};

// One question over a control socket itself, timed.
const directoryOf = async one => dirname((await (await fetch(one.url + 'api/v1/doctor')).json()).storage.database);
const [bothered, left] = await Promise.all([demo, calm].map(directoryOf));
const ask = (directory, method) => new Promise((resolve, reject) => {
	const began = performance.now();
	const socket = connect(join(directory, 'view.sock'));
	let text = '';
	socket.on('error', reject);
	socket.on('data', data => {
		text += data;
		if (text.endsWith('\n')) {
			socket.destroy();
			resolve({ ms: performance.now() - began, result: JSON.parse(text).result });
		}
	});
	socket.write(JSON.stringify({ id: 1, method, params: {} }) + '\n');
});

const latencies = [], others = [];
const watch = (async () => {
	while (Date.now() < end) {
		latencies.push((await ask(bothered, 'status')).ms);
		await sleep(125);
		others.push((await ask(left, 'status')).ms);
		await sleep(125);
	}
})();
await Promise.all([watch, ...Object.values(manners).map(begin => begin())]);
const status = (await ask(bothered, 'status')).result;
const still = await fetch(demo.url + 'api/v1/session').then(answer => answer.status);
await Promise.all([demo.stop(), calm.stop()]);
const whole = JSON.parse(execFileSync(PROGRAM, ['analyze', DEMO, '--report', 'clients', '--json'], { encoding: 'utf8', maxBuffer: 1 << 26 }));
const at = (all, share) => all.sort((a, b) => a - b)[Math.floor(all.length * share)];
const told = all => `median ${at(all, 0.5).toFixed(1)} ms, 99 % ${at(all, 0.99).toFixed(1)} ms`;
console.log(`${SECONDS} s, ${done.connections} connections, ${done.closed} closed; load ${loadavg()[0].toFixed(1)}`);
console.log(`control answers: ${told(latencies)}; of a household that nobody bothers: ${told(others)}`);
console.log(`frames ${status.frames} of ${whole.capture.packets}`);
assert.equal(still, 200, 'the gateway still serves');
assert.equal(status.frames, whole.capture.packets, 'every frame was counted');
const watched = status.clients.reduce((sum, client) => sum + client.used_s, 0);
assert.equal(watched, Math.round(whole.clients.reduce((sum, client) => sum + client.watch_s, 0)), 'and every minute');
const calmly = at(others, 0.99);
assert.ok(at(latencies, 0.99) <= LATENCY_MS + (calmly > LATENCY_MS ? calmly : 0), 'answers in time');
