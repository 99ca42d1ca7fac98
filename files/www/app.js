// The gateway's page: logs in if that is needed, then shows the dashboard over HTTP.
import { httpTransport, login } from './transport-http.js';
import { mount } from './dashboard.js';
import { clear, h } from './ui.js';
import { _ } from './i18n.js';
import { speak } from './language.js';

const root = document.getElementById('streamguard');
root.removeAttribute('aria-busy');

function askForToken(failed) {
	const token = h('input', { id: 'sg-token', type: 'password', autocomplete: 'current-password', required: true });
	const form = h('form', {
		class: 'sg-login', onsubmit: async event => {
			event.preventDefault();
			const why = await login(token.value);
			if (why)
				askForToken(why);
			else
				start();
		},
	},
	h('h1', {}, 'streamguard'),
	h('label', { for: 'sg-token' }, _('Access token')), token,
	failed ? h('p', { class: 'sg-problem', role: 'alert' }, failed) : null,
	h('button', { class: 'sg-primary' }, _('Log in')));
	clear(root).append(h('main', { class: 'sg-narrow' }, form));
	token.focus();
}

async function start() {
	const [transport] = await Promise.all([httpTransport({ onLogin: () => askForToken(null) }), speak()]);
	if (!transport) {
		clear(root).append(h('main', { class: 'sg-narrow' }, h('p', { class: 'sg-problem', role: 'alert' },
			_('The service does not answer.')), h('button', { class: 'sg-primary', onclick: start }, _('Try again'))));
	} else if (transport.session.login === 'needed') {
		askForToken(null);
	} else {
		const settings = ['settings', () => _('Settings'), async () => (await import('./pages/settings.js')).settingsPage];
		mount(clear(root), transport, { hash: true, more: transport.settings ? [settings] : [] });
	}
}

start();
