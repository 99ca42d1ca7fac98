// A router's rpcd as far as the LuCI app meets it: sessions with the rights of the shipped access lists, the exec plugin
// as it is shipped (run by busybox' ash), `uci` in memory, and the two programs that hand out files. What a session
// has no right to is refused before anything is run, as rpcd does.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PROGRAM, ROOT } from './house.mjs';

const LISTS = ['files/usr/share/rpcd/acl.d', 'openwrt/luci-app-streamguard/root/usr/share/rpcd/acl.d'];
const PLUGIN = 'files/usr/libexec/rpcd/streamguard';
const EXPORT = 'openwrt/luci-app-streamguard/root/usr/libexec/streamguard-export';
// What LuCI itself grants to who may open it.
const BASE = {
	ubus: {
		uci: ['get', 'changes'], luci: ['getFeatures'], file: ['list'], network: ['get_proto_handlers'], 'network.device': ['status'],
		'network.interface': ['dump'], 'luci-rpc': ['getBoardJSON', 'getNetworkDevices', 'getWirelessDevices'],
	},
	uci: ['luci', 'network', 'system', 'wireless'],
};
const BASE_WRITE = { ubus: { uci: ['add', 'apply', 'confirm', 'delete', 'order', 'set', 'rename'] } };
export const OK = 0, NOT_FOUND = 4, DENIED = 6;

const fits = (pattern, text) => new RegExp('^' + pattern.split('*').map(part => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*') + '$').test(text);

function grant(rights, scopes, kind) {
	for (const [scope, given] of Object.entries(scopes || {})) {
		const mine = rights[scope] ??= {};
		// A list stands for objects with the kind as their only function.
		for (const [object, functions] of Array.isArray(given) ? given.map(object => [object, [kind]]) : Object.entries(given))
			mine[object] = [...mine[object] || [], ...functions];
	}
}

// rights({'luci-app-streamguard': ['read']}): what a login with these groups may do.
export function rights(groups) {
	const found = {};
	grant(found, BASE, 'read');
	for (const directory of LISTS) {
		for (const file of readdirSync(join(ROOT, directory))) {
			for (const [group, kinds] of Object.entries(JSON.parse(readFileSync(join(ROOT, directory, file)))))
				for (const kind of groups[group] || [])
					grant(found, kinds[kind], kind);
		}
	}
	if (Object.values(groups).some(kinds => kinds.includes('write')))
		grant(found, BASE_WRITE, 'write');
	return found;
}

export const may = (found, scope, object, name) => Object.entries(found[scope] || {})
	.some(([pattern, functions]) => fits(pattern, object) && functions.some(one => fits(one, name)));

// sessions: {id: rights}; directory: where the household's sockets are.
export function rpcd({ directory, sessions, uci }) {
	const scratch = mkdtempSync(join(tmpdir(), 'streamguard-rpcd-'));
	// As shipped, but for where the program lies.
	const local = path => {
		const copy = join(scratch, basename(path));
		writeFileSync(copy, readFileSync(join(ROOT, path), 'utf8').replaceAll('/usr/sbin/streamguard', PROGRAM));
		chmodSync(copy, 0o755);
		return copy;
	};
	const plugin = local(PLUGIN), exporter = local(EXPORT);
	const env = { ...process.env, STREAMGUARD_RUN_DIR: directory };
	const signatures = JSON.parse(execFileSync('busybox', ['ash', plugin, 'list'], { env }));

	const run = (script, args, input) => new Promise(done => {
		const child = spawn('busybox', ['ash', script, ...args], { env, stdio: ['pipe', 'pipe', 'ignore'] });
		const parts = [];
		child.stdout.on('data', part => parts.push(part));
		child.on('close', code => done({ code, bytes: Buffer.concat(parts) }));
		child.stdin.on('error', () => {});
		child.stdin.end(input);
	});

	const sections = config => uci[config] || {};
	const objects = {
		streamguard: async (method, params) => {
			if (!signatures[method])
				return [NOT_FOUND];
			const { code, bytes } = await run(plugin, ['call', method], JSON.stringify(params));
			return code === 0 ? [OK, JSON.parse(bytes)] : [NOT_FOUND];
		},
		session: async (_method, { scope = 'ubus', object, function: name }, mine) => [OK, object ? { access: may(mine, scope, object, name) } : mine],
		'luci-rpc': async method => [OK, method === 'getHostHints' ? { '02:00:00:00:00:01': { name: 'tablet', ipaddrs: ['192.168.1.5'], ip6addrs: [] } } : {}],
		luci: async () => [OK, {}],
		file: async () => [OK, { entries: [] }],
		network: async () => [OK, {}],
		'network.device': async () => [OK, {}],
		'network.interface': async () => [OK, { interface: [] }],
		uci: async (method, { config, section, values }) => {
			switch (method) {
			case 'get': return [OK, { values: section ? sections(config)[section] || {} : sections(config) }];
			case 'set':
				Object.assign(sections(config)[section] ??= {}, values);
				return [OK];
			case 'changes': return [OK, { changes: {} }];
			default: return [OK];
			}
		},
	};

	return {
		signatures,
		// [status, data] of a call.
		async call(session, object, method, params) {
			if (!may(sessions[session] || {}, 'ubus', object, method))
				return [DENIED];
			const config = object === 'uci' && params.config;
			if (config && !may(sessions[session], 'uci', config, ['get', 'changes'].includes(method) ? 'read' : 'write'))
				return [DENIED];
			return objects[object] ? objects[object](method, params, sessions[session]) : [NOT_FOUND];
		},
		list: name => name === undefined ? Object.keys(objects) : name === 'streamguard' ? { streamguard: signatures } : {},
		// The command's output, or null.
		async exec(session, command) {
			const mine = sessions[session] || {};
			if (!may(mine, 'cgi-io', 'exec', 'read') || !may(mine, 'file', command, 'exec'))
				return null;
			const { code, bytes } = await run(exporter, command.split(' ').slice(1), '');
			return code === 0 ? bytes : null;
		},
		// A file's bytes, or null.
		download(session, path) {
			const mine = sessions[session] || {};
			return may(mine, 'cgi-io', 'download', 'read') && may(mine, 'file', path, 'read') ? readFileSync(path) : null;
		},
		stop: () => rmSync(scratch, { recursive: true, force: true }),
	};
}
