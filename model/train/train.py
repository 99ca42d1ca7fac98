"""Train, evaluate, export: what `make model` runs.

    train.py --bin target/release/streamguard --manifest MANIFEST... --out model/streaming.forest --report model/report --card model/MODEL_CARD.md

Rows come from `streamguard features` and are cached in --cache and models of folds in --work, so a second run, or one that was broken off, goes
on where the first stopped. `--no-folds` only fits and exports (for trying things).
"""
import argparse
import json
import pathlib
import sys
import time

import numpy as np

import card
import dataset
import evaluate
import parity
import plots
import recipe
from artifact import BUDGET_BYTES, fnv1a, pack
from extract import ExtractError, Extractor
from forest import flatten, grow
from manifest import BadManifest, read_manifest


def teller():
    begun = time.monotonic()
    interactive = sys.stderr.isatty()

    def tell(text):
        end = "\r" if interactive else "\n"
        print(f"{time.monotonic() - begun:6.0f} s  {text:70.70s}", end=end, file=sys.stderr, flush=True)
    return tell


def arguments():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--bin", required=True)
    ask.add_argument("--manifest", action="append", required=True)
    ask.add_argument("--out", type=pathlib.Path, required=True)
    ask.add_argument("--cache", type=pathlib.Path, required=True)
    ask.add_argument("--work", type=pathlib.Path, help="where models of folds are kept")
    ask.add_argument("--report", type=pathlib.Path)
    ask.add_argument("--parity", type=pathlib.Path, help="where to write what tests/parity.rs compares with")
    ask.add_argument("--card", type=pathlib.Path)
    ask.add_argument("--seed", type=int, default=recipe.SEED)
    ask.add_argument("--no-folds", action="store_true")
    return ask.parse_args()


def fit(samples, names, seed):
    """(trained, flat, number of rows, their spread) on all samples given."""
    x, y, w = dataset.matrix(samples, names, recipe.SETTINGS.evidence_bytes, seed)
    trained = grow(x, y, w, recipe.FOREST, recipe.columns_of(names), seed)
    return trained, flatten(trained), len(y), spread(x, w)


def spread(x, weight):
    """How each column is spread over training: four bounds and the share of rows, per mille, that exceeds 0 to 4 of them. What
    `doctor` holds a household's windows against (src/engine/drift.rs)."""
    out = []
    for column in x.T:
        order = np.argsort(column, kind="stable")
        grown = np.cumsum(weight[order]) / weight.sum()
        bounds = column[order][np.searchsorted(grown, np.arange(1, 5) / 5)]
        bins = np.searchsorted(bounds, column, side="left")
        shares = np.bincount(bins, weights=weight, minlength=5) / weight.sum()
        out.append({"bounds": [int(b) for b in bounds], "shares_pm": [round(1000 * s) for s in shares]})
    return out


def contents(own, rows):
    """What the artefact says of its training: hours by source, no paths and no dates."""
    by_source = {}
    for sample in (s for s in own if s.source not in dataset.NOT_TRAINED):
        entry = by_source.setdefault(sample.source, {"clients": 0, "watched_h": 0.0, "other_h": 0.0})
        entry["clients"] += 1
        entry["watched_h"] += sample.client.watched_s / 3600
        entry["other_h"] += sample.client.other_s / 3600
    for entry in by_source.values():
        entry["watched_h"], entry["other_h"] = round(entry["watched_h"], 2), round(entry["other_h"], 2)
    return {"rows": rows, "sources": by_source}


def main():
    ask, tell = arguments(), teller()
    try:
        extractor = Extractor(ask.bin, ask.cache)
        recordings = [r for path in ask.manifest for r in read_manifest(path)]
        own, every = dataset.load(recordings, extractor, tell)
    except (ExtractError, OSError) as problem:
        print(f"train: {problem}", file=sys.stderr)
        return 2
    names, params = extractor.names, recipe.SETTINGS.params()
    trained, flat, rows, spread_of = fit(every, names, ask.seed)
    wrong, apart = parity.mismatches(trained, flat, parity.rows(flat.cuts))
    if wrong or apart > (1 / 64 if flat.link else 1 / 256):
        print(f"train: {wrong} leaves differ from scikit-learn's, scores by up to {apart:.5f}", file=sys.stderr)
        return 2
    tell(f"parity: {parity.ROWS} rows at thresholds, no leaf differs, scores within {apart:.5f}")
    summary = {"training": contents(own, rows), "seed": ask.seed, "spread": spread_of}
    results = {}
    if not ask.no_folds:
        for kind, folds in (("groups", evaluate.group_folds(own)), ("sources", evaluate.source_folds(own))):
            results[kind] = evaluate.left_out(folds, own, evaluate.FoldModels(ask.work, extractor, every, ask.seed), tell)
        summary["left_out"] = evaluate.summary(results["groups"])
    data = pack(flat, extractor.schema_hash, params, summary)
    if len(data) > BUDGET_BYTES:
        print(f"train: {len(data)} bytes, budget {BUDGET_BYTES}", file=sys.stderr)
        return 2
    ask.out.write_bytes(data)
    if ask.parity:
        ask.parity.write_text(json.dumps(parity.expected(flat, fnv1a(data[:-8])), indent=1) + "\n")
    tell(f"{ask.out}: {len(data)} bytes, {len(flat.roots)} trees, {len(flat.nodes)} nodes, depth {flat.depth}")
    if results and ask.report:
        ranks = plots.draw(results["groups"], trained, names, recipe.SETTINGS.evidence_bytes, ask.report)
        (ask.report / "left_out.json").write_text(json.dumps({k: evaluate.summary(v) for k, v in results.items()}, indent=1) + "\n")
        if ask.card:
            card.write(ask.card, data, own, results, ranks)
    print(file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BadManifest as error:
        sys.exit(f"manifest: {error}")
