"""What others would have counted on the same captures: three baselines, for docs/accuracy.md.

* **Throughput rule** (the published design of a seed project): smoothed bit rate above 400 kbit/s begins a session, below 150 ends it, and a buffer
  credit bridges silence. Its windows of three seconds are ours of ten here.
* **Ten columns** (another seed's forest): entropies of TCP acknowledgement numbers, TTLs and lengths, and seven more, in 100 extra trees grown until
  every leaf is pure; three windows begin a session, three end it. Trained twice: on random windows of the captures that are scored, as its
  author did, and with each group left out. The distance between the two is the pitfall of random windows.
* **Signatures**: a device watches while a flow lasts that ndpiReader calls a protocol of its categories Media, Video or Streaming.
"""
import collections
import csv
import io
import pathlib
import re
import shutil
import subprocess
import tempfile

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from dataset import labels
from extract import WINDOW_S

START_BPS, STOP_BPS, START_WINDOWS, STOP_WINDOWS, CREDIT_MAX_S = 400_000, 150_000, 2, 2, 90.0
HYSTERESIS = 3
SOURCES = ("home", "lab", "requet", "ucd")
# Bytes before the IP header by pcap link type.
LINK_HEADERS = {1: 14, 101: 0, 113: 16, 228: 0}
# What ndpiReader's categories are called that a picture may come from.
PICTURES = ("Media", "Video", "Streaming")


def throughput(sample, names):
    """Seconds that the throughput rule counts."""
    rows, counted, credit, mean, rate, on, above, below = sample.rows, 0.0, 0.0, 0.0, 800_000.0, False, 0, 0
    down, last = rows.x[:, names.index("down_bytes")], None
    for start, received in zip(rows.start_s.tolist(), down.tolist()):
        silent = 0 if last is None else round((start - last) / WINDOW_S) - 1
        for byte_count in [0] * min(silent, 60) + [received]:
            mean = 0.2 * mean + 0.8 * byte_count * 8 / WINDOW_S
            above, below = (above + 1 if mean >= START_BPS else 0), (below + 1 if mean < STOP_BPS else 0)
            if byte_count:
                rate = max(12_500.0, 0.8 * rate + 0.2 * byte_count / WINDOW_S)
                credit = min(CREDIT_MAX_S, credit + byte_count / rate)
            if not on and above >= START_WINDOWS:
                on, counted = True, counted + START_WINDOWS * WINDOW_S - WINDOW_S
            credit = max(0.0, credit - WINDOW_S) if on else 0.0
            if on and below >= STOP_WINDOWS and not credit:
                on = False
            counted += WINDOW_S * on
        last = start
    return min(counted, sample.recording.duration_s)


def packets(path):
    """(stamp s, source, destination, IP length, TTL, acknowledgement number or -1, ports or -1) of the IPv4 packets of a pcap, as columns."""
    unpack = subprocess.run(["zstd", "-dcq", "--long=27", str(path)], stdout=subprocess.PIPE, check=True) if path.suffix == ".zst" else None
    data = unpack.stdout if unpack else path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    fraction = 1e-9 if data[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1e-6
    number = np.dtype(order + "u4")
    head = LINK_HEADERS.get(int(np.frombuffer(data, number, 1, 20)[0]) & 0xFFFF)
    at, places, kind = 24, [], "little" if order == "<" else "big"
    while at + 16 <= len(data):
        places.append(at)
        at += 16 + int.from_bytes(data[at + 8:at + 12], kind)
    octets, places = np.frombuffer(data + bytes(128), np.uint8), np.array(places, np.int64)
    octet = lambda where: octets[where].astype(np.int64)
    big = lambda where, n: sum(octet(where + i) << 8 * (n - 1 - i) for i in range(n))
    word = (lambda where: sum(octet(where + i) << 8 * i for i in range(4))) if order == "<" else (lambda where: big(where, 4))
    if head is None or not len(places):
        return tuple(np.zeros(0, np.int64) for _ in range(8))
    stamp, kept, ip = word(places) + word(places + 4) * fraction, word(places + 8), places + 16 + head
    good = (kept >= head + 20) & (octet(ip) >> 4 == 4)
    stamp, ip = stamp[good], ip[good]
    transport, proto = ip + 4 * (octet(ip) & 15), octet(ip + 9)
    udp = proto == 17
    return (stamp, big(ip + 12, 4), big(ip + 16, 4), big(ip + 2, 2), octet(ip + 8), np.where(proto == 6, big(transport + 8, 4), -1),
            np.where(udp, big(transport, 2), -1), np.where(udp, big(transport + 2, 2), -1))


def entropy(values):
    share = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(share * np.log2(share)).sum())


