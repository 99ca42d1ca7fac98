"""Rows of a capture, computed by `streamguard features`: training sees exactly what the classifier will see.

Windows are aligned to the epoch, so where a capture falls on that grid is chance. To learn no particular phase the packets'
stamps are moved by a few whole seconds and the capture is read again; pcapng is read at its own phase only. Rows are cached.
"""
import csv
import gzip
import hashlib
import io
import pathlib
import shutil
import struct
import subprocess

import numpy as np

WINDOW_S = 10.0
PCAP_MAGIC = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}


class ExtractError(Exception):
    """streamguard could not read a capture."""


class Rows:
    """The windows of one client: `start_s` relative to the first packet of the capture, `x` one int32 row per window."""

    def __init__(self, start_s, x):
        order = np.argsort(start_s, kind="stable")
        self.start_s, self.x = start_s[order], x[order]


def unpacked(path):
    if path.suffix == ".zst":
        if not shutil.which("zstd"):
            raise ExtractError(f"{path}: needs the zstd tool")
        return subprocess.run(["zstd", "-dcq", str(path)], stdout=subprocess.PIPE, check=True).stdout
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def moved(data, seconds):
    """The pcap with every stamp `seconds` later, or None if it is not a classic pcap."""
    order = PCAP_MAGIC.get(bytes(data[:4]))
    if order is None:
        return None
    out, at, stamp = bytearray(data), 24, struct.Struct(order + "I")
    while at + 16 <= len(out):
        stamp.pack_into(out, at, (stamp.unpack_from(out, at)[0] + seconds) & 0xFFFFFFFF)
        at += 16 + stamp.unpack_from(out, at + 8)[0]
    return bytes(out)


def parsed(text, names):
    reader = csv.reader(io.StringIO(text))
    head = next(reader, None)
    if head is None:
        return {}
    if head[2:] != names:
        raise ExtractError(f"columns {head[2:5]}... are not those of the schema")
    found = {}
    for row in reader:
        found.setdefault(row[0], []).append(row)
    return {client: Rows(np.array([float(r[1]) for r in rows]), np.array([r[2:] for r in rows]).astype(np.int64).astype(np.int32))
            for client, rows in found.items()}


class Extractor:
    """Runs one build of streamguard; `cache` holds what it said, keyed by capture, shift and schema."""

    def __init__(self, binary, cache):
        self.binary, self.cache = str(binary), pathlib.Path(cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        self.names, self.schema_hash = self.schema()

    def schema(self):
        """Feature names and the hash that an artefact must carry."""
        text = self.run(["model", "--schema"])
        *features, last = [line.split() for line in text.splitlines()]
        if last[0] != "hash":
            raise ExtractError("model --schema does not end with the hash")
        return [words[0] for words in features], int(last[1], 16)

    def run(self, arguments, stdin=None):
        done = subprocess.run([self.binary, *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode:
            raise ExtractError(f"{' '.join(arguments)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
        return done.stdout.decode()

    def key(self, recording, shift):
        stat = recording.path.stat()
        text = f"{recording.file} {stat.st_size} {int(stat.st_mtime)} {shift} {self.schema_hash:016x} {recording.lan()}"
        return self.cache / (hashlib.sha256(text.encode()).hexdigest()[:24] + ".npz")

    def rows(self, recording, shift=0):
        """Rows by client address, or None where a shift is not possible."""
        place = self.key(recording, shift)
        if not place.exists():
            found = self.extract(recording, shift)
            if found is None:
                return None
            arrays = {}
            for i, (client, rows) in enumerate(sorted(found.items())):
                arrays.update({f"c{i}": np.array(client), f"s{i}": rows.start_s, f"x{i}": rows.x})
            temporary = place.with_suffix(".tmp.npz")
            np.savez_compressed(temporary, **arrays)
            temporary.replace(place)
        with np.load(place) as data:
            n = len(data.files) // 3
            return {str(data[f"c{i}"]): Rows(data[f"s{i}"], data[f"x{i}"]) for i in range(n)}

    def extract(self, recording, shift):
        arguments = ["features", "--identify", "ip"]
        for prefix in recording.lan():
            arguments += ["--lan", prefix]
        arguments += ["--", "-"]
        data = unpacked(recording.path)
        if shift:
            data = moved(data, shift)
            if data is None:
                return None
        return parsed(self.run(arguments, data), self.names)
