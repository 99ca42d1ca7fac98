#!/usr/bin/env python3
"""Texts of the dashboard and the LuCI app for translators.

i18n.py          writes po/templates/streamguard.pot and brings each po/*/streamguard.po up to date: translations
                 stay, new texts come in empty, texts that are gone go
i18n.py --check  exits 1 if that would change anything
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
APP = ROOT / "openwrt/luci-app-streamguard"
TEXT = re.compile(r"""\b_\('((?:[^'\\]|\\.)*)'\)""")
HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: %s\\n"\n\n'


def sources():
    for root in (ROOT / "files/www", APP / "htdocs"):
        yield from (path for path in sorted(root.rglob("*.js")) if "vendor" not in path.parts)


def texts():
    found = {}
    for path in sources():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for match in TEXT.finditer(line):
                text = match.group(1).replace("\\'", "'")
                found.setdefault(text, []).append(f"{path.relative_to(ROOT)}:{number}")
    return found


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def known(path):
    text = path.read_text() if path.exists() else ""
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.*)"$', text, re.M)
    plain = lambda text: text.replace('\\"', '"').replace("\\\\", "\\")
    return {plain(source): plain(target) for source, target in pairs}


def catalogue(found, language, translated):
    # Where a text stands, by file: line numbers would change with every edit.
    entries = (
        "#: " + " ".join(sorted({place.split(":")[0] for place in places})) + "\n"
        f"msgid {quoted(text)}\nmsgstr {quoted(translated.get(text, ''))}\n"
        for text, places in sorted(found.items())
    )
    return HEAD % language + "\n".join(entries)


def main():
    found, stale = texts(), []
    wanted = {APP / "po/templates/streamguard.pot": catalogue(found, "", {})}
    for path in sorted(APP.glob("po/*/streamguard.po")):
        wanted[path] = catalogue(found, path.parent.name, known(path))
    for path, content in wanted.items():
        if not path.exists() or path.read_text() != content:
            stale.append(path)
            if "--check" not in sys.argv:
                path.write_text(content)
    for path in stale:
        print(path.relative_to(ROOT))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
