#!/usr/bin/env python3
"""Texts of the dashboard and the LuCI app for translators.

i18n.py          writes po/templates/streamguard.pot and brings each po/*/streamguard.po up to date: translations
                 stay, new texts come in empty, texts that are gone go
i18n.py --check  exits 1 if that would change anything
i18n.py --lmo DIR  writes DIR/streamguard.LANGUAGE.lmo, what LuCI on a router reads (its own build makes them with po2lmo)
"""
import pathlib
import re
import struct
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


# LuCI's names of languages that gettext calls otherwise.
ALIASES = {"zh_Hans": "zh-cn", "pt_BR": "pt-br"}


def sfh(text):
    """Paul Hsieh's SuperFastHash, by which LuCI finds a text (modules/luci-base/src/lib/lmo.c)."""
    data = text.encode()
    value, mask = len(data), 0xFFFFFFFF
    word = lambda at: int.from_bytes(data[at : at + 2], "little")
    signed = lambda at: data[at] - 256 if data[at] > 127 else data[at]
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        value = (value + word(at)) & mask
        value = ((value << 16) ^ (word(at + 2) << 11) ^ value) & mask
        value = (value + (value >> 11)) & mask
    match len(data) & 3:
        case 3:
            value = (value + word(whole)) & mask
            value ^= (value << 16 ^ signed(whole + 2) << 18) & mask
            value = (value + (value >> 11)) & mask
        case 2:
            value = (value + word(whole)) & mask
            value ^= value << 11 & mask
            value = (value + (value >> 17)) & mask
        case 1:
            value = (value + signed(whole)) & mask
            value ^= value << 10 & mask
            value = (value + (value >> 1)) & mask
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value ^= value << left & mask
        value = (value + (value >> right)) & mask
    return value


def catalogue_lmo(translated):
    """Texts, an index sorted by hash, the index's place; all numbers big-endian."""
    texts, index = b"", []
    for source, target in translated.items():
        if target and target != source:
            text = target.encode()
            index.append(struct.pack(">4I", sfh(source), 1, len(texts), len(text)))
            texts += text + bytes(-len(text) % 4)
    return texts + b"".join(sorted(index)) + struct.pack(">I", len(texts))


def lmo(directory):
    directory.mkdir(parents=True, exist_ok=True)
    for path in sorted(APP.glob("po/*/streamguard.po")):
        language = ALIASES.get(path.parent.name, path.parent.name)
        (directory / f"streamguard.{language}.lmo").write_bytes(catalogue_lmo(known(path)))
    return 0


def main():
    if "--lmo" in sys.argv:
        return lmo(pathlib.Path(sys.argv[-1]))
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
