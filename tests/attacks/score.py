#!/usr/bin/env python3
"""score.py BINARY [--lab DIR] [--shared DIR] [--rules FILE] [--recordings GLOB]... [--table FILE]: captures, judged.

An attack counts as detected if an alert has its type and its source (by address, or by the hardware address of a
layer 2 attack) and was opened within two windows of its detector after the attack began. More alerts in that capture
are listed; one that names the bystander, or any in a benign capture, is false. `--rules` runs a rule set with one
line of alerts per capture beside it (see BASELINE). With `--table`, the table in FILE between the markers is
rewritten. Only the standard library is needed; the rule set needs dpkt."""
import argparse
import csv
import datetime
import glob
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# Captures of ../shared/captures/attacks: what a header analyst can say of each.
PUBLIC = {
    "command_and_control_test_cc_capture_1": "beaconing",
    "credential_guessing_cs_ftpservercredentials": "brute_force",
    "credential_guessing_malicious_ssh_bruteforce": "ssh_brute_force",
    "dns_tunnel_bad_dns_traffic": "dns_tunnel",
    "dns_tunnel_dns2tcp_tunnel": "dns_tunnel",
    "host_scan_hs_arpscan": "host_sweep",
    "host_scan_hs_icmpscan_b": "host_sweep",
    "host_scan_hs_tcp_ackpingsweeprand": "host_sweep",
    "host_scan_hs_udpscan": "host_sweep",
    "host_scan_test8_malicious": "host_sweep",
    "icmp_tunnel_icmp_tunnel": "icmp_tunnel",
    "lan_spoofing_na_arpspoofing": "arp_spoof",
    "port_scan_nmap_80_all": "port_scan",
    "port_scan_nmap_80_w_service_detection": "port_scan",
    "port_scan_ps_tcp_syn": "port_scan",
    "port_scan_synscan": "port_scan",
    "port_scan_udp_0_1000_20190821": "port_scan",
    "syn_flood_pkt_tcp_dominate_syn_ecn_cwr": "syn_flood",
}
# The bystanders of the laboratories, and attackers at layer 2.
BYSTANDERS = {"192.168.1.20", "02:00:00:00:01:14", "192.168.7.20", "02:00:00:00:07:14"}
ALIASES = {"192.168.1.66": {"192.168.1.66", "02:00:00:00:01:42"}}
# Seconds of the window in which each detector decides; two of them are what it may take.
WINDOW_S = {
    "port_scan": 30, "host_sweep": 30, "syn_flood": 5, "udp_flood": 5, "icmp_flood": 5, "amplification": 5, "http_flood": 5,
    "ddos_out": 5, "ssh_brute_force": 180, "brute_force": 180, "web_brute_force": 30, "slowloris": 30, "slow_post": 30,
    "arp_spoof": 180, "rogue_dhcp": 180, "rogue_ra": 180, "dns_tunnel": 30, "icmp_tunnel": 180, "beaconing": 300,
    "lateral_movement": 30,
}
# What the 35-line rule set says, by our types.
BASELINE = {
    "port_scan": {"portscan", "udpscan", "illegalflags"}, "host_sweep": {"sweep"}, "syn_flood": {"synflood", "connflood"},
    "udp_flood": {"pktflood-udp"}, "icmp_flood": {"pktflood-icmp"}, "ssh_brute_force": {"sshbrute"}, "http_flood": {"connflood"},
    "web_brute_force": {"connflood"}, "slowloris": {"slowhttp"}, "slow_post": {"slowhttp"}, "arp_spoof": {"arpspoof"},
    "ddos_out": {"synflood"},
}


