"""The second opinion on alerts: rows of `streamguard features --of threats`, trees that vote for a class, tools left out.

    threat.py --bin target/release/streamguard --lab build/attacks --shared ../shared/captures --out threat.forest --card THREAT_CARD.md

A row is one initiator at the end of a five second slice. In a capture of an attack the rows of the attacker from its beginning to its end
have the class of the attack (in training those in which a detector accuses it: nobody else is asked about), everybody's rows are normal in captures
without one, and all others are left out: the bystander browses beside every attack, but who is told apart by an address alone may be wrong. Captures of one tool are one *tool*: they are left out together, and no
row of them is ever in training and test at once. There is no random split anywhere.
"""
import argparse
import collections
import csv
import io
import json
import pathlib
import re
import sys

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

import parity
from artifact import BUDGET_BYTES, fnv1a, pack
from extract import ExtractError, run
from forest import Flat, Trained, cut_points, quantise

# As `Class::ALL` in src/detect/threat/opinion.rs.
CLASSES = ["normal", "scan", "brute_force", "dos", "ddos", "web_attack", "botnet", "infiltration", "tunnel"]
CLASS_OF = {
    "port_scan": "scan", "host_sweep": "scan", "ssh_brute_force": "brute_force", "brute_force": "brute_force", "syn_flood": "dos",
    "udp_flood": "dos", "icmp_flood": "dos", "http_flood": "dos", "slowloris": "dos", "slow_post": "dos", "amplification": "ddos",
    "ddos_out": "ddos", "web_brute_force": "web_attack", "beaconing": "botnet", "lateral_movement": "infiltration", "dns_tunnel": "tunnel",
    "icmp_tunnel": "tunnel",
}
# Labelled public captures of nothing but an attack: what it is, and who attacks.
PUBLIC = {
    "command_and_control_test_cc_capture_1": ("beaconing", "147.32.80.37"), "credential_guessing_malicious_ssh_bruteforce": ("ssh_brute_force", "147.32.80.40"),
    "dns_tunnel_bad_dns_traffic": ("dns_tunnel", "192.168.43.91"), "host_scan_hs_arpscan": ("host_sweep", "10.0.0.128"),
    "host_scan_hs_icmpscan_b": ("host_sweep", "10.0.0.128"), "host_scan_hs_tcp_ackpingsweeprand": ("host_sweep", "10.0.0.128"),
    "host_scan_test8_malicious": ("host_sweep", "192.168.1.247"), "icmp_tunnel_icmp_tunnel": ("icmp_tunnel", "192.168.154.131"),
    "port_scan_ps_tcp_syn": ("port_scan", "10.0.0.140"), "port_scan_synscan": ("port_scan", "172.16.0.8"),
    "port_scan_udp_0_1000_20190821": ("port_scan", "172.31.15.102"), "syn_flood_pkt_tcp_dominate_syn_ecn_cwr": ("syn_flood", "*"),
}
# The first of these words in a capture's name is its tool.
TOOLS = ["nmap", "masscan", "hping3", "hydra", "ncrack", "medusa", "slowhttptest", "arp-scan", "fping", "iodine", "dns2tcp", "ptunnel", "ping"]
# Captures of our own scripts, which are no tool in use, and of scripts that call one.
OWN = {"ssh_spray_hosts": "hydra", "lateral_ssh_then_sweep": "nmap", "web_posts": "own script (posts)", "webbrute_http-login": "own script (login)", "http_flood_mute": "own script (mute)", "beacon_6s": "own script (beacon)"}
# Recordings without any attack: folder of the shared captures, and how many of its files at most.
NORMAL = {"home": 5, "lab": 2, "services": 29, "youtube": 40, "iot": 5}
CAP = 1500
# Normal weighs no more than a class of attacks: whoever is asked about has been accused already.
NORMAL_WEIGHT = 1
# Attacks last for a few slices only: each capture is read on this many grids of slices.
PHASES = (0, 1, 2, 3, 4)
FOREST = {"trees": 100, "leaves": 32, "leaf": 2, "depth": 12, "cuts": 48, "features": 0.5}
SEED = 1
SLICE_S = 5.0
# From which share of the trees on a severity is moved, as in src/detect/threat/opinion.rs.
DOUBT_PCT, AGREE_PCT = 85, 95
BEGIN, END = "<!-- tools left out -->", "<!-- end of tools left out -->"


