#!/usr/bin/env python3
"""talk.py KIND SECONDS: traffic of households, and of the attacks that no Debian package makes; run inside a namespace.

Standard library only. SEED in the environment makes another household of the same habits."""
import hashlib
import os
import random
import select
import socket
import struct
import sys
import threading
import time

KIND, SECONDS = sys.argv[1], float(sys.argv[2])
END = time.time() + SECONDS
random.seed(int(os.environ.get("SEED", "7")))
RESOLVER = "192.168.7.1"


def running():
    return time.time() < END


def udp(broadcast=False):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
    if broadcast:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock


def question(name, qtype=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", random.randrange(65536), 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", qtype, 1)


def resolve(name, qtype=1):
    with udp() as sock:
        sock.settimeout(1)
        sock.sendto(question(name, qtype), (RESOLVER, 53))
        try:
            return sock.recv(4096)
        except OSError:
            return None


def ask(sock, path, method="GET", body=b""):
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0\r\nContent-Length: {len(body)}\r\n\r\n"
    sock.sendall(head.encode() + body)
    got = b""
    while b"\r\n\r\n" not in got:
        some = sock.recv(65536)
        if not some:
            return
        got += some
    head, rest = got.split(b"\r\n\r\n", 1)
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
    left = length - len(rest)
    while left > 0:
        left -= len(sock.recv(65536)) or left


def get(host, path="/index.html", times=1):
    try:
        with socket.create_connection((host, 80), 3) as sock:
            for _ in range(times):
                ask(sock, path)
    except OSError:
        pass


