"""The text of docs/accuracy.md. Numbers come from the judge's scorer; nothing is left out because it looks bad."""
import math
import pathlib

import recipe
from artifact import fnv1a
from goals import goals_met

# What was tried and why; written by hand.
STUDY = pathlib.Path(__file__).with_name("study.md")

HEAD = """# Accuracy

Written by `make accuracy`; do not edit. Every number comes from `streamguard analyze --json --model FOLD` (release binary) with a model that did not see
what it is scored on, and from the judge's scorer; our own recordings (mix01 to mix17), whose packets are not kept, are reckoned from their rows by the trainer's walk and session layer. *Error* is |counted − true| / true of a session, a session is one labelled device of one capture;
*false minutes* are minutes counted where nobody watched, per hour. In brackets: 95 % intervals (bootstrap over sessions; Wilson for shares; for false minutes
the upper bound: exact Poisson on episodes × their length, or bootstrap if larger).

Settings: {settings}. Artefact shipped: {size} bytes, fingerprint {fingerprint}.
The session constants were chosen on our own laboratory's recordings and on public groups (about 35 model variants and 300 session
settings were compared on them, so the figures for these are optimistic). See *When settings were fixed* below.
"""

FIXED = """## When settings were fixed
* Credit to the change point: first study on public captures, before any laboratory recording existed.
* Allowance ∝ period²: on the laboratory's first two recordings (mix01, mix02) and run3's stops, checked not to worsen Requet.
* Stratum cap, weights by square roots, bias −0.25: by groups left out of the public captures and mix01–mix04 and mix08, before mix05 was recorded.
* Boosted trees instead of voting ones, their size, `temper` 0.4, `on` 3, first period 8 s: by own recordings left out (mix03, 05, 08, 09, 10) and the public groups
  without run3. mix06 and mix07 went into training with nothing changed.
* Allowance of steady fetchers, evidence threshold of 50 kB, `on` 2.5: by own recordings left out (mix03, 05, 07 to 11), with Requet, run3 and the home office in sight.
* **What is in training was decided with run3 in sight**: with mix09 and mix10 in training its QUIC video was lost, so mix11 was recorded to stand beside them (*What was tried*). Its
  figures are therefore optimistic. mix12 and mix13 were recorded afterwards and are in no training.
* mix14 and mix15 were recorded after mix12 and mix13 had been judged, to hold what was missed and counted there; their episodes and updates in ranges were taken out of training with run3 in sight.
  So run3 and mix13 flatter the model that ships; mix16 was recorded then to be trained on, too; with it run3's mpv was lost, so it judges. No other setting was changed.
* Waiting after a dead silence: by all recordings of our own left out, mix12, mix13 and mix16 among them, and the public groups, run3 in sight; some 130 settings. The trees are those of before. mix17 was
  recorded after that with nothing changed.
* The groups of the public captures were looked at, too, in the choice of the session constants. Nothing was tuned on captures that judges hold back.
"""

def f(value, digits=1):
    return "–" if value is None else f"{value:.{digits}f}"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(str(c) for c in row) + " |" for row in rows), ""]


def positive_rows(scores):
    rows = []
    for x in (x for score in scores for x in score["positive"] if not x["source"].startswith("ALL")):
        ci = x["error_ci95_pct"]
        within = x["within_10_ci95_pct"]
        over = x["over_per_stop_s"]
        rows.append((x["source"], x["group"], x["sessions"], f(x["true_min"], 0), f(x["counted_min"], 0),
                     f(x["mean_abs_error_pct"]) + " %" + (f" ({ci[0]:.1f}–{ci[1]:.1f})" if ci else ""), f(x["median_abs_error_pct"]) + " %",
                     f"{x['within_10_pct']:.0f} % ({within[0]:.0f}–{within[1]:.0f})", x["stops"], f"{over[0]:.0f} / {over[1]:.0f} s" if over else "–"))
    return rows


def positive(scores):
    return table(("source", "group", "n", "true min", "counted", "mean error", "median", "within 10 %", "stops", "over-count per stop, median / p90"), positive_rows(scores))


def negative_rows(scores):
    return [(x["source"], x["cls"], x["sessions"], f(x["hours"], 2), f(x["fp_min"]), f(x["fp_min_per_h"], 2), f(x["fp_min_per_h_ub95"], 2), x["episodes"])
            for score in scores for x in score["negative"] if x["hours"] and not x["source"].startswith("ALL")]


def negative(scores):
    return table(("source", "class", "n", "hours", "false min", "false min/h", "≤ (95 %)", "episodes"), negative_rows(scores))


def carrier_of(own, names):
    """How each client's traffic came, by capture and address: TCP, QUIC / UDP, or both."""
    def carrier(x):
        down = x[:, names.index("down_bytes")].astype(float)
        share = float((x[:, names.index("udp_share")] * down).sum() / max(down.sum(), 1) / 1000)
        return "TCP" if share < 0.1 else "QUIC / UDP" if share > 0.9 else "both"
    return {(s.recording.file, s.client.address): carrier(s.rows.x) for s in own}


