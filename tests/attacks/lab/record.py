#!/usr/bin/env python3
"""record.py OUT [--only REGEX] [--again] : records the scenarios into OUT as NAME.pcap.zst with an index.csv.

What is there and was recorded from the same recipe is kept. Needs root and the tools of deps.sh; makes namespaces
named sgatk-* and removes them."""
import argparse
import csv
import hashlib
import pathlib
import re
import signal
import subprocess
import sys
import time

import net
from scenarios import ALL

HERE = pathlib.Path(__file__).resolve().parent
FIELDS = ["file", "type", "source", "start_s", "end_s", "packets", "bytes", "recipe"]
# Enough for the first line of a request; names and leases need more.
SNAPLEN, NAMES_SNAPLEN = 200, 700


def recipe(scenario):
    return hashlib.sha256(repr(scenario).encode()).hexdigest()[:12]


def fill(line, work):
    keys = f"-i {work}/user_key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes"
    names = {"talk": HERE / "talk.py", "passwords": work / "passwords", "users": work / "users", "www": work / "www",
             "sshopts": keys, "dns2tcpd": work / "dns2tcpd.conf"}
    for name, value in names.items():
        line = line.replace("{" + name + "}", str(value))
    return line


def lists(work):
    """Few enough words for an hour of guessing, none of them right."""
    (work / "passwords").write_text("".join(f"password{number}\n" for number in range(600)))
    (work / "users").write_text("".join(f"user{number}\n" for number in range(60)))
    (work / "dns2tcpd.conf").write_text(
        f"listen = {net.TUNNEL_SERVER}\nport = 53\nuser = nobody\nchroot = {work}/empty\ndomain = d2t.evil.example\n"
        f"resources = www:{net.SERVER}:80\n")


def end(process, gently=signal.SIGTERM):
    process.send_signal(gently)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def record(scenario, out, work):
    raw = work / "now.pcap"
    helpers = [net.start(host, "sh", "-c", "exec " + fill(line, work) if "=" not in line.split()[0] else fill(line, work))
               for host, line in scenario.servers]
    time.sleep(1 if helpers else 0.1)
    dump = net.start("rtr", "tcpdump", "-i", "br-lan", "-s", NAMES_SNAPLEN if scenario.kind in ("dns_tunnel", "rogue_dhcp", "rogue_ra") else SNAPLEN, "-B", 16384, "-U", "-w", raw, log=work / "tcpdump.log")
    time.sleep(1)
    if not scenario.is_benign:
        helpers.append(net.start("cli", "env", "SEED=11", "THINK=9", "python3", HERE / "talk.py", "browse", scenario.seconds))
    time.sleep(2)
    began = time.time()
    running = [net.start(host, "timeout", scenario.seconds, "bash", "-c", fill(line, work), log=work / f"{scenario.name}-{host}.log", cwd=work)
               for host, line in scenario.lines]
    for process in running:
        process.wait()
    ended = time.time()
    time.sleep(1)
    end(dump, signal.SIGINT)
    for process in helpers:
        end(process)
    for host in ("att", "wan", "nas", "tv", "cam", "cli"):
        for name in ("iodined", "iodine", "dns2tcpd", "dns2tcpc", "ptunnel", "iperf3", "arpspoof", "python3"):
            net.stop(host, name)
    first, packets, size = describe(raw)
    subprocess.run(["zstd", "-q", "-19", "-f", raw, "-o", out / f"{scenario.name}.pcap.zst"], check=True)
    row = {"file": f"{scenario.name}.pcap.zst", "type": scenario.kind, "source": scenario.source, "recipe": recipe(scenario),
           "start_s": round(began - first, 2), "end_s": round(ended - first, 2), "packets": packets, "bytes": size}
    raw.unlink()
    return row


def describe(pcap):
    """First stamp, packets and bytes on the wire of a little-endian microsecond pcap."""
    data, at, first, packets, size = pcap.read_bytes(), 24, 0.0, 0, 0
    while at + 16 <= len(data):
        seconds, micros, kept, wire = (int.from_bytes(data[at + step:at + step + 4], "little") for step in (0, 4, 8, 12))
        first = first or seconds + micros / 1e6
        packets, size, at = packets + 1, size + wire, at + 16 + kept
    return first, packets, size


def read_index(path):
    return {row["file"]: row for row in csv.DictReader(path.open())} if path.exists() else {}


def write_index(path, rows):
    with path.open("w", newline="") as out:
        table = csv.DictWriter(out, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows[name] for name in sorted(rows))


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("out", type=pathlib.Path)
    ask.add_argument("--only", default=".", help="scenarios whose name matches")
    ask.add_argument("--again", action="store_true", help="also those that are there")
    args = ask.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    index = args.out / "index.csv"
    rows = read_index(index)
    wanted = [s for s in ALL if re.search(args.only, s.name)]
    missing = [s for s in wanted if args.again or rows.get(f"{s.name}.pcap.zst", {}).get("recipe") != recipe(s)]
    if not missing:
        return 0
    work = (args.out / "work").resolve()
    work.mkdir(exist_ok=True)
    lists(work)
    try:
        net.up(work)
        net.serve(work)
        for scenario in missing:
            rows = read_index(index)
            row = record(scenario, args.out, work)
            rows[row["file"]] = row
            write_index(index, rows)
            print(f"{scenario.name}: {row['packets']} packets, {float(row['end_s']) - float(row['start_s']):.0f} s", flush=True)
    finally:
        net.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
