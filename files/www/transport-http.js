// How the dashboard talks to the gateway: fetch for questions and acts, server-sent events for news.
const ROOT = 'api/v1/';
const OWN = { 'X-Streamguard': '1' };

export class Refused extends Error {
	constructor(status, error, findings) {
		super(error && error.message || 'HTTP ' + status);
		this.status = status;
		this.code = error && error.code || 'http';
		this.findings = findings || [];
	}
}

async function ask(path, options) {
	const response = await fetch(ROOT + path, { credentials: 'same-origin', ...options });
	const body = await response.json().catch(() => ({}));
	if (!response.ok)
		throw new Refused(response.status, body.error, body.findings);
	return body;
}

function post(path, body) {
	return ask(path, {
		method: 'POST', body: JSON.stringify(body || {}),
		headers: { ...OWN, 'Content-Type': 'application/json' },
	});
}

function query(params) {
	const given = Object.entries(params || {}).filter(([, value]) => value !== undefined && value !== null);
	const text = new URLSearchParams(given).toString();
	return text ? '?' + text : '';
}

// Why the login failed, or null.
export async function login(token) {
	try {
		await post('login', { token });
		return null;
	} catch (error) {
		return error.message;
	}
}

// Takes a source out of the detectors' sight; what it returns puts it back.
async function exempt(settings, source) {
	const put = async change => {
		const { revision, sections } = await settings.load();
		const section = sections.findIndex(one => one.type === 'detect');
		const values = change((section < 0 ? {} : sections[section].options).exempt || []);
		const set = { do: 'set', section: section < 0 ? sections.length : section, option: 'exempt', values };
		await settings.save(revision, section < 0 ? [{ do: 'add', kind: 'detect', name: 'detect' }, set] : [set]);
	};
	const without = list => list.filter(one => one !== source);
	await put(list => [...without(list), source]);
	return () => put(without);
}

export async function httpTransport({ onLogin }) {
	let session;
	try {
		session = await ask('session');
	} catch {
		return null;
	}
	const guarded = promise => promise.catch(error => {
		if (error.status === 401)
			onLogin();
		throw error;
	});
	const settings = session.settings ? {
		load: () => guarded(ask('settings')),
		check: (revision, changes) => guarded(post('settings/check', { revision, changes })),
		save: (revision, changes) => guarded(post('settings', { revision, changes })),
	} : null;
	return {
		session,
		// What `status` would answer, come along with the session: the first page need not ask.
		status: session.status,
		pollMs: 5000,
		read: (method, params) => guarded(ask(method + query(params))),
		write: (method, params) => guarded(post(method, params)),
		events(heard) {
			const source = new EventSource(ROOT + 'events/stream');
			source.onmessage = message => {
				try {
					heard(JSON.parse(message.data));
				} catch { /* not an event of ours */ }
			};
			return () => source.close();
		},
		download: (what, format, from, to) => ROOT + 'export/' + what + '.' + format + query({ from, to }),
		recording: path => ROOT + 'recordings/' + encodeURIComponent(path.split('/').pop()),
		// Below which address the other pages are; here they are parts of one.
		page: () => '',
		settings,
		exempt: settings ? source => exempt(settings, source) : null,
		logout: session.login === 'done' ? () => post('logout').then(onLogin) : null,
	};
}
