// Pictures of the demo for the README, from the real thing: screenshots.mjs DIRECTORY
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { browser as launch, house, open, visit } from './house.mjs';

const directory = process.argv[2] || 'docs/images';
mkdirSync(directory, { recursive: true });
// The household's fourth minute: two devices watch, one is nearly out of time.
const skip = Number(process.env.SKIP || 150);
const [chrome, demo] = await Promise.all([launch(), house({ speed: 4, args: ['--skip', String(skip)] })]);
const shoot = async (name, options, pageName, wait = 1500) => {
	const { page, context } = await visit(chrome, demo.url, options);
	if (pageName !== 'Now')
		await open(page, pageName);
	await page.waitForTimeout(wait);
	await page.screenshot({ path: join(directory, name + '.png') });
	await context.close();
};
try {
	await shoot('now', { viewport: { width: 1080, height: 640 } }, 'Now');
	await shoot('now-phone-dark', { viewport: { width: 360, height: 700 }, colorScheme: 'dark' }, 'Now');
	await shoot('traffic', { viewport: { width: 1080, height: 760 } }, 'Traffic', 25000);
	await shoot('history', { viewport: { width: 1080, height: 760 } }, 'History');
	await shoot('settings', { viewport: { width: 1080, height: 640 } }, 'Settings');
} finally {
	await chrome.close();
	await demo.stop();
}
