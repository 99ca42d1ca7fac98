"""flood.py DEVICE ROUTER_MAC KIND SECONDS

Sends frames of one kind as fast as one core can, and prints how many: `sent N in S s, R packets/s`.
They are made beforehand and handed to the kernel a thousand at a time, so Python is not what is measured.

    small    60-byte UDP datagrams of 4,096 flows
    mixed    what a household sends: full and empty TCP segments, QUIC, DNS questions; 2,048 flows
    syn      TCP SYN from 262,144 addresses that nobody has
    quic     QUIC Initials, version 1, of random connections: what they say cannot be decrypted
    devices  one datagram each of 10,000 Ethernet addresses, again and again, each with an address of its own
"""
import ctypes
import os
import random
import socket
import struct
import sys
import time

device, router_mac, kind, seconds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
ROUTER = bytes.fromhex(router_mac.replace(":", ""))
OWN = bytes.fromhex("020000000101")
BATCH = 1024
SERVER = bytes([203, 0, 113, 10])
random.seed(7)


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip(proto, src, dst, rest):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(rest), 1, 0, 64, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + rest


def frame(proto, src, dst, rest, mac=OWN):
    made = ROUTER + mac + b"\x08\x00" + ip(proto, src, dst, rest)
    return made.ljust(60, b"\0")


def udp(sport, dport, payload):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(sport, dport, flags, payload=b""):
    words = (sport, dport, random.getrandbits(32), random.getrandbits(32), 5 << 4, flags, 65535, 0, 0)
    return struct.pack("!HHIIBBHHH", *words) + payload


def lan(number):
    """One of 200 addresses of the LAN."""
    return bytes([192, 168, 1, 20 + number % 200])


def small(number):
    return frame(17, lan(number), SERVER, udp(1024 + number % 4096, 9, bytes(18)))


def mixed(number):
    flow = number % 2048
    port = 20000 + flow
    shape = number % 16
    if shape < 5:
        return frame(6, lan(flow), SERVER, tcp(port, 443, 0x10, bytes(1448)))
    if shape < 11:
        return frame(6, lan(flow), SERVER, tcp(port, 443, 0x10))
    if shape < 15:
        return frame(17, lan(flow), SERVER, udp(port, 443, b"\x43" + bytes(1199)))
    question = struct.pack("!6H", number & 0xFFFF, 0x100, 1, 0, 0, 0) + b"\3www\7example\3com\0\0\1\0\1"
    return frame(17, lan(flow), bytes([192, 168, 1, 1]), udp(port, 53, question))


def syn(_):
    return frame(6, random.randbytes(4), SERVER, tcp(random.randrange(1024, 65536), 443, 2))


def quic(_):
    initial = b"\xc3\0\0\0\1\x08" + random.randbytes(8) + b"\0\0\x44\x80" + random.randbytes(1150)
    return frame(17, lan(random.randrange(200)), SERVER, udp(random.randrange(1024, 65536), 443, initial))


def devices(number):
    number %= 10_000
    mac = b"\x02\xaa\0\0" + struct.pack("!H", number)
    src = bytes([192, 168, 64 + number // 256, number % 256])
    return frame(17, src, SERVER, udp(5000, 9, bytes(400)), mac)


KINDS = {"small": (small, 4096), "mixed": (mixed, 32768), "syn": (syn, 262144), "quic": (quic, 16384),
         "devices": (devices, 10240)}


class Message(ctypes.Structure):
    """struct mmsghdr."""
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]


class Piece(ctypes.Structure):
    """struct iovec."""
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


make, count = KINDS[kind]
made = [make(number) for number in range(count)]
store = ctypes.create_string_buffer(b"".join(made))
pieces = (Piece * count)()
messages = (Message * count)()
at = ctypes.addressof(store)
for number, one in enumerate(made):
    pieces[number].base, pieces[number].len = at, len(one)
    messages[number].iov = ctypes.addressof(pieces) + number * ctypes.sizeof(Piece)
    messages[number].iovlen = 1
    at += len(one)

PACKET_QDISC_BYPASS = 20
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
raw.setsockopt(263, PACKET_QDISC_BYPASS, 1)
raw.bind((device, 0))
sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
first = ctypes.addressof(messages)
print("ready", flush=True)
sent, position, began = 0, 0, time.monotonic()
while time.monotonic() - began < seconds:
    batch = min(BATCH, count - position)
    done = sendmmsg(raw.fileno(), ctypes.c_void_p(first + position * ctypes.sizeof(Message)), batch, 0)
    if done <= 0:
        if ctypes.get_errno() not in (11, 105):  # EAGAIN, ENOBUFS: the device is full
            sys.exit(os.strerror(ctypes.get_errno()))
        continue
    sent += done
    position = (position + done) % count
took = time.monotonic() - began
print("sent %d in %.1f s, %d packets/s" % (sent, took, sent / took), flush=True)
