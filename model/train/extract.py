"""Rows of a capture, computed by `streamguard features`: training sees exactly what the classifier will see.

Windows are aligned to the epoch, so where a capture falls on that grid is chance. To learn no particular phase each
capture is read several times, its stamps moved by a few whole seconds (`--phase`). Rows are cached. Of recordings whose
packets are not kept the same program makes the same rows from their seconds (docs/features.md).
"""
import csv
import hashlib
import io
import pathlib
import subprocess

import numpy as np

WINDOW_S = 10.0


class ExtractError(Exception):
    """streamguard could not read a capture."""


class Rows:
    """The windows of one client: `start_s` relative to the first packet of the capture, `x` one int32 row per window."""

    def __init__(self, start_s, x):
        order = np.argsort(start_s, kind="stable")
        self.start_s, self.x = start_s[order], x[order]


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


def run(binary, arguments, capture=None):
    """What streamguard printed. A .zst capture is unpacked by zstd into its standard input, however large its window."""
    packed = capture if capture and capture.suffix == ".zst" else None
    unpack = subprocess.Popen(["zstd", "-dcq", "--long=27", str(packed)], stdout=subprocess.PIPE) if packed else None
    tail = ["--", "-" if packed else str(capture)] if capture else []
    done = subprocess.run([str(binary), *arguments, *tail], stdin=unpack.stdout if unpack else subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if unpack:
        unpack.stdout.close()
        unpack.wait()
    if done.returncode:
        raise ExtractError(f"{capture or ' '.join(arguments)}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout.decode()


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

    def run(self, arguments):
        return run(self.binary, arguments)

    @staticmethod
    def kept(recording, shift):
        """What there is of a recording, first of these: its packets, its seconds, its rows at this shift (of recordings whose packets went
        before seconds were kept: `features --identify ip --phase SHIFT`, packed)."""
        for end in ("", ".seconds.zst", f".phase{shift}.csv.zst"):
            place = recording.path.with_name(recording.path.name + end)
            if place.exists():
                return place
        raise ExtractError(f"{recording.path}: neither the capture nor its seconds nor its rows at {shift} s are there")

    def key(self, recording, shift):
        stat = self.kept(recording, shift).stat()
        text = f"{recording.file} {stat.st_size} {int(stat.st_mtime)} {shift} {self.schema_hash:016x} {recording.lan()}"
        return self.cache / (hashlib.sha256(text.encode()).hexdigest()[:24] + ".npz")

    def rows(self, recording, shift=0):
        """Rows by client address."""
        place = self.key(recording, shift)
        if not place.exists():
            found = self.extract(recording, shift)
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
        place = self.kept(recording, shift)
        if place.suffixes[-2:] == [".csv", ".zst"]:
            unpacked = subprocess.run(["zstd", "-dcq", str(place)], stdout=subprocess.PIPE, check=True)
            return parsed(unpacked.stdout.decode(), self.names)
        arguments = ["features", "--phase", str(shift)]
        if place == recording.path:
            arguments += ["--identify", "ip"]
            for prefix in recording.lan():
                arguments += ["--lan", prefix]
        return parsed(run(self.binary, arguments, place), self.names)
