#!/usr/bin/env python3
"""Puts recordings into the corpus: their seconds instead of their packets, and their manifests.

    keep.py [--bin STREAMGUARD] [--corpus DIR] RUN_FOLDER ...

Seconds are what passed between each client and each server in each second; every feature can be counted from them again
(docs/features.md). For each folder that run.py left, DIR/NAME/ has NAME.pcap.zst.seconds.zst and manifest.csv afterwards.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release" / "streamguard"


class KeepError(Exception):
    """A recording whose seconds could not be made."""


def seconds_of(capture):
    """Where the seconds of a capture stand, beside it."""
    return capture.with_name(f"{capture.name}.seconds.zst")


def keep_seconds(binary, capture):
    """Writes the seconds of a packed capture beside it; clients are addresses, as in manifests."""
    # the lab packs with a window of its own, which only zstd itself unpacks
    unpack = subprocess.Popen(["zstd", "-dcq", "--long=27", capture], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    count = subprocess.Popen(
        [binary, "features", "--identify", "ip", "--of", "seconds", "--", "-"],
        stdin=unpack.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    unpack.stdout.close()
    text, errors = count.communicate()
    unpacked = unpack.wait() == 0
    if count.returncode:
        raise KeepError(f"{capture}: {errors.decode(errors='replace').strip()[-300:]}")
    if not unpacked:
        raise KeepError(f"{capture}: zstd cannot unpack it")
    place = seconds_of(capture)
    fresh = place.with_name(f"{place.name}.new")
    subprocess.run(["zstd", "-19", "-q", "-f", "-o", fresh], input=text, check=True)
    fresh.replace(place)
    return place


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("run", nargs="+", type=pathlib.Path)
    arguments.add_argument("--bin", type=pathlib.Path, default=BINARY, help="streamguard (make release)")
    arguments.add_argument("--corpus", type=pathlib.Path, default=ROOT / "model" / "corpus")
    given = arguments.parse_args()
    for run in given.run:
        capture = run / f"{run.name}.pcap.zst"
        try:
            place = seconds_of(capture) if seconds_of(capture).exists() else keep_seconds(given.bin, capture)
            target = given.corpus / run.name
            target.mkdir(parents=True, exist_ok=True)
            for file in (place, run / "manifest.csv"):
                shutil.copyfile(file, target / file.name)
        except (KeepError, OSError) as error:
            print(f"keep: {error}", file=sys.stderr)
            return 2
        print(f"{target / place.name}: {place.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
