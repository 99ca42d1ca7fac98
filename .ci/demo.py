#!/usr/bin/env python3
"""Shows what streamguard says of the shipped capture beside what the players of the lab really did.

demo.py STREAMGUARD CAPTURE TRUTH.csv   exits 1 if a device is off by more than 15 % (video) or has false minutes.
"""
import collections
import csv
import json
import subprocess
import sys


def minutes(seconds):
    seconds = round(seconds)
    return f"{seconds // 60}:{seconds % 60:02d}"


def main():
    program, capture, truth = sys.argv[1:4]
    rows = collections.OrderedDict()
    for row in csv.DictReader(open(truth, newline="")):
        device = rows.setdefault(row["client"], {"name": row["name"], "true_s": 0.0, "doing": ""})
        if row["label"] == "streaming":
            device["true_s"] += float(row["end_s"]) - float(row["start_s"])
        device["doing"] = row["notes"].split(";")[0].removeprefix("class=")
    print(subprocess.run([program, "analyze", capture], check=True, capture_output=True, text=True).stdout)
    asked = [program, "analyze", capture, "--json", "--report", "clients"]
    document = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    by_address = {a: client for client in document["clients"] for a in client["addresses"]}
    print(f"{'device':<12} {'address':<16} {'kind':<10} {'counted':>8} {'played':>8} {'off by':>8}")
    bad = 0
    for address, device in rows.items():
        counted = by_address.get(address, {}).get("watch_s", 0.0)
        off = counted - device["true_s"]
        bad += abs(off) > max(0.15 * device["true_s"], 10.0)
        print(f"{device['name']:<12} {address:<16} {device['doing']:<10} {minutes(counted):>8} "
              f"{minutes(device['true_s']):>8} {off:>+7.0f}s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