class Rows:
    """The rows of one capture: whose, of which victim, when, whether a detector accuses it, and the numbers."""

    def __init__(self, text, names):
        reader = csv.reader(io.StringIO(text))
        head = next(reader)
        if head[4:] != names:
            raise ExtractError(f"columns {head[4:7]}... are not those of the schema")
        rows = list(reader)
        self.source, self.victim = np.array([r[0] for r in rows], object), np.array([r[1] for r in rows], object)
        self.start_s = np.array([float(r[2]) for r in rows])
        self.accused = np.array([bool(r[3]) for r in rows], bool)
        self.x = np.array([r[4:] for r in rows], np.int64).reshape(len(rows), len(names)).astype(np.int32)

    def of(self, source, begin, end):
        """Numbers of the rows of an attacker whose slice touches its attack."""
        within = (self.start_s + SLICE_S > begin) & (self.start_s < end)
        if source != "*":
            return np.flatnonzero(within & (self.source == source))
        # Sources are forged: the victim is whom most packets reached.
        nobody = np.flatnonzero(within & (self.source == "0.0.0.0"))
        reached = collections.Counter()
        for row in nobody:
            reached[self.victim[row]] += int(self.x[row].max())
        return nobody[self.victim[nobody] == reached.most_common(1)[0][0]] if reached else nobody


class Capture:
    """One capture: its file, the tool it is left out with, its class, and who attacks from when to when."""

    def __init__(self, path, tool, label, attack=None):
        self.path, self.tool, self.label, self.attack = path, tool, label, attack


class Extractor:
    """Rows by one build, cached by capture and schema."""

    def __init__(self, binary, cache):
        self.binary, self.cache = binary, pathlib.Path(cache)
        self.cache.mkdir(parents=True, exist_ok=True)
        *features, last = [line.split() for line in run(binary, ["model", "--threats", "--schema"]).splitlines()]
        self.names, self.schema_hash = [words[0] for words in features], int(last[1], 16)

    def rows(self, capture, phase):
        stat = capture.path.stat()
        key = fnv1a(f"{capture.path} {stat.st_size} {int(stat.st_mtime)} {phase} {self.schema_hash:016x}".encode())
        place = self.cache / f"threat-{key:016x}.csv"
        if not place.exists():
            place.write_text(run(self.binary, ["features", "--of", "threats", "--phase", str(phase)], capture.path))
        return Rows(place.read_text(), self.names)


def tool_of(name):
    for part, tool in OWN.items():
        if part in name:
            return tool
    return next((tool for tool in TOOLS if tool in name), None)


