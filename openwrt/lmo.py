#!/usr/bin/env python3
"""lmo.py INPUT.po OUTPUT.lmo: a translation in the form LuCI reads.

The file holds the translated texts one after the other, each filled up to four bytes; then the index, sorted, of
sixteen bytes a text: hash of the original, number of plural forms, where it lies and its length; then where the
index begins. Numbers are big-endian. The hash is SuperFastHash (Paul Hsieh), on bytes that C takes for signed. The
result is that of LuCI's own po2lmo for files as i18n.py writes them: one form of each text, no contexts.
"""
import struct
import sys

from i18n import known

WORD = 0xFFFFFFFF


def signed(byte):
    return byte - 256 if byte > 127 else byte


def superfast(data):
    if not data:
        return 0
    value = len(data)
    whole = len(data) & ~3
    for low, high in struct.iter_unpack("<HH", data[:whole]):
        value = value + low & WORD
        value = (value << 16 ^ high << 11 ^ value) & WORD
        value = value + (value >> 11) & WORD
    rest = data[whole:]
    if len(rest) == 3:
        value = value + int.from_bytes(rest[:2], "little") & WORD
        value = (value ^ value << 16 ^ signed(rest[2]) << 18) & WORD
        value = value + (value >> 11) & WORD
    elif len(rest) == 2:
        value = value + int.from_bytes(rest, "little") & WORD
        value = (value ^ value << 11) & WORD
        value = value + (value >> 17) & WORD
    elif len(rest) == 1:
        value = value + signed(rest[0]) & WORD
        value = (value ^ value << 10) & WORD
        value = value + (value >> 1) & WORD
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value = (value ^ value << left) & WORD
        value = value + (value >> right) & WORD
    return value


def packed(translated):
    texts, index = bytearray(), []
    for source, target in translated.items():
        key, value = source.encode(), target.encode()
        if value and superfast(key) != superfast(value):
            index.append((superfast(key), 1, len(texts), len(value)))
            texts += value + bytes(-len(value) % 4)
    entries = b"".join(struct.pack(">4I", *entry) for entry in sorted(index))
    return bytes(texts) + entries + struct.pack(">I", len(texts))


if __name__ == "__main__":
    import pathlib

    source, target = map(pathlib.Path, sys.argv[1:])
    target.write_bytes(packed(known(source)))
