// Texts: written in English in the code, given to whatever translator the page has (LuCI's, or none).
let translator = text => text;

export function useTranslator(translate) {
	translator = translate;
}

export function _(text) {
	return translator(text);
}

// fill('%s of %s', a, b): a translated text with its gaps filled.
export function fill(text, ...parts) {
	let index = 0;
	return text.replace(/%s/g, () => String(parts[index++]));
}
