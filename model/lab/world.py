"""Names, addresses and lines of one run: the invented internet behind the lab's router.

Everything is drawn from the run's seed, so that a run can be repeated and two
runs share nothing a classifier could learn by heart: not a host name, not which
address serves what, not a line's rate or delay. Real domain names appear only
where a scenario asks for one (`[names]`), to exercise the service table; they
resolve, inside the lab, to the lab's own server.
"""
import ipaddress
import random

SERVER_NETS = {4: ("203.0.113.0/24", "198.51.100.0/24"), 6: ("2001:db8:1::/64", "2001:db8:2::/64")}
FIRST_SERVER, LAST_SERVER = 10, 34
SYLLABLES = (
    "lu",
    "men",
    "ka",
    "ro",
    "vi",
    "sta",
    "no",
    "pel",
    "tri",
    "do",
    "ma",
    "zen",
    "flu",
    "gra",
    "ori",
    "bek",
    "sal",
    "tem",
)
PREFIX = {
    "video": ("cdn", "vod", "edge", "seg", "stream", "media"),
    "video_api": ("api", "www", "player"),
    "audio": ("audio", "radio", "listen", "cast"),
    "web": ("www", "static", "img", "assets", "fonts", "shop", "news"),
    "ads": ("ads", "metrics", "tags", "pixel", "beacon"),
    "download": ("dl", "files", "pkg", "update", "mirror"),
    "cloud": ("drive", "sync", "docs", "office", "mail", "push"),
    "call": ("turn", "media", "sip", "rtc"),
    "game": ("play", "eu1", "match"),
    "iot": ("mqtt", "hub", "telemetry", "device"),
}


def servers(version=4):
    """All server addresses of the lab, of one IP version."""
    return [
        str(ipaddress.ip_network(net)[i]) for net in SERVER_NETS[version] for i in range(FIRST_SERVER, LAST_SERVER + 1)
    ]


class World:
    """Host names and their addresses; `names` fixes some of them."""

    def __init__(self, seed, names=None, tld="example", version=4):
        self.rng = random.Random(f"{seed}/world")
        self.tld = tld
        self.hosts = {}
        self.pool = {}
        for host, address in (names or {}).items():
            self.hosts[host] = address
        free = servers(version)
        self.rng.shuffle(free)
        # each kind of service owns some addresses; a service never serves another kind
        for kind in sorted(PREFIX):
            count = {"web": 14, "video": 12, "ads": 4, "download": 5, "cloud": 5}.get(kind, 2)
            self.pool[kind], free = free[:count], free[count:]
        used = set(self.hosts.values())
        for kind in self.pool:
            self.pool[kind] = [a for a in self.pool[kind] if a not in used] or self.pool[kind]

    def word(self):
        return "".join(self.rng.choice(SYLLABLES) for _ in range(self.rng.randint(2, 3)))

    def host(self, kind, site=None):
        """A new host name of this kind on one of its addresses."""
        prefix = self.rng.choice(PREFIX[kind])
        name = f"{prefix}{self.rng.choice(['', '', '1', '2', '-a'])}.{site or self.word()}.{self.tld}"
        if name not in self.hosts:
            self.hosts[name] = self.rng.choice(self.pool[kind])
        return name

    def hosts_of(self, kind, low, high):
        """A site and its helpers: several host names, mostly of one domain."""
        site = self.word()
        count = self.rng.randint(low, high)
        return [self.host(kind, site if i < max(2, count // 2) else None) for i in range(count)]


def log_uniform(rng, low, high):
    """A draw even on the logarithmic scale."""
    if low >= high:
        return low
    if low <= 0:
        return rng.uniform(low, high)
    return low * (high / low) ** rng.random()


DEFAULT_NETWORK = {
    "down_mbps": [4, 80],
    "up_mbps": [1, 20],
    "rtt_ms": [6, 70],
    "jitter_ms": [0, 10],
    "loss_ppm": [0, 400],
    "queue_ms": [40, 300],
    "hold_ms": [0, 8],
    "server_rtt_ms": [0, 45],
}


def line_table(seed, clients, network):
    """The delayer's table (see delay/delay.rs) for client addresses."""
    spec = {**DEFAULT_NETWORK, **network}
    rng = random.Random(f"{seed}/lines")
    rows = []
    for address in clients:
        row = {
            "down_kbps": int(1000 * log_uniform(rng, *spec["down_mbps"])),
            "up_kbps": int(1000 * log_uniform(rng, *spec["up_mbps"])),
            "rtt_ms": int(log_uniform(rng, *spec["rtt_ms"])),
            "jitter_ms": int(rng.uniform(*spec["jitter_ms"])),
            "loss_ppm": int(rng.uniform(*spec["loss_ppm"])),
            "queue_ms": int(log_uniform(rng, *spec["queue_ms"])),
            "hold_ms": int(rng.uniform(*spec["hold_ms"])),
        }
        rows.append(f"client {address} " + " ".join(f"{k} {v}" for k, v in row.items()))
    version = 6 if ":" in clients[0] else 4
    for address in servers(version):
        rows.append(f"server {address} rtt_ms {int(rng.uniform(*spec['server_rtt_ms']))}")
    return "\n".join(rows) + "\n"
