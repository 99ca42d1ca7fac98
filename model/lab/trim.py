#!/usr/bin/env python3
"""Cuts a pcap down to what streamguard needs: headers, and names where asked for.

    trim.py IN.pcap OUT.pcap.zst [--keep headers|names]

`headers` cuts every packet after its transport header. `names` also keeps DNS
packets, TLS ClientHellos and client QUIC Initials whole. The true length of a
packet stays in `orig_len` and in its IP header. Ethernet, microseconds,
classic pcap only: it reads what the lab's tcpdump writes.
"""
import argparse
import collections
import struct
import subprocess
import sys

Shape = collections.namedtuple("Shape", "first packets ip_bytes duration")
ETH, IPV4, IPV6, VLAN = 14, 0x0800, 0x86DD, 0x8100
MAX_RECORD = 1 << 18


class NotPcap(Exception):
    """The input is no Ethernet microsecond pcap."""


def keep_length(packet, names):
    """(bytes to keep, IP length) of a captured Ethernet packet; IP length 0 for other packets."""
    size = len(packet)
    if size < ETH + 20:
        return size, 0
    kind = packet[12] << 8 | packet[13]
    if kind == IPV4:
        header, proto = (packet[14] & 15) * 4, packet[23]
        total = packet[16] << 8 | packet[17]
        if (packet[20] & 0x1F) << 8 | packet[21]:
            return min(size, ETH + header), total
    elif kind == IPV6 and size >= ETH + 40:
        header, proto = 40, packet[20]
        total = 40 + (packet[18] << 8 | packet[19])
        if proto not in (6, 17):
            return size, total
    else:
        return size, 0
    at = ETH + header
    if proto == 6 and size >= at + 20:
        end = at + (packet[at + 12] >> 4) * 4
        if names and is_client_hello(packet, end):
            return size, total
        return min(size, end), total
    if proto == 17 and size >= at + 8:
        if names and (is_dns(packet, at) or is_initial(packet, at)):
            return size, total
        return at + 8, total
    return min(size, at + 8), total


def is_client_hello(packet, at):
    return len(packet) > at + 6 and packet[at] == 22 and packet[at + 5] == 1


def is_dns(packet, at):
    return 53 in (packet[at] << 8 | packet[at + 1], packet[at + 2] << 8 | packet[at + 3])


def is_initial(packet, at):
    """A QUIC v1 Initial from the client (RFC 9000, section 17.2.2)."""
    first = at + 8
    return (
        packet[at + 2] << 8 | packet[at + 3] == 443
        and len(packet) > first + 5
        and packet[first] & 0xF0 == 0xC0
        and packet[first + 1 : first + 5] == b"\0\0\0\1"
    )


def trim(source, target, keep="headers"):
    """Copies records from one binary stream to another, cut; returns the capture's Shape."""
    header = source.read(24)
    if len(header) < 24 or header[:4] != b"\xd4\xc3\xb2\xa1" or struct.unpack("<I", header[20:24])[0] != 1:
        raise NotPcap("no little-endian Ethernet pcap with microseconds")
    target.write(header)
    names = keep == "names"
    unpack, pack = struct.Struct("<IIII").unpack, struct.Struct("<IIII").pack
    first = last = None
    packets = ip_bytes = 0
    more_of = {}
    while len(record := source.read(16)) == 16:
        sec, usec, size, wire = unpack(record)
        if size > MAX_RECORD:
            break
        packet = source.read(size)
        if len(packet) < size:
            break
        length, total = keep_length(packet, names)
        if names:
            length = max(length, continued_hello(packet, more_of))
        ip_bytes += total
        packets += 1
        stamp = sec * 1_000_000 + usec
        if first is None:
            first = stamp
        last = max(last or stamp, stamp)
        target.write(pack(sec, usec, length, wire))
        target.write(packet[:length])
    if first is None:
        raise NotPcap("no packet")
    return Shape(first / 1e6, packets, ip_bytes, (last - first) / 1e6)


def continued_hello(packet, more_of):
    """Keeps the segments that a long ClientHello goes on in: (length to keep, or 0)."""
    if len(packet) < ETH + 40 or packet[12:14] != b"\x08\x00" or packet[23] != 6:
        return 0
    at = ETH + (packet[14] & 15) * 4
    flow = packet[26:34] + packet[at : at + 4]
    end = at + (packet[at + 12] >> 4) * 4
    payload = (packet[16] << 8 | packet[17]) + ETH - end
    if payload <= 0:
        return 0
    if is_client_hello(packet, end):
        left = 5 + (packet[end + 3] << 8 | packet[end + 4]) - payload
        if left > 0:
            more_of[flow] = left
        return len(packet)
    left = more_of.pop(flow, 0)
    if left <= 0:
        return 0
    if left > payload:
        more_of[flow] = left - payload
    return len(packet)


def trim_file(source, target, keep="headers", level=9):
    """Trims a file into a .zst file; returns its Shape."""
    with open(target, "wb") as out:
        words = ["nice", "zstd", "-q", f"-{level}", *(["--ultra"] if level > 19 else []), "-c"]
        packer = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=out)
        with open(source, "rb", buffering=1 << 20) as data:
            shape = trim(data, packer.stdin, keep)
        packer.stdin.close()
        if packer.wait() != 0:
            raise OSError("zstd failed")
    return shape


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("source")
    arguments.add_argument("target")
    arguments.add_argument("--keep", choices=("headers", "names"), default="headers")
    arguments.add_argument("--level", type=int, default=9)
    given = arguments.parse_args()
    try:
        shape = trim_file(given.source, given.target, given.keep, given.level)
    except (OSError, NotPcap) as error:
        print(f"trim: {given.source}: {error}", file=sys.stderr)
        return 2
    print(f"{shape.packets} packets, {shape.ip_bytes} bytes, {shape.duration:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
