// The language of the browser, where LuCI does not care for that: the LuCI app's translations, as the gateway has them.
import { useTranslator } from './i18n.js';

// Besides English. A Chinese or Portuguese of elsewhere is nearer than English.
const LANGUAGES = { de: 'de', fr: 'fr', es: 'es', zh: 'zh_Hans', ru: 'ru', pt: 'pt_BR' };

// Waits for nothing if the browser's first known language is English; without an answer, English it is.
export async function speak() {
	const first = navigator.languages.map(tag => tag.split('-')[0]).find(tag => tag === 'en' || LANGUAGES[tag]);
	if (!LANGUAGES[first])
		return;
	try {
		const texts = await (await fetch('po/' + LANGUAGES[first] + '.json')).json();
		useTranslator(text => texts[text] || text);
		document.documentElement.lang = first;
	} catch { /* English, then */ }
}
