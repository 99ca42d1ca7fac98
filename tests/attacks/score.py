#!/usr/bin/env python3
"""score.py BINARY SHARED [--recordings GLOB]... [--table FILE] : every labelled capture, judged.

An attack counts as detected if an alert has its type and its source (by address, or by the hardware address of a
layer 2 attack). Any other alert in that capture is extra; an alert that names the benign client, or any alert in a
benign capture, is false. With --table, the table in FILE between the markers is rewritten.
Only the standard library is needed."""
import argparse, csv, glob, json, os, subprocess, sys

# Captures of ../shared/captures/attacks: what a header analyst can say of each; None = outside the closed list's reach.
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
# The laboratory's attacker at layer 2, and its bystander.
ALIASES = {"192.168.1.66": {"192.168.1.66", "02:00:00:00:01:42"}}
BYSTANDER = {"192.168.1.20", "02:00:00:00:01:14"}
# Lines of rules.py by type (section D3 of the anchors: 17 of 19; it knows no rule for tunnels or web guessing).
BASELINE = {
    "port_scan": {"portscan", "udpscan", "illegalflags"}, "host_sweep": {"sweep"}, "syn_flood": {"synflood", "connflood"},
    "udp_flood": {"pktflood-udp"}, "icmp_flood": {"pktflood-icmp"}, "ssh_brute_force": {"sshbrute"},
    "web_brute_force": {"connflood"}, "slowloris": {"slowhttp"}, "slow_post": {"slowhttp"}, "arp_spoof": {"arpspoof"},
}


def alerts(binary, path):
    command = [binary, "analyze", path, "--report", "alerts", "--json"]
    if path.endswith(".zst"):
        # Recordings may be packed with windows larger than routers read.
        unpack = subprocess.Popen(["zstd", "-dc", "--long=31", path], stdout=subprocess.PIPE)
        command[2], source = "-", unpack.stdout
    else:
        source = None
    run = subprocess.run(command, stdin=source, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{path}: {run.stderr.strip()}")
    document = json.loads(run.stdout)
    return document["alerts"], document["capture"]


def show(alert):
    evidence = " ".join(f"{name}={value}" for name, value in alert["evidence"].items())
    target = f" -> {alert['target']}" if alert["target"] else ""
    return f"{alert['severity']} {alert['type']} {alert['source']}{target} at {alert['first_s']:.0f}-{alert['last_s']:.0f} s: {evidence}"


class Score:
    def __init__(self):
        self.rows, self.missed, self.false = [], [], []

    def attack(self, name, kind, source, found, start):
        sources = ALIASES.get(source, {source}) if source else None
        right = [a for a in found if a["type"] == kind and (sources is None or a["source"] in sources)]
        extra = [a for a in found if a not in right]
        blamed = [a for a in found if a["source"] in BYSTANDER] if source else []
        # Told at the end of the five seconds in which the first evidence became enough.
        delay = min((a["first_s"] - start for a in right), default=None)
        self.rows.append((name, kind, "yes" if right else "no", len(right), delay, extra))
        if not right:
            self.missed.append(name)
        self.false += [(name, a) for a in blamed]

    def benign(self, name, found):
        self.rows.append((name, "benign", "silent" if not found else "ALERT", len(found), None, found))
        self.false += [(name, a) for a in found]


def table(rows):
    lines = ["| capture | expected | found | alerts | other alerts |", "|---|---|---|---|---|"]
    for name, kind, verdict, count, _, extra in rows:
        others = ", ".join(sorted({f"{a['type']} ({a['severity']})" for a in extra})) or "-"
        lines.append(f"| {name} | {kind} | {verdict} | {count} | {others} |")
    return "\n".join(lines)


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("binary"), ask.add_argument("shared")
    ask.add_argument("--recordings", action="append", default=[], help="captures without any attack")
    ask.add_argument("--only", default="", help="only captures whose path has this in it")
    ask.add_argument("--table", help="file whose table is to be rewritten")
    args = ask.parse_args()
    score, captures = Score(), os.path.join(args.shared, "captures")
    if not os.path.isdir(captures):
        print("attacks: no shared captures, nothing scored")
        return 0
    for row in csv.DictReader(open(os.path.join(captures, "attack-lab", "index.csv"))):
        path = os.path.join(captures, "attack-lab", row["file"])
        if args.only not in path:
            continue
        name = row["file"].removesuffix(".pcap.zst")
        found, _ = alerts(args.binary, path)
        if row["type"] == "benign":
            score.benign(name, found)
        else:
            score.attack(name, row["type"], row["source"], found, float(row["start_s"]))
    for name, kind in PUBLIC.items():
        path = os.path.join(captures, "attacks", name + ".pcap.zst")
        if args.only in path and os.path.exists(path):
            found, _ = alerts(args.binary, path)
            score.attack("attacks/" + name, kind, None, found, 0.0)
    for folder in ("home", "services", "lab", "youtube", "iot"):
        files = sorted(glob.glob(os.path.join(captures, folder, "*.pcap*.zst")))
        files = [path for path in files if args.only in path]
        if not files:
            continue
        found, hours = [], 0.0
        for path in files:
            some, capture = alerts(args.binary, path)
            hours += capture["duration_s"] / 3600
            for alert in some:
                print("   ", os.path.basename(path), show(alert))
            found += some
        if folder == "iot":
            low = [a for a in found if a["severity"] == "low"]
            weeks = len(files)
            fine = len(found) == len(low) and len(low) <= weeks
            score.rows.append((f"{folder}: {len(files)} files, {hours:.0f} h", "<= 1 low a device and week", "kept" if fine else "BROKEN", len(found), None, found))
            score.false += [] if fine else [(folder, a) for a in found]
        else:
            score.benign(f"{folder}: {len(files)} files, {hours:.1f} h", found)
    for pattern in args.recordings:
        for path in sorted(glob.glob(pattern)):
            found, capture = alerts(args.binary, path)
            score.benign(f"recording {os.path.basename(path)}, {capture['duration_s'] / 3600:.1f} h", found)
    for name, kind, verdict, count, delay, extra in score.rows:
        late = f" first evidence {delay:+.1f} s" if delay is not None else ""
        print(f"{verdict:7} {name}: {kind}, {count} alerts{late}")
        for alert in extra:
            print("        other:", show(alert))
    attacks = [row for row in score.rows if row[1] not in ("benign",) and row[2] in ("yes", "no")]
    print(f"{sum(row[2] == 'yes' for row in attacks)} of {len(attacks)} attacks detected; missed: {', '.join(score.missed) or 'none'}; false alerts: {len(score.false)}")
    if args.table:
        text = open(args.table).read()
        begin, end = "<!-- scores -->", "<!-- end of scores -->"
        head, _, rest = text.partition(begin)
        open(args.table, "w").write(f"{head}{begin}\n{table(score.rows)}\n{end}{rest.partition(end)[2]}")
    return 1 if score.false else 0


if __name__ == "__main__":
    sys.exit(main())
