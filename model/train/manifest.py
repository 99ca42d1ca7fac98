"""Labelled captures: one row per interval in `manifest.csv`, one `Recording` per file here.

The columns are file, source, group, client, label, start_s, end_s, ..., duration_s, truth, licence, notes; `notes` begins
with `class=...`. A time without an interval is unknown and neither trained on nor scored. Rows labelled `parser` carry no truth.

Manifests are written by hand, so every mistake is told with its file and line: `BadManifest`, never a traceback.
"""
import csv
import dataclasses
import ipaddress
import math
import pathlib

WATCHED = "streaming"
COLUMNS = ("file", "source", "group", "client", "label", "start_s", "end_s", "duration_s", "notes")


class BadManifest(Exception):
    """What is wrong with a manifest, with the file and the line."""


@dataclasses.dataclass
class Client:
    """One labelled device of a capture."""

    address: str
    kind: str
    family: str
    intervals: list

    @property
    def positive(self):
        return any(label == WATCHED for _, _, label in self.intervals)

    @property
    def watched_s(self):
        return sum(end - start for start, end, label in self.intervals if label == WATCHED)

    @property
    def other_s(self):
        return sum(end - start for start, end, label in self.intervals if label != WATCHED)


@dataclasses.dataclass
class Recording:
    """One capture with its labelled clients."""

    path: pathlib.Path
    file: str
    source: str
    group: str
    duration_s: float
    clients: dict

    @property
    def anyone(self):
        """Labels are about all addresses of the file together."""
        return "" in self.clients

    def lan(self):
        """Prefixes to name to the reader: of labelled clients whose address is a public one."""
        public = [ipaddress.ip_address(a) for a in self.clients if a]
        return sorted({str(ipaddress.ip_network(f"{a}/24", strict=False)) for a in public if a.version == 4 and not a.is_private})


def kind_of(row):
    note = row["notes"].split(";")[0].strip()
    return note[6:] if note.startswith("class=") else row["group"]


def family_of(row):
    """What a laboratory calls the script behind it; else the kind of use."""
    notes = [note.strip() for note in row["notes"].split(";")]
    return next((note[7:] for note in notes if note.startswith("family=")), kind_of(row))


def seconds(row, column):
    """A time of a row in seconds; not negative and finite."""
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BadManifest(f"{column} is {row[column]!r}, not a number of seconds")
    return value


def read_row(found, folder, row):
    """Adds one line to the recordings."""
    missing = [column for column in COLUMNS if row.get(column) is None]
    if missing:
        raise BadManifest(f"no {', '.join(missing)}")
    if row["label"] == "parser":
        return
    if not row["file"] or "\0" in row["file"]:
        raise BadManifest("file is empty or no file name")
    if row["client"]:
        try:
            ipaddress.ip_address(row["client"])
        except ValueError:
            raise BadManifest(f"client is {row['client']!r}, not an address") from None
    start, end, duration = (seconds(row, column) for column in ("start_s", "end_s", "duration_s"))
    if end < start:
        raise BadManifest(f"ends at {end} before it starts at {start}")
    recording = found.setdefault(row["file"], Recording(
        folder / row["file"], row["file"], row["source"], row["group"], duration, {}))
    client = recording.clients.setdefault(row["client"], Client(row["client"], kind_of(row), family_of(row), []))
    client.intervals.append((start, end, row["label"]))


def read_manifest(path):
    """The recordings of a manifest, in the order of its files; `BadManifest` for the first line that is none."""
    path = pathlib.Path(path)
    found = {}
    try:
        with open(path, newline="", encoding="utf-8") as text:
            lines = csv.DictReader(text)
            absent = [column for column in COLUMNS if column not in (lines.fieldnames or [])]
            if absent:
                raise BadManifest(f"{path}: the first line names no column {', '.join(absent)}")
            for row in lines:
                try:
                    read_row(found, path.parent, row)
                except BadManifest as error:
                    raise BadManifest(f"{path}:{lines.line_num}: {error}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadManifest(f"{path}: {error}") from None
    return list(found.values())
