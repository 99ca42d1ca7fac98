#!/usr/bin/env python3
"""Compares `streamguard analyze` with tshark on captures, number by number.

usage: parity.py PROGRAM CAPTURE|DIRECTORY...

Totals, the protocol hierarchy, intervals of 1 s and 10 s, and conversations of eth, ip, ipv6, tcp and udp must be
the same, frame by frame and byte by byte. Prints each difference; exits with 1 if there is one. docs/parity.md says
what is compared and why. tshark writes the bytes of conversations rounded (`12 kB`): they are compared as it
writes them, and their sums exactly through the other reports.
"""

import collections
import json
import os
import re
import subprocess
import sys
import tempfile

EXACT = {"eth", "vlan", "arp", "ip", "ipv6", "icmp", "icmpv6", "igmp", "udp", "tcp"}
KINDS = ["eth", "ip", "ipv6", "tcp", "udp"]
# More empty intervals than this tshark spends minutes and gigabytes on (it keeps them all).
MAX_INTERVALS = 2_000_000
ENDINGS = (".pcap", ".pcapng", ".cap", ".zst", ".gz")


def tshark(capture, *reports):
    command = ["tshark", "-n", "-r", capture, "-o", "ip.defragment:FALSE", "-q"]
    for report in reports:
        command += ["-z", report]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode not in (0, 2) or "isn't a capture file" in done.stderr:
        return None
    return done.stdout


def hierarchy(text):
    """Frames and bytes by path of the layers that must be equal."""
    stack, nodes = [], {}
    for line in text.splitlines():
        found = re.match(r"^( *)(\S+) +frames:(\d+) bytes:(\d+)$", line)
        if found:
            depth = len(found[1]) // 2
            stack[depth:] = [found[2]]
            if found[2] in EXACT:
                nodes[":".join(stack)] = (int(found[3]), int(found[4]))
    return nodes


def intervals(text, width):
    rows = {}
    for line in text.splitlines():
        found = re.match(r"^\| *([\d.]+) *<> *(?:[\d.]+|Dur) *\| *(\d+) \| *(\d+) \|$", line)
        if found and int(found[2]):
            rows[round(float(found[1]) / width)] = (int(found[2]), int(found[3]))
    return rows


def rounded(count):
    """A number of bytes as tshark's format_size writes it."""
    if count < 10000:
        return f"{count} bytes"
    for unit in ("kB", "MB", "GB"):
        count //= 1000
        if count < 10000:
            return f"{count} {unit}"
    return f"{count // 1000} TB"


def conversations(text):
    """Starts and durations by ends and counts: a pair of ends may talk more than once."""
    rows = collections.defaultdict(list)
    for line in text.splitlines():
        if " <-> " not in line:
            continue
        a, right = line.split(" <-> ", 1)
        found = re.match(
            r"^(\S+) +(\d+) (\d+ \w+) +(\d+) (\d+ \w+) +(\d+) (\d+ \w+) +(-?[\d.]+) +(-?[\d.]+)$", right
        )
        if not found:
            raise SystemExit(f"tshark writes a line that this script cannot read: {line}")
        counts = (a.strip(), found[1], int(found[4]), found[5], int(found[2]), found[3])
        rows[counts].append((float(found[8]), float(found[9])))
    return rows


def sections(text):
    """The parts of tshark's output, one per report, by their titles."""
    parts, title = collections.defaultdict(list), None
    for line in text.splitlines():
        if line.endswith(" Conversations") or line == "Protocol Hierarchy Statistics" or "IO Statistics" in line:
            title = line.strip("| ")
        parts[title].append(line)
    return {title: "\n".join(lines) for title, lines in parts.items()}


def port(end):
    """tshark writes IPv6 ends without brackets."""
    return end.replace("[", "").replace("]", "")


def ours_conversations(rows, kind):
    counted = collections.defaultdict(list)
    for row in rows:
        if row["proto"] == kind:
            ab, ba = ((row[f"frames_{way}"], rounded(row[f"bytes_{way}"])) for way in ("ab", "ba"))
            counted[(port(row["a"]), port(row["b"]), *ab, *ba)].append((row["start_s"], row["duration_s"]))
    return counted


def same_times(ours, theirs):
    """tshark prints starts to the nanosecond and durations to the tenth of a millisecond."""
    pairs = zip(sorted(ours), sorted(theirs))
    return len(ours) == len(theirs) and all(
        abs(a[0] - b[0]) < 2e-6 and abs(a[1] - b[1]) < 1.1e-4 for a, b in pairs
    )