def spawn(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def browse(think=4.0):
    """A page: a dozen hosts, a name each, parallel connections; then reading."""
    think = float(os.environ.get("THINK", think))
    while running():
        def one(number):
            resolve(f"host{number}.example.net")
            resolve(f"host{number}.example.net", 28)
            path = random.choice(["/index.html", "/f20k"])
            for thread in [spawn(get, f"198.51.100.{number % 250 + 1}", path, random.randint(1, 3)) for _ in range(random.randint(1, 3))]:
                thread.join(4)
        pages = []
        for _ in range(random.randint(6, 20)):
            pages.append(spawn(one, random.randrange(400)))
            time.sleep(random.expovariate(30))
        for thread in pages:
            thread.join(5)
        time.sleep(min(max(0, END - time.time()), random.expovariate(1 / think)))


def video():
    while running():
        began = time.time()
        get("198.51.100.77", "/seg")
        time.sleep(max(0, 4 - (time.time() - began)))


def game():
    """The list of 120 servers, then an hour of 60 packets a second, here in short."""
    with udp() as sock:
        sock.bind(("", 27005))
        for number in range(120):
            sock.sendto(b"\xff\xff\xff\xffTSource Engine Query\0", (f"198.51.100.{number + 1}", 27015))
            time.sleep(0.004)
        sock.setblocking(False)
        while running():
            sock.sendto(os.urandom(random.randint(40, 110)), ("198.51.100.200", 27015))
            try:
                while True:
                    sock.recv(2048)
            except BlockingIOError:
                pass
            time.sleep(1 / 64)


def game_server():
    with udp() as sock:
        sock.bind(("0.0.0.0", 27015))
        sock.settimeout(0.2)
        while running():
            try:
                data, peer = sock.recvfrom(2048)
            except OSError:
                continue
            size = random.randint(60, 100) if data[:4] == b"\xff\xff\xff\xff" else random.randint(100, 400)
            sock.sendto(os.urandom(size), peer)


def torrent():
    """Peers, six of ten of them gone, and a hash table over datagrams."""
    def peer(number):
        alive = random.random() < 0.4
        host = f"198.51.100.{random.randrange(1, 251)}" if alive else f"198.18.{random.randrange(256)}.{random.randrange(1, 255)}"
        port = (80 if number % 2 else 6881) if alive else random.randrange(10_000, 60_000)
        try:
            with socket.create_connection((host, port), 2) as sock:
                sock.sendall(b"\x13BitTorrent protocol" + os.urandom(48))
                for _ in range(random.randrange(1, 30)):
                    sock.sendall(os.urandom(random.choice([17, 17, 17, 68, 1400])))
                    time.sleep(random.random())
        except OSError:
            pass
    table = udp()
    table.bind(("", 51413))
    for number in range(10_000):
        if not running():
            return
        if number < 600:
            spawn(peer, number)
        for _ in range(3):
            to = (f"198.51.100.{random.randrange(1, 251)}", random.randrange(1025, 65535))
            table.sendto(b"d1:ad2:id20:" + os.urandom(20) + b"e1:q4:ping1:t2:aa1:y1:qe", to)
        time.sleep(random.expovariate(8))


def accept(port, talk):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(500)
    listener.settimeout(0.3)
    while running():
        try:
            spawn(talk, listener.accept()[0])
        except OSError:
            pass


def peers():
    def talk(sock):
        sock.settimeout(8)
        try:
            while sock.recv(4096):
                sock.sendall(os.urandom(random.choice([5, 5, 68, 1400, 1400])))
        except OSError:
            pass
    accept(6881, talk)


def chatter():
    """mDNS, SSDP and NetBIOS of a smart home."""
    services = ["_googlecast", "_airplay", "_ipp", "_spotify-connect", "_hap", "_raop", "_smb", "_sonos"]
    with udp(broadcast=True) as sock:
        while running():
            for service in random.sample(services, 4):
                sock.sendto(question(f"{service}._tcp.local", 12), ("224.0.0.251", 5353))
            for target in ("ssdp:all", "upnp:rootdevice"):
                sock.sendto(f'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\nST: {target}\r\n\r\n'.encode(), ("239.255.255.250", 1900))
                time.sleep(0.05)
            for _ in range(random.randint(2, 12)):
                sock.sendto(b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNTS: ssdp:alive\r\nUSN: uuid:" + os.urandom(8).hex().encode() + b"\r\n\r\n", ("239.255.255.250", 1900))
            sock.sendto(os.urandom(50), ("192.168.7.255", 137))
            time.sleep(random.expovariate(1.2))


def discovery():
    """An app that looks for devices: announcements first, then it fetches descriptions from who is there."""
    spawn(chatter)
    ports = (80, 443, 631, 1400, 5000, 7000, 8008, 8009, 8080, 9100, 49152)
    while running():
        for host in ("192.168.7.1", "192.168.7.30", "192.168.7.40", "192.168.7.50"):
            for port in random.sample(ports, 6):
                try:
                    socket.create_connection((host, port), 0.3).close()
                except OSError:
                    pass
                time.sleep(0.1)
        time.sleep(5)


def names():
    """Anti-virus, telemetry and reverse look-ups: long random labels, TXT, PTR."""
    while running():
        kind = random.random()
        if kind < 0.35:
            label = hashlib.md5(os.urandom(4)).hexdigest() + "." + hashlib.sha1(os.urandom(4)).hexdigest()[:20]
            resolve(f"{label}.wild.example.com")
        elif kind < 0.45:
            resolve("txt.wild.example.com", 16)
        elif kind < 0.6:
            resolve(".".join(str(random.randrange(256)) for _ in range(4)) + ".in-addr.arpa", 12)
        else:
            resolve(f"cdn{random.randrange(400)}.akam.example.org", random.choice([1, 28, 65]))
        time.sleep(random.expovariate(12))


def idle():
    """Messengers: ninety connections that say a word now and then."""
    socks = []
    for number in range(90):
        try:
            socks.append(socket.create_connection((f"198.51.100.{number % 20 + 1}", 1883), 2))
        except OSError:
            pass
        time.sleep(0.05)
    while running():
        random.choice(socks).sendall(b"\xc0\x00")
        time.sleep(0.2)


def idle_server():
    def talk(sock):
        while running():
            if select.select([sock], [], [], 0.5)[0]:
                if not sock.recv(64):
                    return
                sock.sendall(b"\xd0\x00")
    accept(1883, talk)


def beacon():
    """A report home at a steady pace, never the same connection."""
    period = float(os.environ.get("PERIOD", "6"))
    while running():
        try:
            with socket.create_connection(("203.0.113.10", int(os.environ.get("PORT", "4444"))), 3) as sock:
                sock.sendall(b"id=17&state=idle" + os.urandom(24))
                sock.recv(4096)
        except OSError:
            pass
        time.sleep(period * random.uniform(0.9, 1.1))


def beacon_server():
    def talk(sock):
        sock.settimeout(2)
        try:
            sock.recv(4096)
            sock.sendall(b"nothing to do")
        finally:
            sock.close()
    accept(int(os.environ.get("PORT", "4444")), talk)


def reflector():
    """A service that answers with eight times what it is asked."""
    with udp() as sock:
        sock.bind(("203.0.113.10", 123))
        sock.settimeout(0.3)
        while running():
            try:
                peer = sock.recvfrom(2048)[1]
            except OSError:
                continue
            for _ in range(2):
                sock.sendto(b"\xd7" + bytes(439), peer)


def request_flood():
    """Requests from a dozen addresses, as fast as a small botnet."""
    def one():
        while running():
            get("203.0.113.10", "/index.html", 20)
    for _ in range(6):
        spawn(one)
    time.sleep(SECONDS)


def mute_flood():
    """Requests that a server has stopped to answer, for it reads none of them."""
    def one():
        while running():
            try:
                with socket.create_connection(("203.0.113.10", 8080), 2) as sock:
                    for number in range(40):
                        sock.sendall(f"GET /search?q={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                        time.sleep(0.02)
            except OSError:
                pass
    for _ in range(60):
        spawn(one)
    time.sleep(SECONDS)


def mute_server():
    accept(8080, lambda sock: time.sleep(SECONDS))


def posts():
    """Passwords for a form that answers every one of them with the same redirection."""
    while running():
        try:
            with socket.create_connection(("203.0.113.10", 80), 2) as sock:
                ask(sock, "/form", "POST", f"user=admin&pass={random.randrange(10**8)}".encode())
        except OSError:
            pass
        time.sleep(0.1)


def backup():
    """Eight connections at a time, a few hundred files up to the NAS, then the next round."""
    def store(sock):
        while sock.recv(65536):
            pass
    if os.environ.get("ROLE") == "server":
        return accept(8200, store)
    def one():
        for _ in range(4):
            try:
                with socket.create_connection(("192.168.7.30", 8200), 3) as sock:
                    sock.sendall(os.urandom(random.choice([2_000, 20_000, 150_000])))
            except OSError:
                pass
    while running():
        for thread in [spawn(one) for _ in range(8)]:
            thread.join(5)
        time.sleep(1)
    return None


def discover_dhcp():
    """A device that comes home, again and again."""
    mac = bytes([2, 0, 0, 0, 7, int(os.environ.get("HOST", "20"))])
    with udp(broadcast=True) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", 68))
        while running():
            head = struct.pack(">BBBBIHHIIII", 1, 1, 6, 0, random.randrange(2**32), 0, 0x8000, 0, 0, 0, 0)
            options = b"\x63\x82\x53\x63\x35\x01\x01\x37\x03\x01\x03\x06\xff"
            sock.sendto(head + mac + bytes(10 + 192) + options, ("255.255.255.255", 67))
            time.sleep(2)


KINDS = {
    "browse": browse, "video": video, "game": game, "game-server": game_server, "torrent": torrent, "peers": peers,
    "chatter": chatter, "discovery": discovery, "names": names, "idle": idle, "idle-server": idle_server,
    "beacon": beacon, "beacon-server": beacon_server, "reflector": reflector, "requests": request_flood,
    "mute": mute_flood, "mute-server": mute_server, "posts": posts, "backup": backup, "dhcp": discover_dhcp,
}

if __name__ == "__main__":
    KINDS[KIND]()
