"""Reads scenario files: who is in the house, what each one does, and on which line.

A scenario is TOML. Every error is reported at once, with the place it stands;
nothing is started for a scenario with errors. Whatever is left out is drawn
from the seed, so that a short file describes a house of thirty devices.
"""
import dataclasses
import ipaddress
import pathlib
import random
import tomllib

import families
import world

MAX_CLIENTS = 60
PROTOS = ("h1", "h2", "h3")
PAGES = ("hls", "dash", "shaka", "prog", "live", "surf", "audio", "songs", "files")
TOP_KEYS = {
    "name",
    "seed",
    "duration_s",
    "lan",
    "capture",
    "snaplen_bytes",
    "tld",
    "congestion",
    "network",
    "names",
    "client",
}
CLIENT_KEYS = {
    "family",
    "player",
    "page",
    "count",
    "proto",
    "media",
    "segment_s",
    "buffer_s",
    "script",
    "host",
    "title",
    "level",
    "kbps",
    "packing",
    "weight",
    "vpn",
    "beside",
    "name",
    "spec",
}


class ScenarioError(Exception):
    """All that is wrong with a scenario file."""


@dataclasses.dataclass
class Client:
    number: int
    address: str
    mac: str
    family: str
    settings: dict

    @property
    def name(self):
        return f"c{self.number}"

    @property
    def player(self):
        return self.settings.get("player")


@dataclasses.dataclass
class Scenario:
    name: str
    seed: int
    duration_s: int
    lan: ipaddress.IPv4Network | ipaddress.IPv6Network
    capture: str
    snaplen_bytes: int
    tld: str
    congestion: str
    network: dict
    names: dict
    clients: list

    @property
    def router(self):
        return str(self.lan.network_address + 1)


def load(path):
    """The scenario of a file.

    Raises ScenarioError with one line per fault.
    """
    try:
        raw = tomllib.loads(pathlib.Path(path).read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    faults = check(raw)
    if faults:
        raise ScenarioError("\n".join(f"{path}: {f}" for f in faults))
    return build(raw)


def check(raw):
    """Everything that is wrong with a parsed scenario, as lines."""
    faults = [f"unknown key {k}" for k in sorted(raw.keys() - TOP_KEYS)]
    for key, kind in (("name", str), ("seed", int), ("duration_s", int)):
        if not isinstance(raw.get(key), kind):
            faults.append(f"{key}: {kind.__name__} wanted")
    if isinstance(raw.get("duration_s"), int) and not 20 <= raw["duration_s"] <= 7200:
        faults.append("duration_s: 20 to 7200")
    if raw.get("capture", "headers") not in ("headers", "names"):
        faults.append('capture: "headers" or "names"')
    try:
        ipaddress.ip_network(raw.get("lan", "192.168.77.0/24"))
    except ValueError as error:
        faults.append(f"lan: {error}")
    faults += [f"network.{k}: unknown" for k in sorted(raw.get("network", {}).keys() - world.DEFAULT_NETWORK.keys())]
    version = 6 if ":" in str(raw.get("lan", "")) else 4
    faults += [
        f"names.{h}: {a} is no server address"
        for h, a in raw.get("names", {}).items()
        if a not in world.servers(version)
    ]
    if version == 6 and any(c.get("vpn") for c in raw.get("client", [])):
        faults.append("vpn: only on an IPv4 network")
    clients = raw.get("client", [])
    if not clients:
        faults.append("no client")
    for index, one in enumerate(clients):
        faults += [f"client {index + 1}: {f}" for f in check_client(one)]
    if sum(max(1, int(c.get("count", 1))) for c in clients) > MAX_CLIENTS:
        faults.append(f"more than {MAX_CLIENTS} clients")
    return faults


def check_client(one):
    faults = [f"unknown key {k}" for k in sorted(one.keys() - CLIENT_KEYS)]
    if ("family" in one) == ("player" in one):
        faults.append("one of family or player wanted")
    if "family" in one and one["family"] not in families.FAMILIES:
        faults.append(f"unknown family {one['family']}")
    if one.get("beside", "idle") not in families.FAMILIES:
        faults.append(f"unknown family {one['beside']} beside")
    if "player" in one and one["player"] not in families.PLAYERS:
        faults.append(f"unknown player {one['player']}")
    if one.get("page", "hls") not in PAGES:
        faults.append(f"unknown page {one['page']}")
    protos = one.get("proto", [])
    faults += [f"unknown proto {p}" for p in ([protos] if isinstance(protos, str) else protos) if p not in PROTOS]
    last = -1.0
    for step in one.get("script", []):
        if (
            not isinstance(step, list)
            or len(step) < 2
            or not isinstance(step[0], (int, float))
            or step[1] not in ("pause", "resume", "seek", "level", "stop", "start")
        ):
            faults.append(f"script: bad step {step}")
        elif step[0] < last:
            faults.append(f"script: {step} goes back in time")
        else:
            last = step[0]
    return faults


def build(raw):
    lan = ipaddress.ip_network(raw.get("lan", "192.168.77.0/24"))
    rng = random.Random(f"{raw['seed']}/clients")
    clients = []
    for one in raw["client"]:
        for _ in range(max(1, int(one.get("count", 1)))):
            number = len(clients) + 1
            mac = ":".join(f"{b:02x}" for b in (0x02, *(rng.randrange(256) for _ in range(5))))
            settings = dict(one)
            proto = one.get("proto", ["h1", "h2", "h2", "h3"])
            settings["proto"] = proto if isinstance(proto, str) else rng.choice(proto)
            clients.append(
                Client(
                    number, str(lan.network_address + 10 + number), mac, one.get("family") or one["player"], settings
                )
            )
    return Scenario(
        raw["name"],
        raw["seed"],
        raw["duration_s"],
        lan,
        raw.get("capture", "headers"),
        raw.get("snaplen_bytes", 96),
        raw.get("tld", "example"),
        raw.get("congestion", "cubic"),
        raw.get("network", {}),
        raw.get("names", {}),
        clients,
    )