def ten_columns(seen, address):
    """(window starts s, rows) of one client: the ten columns where two packets went each way, in 10 s windows from the first packet."""
    stamp, src, dst, length, ttl, ack, sport, dport = seen
    client = int.from_bytes(bytes(map(int, address.split("."))), "big")
    mine = np.flatnonzero((src == client) | (dst == client))
    window = ((stamp - stamp[0]) // WINDOW_S).astype(int) if len(stamp) else np.zeros(0, int)
    starts, rows = [], []
    for part in np.split(mine, np.flatnonzero(np.diff(window[mine])) + 1) if len(mine) else ():
        down = part[dst[part] == client]
        if min(len(down), len(part) - len(down)) < 2:
            continue
        starts.append(window[part[0]] * WINDOW_S)
        rows.append((entropy(ack[part]), entropy(ttl[part]), np.var(ack[part].astype(float), ddof=1), len(np.unique(sport[part])) + len(np.unique(dport[part])),
                     entropy(length[part]), length[down].mean(), ttl[down].mean(), len(np.unique(ttl[down])), entropy(length[down]),
                     np.diff(stamp[part]).mean()))
    return np.array(starts), np.array(rows, np.float64).reshape(-1, 10)


class Windows:
    """The ten columns of one client as a sample that `dataset.labels` can label."""

    def __init__(self, sample, seen):
        self.sample = sample
        self.start_s, self.x = ten_columns(seen, sample.client.address)
        self.y = labels(sample.client, self.start_s, sample.recording.duration_s)


def hysteresis(votes):
    """Seconds counted: three windows for video in a row begin a session, three against it end it, and windows without a vote change nothing."""
    counted, on, run = 0.0, False, 0
    for vote in votes:
        run = run + 1 if vote != on else 0
        if run >= HYSTERESIS:
            on, run = not on, 0
        counted += WINDOW_S * on
    return counted


def labelled(windows):
    """(rows, labels) of the windows whose label is known."""
    return np.vstack([w.x[w.y >= 0] for w in windows]).astype(np.float32), np.concatenate([w.y[w.y >= 0] for w in windows])


def forest(x, y, seed):
    return ExtraTreesClassifier(100, max_features="sqrt", random_state=seed, n_jobs=2).fit(x, y)


def balanced(y, said):
    """Mean of the shares of right answers for video and for the rest."""
    return float(np.mean([(said[y == label] == label).mean() for label in (0, 1) if (y == label).any()]))


def ten_column_forest(samples, seed):
    """(accuracy on random windows, accuracy on groups left out, seconds counted by sample with its group left out)."""
    seen, windows = {}, []
    for sample in samples:
        if sample.recording.path not in seen:
            seen = {sample.recording.path: packets(sample.recording.path)}
        windows.append(Windows(sample, seen[sample.recording.path]))
    x, y = labelled(windows)
    held = np.random.RandomState(seed).rand(len(y)) < 0.2
    random_windows = balanced(y[held], forest(x[~held], y[~held], seed).predict(x[held]))
    said, true, counted = [], [], {}
    for group in sorted({w.sample.group for w in windows}):
        model = forest(*labelled([w for w in windows if w.sample.group != group]), seed)
        for w in (w for w in windows if w.sample.group == group and len(w.x)):
            votes = model.predict(w.x.astype(np.float32)).astype(bool)
            said.append(votes[w.y >= 0])
            true.append(w.y[w.y >= 0])
            counted[id(w.sample)] = hysteresis(votes)
    return random_windows, balanced(np.concatenate(true), np.concatenate(said).astype(int)), counted


def picture_protocols():
    """Names of ndpiReader's protocols whose category is one of PICTURES."""
    said = subprocess.run(["ndpiReader", "--help"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
    lines = (re.split(r"\s{2,}|\s", line.strip()) for line in said.splitlines())
    return {words[1] for words in lines if len(words) >= 5 and words[0].isdigit() and words[-1] in PICTURES}


def signatures(samples):
    """Seconds by sample during which ndpiReader saw a flow of a picture's protocol; None without ndpiReader."""
    if not shutil.which("ndpiReader"):
        return None
    names, flows, counted = picture_protocols(), {}, {}
    for sample in samples:
        path = sample.recording.path
        if path not in flows:
            with tempfile.TemporaryDirectory() as folder:
                plain, table = pathlib.Path(folder, "capture.pcap"), pathlib.Path(folder, "flows.csv")
                subprocess.run(["zstd", "-dqf", "--long=27", str(path), "-o", str(plain)], check=True)
                subprocess.run(["ndpiReader", "-q", "-i", str(plain), "-C", str(table)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
                text = table.read_text(errors="replace") if table.exists() else ""
            flows = {path: [row for row in csv.DictReader(io.StringIO(text.lstrip("#"))) if names & set(row["ndpi_proto"].split("."))]}
        spans = sorted((float(row["first_seen"]), float(row["last_seen"])) for row in flows[path] if sample.client.address in (row["src_ip"], row["dst_ip"]))
        total, until = 0.0, -1.0
        for first, last in spans:
            total, until = total + max(0.0, last - max(first, until)), max(until, last)
        counted[id(sample)] = total
    return counted


def cells(samples, counted):
    """(error and share within 10 % of videos by source, false minutes per hour of the rest) of one method."""
    errors, minutes, hours = collections.defaultdict(list), collections.Counter(), collections.Counter()
    for sample in samples:
        client, seconds = sample.client, counted(sample)
        if client.positive:
            errors[sample.source].append(abs(seconds - client.watched_s) / client.watched_s)
        else:
            minutes[sample.source] += seconds / 60
            hours[sample.source] += client.other_s / 3600
    video = lambda s: f"{100 * np.mean(errors[s]):.0f} %, {100 * np.mean(np.array(errors[s]) <= 0.1):.0f} %" if errors[s] else "–"
    other = lambda s: f"{minutes[s] / hours[s]:.1f}" if hours[s] else "–"
    return [video("requet"), video("home"), video("lab"), other("home"), other("lab"), other("ucd")]


def compare(own, lines, names, seed):
    """Table rows (method, error and within 10 % for Requet, home, lab run3; false min/h for home, lab run3, public services), and the two accuracies."""
    samples = [s for s in own if s.source in SOURCES and s.recording.path.exists() and (s.recording.file, s.client.address) in lines]
    random_windows, groups, ten = ten_column_forest([s for s in samples if "." in s.client.address], seed)
    rows = [("streamguard, groups left out", *cells(samples, lambda s: lines[(s.recording.file, s.client.address)])),
            ("throughput rule", *cells(samples, lambda s: throughput(s, names))),
            ("ten columns, groups left out", *cells(samples, lambda s: ten.get(id(s), 0.0)))]
    called = signatures(samples)
    if called is not None:
        rows.append(("signatures (nDPI)", *cells(samples, lambda s: called[id(s)])))
    return rows, random_windows, groups
