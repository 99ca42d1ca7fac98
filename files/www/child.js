// The child's page: the time left on the device that asks, and nothing else.
const POLL_MS = 15000;
const show = (id, text) => { document.getElementById(id).textContent = text; };
const minutes = seconds => Math.floor(seconds / 60) + ' min';
const clean = text => String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, '\ufffd').slice(0, 60);

function words(mine) {
	switch (mine.standing) {
	case 'exempt': case 'unlimited': return ['∞', 'This device has no limit.'];
	case 'denied': return ['0 min', 'No video on this device.'];
	case 'paused': return ['❚❚', 'Paused.'];
	case 'outside_hours': return ['0 min', 'Not at this hour.'];
	case 'exhausted': case 'capped': return ['0 min', 'Today’s time is used up.'];
	default: return [minutes(mine.left_s || 0), minutes(mine.used_s || 0) + ' watched today'];
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
		show('name', mine.name ? clean(mine.name) : 'Time left');
		show('left', left);
		show('more', more);
	} catch (error) {
		show('left', '—');
		show('more', clean(error.message));
	}
}

ask();
setInterval(ask, POLL_MS);
document.addEventListener('visibilitychange', ask);
