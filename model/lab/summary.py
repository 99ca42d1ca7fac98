#!/usr/bin/env python3
"""Adds up recordings: hours by class and family, pauses and stops, megabytes.

    summary.py RUN_FOLDER ...
"""
import collections
import csv
import pathlib
import sys


def notes(row):
    """(class, family) of a manifest row."""
    words = dict(part.strip().split("=", 1) for part in row["notes"].split(";") if "=" in part)
    return words.get("class", "?"), words.get("family", "?")


def breaks(rows):
    """Streaming intervals of one client that end in at least a minute of something else."""
    count = 0
    for row in (r for r in rows if r["label"] == "streaming"):
        end = float(row["end_s"])
        rest = sorted(
            (float(r["start_s"]), float(r["end_s"]))
            for r in rows
            if r["label"] == "other" and float(r["start_s"]) >= end - 2
        )
        until = end
        for start, stop in rest:
            if start - until > 2:
                break
            until = stop
        count += until - end >= 60
    return count


def main(folders):
    hours = collections.defaultdict(lambda: [0.0, 0.0])
    clients, stops, packed = 0, 0, 0
    for folder in map(pathlib.Path, folders):
        by_client = collections.defaultdict(list)
        with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                by_client[row["client"]].append(row)
        packed += sum(f.stat().st_size for f in folder.glob("*.pcap.zst"))
        for rows in by_client.values():
            clients += 1
            stops += breaks(rows)
            watches = any(r["label"] == "streaming" for r in rows)
            for row in rows:
                length = (float(row["end_s"]) - float(row["start_s"])) / 3600
                key = ("watching" if watches else "never watching", notes(row)[1])
                hours[key][row["label"] != "streaming"] += length
    print(f"{'client':15} {'family':16} {'streaming h':>11} {'other h':>8}")
    for (kind, family), (yes, no) in sorted(hours.items()):
        print(f"{kind:15} {family:16} {yes:11.2f} {no:8.2f}")
    yes, no = (sum(h[i] for h in hours.values()) for i in (0, 1))
    print(f"{clients} clients, {yes:.1f} h streaming, {no:.1f} h other, {packed / 1e6:.0f} MB packed")
    print(f"{stops} pauses and stops of a minute or more")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: summary.py RUN_FOLDER ...")
    main(sys.argv[1:])
