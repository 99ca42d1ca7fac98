"""Namespaces of the lab: servers, router, clients, and the line between them.

    sglab-wan            sglab-rtr                       sglab-cN
    servers on lo        dnsmasq, tcpdump on br-lan      one client each
    sgw (TUN) <- delay -> sgr (TUN)   br-lan -- veth -- eth0

Nothing outside namespaces named sglab-* is touched, and `down` removes all of
it, also what an interrupted run left behind.
"""
import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import struct
import subprocess

import world

# another prefix lets two labs stand side by side
PREFIX = os.environ.get("STREAMGUARD_LAB_PREFIX", "sglab-")
CLONE_NEWNET = 0x4000_0000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x4004_54CA, 0x0001, 0x1000


def sh(*words, check=True):
    return subprocess.run([str(w) for w in words], check=check, capture_output=True, text=True)


def inside(namespace, *words):
    """The command line that runs words in a namespace of the lab."""
    return ["ip", "netns", "exec", PREFIX + namespace, *map(str, words)]


def down():
    """Ends everything that runs in the lab's namespaces and removes them."""
    listed = sh("ip", "netns", "list", check=False).stdout.split()
    for name in (n for n in listed if n.startswith(PREFIX)):
        for pid in sh("ip", "netns", "pids", name, check=False).stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        sh("ip", "netns", "del", name, check=False)
        shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)


def only(scenario):
    """An IPv4 house has no IPv6 at all; an IPv6 house simply has no IPv4 addresses."""
    return ["net.ipv6.conf.all.disable_ipv6=1"] if scenario.lan.version == 4 else []


def nodad(scenario):
    return ["nodad"] if scenario.lan.version == 6 else []


def up(scenario):
    """Builds the namespaces of a scenario; the delayer is started by `start_line`."""
    down()
    for name in ("wan", "rtr"):
        sh("ip", "netns", "add", PREFIX + name)
        sh("ip", "-n", PREFIX + name, "link", "set", "lo", "up")
    wan, rtr = PREFIX + "wan", PREFIX + "rtr"
    sh(*inside("rtr", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", *only(scenario)))
    sh(
        *inside("wan", "sysctl", "-qw", f"net.ipv4.tcp_congestion_control={scenario.congestion}", *only(scenario)),
        check=False,
    )
    sh("ip", "-n", rtr, "link", "add", "br-lan", "address", "02:00:5e:00:00:01", "type", "bridge")
    sh("ip", "-n", rtr, "addr", "add", f"{scenario.router}/{scenario.lan.prefixlen}", "dev", "br-lan", *nodad(scenario))
    sh("ip", "-n", rtr, "link", "set", "br-lan", "up")
    for address in world.servers(scenario.lan.version):
        sh("ip", "-n", wan, "addr", "add", f"{address}/{scenario.lan.max_prefixlen}", "dev", "lo", *nodad(scenario))
    for name, device in ((rtr, "sgr"), (wan, "sgw")):
        sh("ip", "-n", name, "tuntap", "add", "dev", device, "mode", "tun")
        sh("ip", "-n", name, "link", "set", device, "txqueuelen", 4000, "up")
    for servers in world.SERVER_NETS[scenario.lan.version]:
        sh("ip", "-n", rtr, "route", "add", servers, "dev", "sgr")
    sh("ip", "-n", wan, "route", "add", str(scenario.lan), "dev", "sgw")
    for client in scenario.clients:
        add_client(scenario, client)


def add_client(scenario, client):
    name, rtr, port = PREFIX + client.name, PREFIX + "rtr", f"l{client.number}"
    resolver = pathlib.Path(f"/etc/netns/{name}")
    resolver.mkdir(parents=True, exist_ok=True)
    (resolver / "resolv.conf").write_text(f"nameserver {scenario.router}\n")
    sh("ip", "netns", "add", name)
    sh("ip", "link", "add", port, "netns", rtr, "type", "veth", "peer", "name", "eth0", "netns", name)
    sh("ip", "-n", rtr, "link", "set", port, "master", "br-lan", "up")
    sh(
        *inside(
            client.name,
            "sysctl",
            "-qw",
            "net.ipv6.conf.eth0.accept_ra=0",
            "net.ipv6.conf.eth0.autoconf=0",
            *only(scenario),
        )
    )
    sh("ip", "-n", name, "link", "set", "eth0", "address", client.mac)
    sh("ip", "-n", name, "addr", "add", f"{client.address}/{scenario.lan.prefixlen}", "dev", "eth0", *nodad(scenario))
    sh("ip", "-n", name, "link", "set", "eth0", "up")
    sh("ip", "-n", name, "link", "set", "lo", "up")
    sh("ip", "-n", name, "route", "add", "default", "via", scenario.router)
    # a router sees wire packets: no segmentation or checksum offload on the way
    for space, device in ((client.name, "eth0"), ("rtr", port)):
        sh(*inside(space, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off", "tx", "off"), check=False)


def open_tun(namespace, device):
    """A descriptor of a TUN device inside a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{PREFIX}{namespace}", os.O_RDONLY)
    try:
        if libc.setns(other, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", device.encode(), IFF_TUN | IFF_NO_PI))
        return fd
    finally:
        libc.setns(own, CLONE_NEWNET)
        os.close(own)
        os.close(other)


def start_line(binary, table):
    """Starts the delayer between router and servers."""
    near, far = open_tun("rtr", "sgr"), open_tun("wan", "sgw")
    try:
        return subprocess.Popen([str(binary), str(table)], stdin=near, stdout=far)
    finally:
        os.close(near)
        os.close(far)


def start_dns(scenario, hosts, folder):
    """dnsmasq on the router: it knows the run's names and nothing else."""
    file = folder / "hosts"
    file.write_text("".join(f"{address} {name}\n" for name, address in sorted(hosts.items())))
    # an IPv6 router announces itself and its network
    announce = (
        ["--enable-ra", "--dhcp-range=::,constructor:br-lan,ra-only", "--ra-param=br-lan,60"]
        if scenario.lan.version == 6
        else []
    )
    return subprocess.Popen(
        inside(
            "rtr",
            "dnsmasq",
            *announce,
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
            f"--addn-hosts={file}",
            "--interface=br-lan",
            "--bind-interfaces",
            "--local-ttl=120",
            "--local=/#/",
            "--user=root",
            "--pid-file=",
            f"--listen-address={scenario.router}",
        ),
        stderr=subprocess.DEVNULL,
    )


def start_capture(file, snaplen):
    return subprocess.Popen(
        inside("rtr", "tcpdump", "-i", "br-lan", "-s", snaplen, "-B", "16384", "-w", file),
        stderr=open(f"{file}.log", "w"),
    )
