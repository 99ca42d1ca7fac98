"""Leaving out whole groups and whole sources, through the same integers that the program runs.

`Fold` = what is left out. A session is one labelled client of one capture; its error is |counted - true| / true minutes, a negative
session gives false minutes per hour. docs/accuracy.md repeats this through the release binary and the judge's scorer.
"""
import collections
import dataclasses
import hashlib
import math
import pathlib

import numpy as np

import recipe
from artifact import pack, unpack
from dataset import matrix
from extract import WINDOW_S
from forest import flatten, grow
from manifest import WATCHED
from session import counted, steps


# A window is judged when nothing that is late can count any more.
LATE_S = 1.0


@dataclasses.dataclass
class Fold:
    name: str
    left_out: callable


def group_folds(samples):
    """Every group of every source in turn; of our own laboratory, every recording."""
    names = sorted({s.group for s in samples if s.source not in ("attacks", "protocols")})
    return [Fold(name, lambda s, name=name: s.group == name) for name in names]


def source_folds(samples):
    names = sorted({s.source for s in samples if s.source not in ("attacks", "protocols")})
    return [Fold(f"source {name}", lambda s, name=name: s.source == name) for name in names]


@dataclasses.dataclass
class Result:
    """One session as counted by a model that did not see it."""

    fold: str
    sample: object
    scores: np.ndarray
    counted_s: float
    stops_s: list

    @property
    def error(self):
        true = self.sample.client.watched_s
        return (self.counted_s - true) / true


def judge(fold, sample, flat, params, names, sensitivity="normal"):
    """The result of a flat forest and session constants on one session."""
    rows = sample.rows
    scores = flat.walk(rows.x)
    return rejudge(Result(fold, sample, scores, 0.0, []), params, names, sensitivity)


def session_input(sample, scores, names):
    """(start of window 0, window numbers, the columns that the session layer reads) of a client's rows."""
    rows = sample.rows
    first = rows.start_s[0] if len(rows.start_s) else 0.0
    numbers = np.rint((rows.start_s - first) / WINDOW_S).astype(np.int64)
    columns = ("down_bytes", "down_packets", "bursts_120", "burst_period", "burst_period_cv")
    return first, numbers, [scores, *(rows.x[:, names.index(name)].astype(np.int64) for name in columns)]


def begun_after(sample, scores, params, names):
    """Seconds from the first one watched until the program says so: a second after the end of the window in which a session is on."""
    first, numbers, columns = session_input(sample, scores, names)
    watched = min(start for start, _, label in sample.client.intervals if label == WATCHED)
    for no, became in steps(params, numbers, *columns):
        told = first + WINDOW_S * (no + 1) + LATE_S
        if len(became) and told > watched + LATE_S:
            return told - watched
    return None


def counted_windows(sample, scores, params, names, sensitivity="normal"):
    """(starts, whether each is counted, seconds of it inside the capture) of a client's windows."""
    first, numbers, columns = session_input(sample, scores, names)
    on = counted(params, numbers, *columns, sensitivity=sensitivity)
    start = first + WINDOW_S * np.arange(len(on))
    inside = np.clip(np.minimum(start + WINDOW_S, sample.recording.duration_s) - np.maximum(start, 0), 0, WINDOW_S)
    return start, on, inside


def rejudge(result, params, names, sensitivity="normal"):
    """The same scores under other session constants."""
    start, on, inside = counted_windows(result.sample, result.scores, params, names, sensitivity)
    return Result(result.fold, result.sample, result.scores, float(inside[on].sum()), over_counts(result.sample.client, start, on))


def over_counts(client, start, on):
    """Seconds counted after each stop or pause, as the judge's scorer has them."""
    out = []
    for _, end, label in client.intervals:
        after = [b for a, b, k in client.intervals if k == "other" and abs(a - end) <= 2 and b - a >= 60]
        if label != WATCHED or not after or not len(start):
            continue
        i, n = math.ceil((end - start[0]) / WINDOW_S - 1e-9), 0
        while i + n < len(on) and on[i + n] and start[i + n] < after[0]:
            n += 1
        out.append(n * WINDOW_S)
    return out


class FoldModels:
    """Artefacts of models that did not see a fold, kept in `work`: whatever was broken off goes on where it stopped."""

    def __init__(self, work, extractor, every, seed):
        self.work, self.extractor, self.every, self.seed = pathlib.Path(work), extractor, every, seed
        self.work.mkdir(parents=True, exist_ok=True)
        here = pathlib.Path(__file__).parent
        of = (recipe.FOREST, recipe.SETTINGS, seed, extractor.schema_hash, sorted({s.recording.file for s in every}),
              [hashlib.sha256((here / name).read_bytes()).hexdigest() for name in ("dataset.py", "forest.py")])
        self.key = hashlib.sha256(repr(of).encode()).hexdigest()[:12]

    def place(self, fold):
        """Where the artefact of this fold is, made if it is not there."""
        place = self.work / f"{self.key}-{fold.name.replace('/', '_').replace(' ', '_')}.forest"
        if not place.exists():
            names = self.extractor.names
            x, y, w = matrix([s for s in self.every if not fold.left_out(s)], names, recipe.SETTINGS.evidence_bytes, self.seed)
            flat = flatten(grow(x, y, w, recipe.FOREST, recipe.columns_of(names), self.seed))
            temporary = place.with_suffix(".tmp")
            temporary.write_bytes(pack(flat, self.extractor.schema_hash, recipe.SETTINGS.params(), {"left_out": fold.name}))
            temporary.replace(place)
        return place


def left_out(folds, own, models, tell=lambda text: None):
    """Results of every session by the model of its fold."""
    results, names, params = [], models.extractor.names, recipe.SETTINGS.params()
    for i, fold in enumerate(folds):
        flat = unpack(models.place(fold).read_bytes())[0]
        results += [judge(fold.name, s, flat, params, names) for s in own if fold.left_out(s)]
        tell(f"fold {i + 1}/{len(folds)} {fold.name}")
    return results


def positives(results):
    table = collections.defaultdict(list)
    for r in results:
        if r.sample.client.positive:
            table[r.sample.group if r.sample.source != "lab" else f"lab {r.sample.client.family}"].append(r.error)
    return {k: np.array(v) for k, v in sorted(table.items())}


def negatives(results):
    """(false minutes, hours, sessions) by source and kind."""
    table = collections.defaultdict(lambda: [0.0, 0.0, 0])
    for r in results:
        if not r.sample.client.positive:
            row = table[f"{r.sample.source} {r.sample.client.family}"]
            row[0] += r.counted_s / 60
            row[1] += r.sample.client.other_s / 3600
            row[2] += 1
    return dict(sorted(table.items()))


def summary(results):
    """The numbers that choices are made on."""
    good, bad = positives(results), negatives(results)
    pooled = np.abs(np.concatenate([v for k, v in good.items() if k.startswith("requet")] or [np.zeros(0)]))
    stops = [s for r in results for s in r.stops_s]
    return {"requet_sessions": len(pooled), "requet_error_pct": pct(pooled.mean()) if len(pooled) else None,
            "requet_within_10_pct": pct(np.mean(pooled <= 0.1)) if len(pooled) else None,
            "stops": len(stops), "over_per_stop_s": float(np.median(stops)) if stops else None,
            "error_pct": {k: pct(np.abs(v).mean()) for k, v in good.items()},
            "false_min_per_h": {k: round(m / h, 2) for k, (m, h, _) in bad.items() if h}}


def pct(share):
    return round(100 * float(share), 1)
