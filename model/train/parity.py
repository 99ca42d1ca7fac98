"""Rows that a port must score alike, without shipping them.

Both sides draw the rows from the artefact's own cut points: at each feature, from a splitmix64 stream, a cut and a step of -1, 0, 1 or 2, so
that most values stand at a threshold or beside one. `model/parity.json` holds how many rows, the checksum over all scores (u16, little endian)
and the first scores; `tests/parity.rs` draws the same rows and must find the same.
"""
import numpy as np

from artifact import fnv1a

ROWS = 100_000
SEED = 20_240_912


def splitmix64(seed, n):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def rows(cuts, n=ROWS, seed=SEED):
    """n rows of values at and beside the cuts; a feature without cuts is 0."""
    drawn = splitmix64(seed, n * len(cuts)).reshape(n, len(cuts))
    out = np.zeros((n, len(cuts)), np.int64)
    for f, own in enumerate(cuts):
        if len(own):
            place = (drawn[:, f] >> np.uint64(32)) % np.uint64(len(own))
            out[:, f] = np.asarray(own, np.int64)[place.astype(np.int64)] + (drawn[:, f] & np.uint64(3)).astype(np.int64) - 1
    return np.clip(out, -2**31, 2**31 - 1).astype(np.int32)


def expected(flat, fingerprint):
    """What the Rust test must find; of trees that vote for classes, all their counts are hashed and the winners are shown."""
    told = flat.votes if flat.classes else flat.walk
    scores = np.concatenate([told(part) for part in np.array_split(rows(flat.cuts), 20)]).astype("<u2")
    first = scores[:32].argmax(axis=1) if flat.classes else scores[:32]
    return {"model": f"{fingerprint:016x}", "rows": ROWS, "seed": SEED, "scores_fnv1a": f"{fnv1a(scores.tobytes()):016x}",
            "first": first.tolist()}


def mismatches(trained, flat, x):
    """Rows and trees where the flat walk ends in another leaf than scikit-learn; and the largest |score - probability|."""
    from forest import Boosted, quantise
    bins, apart = quantise(x, trained.cuts).astype(np.float32), float(np.abs(flat.walk(x) / 65535 - trained.probability(x)).max())
    kept, wrong = flat.bins(x), 0
    if isinstance(trained, Boosted):
        expected = (boosted_leaves(predictor, flat, bins[:, columns]) for predictor, columns in trained.grown())
    else:
        expected = (np.rint(255 * tree.predict_proba(bins[:, columns])[:, 1]) for m, columns in trained.members for tree in m.estimators_)
    for leaves, root in zip(expected, flat.roots.tolist()):
        wrong += int((flat.leaf(kept, root) != leaves).sum())
    return wrong, apart


def boosted_leaves(predictor, flat, bins):
    """What scikit-learn says of one boosted tree, as the artefact keeps it."""
    from forest import MIDDLE
    nothing = np.zeros((0, 8), np.uint32)
    values = predictor.predict(bins.astype(np.float64), nothing, np.zeros(bins.shape[1], np.uint32), 1)
    return MIDDLE + np.rint(values / flat.link.unit).astype(np.int64)
