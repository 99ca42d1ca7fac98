// Frames made by hand, for what no recording should have to hold: a port scan, and devices with hostile names.
const bytes = (...parts) => Buffer.concat(parts.map(part => Buffer.isBuffer(part) ? part : Buffer.from(part)));
const mac = text => Buffer.from(text.split(':').map(part => parseInt(part, 16)));
const addr = text => Buffer.from(text.split('.').map(Number));
const u16 = value => Buffer.from([value >> 8 & 255, value & 255]);

// When the recordings begin, in seconds since the epoch.
const START = 1795167283;
const ROUTER = { mac: '02:00:00:00:00:fe', addr: '192.168.7.1' };

function checksum(buffer) {
	let sum = 0;
	for (let index = 0; index < buffer.length; index += 2)
		sum += buffer[index] << 8 | (buffer[index + 1] || 0);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return u16(~sum & 0xffff);
}

function ip(from, to, proto, payload) {
	const head = bytes([0x45, 0], u16(20 + payload.length), [0, 1, 0x40, 0, 64, proto, 0, 0], addr(from.addr), addr(to.addr));
	checksum(head).copy(head, 10);
	return bytes(mac(to.mac), mac(from.mac), [8, 0], head, payload);
}

const udp = (from, to, source, target, data) => ip(from, to, 17, bytes(u16(source), u16(target), u16(8 + data.length), [0, 0], data));

const syn = (from, to, target) => ip(from, to, 6,
	bytes(u16(40000 + target % 20000), u16(target), [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]));

// A DHCP request with a host name.
function dhcp(device, name) {
	const text = Buffer.from(name).subarray(0, 255);
	const fixed = bytes([1, 1, 6, 0, 0, 0, 0, 1, 0, 0, 0, 0], Buffer.alloc(16), mac(device.mac), Buffer.alloc(10 + 192));
	const options = bytes([0x63, 0x82, 0x53, 0x63, 53, 1, 3, 50, 4], addr(device.addr), [12, text.length], text, [255]);
	return udp({ ...device, addr: '0.0.0.0' }, { mac: 'ff:ff:ff:ff:ff:ff', addr: '255.255.255.255' }, 68, 67, bytes(fixed, options));
}

export const HOSTILE = [
	'<img src=x onerror=alert(1)>', '=cmd()|calc', '\u202egnp.exe', 'x'.repeat(250), 'a\u0007b\u001b[31mred', '"><script>alert(2)</script>',
];

// Devices with hostile names, and one that scans another's ports.
export function hostileCapture() {
	const frames = [];
	const devices = HOSTILE.map((name, index) => ({ mac: '02:00:00:00:01:0' + (index + 1), addr: '192.168.7.' + (20 + index), name }));
	devices.forEach((device, index) => {
		frames.push([START + index * 0.1, dhcp(device, device.name)]);
		for (let second = 0; second < 30; second++)
			frames.push([START + 1 + second + index * 0.01, udp(device, { ...ROUTER, addr: '203.0.113.9' }, 50000, 443, Buffer.alloc(100))]);
	});
	const scanner = devices[0];
	for (let port = 1; port <= 400; port++)
		frames.push([START + 5 + port * 0.02, syn(scanner, { ...ROUTER, addr: '203.0.113.77' }, port)]);
	return { capture: pcap(frames), devices };
}

// A house of so many devices, each of which says its name and something to a server every second.
export function crowdedCapture(count, seconds = 60) {
	const frames = [];
	for (let index = 0; index < count; index++) {
		const device = { mac: '02:00:00:00:02:' + index.toString(16).padStart(2, '0'), addr: '192.168.7.' + (20 + index) };
		frames.push([START + index * 0.01, dhcp(device, 'device-' + index)]);
		for (let second = 0; second < seconds; second++)
			frames.push([START + 3 + second + index * 0.004, udp(device, { ...ROUTER, addr: '203.0.113.9' }, 50000, 443, Buffer.alloc(100))]);
	}
	return pcap(frames);
}

function pcap(frames) {
	frames.sort((a, b) => a[0] - b[0]);
	const parts = [Buffer.from([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])];
	for (const [time, frame] of frames) {
		const head = Buffer.alloc(16);
		head.writeUInt32LE(Math.floor(time), 0);
		head.writeUInt32LE(Math.round((time % 1) * 1e6) % 1000000, 4);
		head.writeUInt32LE(frame.length, 8);
		head.writeUInt32LE(frame.length, 12);
		parts.push(head, frame);
	}
	return Buffer.concat(parts);
}
