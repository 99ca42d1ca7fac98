#!/usr/bin/env python3
"""Speed and memory of `streamguard analyze` beside its peers, on captures that are made for it.

usage: bench.py PROGRAM SHARED [CAPTURE]

Prints CPU time and peak memory of the whole process tree. Runs are interleaved, so that a busy machine is as busy
for one as for the other, and the least of three counts. Compare ratios, not numbers of different days.
"""

import os
import shutil
import subprocess
import sys
import tempfile

RUNS = 3


def measured(command):
    """CPU seconds and peak MB of one run."""
    with open(os.devnull, "wb") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode


def commands(program, capture, scratch):
    analyze = [program, "analyze", capture, "--json", "--report"]
    tshark = ["tshark", "-n", "-r", capture, "-o", "ip.defragment:FALSE", "-q", "-z"]
    rows = {
        "streamguard --report clients": analyze + ["clients"],
        "streamguard --report all": analyze + ["all"],
        "tcpdump -w": ["tcpdump", "-r", capture, "-w", os.devnull],
        "softflowd": ["softflowd", "-r", capture, "-c", "none", "-p", os.path.join(scratch, "pid"), "-d", "-n", "127.0.0.1:9"],
        "nfpcapd": ["nfpcapd", "-r", capture, "-w", scratch],
        "argus": ["argus", "-r", capture, "-w", os.path.join(scratch, "argus")],
        "ndpiReader": ["ndpiReader", "-q", "-i", capture],
    }
    for report in ("io,phs", "io,stat,10", "conv,ip", "conv,udp"):
        rows[f"tshark {report}"] = tshark + [report]
    return {name: command for name, command in rows.items() if shutil.which(command[0])}


def main():
    program, shared = sys.argv[1], sys.argv[2]
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        if len(sys.argv) > 3:
            capture = sys.argv[3]
        else:
            script = os.path.join(shared, "tools/perf/bench-captures.sh")
            if not os.path.exists(script):
                print(f"bench: no {script}: skipped")
                return 0
            subprocess.run(["bash", script, scratch], check=True, stdout=subprocess.DEVNULL)
            capture = os.path.join(scratch, "big.pcap")
        rows = commands(program, capture, scratch)
        best = {}
        for _ in range(RUNS):
            for name, command in rows.items():
                if name.startswith("tshark") and name in best:
                    continue  # minutes each, and not close
                cpu, memory, code = measured(command)
                if code:
                    print(f"bench: {name} ends with {code}")
                best[name] = min(best.get(name, (cpu, memory)), (cpu, memory))
    own_cpu, own_memory = best["streamguard --report all"]
    print(f"{'':30} {'CPU s':>9} {'MB':>8} {'CPU x':>8} {'MB x':>8}   (x: times that of --report all)")
    for name, (cpu, memory) in best.items():
        print(f"{name:30} {cpu:9.2f} {memory:8.1f} {cpu / own_cpu:8.2f} {memory / own_memory:8.2f}")
    four = [best[name] for name in best if name.startswith("tshark")]
    if four:
        cpu, memory = sum(row[0] for row in four), max(row[1] for row in four)
        print(f"{'tshark, its four reports':30} {cpu:9.2f} {memory:8.1f} {cpu / own_cpu:8.2f} {memory / own_memory:8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
