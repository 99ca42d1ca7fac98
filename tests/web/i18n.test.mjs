// Translations: all texts, in all languages, with the same gaps; and the gateway speaks them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { browser as launch, house, ROOT, visit } from './house.mjs';

const PO = join(ROOT, 'openwrt/luci-app-streamguard/po');
const LANGUAGES = ['de', 'es', 'fr', 'pt_BR', 'ru', 'zh_Hans'];
const entries = file => [...readFileSync(join(PO, file, 'streamguard.' + (file === 'templates' ? 'pot' : 'po')), 'utf8')
	.matchAll(/^msgid "(.+)"\nmsgstr "(.*)"$/gm)].map(([, id, text]) => [id, text]);
const gaps = text => (text.match(/%s/g) || []).length;

test('the template has every text of the code', () => {
	execFileSync('python3', [join(ROOT, 'openwrt/i18n.py'), '--check']);
	assert.deepEqual(readdirSync(PO).sort(), [...LANGUAGES, 'templates'].sort());
	assert.ok(entries('templates').length > 240);
});

for (const language of LANGUAGES) {
	test(language + ': every text is translated, with the same gaps', () => {
		const translated = entries(language);
		assert.deepEqual(translated.map(([id]) => id), entries('templates').map(([id]) => id));
		assert.deepEqual(translated.filter(([, text]) => !text).map(([id]) => id), []);
		assert.deepEqual(translated.filter(([id, text]) => gaps(id) !== gaps(text)), []);
		// What is the same in both is a word that both have: few are.
		assert.ok(translated.filter(([id, text]) => id === text).length < 30);
	});
}

test('a German browser gets German, a Polish one English', async () => {
	const [chrome, demo] = await Promise.all([launch(), house({ speed: 2, args: ['--skip', '150'] })]);
	try {
		for (const [locale, pages, chip] of [['de-AT', 'Jetzt', 'Schaut'], ['pl-PL', 'Now', 'Watching']]) {
			const { page, context, sins } = await visit(chrome, demo.url, { locale });
			assert.equal(await page.locator('.sg-nav a[aria-current]').innerText(), pages);
			await page.locator(`.sg-chip:text-is("${chip}")`).first().waitFor();
			assert.deepEqual(sins, []);
			await context.close();
		}
	} finally {
		await chrome.close();
		await demo.stop();
	}
});
