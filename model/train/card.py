"""MODEL_CARD.md: what the shipped artefact is, what it was trained on, what it cannot do. Generated; the numbers are of left-out data."""
import dataset
import evaluate
import recipe
from artifact import fnv1a

HEAD = """# Model card: streaming.forest

Written by `make model`; do not edit. Method and formulas: docs/features.md. Benchmark through the release binary: docs/accuracy.md.

**What it does.** Says for ten seconds of one device's traffic how likely it is that video is being played, from sizes, directions and times
of packets only: no address, port, name, TTL, sequence number or payload. The session layer (constants inside the artefact) turns
that into watched time.

**What it is for.** Counting a household's watch time at its own router. It is no evidence against anybody: it sees traffic, not people.
"""

LIMITS = """## Known limits
* A player's buffer (30-120 s) hides when exactly a picture stops: expect an over-count of up to a minute per stop or pause.
* Video that was fetched as a whole file beforehand, or is in a cache, is invisible. Audio with pictures and video without look alike.
* Audio at high rate, endless scrolling and unseen apps are counted as video until recordings like them are in training
  (`left out` in the tables). What is in training is listed above: anything else is a guess.
* Public positives are YouTube of 2018 at 37-729 kbit/s, a laptop of 2024 and our own laboratory. No TV boxes, no consoles, no DRM players.
"""


def positive_table(results):
    lines = ["| left out | sessions | true min | counted min | mean error | within 10 % |", "|---|---|---|---|---|---|"]
    groups = {}
    for r in results:
        if r.sample.client.positive:
            groups.setdefault(f"{r.fold}: {r.sample.client.kind}", []).append(r)
    for name, rows in sorted(groups.items()):
        errors = [abs(r.error) for r in rows]
        lines.append(f"| {name} | {len(rows)} | {sum(r.sample.client.watched_s for r in rows) / 60:.0f} | {sum(r.counted_s for r in rows) / 60:.0f} "
                     f"| {100 * sum(errors) / len(errors):.1f} % | {100 * sum(e <= 0.1 for e in errors) / len(errors):.0f} % |")
    return lines


def negative_table(results):
    lines = ["| class | sessions | hours | false min | false min/h |", "|---|---|---|---|---|"]
    for name, (minutes, hours, sessions) in evaluate.negatives(results).items():
        lines.append(f"| {name} | {sessions} | {hours:.2f} | {minutes:.1f} | {minutes / hours if hours else 0:.2f} |")
    return lines


def training_table(own):
    rows = {}
    for s in (s for s in own if s.source not in dataset.NOT_TRAINED):
        row = rows.setdefault((s.source, s.client.kind), [0, 0.0, 0.0])
        row[0] += 1
        row[1] += s.client.watched_s / 3600
        row[2] += s.client.other_s / 3600
    lines = ["| source | kind | clients | watched h | other h |", "|---|---|---|---|---|"]
    return lines + [f"| {a} | {b} | {n} | {w:.2f} | {o:.2f} |" for (a, b), (n, w, o) in sorted(rows.items())]


def write(place, data, own, results, ranks):
    size = f"{len(data)} bytes, fingerprint {fnv1a(data[:-8]):016x}, seed {recipe.SEED}"
    boost = recipe.FOREST["boost"]
    parts = [HEAD, f"**Artefact.** {size}. {len(recipe.FOREST['columns'])} × {boost['max_iter']} boosted trees, at most {boost['max_leaf_nodes']} leaves and depth "
             f"{boost['max_depth']}, {recipe.FOREST['cuts']} bins per feature before training; columns: {', '.join(recipe.FOREST['columns'])}.\n", "## Trained on\n", *training_table(own), ""]
    titles = {"groups": "Each group left out", "sources": "Each source left out as a whole"}
    for kind, rows in results.items():
        parts += [f"## {titles[kind]}\n", *positive_table(rows), "", *negative_table(rows), ""]
    parts += ["## What it looks at\n", "Ten most used features (share of impurity decrease): "
              + ", ".join(f"`{name}` {value:.3f}" for name, value in ranks[:10]) + ".\n",
              "![importance](report/importance.svg) ![reliability](report/reliability.svg) ![precision and recall](report/precision_recall.svg) "
              "![watch time](report/watch_time.svg)\n", LIMITS]
    place.write_text("\n".join(parts))
