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
		recording: file => ROOT + 'recordings/' + encodeURIComponent(file),
		settings: session.settings ? {
			load: () => guarded(ask('settings')),
			check: (revision, changes) => guarded(post('settings/check', { revision, changes })),
			save: (revision, changes) => guarded(post('settings', { revision, changes })),
		} : null,
		logout: session.login === 'done' ? () => post('logout').then(onLogin) : null,
	};
}
