"""Labelled captures: one row per interval in `manifest.csv`, one `Recording` per file here.

The columns are file, source, group, client, label, start_s, end_s, ..., duration_s, truth, licence, notes; `notes` begins
with `class=...`. A time without an interval is unknown and neither trained on nor scored. Rows labelled `parser` carry no truth.
"""
import csv
import dataclasses
import ipaddress
import pathlib

WATCHED = "streaming"


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


def read_manifest(path):
    """The recordings of a manifest, in the order of its files."""
    path = pathlib.Path(path)
    found = {}
    with open(path, newline="") as text:
        for row in csv.DictReader(text):
            if row["label"] == "parser":
                continue
            recording = found.setdefault(row["file"], Recording(
                path.parent / row["file"], row["file"], row["source"], row["group"], float(row["duration_s"]), {}))
            client = recording.clients.setdefault(row["client"], Client(row["client"], kind_of(row), family_of(row), []))
            client.intervals.append((float(row["start_s"]), float(row["end_s"]), row["label"]))
    return list(found.values())
