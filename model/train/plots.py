"""The pictures people expect of a classifier, as SVG: small, and the same bytes for the same data."""
import collections

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "streamguard"
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve


def save(figure, place):
    figure.tight_layout()
    figure.savefig(place, metadata={"Date": None})
    plt.close(figure)


def windows(results, column, evidence_bytes):
    """(source, label, score) of labelled windows with evidence, by models that did not see them."""
    source, label, score = [], [], []
    for r in results:
        use = (r.sample.y >= 0) & (r.sample.rows.x[:, column] >= evidence_bytes)
        source += [r.sample.source] * int(use.sum())
        label.append(r.sample.y[use])
        score.append(r.scores[use] / 65535)
    return np.array(source), np.concatenate(label), np.concatenate(score)


def reliability(data, place):
    _, label, score = data
    bins = np.clip((score * 10).astype(int), 0, 9)
    figure, axes = plt.subplots(figsize=(5, 4.5))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    xs = [score[bins == b].mean() for b in range(10) if (bins == b).any()]
    ys = [label[bins == b].mean() for b in range(10) if (bins == b).any()]
    axes.plot(xs, ys, marker="o")
    for x, y, b in zip(xs, ys, [b for b in range(10) if (bins == b).any()]):
        axes.annotate(str(int((bins == b).sum())), (x, y), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axes.set(xlabel="score of left-out windows", ylabel="share that was video", title="Reliability (windows with evidence)")
    save(figure, place / "reliability.svg")


def precision_recall(data, place):
    source, label, score = data
    figure, axes = plt.subplots(figsize=(5, 4.5))
    for name in ["all", *sorted(set(source))]:
        use = np.ones(len(label), bool) if name == "all" else (source == name)
        if len(set(label[use])) < 2:
            continue
        p, r, _ = precision_recall_curve(label[use], score[use])
        axes.plot(r, p, linewidth=2 if name == "all" else 1, label=f"{name} (AP {average_precision_score(label[use], score[use]):.3f}, n {int(use.sum())})")
    axes.set(xlabel="recall", ylabel="precision", title="Left-out windows with evidence", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(fontsize=7, loc="lower left")
    save(figure, place / "precision_recall.svg")


def importance(trained, names, place):
    total = trained.importance(len(names))
    total /= total.sum()
    order = np.argsort(total)
    figure, axes = plt.subplots(figsize=(6, 8))
    axes.barh([names[i] for i in order], total[order])
    axes.tick_params(axis="y", labelsize=7)
    axes.set(xlabel="share of what the splits gained", title="Feature importance")
    save(figure, place / "importance.svg")
    return [(names[i], round(float(total[i]), 4)) for i in order[::-1]]


def watch_time(results, place):
    by_source = collections.defaultdict(list)
    for r in results:
        by_source[r.sample.source].append((r.sample.client.watched_s / 60, r.counted_s / 60))
    figure, axes = plt.subplots(figsize=(5.5, 5))
    most = max(max(v) for rows in by_source.values() for v in rows)
    line = np.array([0, most])
    axes.plot(line, line, color="0.7", linewidth=1)
    axes.fill_between(line, line * 0.9, line * 1.1, color="0.9")
    for name, rows in sorted(by_source.items()):
        true, counted = np.array(rows).T
        axes.plot(true, counted, ".", markersize=5, label=f"{name} ({len(rows)})")
    axes.set(xlabel="true minutes", ylabel="counted minutes", title="Each session by a model that did not see its group")
    axes.legend(fontsize=7)
    save(figure, place / "watch_time.svg")


def draw(results, trained, names, evidence_bytes, place):
    """All of them; returns the importance list."""
    place.mkdir(parents=True, exist_ok=True)
    data = windows(results, names.index("down_bytes"), evidence_bytes)
    reliability(data, place)
    precision_recall(data, place)
    watch_time([r for r in results if r.sample.source not in ("iot", "attacks")], place)
    return importance(trained, names, place)