def captures(ask):
    """All captures there are, attacks first."""
    found = []
    for folder in [*ask.lab, ask.shared and ask.shared / "attack-lab"]:
        index = folder and folder / "index.csv"
        if not index or not index.exists():
            print(f"threat: no captures in {folder}, left out", file=sys.stderr)
            continue
        for row in csv.DictReader(index.open()):
            path, name = folder / row["file"], row["file"].removesuffix(".pcap.zst")
            if not path.exists():
                continue
            if row["type"] == "benign":
                found.append(Capture(path, f"benign/{name}", "normal"))
            elif row["type"] in CLASS_OF:
                label = CLASS_OF[row["type"]]
                found.append(Capture(path, tool_of(name) or f"own script ({name})", label, (row["source"], float(row["start_s"]), float(row["end_s"]))))
    for name, (kind, source) in PUBLIC.items() if ask.shared else ():
        path = ask.shared / "attacks" / f"{name}.pcap.zst"
        if path.exists():
            found.append(Capture(path, f"public/{name}", CLASS_OF[kind], (source, -1e9, 1e9)))
    for folder, files in NORMAL.items() if ask.shared else ():
        paths = sorted((ask.shared / folder).glob("*.pcap*.zst"))
        step = max(1, len(paths) // files)
        found += [Capture(path, folder, "normal") for path in paths[::step][:files]]
    return found


class Sample:
    """Labelled rows of one capture at one phase."""

    def __init__(self, capture, rows, phase):
        self.capture, self.phase = capture, phase
        if capture.attack is None:
            use = np.arange(len(rows.x))
        else:
            source, begin, end = capture.attack
            use = rows.of(source, begin, end)
        self.x, self.accused, self.label = rows.x[use], rows.accused[use], CLASSES.index(capture.label)


def samples(found, extractor):
    out = []
    for number, capture in enumerate(found):
        print(f"\r{number + 1}/{len(found)} {capture.path.name:60.60s}", end="", file=sys.stderr)
        for phase in PHASES if capture.attack else (0,):
            out.append(Sample(capture, extractor.rows(capture, phase), phase))
    print(file=sys.stderr)
    return out


def matrix(chosen, seed):
    """x, y, weights: at most CAP rows of a tool and class; a tool counts by the square root of its rows, classes the same."""
    groups = collections.defaultdict(list)
    for sample in chosen:
        # Of an attack only what a detector has found: nobody else is asked about.
        x = sample.x[sample.accused] if sample.label else sample.x
        if len(x):
            groups[sample.capture.tool, sample.label].append(x)
    rng, xs, ys, ws = np.random.RandomState(seed), [], [], []
    for (_, label), parts in sorted(groups.items()):
        x = np.vstack(parts)
        if len(x) > CAP:
            x = x[np.sort(rng.choice(len(x), CAP, replace=False))]
        xs.append(x)
        ys.append(np.full(len(x), label))
        ws.append(np.full(len(x), len(x) ** -0.5))
    x, y, w = np.vstack(xs), np.concatenate(ys), np.concatenate(ws)
    for label in np.unique(y):
        w[y == label] *= (NORMAL_WEIGHT if label == 0 else 1) / w[y == label].sum()
    return x, y, w * len(y) / w.sum()


def grow(x, y, w, seed):
    # Attacks are few among rows of nothing much: quantiles of all rows would leave them without cuts.
    cuts = cut_points(x, FOREST["cuts"], np.unique)
    model = ExtraTreesClassifier(FOREST["trees"], min_samples_leaf=FOREST["leaf"], max_leaf_nodes=FOREST["leaves"], max_depth=FOREST["depth"],
                                 max_features=FOREST["features"], n_jobs=1, random_state=seed)
    return Trained(cuts, [(model.fit(quantise(x, cuts).astype(np.float32), y, sample_weight=w), list(range(x.shape[1])))])


def votes_of(trained, x):
    """Votes by class, as scikit-learn's trees give them: each for the class with the greatest share of its leaf."""
    (model, _), = trained.members
    bins, votes = quantise(x, trained.cuts).astype(np.float32), np.zeros((len(x), len(CLASSES)), np.int64)
    for tree in model.estimators_:
        chosen = model.classes_[tree.predict_proba(bins).argmax(axis=1)].astype(int)
        votes[np.arange(len(x)), chosen] += 1
    return votes


def flatten(trained):
    """The flat arrays: leaves are classes."""
    from forest import flat_of, tree_of
    (model, columns), = trained.members
    trees = [tree_of(t.tree_, columns, lambda share: int(model.classes_[share.argmax()])) for t in model.estimators_]
    return flat_of(trained.cuts, trees, classes=len(CLASSES))


def left_out(every, seed):
    """For each tool: votes on its rows by a forest that saw none of its captures."""
    out = {}
    for tool in sorted({s.capture.tool for s in every}):
        own = [s for s in every if s.capture.tool == tool and s.phase == 0 and len(s.x)]
        rest = [s for s in every if s.capture.tool != tool]
        if not own:
            continue
        votes = votes_of(grow(*matrix(rest, seed), seed), np.vstack([s.x for s in own]))
        truth = np.concatenate([np.full(len(s.x), s.label) for s in own])
        accused = np.concatenate([s.accused for s in own])
        captures = collections.Counter(s.label for s in own)
        trained_on = {s.label for s in rest if len(s.x)}
        out[tool] = {"captures": captures, "truth": truth, "accused": accused, "votes": votes, "known": trained_on}
        print(f"\rleft out {tool:60.60s}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return out


def report(results):
    """Tables: attacks by tool and class, and normal captures by source."""
    attacks = ["| tool left out | class | captures | rows | named right | called normal | accused rows | named right | called normal | doubted |",
               "|---|---|---|---|---|---|---|---|---|---|"]
    normal = ["| recordings left out | captures | rows | called an attack | of them by 95 % of the trees |", "|---|---|---|---|---|"]
    for tool, found in results.items():
        said, share = found["votes"].argmax(axis=1), found["votes"].max(axis=1) * 100 // FOREST["trees"]
        for label in np.unique(found["truth"]):
            here, captures = found["truth"] == label, found["captures"][label]
            if label == 0:
                normal.append(f"| {tool} | {captures} | {here.sum()} | {percent(said != 0, here)} | {percent((said != 0) & (share >= AGREE_PCT), here)} |")
                continue
            alone, accused = "" if label in found["known"] else " (no other tool of its class)", here & found["accused"]
            attacks.append(f"| {tool}{alone} | {CLASSES[label]} | {captures} | {here.sum()} | {percent(said == label, here)} | {percent(said == 0, here)} | {accused.sum()} | "
                           f"{percent(said == label, accused)} | {percent(said == 0, accused)} | {percent((said == 0) & (share >= DOUBT_PCT), accused)} |")
    return attacks, normal


def percent(which, of):
    """The share of rows `of` that are `which`, as text."""
    return f"{100 * int((which & of).sum()) / int(of.sum()):.0f} %" if of.any() else "-"


def arguments():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--bin", required=True)
    ask.add_argument("--lab", action="append", type=pathlib.Path, default=[])
    ask.add_argument("--shared", type=pathlib.Path)
    ask.add_argument("--cache", type=pathlib.Path, required=True)
    ask.add_argument("--out", type=pathlib.Path, required=True)
    ask.add_argument("--parity", type=pathlib.Path)
    ask.add_argument("--card", type=pathlib.Path)
    ask.add_argument("--doc", type=pathlib.Path, help="file whose tables between the markers are to be rewritten")
    ask.add_argument("--seed", type=int, default=SEED)
    return ask.parse_args()


def mismatches(trained, flat):
    """Rows at and beside the thresholds whose votes differ between scikit-learn's trees and the flat walk."""
    x = parity.rows(flat.cuts)
    return int((votes_of(trained, x) != flat.votes(x)).any(axis=1).sum())


def contents(every):
    """What the artefact says of its training: captures and rows by class."""
    out = {}
    for sample in every:
        if len(sample.x) and (sample.label == 0 or sample.accused.any()):
            entry = out.setdefault(CLASSES[sample.label], {"tools": set(), "captures": set(), "rows": 0})
            entry["tools"].add(sample.capture.tool)
            entry["captures"].add(sample.capture.path)
            entry["rows"] += int(sample.accused.sum()) if sample.label else len(sample.x)
    return {name: {"tools": len(e["tools"]), "captures": len(e["captures"]), "rows": e["rows"]} for name, e in out.items()}


CARD = """# Model card: threat.forest

Written by `make threat-model`; do not edit. Where its opinion is shown and what it may do: docs/detectors.md.

**What it does.** Says of one initiator, by {features} numbers that the detectors have counted of it in the last 5, 30 and 180 s, which of nine classes it
looks like. {trees} trees vote (extra trees, at most {leaves} leaves); the share of them is shown.

**What it is for.** A second look at what a detector has found. It opens no alert and closes none. It is no evidence by itself.

**Artefact.** {size} bytes, fingerprint {fingerprint:016x}, seed {seed}.

## Trained on

| class | tools or recordings | captures | rows |
|---|---|---|---|
{training}

## Each tool left out

No row of the tool's captures was in training. There is no accuracy from random splits: rows of one capture are all but copies of each other.
`accused`: a detector has found something, so the opinion is asked for. `doubted`: at least 85 % of the trees say normal, which makes an alert one
step less severe.

{attacks}

## Recordings without attacks, each left out

All rows of everybody in them, not only of those whom a detector accused (of whom there are none).

{normal}

## What it looks at

Most used features (share of impurity decrease): {ranks}.

## What it cannot know
* What no tool above does. Classes with one or two tools behind them are guesses with a tool left out, and their agreement changes nothing.
* False alerts: there are none in these recordings. What it says of the nearest misses stands in docs/detectors.md.
* Nearly all attacks are of one laboratory with one kind of server, one line and one bystander; real attackers are slower.
* Exploits, malware and stolen passwords leave none of these numbers. Attacks below IP (ARP, DHCP, router advertisements) have no row.
* Where sources are forged it sees only what the victim got.
"""


def write_card(place, data, every, tables, ranks, seed):
    training = "\n".join(f"| {name} | {e['tools']} | {e['captures']} | {e['rows']} |" for name, e in contents(every).items())
    place.write_text(CARD.format(
        features=every[0].x.shape[1], trees=FOREST["trees"], leaves=FOREST["leaves"], size=len(data), fingerprint=fnv1a(data[:-8]),
        seed=seed, training=training, attacks="\n".join(tables[0]), normal="\n".join(tables[1]),
        ranks=", ".join(f"`{name}` {value:.3f}" for name, value in ranks[:12])))


def main():
    ask = arguments()
    try:
        extractor = Extractor(ask.bin, ask.cache)
        every = samples(captures(ask), extractor)
    except (ExtractError, OSError) as problem:
        print(f"threat: {problem}", file=sys.stderr)
        return 2
    trained = grow(*matrix(every, ask.seed), ask.seed)
    flat = flatten(trained)
    wrong = mismatches(trained, flat)
    if wrong:
        print(f"threat: {wrong} rows have other votes than scikit-learn's", file=sys.stderr)
        return 2
    print(f"parity: {parity.ROWS} rows at thresholds, no vote differs")
    data = pack(flat, extractor.schema_hash, {"classes": CLASSES}, {"training": contents(every), "seed": ask.seed})
    if len(data) > BUDGET_BYTES:
        print(f"threat: {len(data)} bytes, budget {BUDGET_BYTES}", file=sys.stderr)
        return 2
    ask.out.write_bytes(data)
    print(f"{ask.out}: {len(data)} bytes, {len(flat.roots)} trees, {len(flat.nodes)} nodes, depth {flat.depth}")
    if ask.parity:
        ask.parity.write_text(json.dumps(parity.expected(flat, fnv1a(data[:-8])), indent=1) + "\n")
    tables = report(left_out(every, ask.seed))
    print("\n".join(tables[0] + tables[1]))
    if ask.doc:
        head, _, rest = ask.doc.read_text().partition(BEGIN)
        ask.doc.write_text("\n".join([head + BEGIN, *tables[0], "", *tables[1], END + rest.partition(END)[2]]))
    if ask.card:
        gain = trained.importance(len(extractor.names)) / FOREST["trees"]
        ranks = sorted(zip(extractor.names, gain), key=lambda pair: -pair[1])
        write_card(ask.card, data, every, tables, ranks, ask.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