def analyze(program, capture, width):
    command = [program, "analyze", capture, "--json", "--report", "protocols,intervals,conversations"]
    done = subprocess.run(command + ["--interval", str(width)], capture_output=True, text=True, check=False)
    if done.returncode:
        return None, done.stderr.strip()
    return json.loads(done.stdout), None


def differences(ours, theirs):
    for key in sorted(set(ours) | set(theirs), key=str):
        if ours.get(key, 0) != theirs.get(key, 0):
            yield key, ours.get(key, 0), theirs.get(key, 0)


def totals(capture, document):
    """All frames and bytes, by capinfos; and that what is left out of the protocols is said."""
    done = subprocess.run(["capinfos", "-cdTMr", capture], capture_output=True, text=True, check=False)
    theirs = tuple(int(number) for number in done.stdout.split()[-2:])
    ours = (document["capture"]["packets"], document["capture"]["bytes"])
    if ours != theirs:
        yield f"total: {ours} capinfos {theirs}"
    rest = document.get("not_listed", {}).get("cut_icmp_errors", {"frames": 0, "bytes": 0})
    roots = [row for row in document["protocols"] if ":" not in row["path"]]
    listed = tuple(sum(row[unit] for row in roots) + rest[unit] for unit in ("frames", "bytes"))
    if ours != listed:
        yield f"total: {ours} protocols and what they leave out {listed}"


TITLES = dict(zip(KINDS, ["Ethernet", "IPv4", "IPv6", "TCP", "UDP"]))


def compare(program, capture):
    """The differences, as lines; None if tshark cannot read the capture."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="parity-") as scratch:
        plain = capture
        if capture.endswith(".zst"):
            plain = os.path.join(scratch, "capture")
            subprocess.run(["zstd", "-dqf", capture, "-o", plain], check=True)
        document, error = analyze(program, capture, 1)
        if document is None:
            return [f"streamguard: {error}"] if tshark(plain, "io,phs") is not None else None
        wide, _ = analyze(program, capture, 10)
        reports = ["io,phs"] + [f"conv,{kind}" for kind in KINDS]
        # tshark keeps the empty intervals, too.
        steps = [width for width in (1, 10) if document["capture"]["duration_s"] / width < MAX_INTERVALS]
        text = tshark(plain, *reports)
        if text is None:
            return None
        theirs = sections(text)
        found = hierarchy(theirs.get("Protocol Hierarchy Statistics", ""))
        mine = {row["path"]: (row["frames"], row["bytes"]) for row in document["protocols"]}
        mine = {path: count for path, count in mine.items() if path.split(":")[-1] in EXACT}
        lines += [f"protocols {key}: {a} tshark {b}" for key, a, b in differences(mine, found)]
        for kind in KINDS:
            found = conversations(theirs.get(f"{TITLES[kind]} Conversations", ""))
            mine = ours_conversations(document["conversations"], kind)
            for key in sorted(set(mine) | set(found), key=str):
                if not same_times(mine.get(key, []), found.get(key, [])):
                    lines.append(f"{kind} {key}: {mine.get(key, [])} tshark {found.get(key, [])}")
        for width in steps:
            found = intervals(tshark(plain, f"io,stat,{width}"), width)
            source = document if width == 1 else wide
            if document["capture"]["duration_s"] == 0:
                continue  # tshark prints no interval at all
            mine = {round(row["start_s"]) // width: (row["frames"], row["bytes"]) for row in source["intervals"]}
            lines += [f"intervals {width} s {key}: {a} tshark {b}" for key, a, b in differences(mine, found)]
        lines += totals(plain, document)
        for width in {1, 10} - set(steps):
            lines.append(f"# intervals of {width} s not compared: tshark would keep every empty one")
    return lines


def captures(paths):
    for path in paths:
        if os.path.isdir(path):
            for folder, _, names in sorted(os.walk(path)):
                for name in sorted(names):
                    if name.endswith(ENDINGS):
                        yield os.path.join(folder, name)
        else:
            yield path


def main():
    program, paths = sys.argv[1], sys.argv[2:]
    same = different = unread = 0
    for capture in captures(paths):
        lines = compare(program, capture)
        if lines is None:
            unread += 1
            print(f"skip  {capture}: tshark cannot read it")
            continue
        bad = [line for line in lines if not line.startswith("#")]
        different += bool(bad)
        same += not bad
        if lines:
            print(f"{'DIFF' if bad else 'same'}  {capture}")
            for line in lines[:60]:
                print(f"      {line}")
            if len(lines) > 20:
                print(f"      and {len(lines) - 20} more")
        sys.stdout.flush()
    print(f"{same} captures equal, {different} different, {unread} that tshark cannot read")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
