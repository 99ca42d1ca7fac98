#!/usr/bin/env python3
"""How many routers does one collector carry? A thousand of them, simulated: `make fleet-thousand`.

    thousand.py [ROUTERS] [RECORDS_PER_ROUTER]

IPFIX: every router is an observation domain with a source port of its own that sends a template and biflow records
(RFC 7011, RFC 5103) to a real nfcapd. Printed: records sent and stored, and the collector's CPU time for each.

Uplink: every router posts an hour's batch (ROWS rows of traffic) to tests/fleet/loader.py and a PostgreSQL of the
test's own, 32 at a time, and a tenth of the batches twice, as after a lost answer. Printed: rows sent and stored, and
rows a second.
"""
import concurrent.futures
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = 120
# The elements of template 256 of src/report/ipfix.rs: (enterprise of RFC 5103 for the reverse way, element, length).
IPV4 = [(0, 8, 4), (0, 12, 4), (0, 7, 2), (0, 11, 2), (0, 4, 1), (0, 136, 1), (0, 152, 8), (0, 153, 8), (0, 6, 2),
        (0, 1, 8), (0, 2, 8), (29305, 1, 8), (29305, 2, 8), (0, 148, 8)]


def template():
    fields = b"".join(struct.pack("!HH", number | (0x8000 if enterprise else 0), length) + (struct.pack("!I", enterprise) if enterprise else b"")
                      for enterprise, number, length in IPV4)
    body = struct.pack("!HH", 256, len(IPV4)) + fields
    return struct.pack("!HH", 2, 4 + len(body)) + body


def record(router, flow, now_ms):
    return struct.pack("!IIHHBBQQHQQQQQ", 0x0A000000 | router, 0xCB007100 | flow % 256, 40000 + flow % 20000, 443, 6, 3,
                       now_ms - 5000, now_ms, 0x1B, 1000 + flow, 10, 900000 + flow, 700, flow)


def message(domain, sequence, sets):
    return struct.pack("!HHIII", 10, 16 + len(sets), int(time.time()), sequence, domain) + sets


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ipfix(routers, each):
    directory = tempfile.mkdtemp(prefix="thousand-")
    # The kernel's socket buffer, not nfcapd, is what overflows first.
    collector = subprocess.Popen(["nfcapd", "-w", directory, "-p", "4739", "-b", "127.0.0.1", "-t", "3600", "-B", "8000000"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    begin, spent = time.monotonic(), cpu_s(collector.pid)
    senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(routers)]
    now_ms = int(time.time() * 1000)
    for domain, sender in enumerate(senders, 1):
        sender.connect(("127.0.0.1", 4739))
        sender.send(message(domain, 0, template()))
    sent = 0
    for first in range(0, each, 12):
        flows = range(first, min(first + 12, each))
        for domain, sender in enumerate(senders, 1):
            rows = b"".join(record(domain, flow, now_ms) for flow in flows)
            sender.send(message(domain, first, struct.pack("!HH", 256, 4 + len(rows)) + rows))
            sent += len(flows)
        time.sleep(0.01)
    took = time.monotonic() - begin
    time.sleep(2)
    spent = cpu_s(collector.pid) - spent
    collector.send_signal(signal.SIGTERM)
    collector.wait()
    listed = subprocess.run(["nfdump", "-R", directory, "-o", "csv", "-q"], capture_output=True, text=True).stdout
    # nfdump reads the two directions of a biflow as one record.
    stored = sum(1 for line in listed.splitlines() if ",203.0.113." in line)
    shutil.rmtree(directory)
    print(f"ipfix: {routers} routers, {sent} records in {took:.1f} s, {stored} stored; "
          f"collector {spent:.2f} s of CPU, {spent / sent * 1e6:.1f} us a record")
    # 5 GB a day and 20 devices make some 40,000 flows a day.
    print(f"ipfix: one core carries {sent / max(spent, 0.01) * 86400 / 40000:,.0f} routers of 40,000 flows a day")
    return stored == sent


def batch(router, start_s):
    name = f"02fe{router:08x}"
    rows = []
    for number in range(ROWS):
        client, service = f"02:00:00:00:{router % 256:02x}:{number % 20:02x}", f"service{number}.example"
        rows.append({"id": f"{name}/traffic/hour/{start_s}/{client}/{service}/quic", "router": name, "kind": "traffic", "stretch": "hour",
                     "start_s": start_s, "client": client, "service": service, "protocol": "quic", "up_bytes": number, "down_bytes": 1000 + number})
    return name, "".join(json.dumps(row) + "\n" for row in rows).encode()


def post(job):
    key, body = job
    request = urllib.request.Request("http://127.0.0.1:8099/in", body, {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"})
    for _ in range(20):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(request, timeout=60).status == 204
        time.sleep(0.2)
    return False


def uplink(routers):
    bins = sorted(entry.path for entry in os.scandir("/usr/lib/postgresql"))[-1] + "/bin"
    owner = pwd.getpwnam("postgres")
    directory = tempfile.mkdtemp(prefix="thousand-pg-")
    os.chown(directory, owner.pw_uid, owner.pw_gid)

    def server(*words):
        subprocess.run([f"{bins}/{words[0]}", "-D", f"{directory}/data", *words[1:]], user=owner.pw_uid, group=owner.pw_gid, extra_groups=[], cwd="/",
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    server("initdb", "-A", "trust")
    server("pg_ctl", "-w", "-o", f"-k {directory} -c listen_addresses=''", "-l", f"{directory}/log", "start")
    connection = f"host={directory} user=postgres dbname=postgres"
    loader = subprocess.Popen(["python3", f"{HERE}/loader.py", "127.0.0.1", "8099", connection], stderr=subprocess.DEVNULL)
    try:
        start_s = int(time.time()) // 3600 * 3600 - 3600
        jobs = [(f"{name}-1", body) for name, body in (batch(router, start_s) for router in range(routers))]
        post(jobs[0])
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            taken = sum(pool.map(post, jobs + jobs[::10]))
        took = time.monotonic() - begin
        stored = int(subprocess.run(["psql", "-X", "-At", "-c", "SELECT count(*) FROM streamguard", connection], capture_output=True, text=True).stdout)
    finally:
        loader.kill()
        server("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(directory)
    print(f"uplink: {routers} routers, {routers * ROWS} rows and a tenth of them twice in {took:.1f} s, {stored} stored; "
          f"{routers * ROWS / took:,.0f} rows/s, an hour's batches of {routers * 3600 / took:,.0f} routers in an hour")
    return stored == routers * ROWS and taken == len(jobs) + len(jobs[::10])


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    flows = int(sys.argv[2]) if len(sys.argv) > 2 else 360
    outcomes = [ipfix(count, flows), uplink(count)]
    sys.exit(0 if all(outcomes) else 1)