def transports(lines, own, carriers):
    """TCP and QUIC apart, videos and negatives: a model that learnt the transport fails in two of the four."""
    cells = {}
    for sample in own:
        key = (sample.recording.file, sample.client.address)
        if key not in lines or sample.source in ("iot", "attacks"):
            continue
        cell = cells.setdefault((carriers[key], sample.source), {"errors": [], "minutes": 0.0, "hours": 0.0, "n": 0})
        if sample.client.positive:
            cell["errors"].append(abs(lines[key] - sample.client.watched_s) / sample.client.watched_s)
        else:
            cell["n"] += 1
            cell["minutes"] += lines[key] / 60
            cell["hours"] += sample.client.other_s / 3600
    rows = []
    for (carried, source), c in sorted(cells.items()):
        e = c["errors"]
        rows.append((carried, source, len(e), f(100 * sum(e) / len(e)) + " %" if e else "–", f"{100 * sum(x <= 0.1 for x in e) / len(e):.0f} %" if e else "–",
                     c["n"], f(c["hours"], 2), f(c["minutes"] / c["hours"], 2) if c["hours"] else "–"))
    return table(("carried by", "source", "videos n", "mean error", "within 10 %", "negatives n", "hours", "false min/h"), rows)


def beside(rows, random_windows, groups):
    """Baselines on the same captures (model/train/baselines.py)."""
    head = ("method", "Requet: error, within 10 %", "home", "lab run3", "home, false min/h", "lab run3, false min/h", "drive, music, search, false min/h")
    said = (f"The forest of ten columns decides {100 * random_windows:.0f} % of windows rightly (mean of both kinds) when a fifth of the windows, drawn at random, is kept back, as its "
            f"author did, and {100 * groups:.0f} % when whole groups are: neighbouring windows of one capture are all but copies of each other. Its columns are TTLs, acknowledgement "
            "numbers, ports and lengths. The throughput rule runs on windows of ten seconds instead of three. Signatures need names, which captures of headers do not hold.\n")
    return [said, *table(head, rows)]


def failures(lines, own):
    rows = []
    for s in own:
        key = (s.recording.file, s.client.address)
        if key not in lines:
            continue
        if s.client.positive:
            error = (lines[key] - s.client.watched_s) / s.client.watched_s
            if abs(error) > 0.25:
                rows.append((abs(error), s.recording.file, s.client.address, s.client.family, f"{s.client.watched_s / 60:.1f}", f"{lines[key] / 60:.1f}", f"{100 * error:+.0f} %"))
        elif lines[key] >= 60:
            rows.append((math.inf, s.recording.file, s.client.address, s.client.family, "0", f"{lines[key] / 60:.1f}", "false"))
    return table(("capture", "client", "kind", "true min", "counted", "error"), [r[1:] for r in sorted(rows, key=lambda r: (-r[0], r[1], r[2]))])


def named(by_root):
    """The scores, those of our own recordings with the recording's name."""
    for i, (root, score) in enumerate(by_root.items()):
        for x in [*score["positive"], *score["negative"]] if i else []:
            x["source"] = f"{x['source']} {root.rstrip('/').split('/')[-1]}"
    return list(by_root.values())


def document(report, own, names, shipped):
    groups, sources, classes = (named(report[k]) for k in ("groups", "sources", "classes"))
    settings = f"`model/train/recipe.py`: {recipe.FOREST}, {recipe.SETTINGS}"
    lines = [HEAD.format(settings=settings, size=len(shipped), fingerprint=f"{fnv1a(shipped[:-8]):016x}")]
    carriers = carrier_of(own, names)
    goals = goals_met(groups, sources, report, own, carriers, len(shipped))
    lines += ["## Goals\n", *table(("goal", "reach", "aim", "here"), goals)]
    lines += ["## Groups left out\n", "Each home file, Requet group, class of services, laboratory recording, and all IoT in turn. A kind of use that is left out here may "
              "be in training from another source (our own recordings hold web, office, audio, search, downloads, calls).\n", *positive(groups), *negative(groups)]
    lines += ["## TCP and QUIC apart (groups left out)\n", *transports(report["groups lines"], own, carriers)]
    lines += ["## Whole sources left out\n", *positive(sources), *negative(sources)]
    lines += ["## Kinds of use left out everywhere\n", "No recording of this kind, from any source, was in training.\n", *negative(classes)]
    lines += ["## Beside others\n", *beside(*report["baselines"])]
    lines += ["## Failures (groups left out)\n", "Every video session more than 25 % off and every negative one with a minute or more.\n", *failures(report["groups lines"], own)]
    lines += [STUDY.read_text(), FIXED]
    return "\n".join(lines)
