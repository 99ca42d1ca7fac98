"""A WireGuard tunnel between a client and the servers, in user space (wireguard-go).

The client's default route goes into the tunnel; on the LAN one sees a single
UDP conversation. Name lookups stay outside, as with many phone clients.
"""
import subprocess
import time

import net
import world

PORT = 51820


def keys():
    private = subprocess.run(["wg", "genkey"], check=True, capture_output=True, text=True).stdout.strip()
    public = subprocess.run(["wg", "pubkey"], input=private, check=True, capture_output=True, text=True).stdout.strip()
    return private, public


def up(client, scenario):
    """Starts both ends for a client; returns their processes."""
    number = client.number
    gateway = world.servers()[-1 - number % 3]
    ends = []
    near, far = keys(), keys()
    for space, device, address, own, other, options in (
        ("wan", f"wgs{number}", f"10.66.{number}.1/24", far, near, ["allowed-ips", f"10.66.{number}.2/32"]),
        (
            client.name,
            "wgc",
            f"10.66.{number}.2/24",
            near,
            far,
            ["allowed-ips", "0.0.0.0/0", "endpoint", f"{gateway}:{PORT + number}", "persistent-keepalive", "25"],
        ),
    ):
        # each end has a control socket named after its device; keep names apart
        name = device if space == "wan" else f"wgc{number}"
        ends.append(
            subprocess.Popen(
                net.inside(space, "env", "WG_PROCESS_FOREGROUND=1", "nice", "wireguard-go", "-f", name),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        time.sleep(0.6)
        private = subprocess.Popen(
            net.inside(
                space,
                "wg",
                "set",
                name,
                "private-key",
                "/dev/stdin",
                *(["listen-port", str(PORT + number)] if space == "wan" else []),
                "peer",
                other[1],
                *options,
            ),
            stdin=subprocess.PIPE,
            text=True,
        )
        private.communicate(own[0] + "\n")
        prefix = net.PREFIX + space
        net.sh("ip", "-n", prefix, "addr", "add", address, "dev", name)
        net.sh("ip", "-n", prefix, "link", "set", name, "mtu", "1420", "up")
        if space != "wan":
            net.sh("ip", "-n", prefix, "route", "add", f"{gateway}/32", "via", scenario.router)
            net.sh("ip", "-n", prefix, "route", "del", "default")
            net.sh("ip", "-n", prefix, "route", "add", "default", "dev", name)
    return ends
