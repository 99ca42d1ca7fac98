"""docs/accuracy.md: left-out captures through the release binary and the judge's scorer. What `make accuracy` runs.

Protocols: `groups` leaves out each group of every source (each home file, each Requet group, each class of services, all IoT, each
laboratory recording); `sources` a whole source; `classes` one kind of use in every source. For each fold a model is trained without it,
written as an artefact and given to `streamguard analyze --model`. A recording of a held manifest is in no training: leaving it out leaves all. A recording whose packets are not kept is reckoned from its rows by the trainer's own walk
and session layer, which tests hold equal to the program's. Models and predictions are kept in --work and reused.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys

import baselines
import dataset
import evaluate
import recipe
import tables
from artifact import unpack
from extract import ExtractError, Extractor, run
from manifest import BadManifest, read_manifest
from train import teller


def arguments():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--bin", required=True)
    ask.add_argument("--manifest", action="append", required=True, help="the first one is the public library")
    ask.add_argument("--held", action="append", default=[], help="a manifest that is scored and never trained on")
    ask.add_argument("--scorer", required=True)
    ask.add_argument("--cache", type=pathlib.Path, required=True)
    ask.add_argument("--work", type=pathlib.Path, required=True)
    ask.add_argument("--out", type=pathlib.Path, required=True)
    ask.add_argument("--shipped", type=pathlib.Path, default=pathlib.Path("model/streaming.forest"))
    ask.add_argument("--seed", type=int, default=recipe.SEED)
    return ask.parse_args()


def class_folds(samples, public):
    """One kind of negative use of the public library left out wherever it occurs, in our own recordings too."""
    kinds = sorted({s.client.kind for s in samples if s.recording.path.is_relative_to(public) and not s.client.positive and s.source not in ("attacks", "iot")})
    return [evaluate.Fold(f"class {kind}", lambda s, kind=kind: kind in (s.client.kind, s.client.family)) for kind in kinds]


class Judge:
    """Trains a fold's model and asks the program with it."""

    def __init__(self, ask, extractor, own, every, tell):
        self.ask, self.own, self.tell = ask, own, tell
        self.models = evaluate.FoldModels(ask.work, extractor, every, ask.seed)

    def analyze(self, recording, model):
        """(watch_s, windows) by client address."""
        arguments = ["analyze", "--identify", "ip", "--report", "clients,windows", "--json", "--model", str(model)]
        for prefix in recording.lan():
            arguments += ["--lan", prefix]
        said = run(self.ask.bin, arguments, recording.path)
        found = {}
        for client in json.loads(said)["clients"]:
            counted = (client["watch_s"], [{"start_s": w["start_s"], "streaming": bool(w["streaming"])} for w in client.get("windows") or []])
            for address in [client["client"], *(client.get("addresses") or [])]:
                found.setdefault(address, counted)
        return found

    def reckon(self, samples, model):
        """The same from kept rows, where there is no capture to analyze."""
        flat, _, params, _ = unpack(model.read_bytes())
        found = {}
        for sample in samples:
            start, on, inside = evaluate.counted_windows(sample, flat.walk(sample.rows.x), params, self.models.extractor.names)
            windows = [{"start_s": float(s), "streaming": bool(o)} for s, o in zip(start, on)]
            found[sample.client.address] = (float(inside[on].sum()), windows)
        return found

    def run(self, protocol, folds):
        """Prediction lines by manifest place: one line for each labelled client that a fold leaves out; and when sessions began."""
        lines, done, begun = collections.defaultdict(list), set(), {}
        for i, fold in enumerate(folds):
            # A client of two kinds is scored by the first fold that leaves it out.
            left = [s for s in self.own if fold.left_out(s) and (s.recording.path, s.client.address) not in done]
            done.update((s.recording.path, s.client.address) for s in left)
            by_recording = collections.defaultdict(list)
            for sample in left:
                by_recording[sample.recording.file].append(sample)
            model = self.models.place(fold)
            begun.update(self.begun([s for s in left if s.client.positive], model))
            for samples in by_recording.values():
                recording = samples[0].recording
                said = self.analyze(recording, model) if recording.path.exists() else self.reckon(samples, model)
                lines[recording.path.parents[recording.file.count("/")]] += predictions(recording, samples, said)
            self.tell(f"{protocol} {i + 1}/{len(folds)} {fold.name}: {len(left)} clients")
        return lines, begun

    def begun(self, samples, model):
        """Seconds from the first picture to a session, or None, by capture and client; by the trainer's walk."""
        flat, _, params, _ = unpack(model.read_bytes())
        return {(s.recording.file, s.client.address): evaluate.begun_after(s, flat.walk(s.rows.x), params, self.models.extractor.names) for s in samples}


def predictions(recording, samples, said):
    if recording.anyone:
        rows = [(address, *said[address]) for address in sorted(said)] + [("", 0.0, [])]
    else:
        rows = [(s.client.address, *said[s.client.address]) for s in samples if s.client.address in said]
    return [{"file": recording.file, "client": a, "watch_s": w, "windows": ws} for a, w, ws in rows]


def scored(ask, root, lines, name):
    """The scorer's tables of one manifest, kept to the clients that have a line."""
    place = ask.work / f"{name}.jsonl"
    place.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = subprocess.run([sys.executable, ask.scorer, str(root / "manifest.csv"), str(place), "--json"], capture_output=True, check=True)
    return json.loads(done.stdout)


def main():
    ask, tell = arguments(), teller()
    try:
        extractor = Extractor(ask.bin, ask.cache)
        recordings = [r for path in ask.manifest for r in read_manifest(path)]
        own, every = dataset.load(recordings, extractor, tell)
        own += dataset.load([r for path in ask.held for r in read_manifest(path)], extractor, tell)[0]
        judge = Judge(ask, extractor, own, every, tell)
        report, public = {}, pathlib.Path(ask.manifest[0]).parent
        for protocol, folds in (("groups", evaluate.group_folds(own)), ("sources", evaluate.source_folds(own)), ("classes", class_folds(own, public))):
            lines, report[protocol + " begun"] = judge.run(protocol, folds)
            if protocol == "groups":
                for recording in (r for r in recordings if r.source == "attacks"):
                    said = judge.analyze(recording, ask.shipped)
                    lines[recording.path.parents[recording.file.count("/")]] += predictions(recording, [], said)
            report[protocol] = {str(root): scored(ask, root, rows, f"{protocol}-{i}") for i, (root, rows) in enumerate(sorted(lines.items(), key=lambda item: (item[0] != public, item[0])))}
            report[protocol + " lines"] = {(line["file"], line["client"]): line["watch_s"] for rows in lines.values() for line in rows}
        report["baselines"] = baselines.compare(own, report["groups lines"], extractor.names, ask.seed)
    except (ExtractError, OSError, subprocess.CalledProcessError) as problem:
        print(f"accuracy: {problem}", file=sys.stderr)
        return 2
    ask.out.write_text(tables.document(report, own, extractor.names, ask.shipped.read_bytes()))
    tell(f"wrote {ask.out}")
    print(file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BadManifest as error:
        sys.exit(f"manifest: {error}")
