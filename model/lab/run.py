#!/usr/bin/env python3
"""Records scenarios: builds the lab, lets its clients loose, captures, labels, cleans up.

    run.py [--out DIR] SCENARIO.toml ...

For each scenario a folder DIR/NAME appears with NAME.pcap.zst (headers only),
NAME.pcap.zst.seconds.zst (what the corpus keeps of it: keep.py), manifest.csv
(the project's capture manifest), truth.csv (player states each second) and
plan.json (everything that was drawn). A scenario whose folder holds
a manifest is done and skipped: an interrupted batch goes on where it stopped.
Needs root; everything happens in namespaces sglab-*, which are removed at the end.
"""
import argparse
import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import families
import keep
import labels
import net
import players
import scenario as scenarios
import trim
import tunnel
import world

HERE = pathlib.Path(__file__).resolve().parent
# A starved client stretches its timing; what the lab takes is little.
NICE = ["nice", "-n", "3"]
WORK = pathlib.Path(os.environ.get("STREAMGUARD_LAB_WORK") or HERE.parent / "work" / "lab")


class Run:
    """One recording from start to manifest."""

    def __init__(self, scenario, out):
        self.scenario = scenario
        self.folder = out / scenario.name
        self.logs = self.folder / "log"
        self.world = world.World(scenario.seed, scenario.names, scenario.tld, scenario.lan.version)
        self.processes, self.threads = [], []

    def record(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.logs.mkdir(parents=True)
        plans = self.plan()
        (self.folder / "plan.json").write_text(json.dumps({"hosts": self.world.hosts, "plans": plans}, indent=1))
        raw = self.folder / "raw.pcap"
        try:
            self.start(plans, raw)
            self.watch(raw)
        finally:
            self.stop()
        return self.finish(raw)

    def plan(self):
        """Draws what every client will do; nothing runs yet."""
        plans = {}
        for client in self.scenario.clients:
            if client.player:
                one = players.KINDS[client.player](self.scenario, client, WORK, self.logs, self.world)
                one.prepare()
                self.threads.append(one)
                plans[client.name] = {
                    "player": client.player,
                    "page": one.page,
                    "proto": one.proto,
                    "host": one.host,
                    "title": one.title,
                    "segment_s": one.segment_s,
                    "buffer_s": one.buffer_s,
                    "script": one.script,
                }
            else:
                rng = random.Random(f"{self.scenario.seed}/plan/{client.number}/{client.family}")
                proto = client.settings["proto"]
                plans[client.name] = families.plan(client.family, rng, self.world, proto, self.scenario.duration_s - 2)
                override(plans[client.name], client.settings)
                families.rename_tunnelled(plans[client.name], client.settings.get("vpn"))
            if beside := client.settings.get("beside"):
                rng = random.Random(f"{self.scenario.seed}/beside/{client.number}/{beside}")
                plans[client.name]["beside"] = families.plan(
                    beside, rng, self.world, client.settings["proto"], self.scenario.duration_s - 2, odds=0
                )
        return plans

    def start(self, plans, raw):
        scenario = self.scenario
        net.up(scenario)
        certificate, key = self.certificate()
        players.Chromium.spki = players.key_pin(certificate)
        table = self.logs / "lines"
        table.write_text(world.line_table(scenario.seed, [c.address for c in scenario.clients], scenario.network))
        self.processes.append(net.start_line(WORK / "delay", table))
        self.processes.append(net.start_dns(scenario, self.world.hosts, self.logs))
        self.start_farm(certificate, key)
        for client in (c for c in scenario.clients if c.settings.get("vpn")):
            self.processes += tunnel.up(client, scenario)
        time.sleep(1.5)
        self.processes.append(net.start_capture(raw, scenario.snaplen_bytes))
        time.sleep(1)
        for client in scenario.clients:
            plan = plans[client.name]
            if not client.player:
                self.start_light(client, client.name, plan)
            if "beside" in plan:
                # no word in the labels: what counts is what the client does
                self.start_light(client, f"{client.name}-beside", plan["beside"])
        for thread in self.threads:
            thread.start()

    def start_farm(self, certificate, key):
        """The servers of all names, on all addresses."""
        addresses = ",".join(world.servers(self.scenario.lan.version))
        h1 = ",".join(t.host for t in self.threads if t.proto == "h1")
        words = ["server", "-cert", certificate, "-key", key, "-root", players.web_root(WORK), "-addr", addresses]
        errors = open(self.logs / "server.err", "w")
        farm = net.inside("wan", *NICE, WORK / "traffic", *words, "-h1", h1)
        self.processes.append(subprocess.Popen(farm, stdout=subprocess.DEVNULL, stderr=errors))

    def start_light(self, client, name, plan):
        file = self.logs / f"{name}.plan"
        file.write_text(json.dumps(plan))
        out, errors = open(self.logs / f"{name}.jsonl", "w"), open(self.logs / f"{name}.err", "w")
        words = [*NICE, "env", "GOMAXPROCS=1", "GOGC=50", WORK / "traffic", "client", "-plan", file]
        self.processes.append(subprocess.Popen(net.inside(client.name, *words), stdout=out, stderr=errors))

    def watch(self, raw):
        """Waits for the run to end and says how it goes."""
        began, said = time.time(), 0
        while (passed := time.time() - began) < self.scenario.duration_s:
            time.sleep(min(2, max(0.1, self.scenario.duration_s - passed)))
            if passed - said >= 30:
                said = passed
                size = raw.stat().st_size / 1e6 if raw.exists() else 0
                clock = f"{int(passed) // 60:02d}:{int(passed) % 60:02d} of {self.scenario.duration_s // 60} min"
                state = f"{len(self.scenario.clients)} clients, {size:.0f} MB captured, load {os.getloadavg()[0]:.1f}"
                print(f"{self.scenario.name} {clock}, {state}", flush=True)

    def stop(self):
        for thread in self.threads:
            thread.stop()
        # newest first: clients, then the capture, last the servers
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    process.kill()
        net.down()

    def finish(self, raw):
        """Cuts the capture, writes labels and truth."""
        name = f"{self.scenario.name}.pcap.zst"
        names = self.scenario.capture == "names"
        shape = trim.trim_file(raw, self.folder / name, self.scenario.capture, 19 if names else 6)
        raw.unlink()
        events = {c.name: labels.read_events(self.logs / f"{c.name}.jsonl") for c in self.scenario.clients}
        rows = labels.rows(self.scenario, name, shape, events)
        labels.write_truth(self.folder / "truth.csv", self.scenario, shape.first, events)
        labels.write_manifest(self.folder / "manifest.csv", rows)
        return rows, shape

    def certificate(self):
        certificate, key = WORK / "cert.pem", WORK / "key.pem"
        if not certificate.exists():
            subprocess.run(
                [
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                    "-keyout",
                    key,
                    "-out",
                    certificate,
                    "-days",
                    "3650",
                    "-subj",
                    "/CN=lab.example",
                    "-addext",
                    "subjectAltName=DNS:*.example",
                ],
                check=True,
                capture_output=True,
            )
        return certificate, key


def override(plan, settings):
    """Lets a scenario fix what would be drawn: any number of a light client's activities."""
    for one in plan["activities"]:
        if one["engine"] != "idle":
            one["spec"].update(settings.get("spec", {}))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("scenario", nargs="+")
    arguments.add_argument("--out", type=pathlib.Path, default=WORK / "rec")
    arguments.add_argument("--bin", type=pathlib.Path, default=keep.BINARY, help="streamguard, which counts the seconds")
    given = arguments.parse_args()
    if os.geteuid() != 0:
        print("lab: needs root (network namespaces)", file=sys.stderr)
        return 2
    try:
        wanted = [scenarios.load(path) for path in given.scenario]
    except scenarios.ScenarioError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    lock = open(f"/run/{net.PREFIX}lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("lab: another run is under way", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for one in wanted:
        if (given.out / one.name / "manifest.csv").exists():
            print(f"{one.name}: recorded already")
            continue
        rows, shape = Run(one, given.out).record()
        summary = ", ".join(
            f"{cls} {'watching' if label == 'streaming' else 'other'} {h:.2f} h"
            for (label, cls), h in sorted(labels.hours(rows).items())
        )
        print(f"{one.name}: {shape.packets} packets, {shape.duration:.0f} s; {summary}", flush=True)
        try:
            keep.keep_seconds(given.bin, given.out / one.name / f"{one.name}.pcap.zst")
        except (keep.KeepError, OSError) as error:
            # the packets are there: keep.py makes them later
            print(f"{one.name}: no seconds: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
