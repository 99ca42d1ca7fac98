"""Rows with labels and weights: what the forest is fitted on.

* A row is used if its window carried evidence (the session layer asks about no other) and at least 90 % of the window inside the
  capture has one label.
* Rows of one kind of use and place form a *stratum*; strata count by the square root of their size, sources by the
  square root of their strata and the two labels the same, so that neither 200 captures of one laboratory nor a single odd one decide.
"""
import collections

import numpy as np

from extract import WINDOW_S
from manifest import WATCHED

SHIFTS = (0, 3, 5, 8)
# Sparse for hours: a few hundred rows say what there is to say.
LONG_S = 20_000
STRATUM_CAP = 4000
DOWN_BYTES = "down_bytes"
# Only ever asked about: a model that learnt attacks would say little by counting none.
NOT_TRAINED = ("attacks", "protocols")


def labels(client, start_s, duration_s):
    """Per window 1 watched, 0 other, -1 unknown."""
    begin, end = np.maximum(start_s, 0), np.minimum(start_s + WINDOW_S, duration_s)
    inside = np.maximum(end - begin, 1e-6)
    out = np.full(len(start_s), -1, np.int8)
    for value in (1, 0):
        covered = np.zeros(len(start_s))
        for first, last, label in client.intervals:
            if (label == WATCHED) == (value == 1):
                covered += np.clip(np.minimum(end, last) - np.maximum(begin, first), 0, None)
        out[(covered / inside >= 0.9) & (inside >= 1)] = value
    return out


class Sample:
    """The rows of one labelled client at one shift."""

    def __init__(self, recording, client, rows):
        self.recording, self.client, self.rows = recording, client, rows
        self.y = labels(client, rows.start_s, recording.duration_s)

    @property
    def source(self):
        return self.recording.source

    @property
    def group(self):
        """What is left out together."""
        if self.source == "iot":
            return "iot"
        return f"{self.source}/{self.recording.group}"

    @property
    def stratum(self):
        if self.source in ("lab", "own"):
            return f"{self.source}/{self.client.family}"
        return self.group


def load(recordings, extractor, tell=lambda text: None):
    """(samples at the captures' own phase, samples at every shift)."""
    own, every = [], []
    for i, recording in enumerate(recordings):
        shifts = (0,) if recording.duration_s > LONG_S or recording.anyone else SHIFTS
        for shift in shifts:
            found = extractor.rows(recording, shift)
            for address, client in recording.clients.items():
                for name in (found if not address else [address]):
                    if name not in found:
                        continue
                    sample = Sample(recording, client, found[name])
                    every.append(sample)
                    if shift == 0:
                        own.append(sample)
        tell(f"rows {i + 1}/{len(recordings)} {recording.file}")
    return own, every


def matrix(samples, names, evidence_bytes, seed=0):
    """x, y, weights of the rows to fit on."""
    rng, column = np.random.RandomState(seed), names.index(DOWN_BYTES)
    rows, labels_of, strata = [], [], []
    for sample in samples:
        if sample.recording.source in NOT_TRAINED:
            continue
        use = np.flatnonzero((sample.y >= 0) & (sample.rows.x[:, column] >= evidence_bytes))
        rows.append(sample.rows.x[use])
        labels_of.append(sample.y[use])
        strata += [sample.stratum] * len(use)
    x, y, strata = np.vstack(rows), np.concatenate(labels_of), np.array(strata)
    keep = []
    for stratum in np.unique(strata):
        for label in (0, 1):
            here = np.flatnonzero((strata == stratum) & (y == label))
            keep.append(here if len(here) <= STRATUM_CAP else np.sort(rng.choice(here, STRATUM_CAP, replace=False)))
    keep = np.concatenate(keep)
    return x[keep], y[keep], weights(y[keep], strata[keep])


def weights(y, strata):
    """Square roots twice: of a stratum's size within its source, and of a source's sum within its label."""
    out, sources = np.zeros(len(y)), np.array([stratum.split("/")[0] for stratum in strata])
    for label in (0, 1):
        for stratum, size in collections.Counter(strata[y == label].tolist()).items():
            out[(y == label) & (strata == stratum)] = size ** -0.5
        for source in np.unique(sources[y == label]):
            here = (y == label) & (sources == source)
            out[here] /= out[here].sum() ** 0.5
        if (y == label).any():
            out[y == label] /= out[y == label].sum()
    return out * len(y) / 2
