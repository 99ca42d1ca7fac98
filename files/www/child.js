// The child's page: the time left on the device that asks, and nothing else.
import { _, fill } from './i18n.js';
import { speak } from './language.js';

const POLL_MS = 15000;
const show = (id, text) => { document.getElementById(id).textContent = text; };
const minutes = seconds => fill(_('%s min'), Math.floor(seconds / 60));
const clean = text => String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, '\ufffd').slice(0, 60);

function words(mine) {
	if (mine.standing === 'exempt' || mine.quota_s === null)
		return ['∞', _('This device has no limit.')];
	switch (mine.standing) {
	case 'denied': return [minutes(0), _('No video on this device.')];
	case 'paused': return ['❚❚', _('Paused.')];
	case 'outside_hours': return [minutes(0), _('Not at this hour.')];
	case 'exhausted': case 'capped': return [minutes(0), _('Today’s time is used up.')];
	default: return [minutes(mine.left_s || 0), fill(_('%s watched today'), minutes(mine.used_s || 0))];
	}
}

async function ask() {
	if (document.hidden)
		return;
	try {
		const response = await fetch('api/v1/mine');
		const mine = await response.json();
		if (!response.ok)
			throw new Error(mine.error.message);
		const [left, more] = words(mine);
		show('name', mine.name ? clean(mine.name) : _('Time left'));
		show('left', left);
		show('more', more);
	} catch (error) {
		show('left', '—');
		show('more', clean(error.message));
	}
}

await speak();
document.title = _('Time left');
ask();
setInterval(ask, POLL_MS);
document.addEventListener('visibilitychange', ask);