def analyze(binary, path, *form):
    """Captures may be packed with windows larger than routers read."""
    unpack = subprocess.Popen(["zstd", "-dc", "--long=31", path], stdout=subprocess.PIPE)
    run = subprocess.run([binary, "analyze", "-", "--report", "alerts", *form], stdin=unpack.stdout, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{path}: {run.stderr.strip()}")
    return run.stdout


def alerts(binary, path):
    document = json.loads(analyze(binary, path, "--json"))
    return document["alerts"], document["capture"]


def opened(binary, path):
    """Seconds of packet time, since the epoch, at which each type and source was first told."""
    told = {}
    for line in analyze(binary, path, "--eve").splitlines():
        event = json.loads(line)
        at = datetime.datetime.fromisoformat(event["timestamp"].replace("+0000", "+00:00")).timestamp()
        told.setdefault((event["alert"]["signature"].removeprefix("streamguard "), event["src_ip"]), at)
    return told


def first_stamp(path):
    head = subprocess.run(["sh", "-c", 'zstd -dc --long=31 "$1" 2>/dev/null | head -c 40', "sh", path], capture_output=True).stdout
    seconds, fraction = (int.from_bytes(head[at:at + 4], "little") for at in (24, 28))
    return seconds + fraction / (1e9 if head[:4] == b"\x4d\x3c\xb2\xa1" else 1e6)


def show(alert):
    evidence = " ".join(f"{name}={value}" for name, value in alert["evidence"].items())
    target = f" -> {alert['target']}" if alert["target"] else ""
    return f"{alert['severity']} {alert['type']} {alert['source']}{target} at {alert['first_s']:.0f}-{alert['last_s']:.0f} s: {evidence}"


class Score:
    def __init__(self, args):
        self.args, self.rows, self.missed, self.false, self.late, self.doubled = args, [], [], [], [], []

    def rules(self, path):
        """What the rule set says of a capture: the set of its words."""
        if not self.args.rules:
            return None
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["zstd", "-qdc", "--long=31", path], stdout=open(f"{folder}/x.pcap", "wb"), check=True)
            run = subprocess.run([sys.executable, self.args.rules, folder], capture_output=True, text=True)
        return set(re.findall(r"\('([^']*)', '([^']*)'\)", run.stdout))

    def attack(self, name, kind, source, path, start):
        found, _ = alerts(self.args.binary, path)
        anybody = source in ("", "*", "lan", None)
        sources = ALIASES.get(source, {source})
        right = [a for a in found if a["type"] == kind and (anybody or a["source"] in sources)]
        extra = [a for a in found if a not in right]
        delay, said = None, self.rules(path)
        if right and start is not None:
            told = opened(self.args.binary, path)
            began = first_stamp(path) + start
            delay = min(told[a["type"], a["source"]] for a in right) - began
            # What is slower than a port in two seconds is seen by the window of three minutes.
            window_s = 180 if "slow" in name and kind == "port_scan" else WINDOW_S[kind]
            if delay > 2 * window_s:
                self.late.append(name)
        verdict = "yes" if right else "**no**"
        beside = "-" if said is None else "yes" if any(word in BASELINE.get(kind, ()) for _, word in said) else "no"
        self.rows.append((name, kind, verdict, "-" if delay is None else f"{delay:.0f} s", len(right), extra, beside))
        if not right:
            self.missed.append(name)
        if len(found) > 1:
            self.doubled.append(name)
        if source:
            self.false += [(name, a) for a in found if a["source"] in BYSTANDERS]

    def benign(self, name, paths, low_each=0):
        found, hours, said = [], 0.0, set()
        for path in paths:
            some, capture = alerts(self.args.binary, path)
            hours += capture["duration_s"] / 3600
            found += some
            if len(paths) == 1:
                said = self.rules(path)
        low = [a for a in found if a["severity"] == "low"]
        is_fine = len(found) == len(low) and len(low) <= low_each * len(paths)
        if len(paths) > 1:
            name = f"{name}: {len(paths)} files, {hours:.1f} h"
        beside = "-" if len(paths) > 1 or said is None else "silent" if not said else "ALERT"
        self.rows.append((name, "benign", "silent" if not found else "kept" if is_fine else "**ALERT**", "-", len(found), found, beside))
        self.false += [] if is_fine else [(name, a) for a in found]

    def index(self, folder, mark):
        """A folder with an index.csv as the laboratories write it."""
        for row in csv.DictReader(open(os.path.join(folder, "index.csv"))):
            path = os.path.join(folder, row["file"])
            name = mark + row["file"].removesuffix(".pcap.zst")
            if not re.search(self.args.only, path) or not os.path.exists(path):
                continue
            if row["type"] == "benign":
                self.benign(name, [path])
            else:
                self.attack(name, row["type"], row["source"], path, float(row["start_s"]))

    def shared(self, folder):
        captures = os.path.join(folder, "captures")
        if not os.path.isdir(captures):
            return print("attacks: no shared captures")
        self.index(os.path.join(captures, "attack-lab"), "shared/")
        for name, kind in PUBLIC.items():
            path = os.path.join(captures, "attacks", name + ".pcap.zst")
            if re.search(self.args.only, path) and os.path.exists(path):
                self.attack("public/" + name, kind, None, path, None)
        for part in ("home", "services", "lab", "youtube", "iot"):
            paths = sorted(p for p in glob.glob(os.path.join(captures, part, "*.pcap*.zst")) if re.search(self.args.only, p))
            if paths:
                self.benign(part, paths, low_each=1 if part == "iot" else 0)
        return None


def table(rows):
    lines = ["| capture | expected | found | told after | alerts | other alerts | rules.py |", "|---|---|---|---|---|---|---|"]
    for name, kind, verdict, delay, count, extra, beside in rows:
        others = ", ".join(sorted({f"{a['type']} ({a['severity']})" for a in extra})) or "-"
        lines.append(f"| {name} | {kind} | {verdict} | {delay} | {count} | {others} | {beside} |")
    return "\n".join(lines)


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("binary")
    ask.add_argument("--lab", action="append", default=[], help="folder of recordings with an index.csv")
    ask.add_argument("--shared", help="the labelled library")
    ask.add_argument("--rules", help="the rule set to compare with")
    ask.add_argument("--recordings", action="append", default=[], help="captures without any attack")
    ask.add_argument("--only", default=".", help="only captures whose path matches")
    ask.add_argument("--table", help="file whose table is to be rewritten")
    args = ask.parse_args()
    if args.rules and not os.path.exists(args.rules):
        args.rules = None
    score = Score(args)
    for folder in args.lab:
        score.index(folder, "")
    if args.shared:
        score.shared(args.shared)
    for pattern in args.recordings:
        score.benign(f"recordings {pattern}", sorted(glob.glob(pattern)))
    for name, kind, verdict, delay, count, extra, beside in score.rows:
        print(f"{verdict.strip('*'):7} {name}: {kind}, {count} alerts, {delay}; rules: {beside}")
        for alert in extra:
            print("        other:", show(alert))
    attacks = [row for row in score.rows if row[1] != "benign"]
    print(f"{sum(row[2] == 'yes' for row in attacks)} of {len(attacks)} attacks detected; missed: {', '.join(score.missed) or 'none'}")
    print(f"late: {', '.join(score.late) or 'none'}; more than one alert: {', '.join(score.doubled) or 'none'}; false alerts: {len(score.false)}")
    if args.table:
        page = pathlib.Path(args.table)
        begin, end = "<!-- scores -->", "<!-- end of scores -->"
        head, _, rest = page.read_text().partition(begin)
        page.write_text(f"{head}{begin}\n{table(score.rows)}\n{end}{rest.partition(end)[2]}")
    return 1 if score.false or score.missed else 0


if __name__ == "__main__":
    sys.exit(main())
