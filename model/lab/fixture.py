#!/usr/bin/env python3
"""Turns a recording into a test fixture: one small capture and its truth.

    fixture.py RUN_FOLDER SCENARIO.toml OUT_FOLDER

OUT_FOLDER/NAME.pcap.zst is the recording packed as tightly as zstd can;
OUT_FOLDER/NAME-truth.csv is its manifest with one more column, the name the
scenario gives the client. Everything that reads a manifest reads it.
"""
import csv
import pathlib
import subprocess
import sys

import labels
import scenario

MAX_BYTES = 1_572_864


def main(run, file, out):
    run, out, house = pathlib.Path(run), pathlib.Path(out), scenario.load(file)
    target = out / f"{house.name}.pcap.zst"
    out.mkdir(parents=True, exist_ok=True)
    unpacked = subprocess.run(
        ["zstd", "-dcq", "--long=27", run / f"{house.name}.pcap.zst"], check=True, capture_output=True
    ).stdout
    # no --long: every zstd reads a window of 2^23 without being asked
    packed = subprocess.run(["zstd", "-q", "-19", "-c"], input=unpacked, check=True, capture_output=True).stdout
    if len(packed) > MAX_BYTES:
        print(f"fixture: {len(packed)} bytes, more than {MAX_BYTES}", file=sys.stderr)
        return 1
    target.write_bytes(packed)
    names = {c.address: c.settings.get("name", c.name) for c in house.clients}
    with open(run / "manifest.csv", newline="", encoding="utf-8") as rows, open(
        out / f"{house.name}-truth.csv", "w", newline="", encoding="utf-8"
    ) as truth:
        writer = csv.DictWriter(truth, [*labels.COLUMNS, "name"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "name": names[row["client"]]} for row in csv.DictReader(rows))
    print(f"{target}: {len(packed)} bytes")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: fixture.py RUN_FOLDER SCENARIO.toml OUT_FOLDER")
    sys.exit(main(*sys.argv[1:]))
