"""flood.py DEVICE ROUTER_MAC KIND SECONDS [received]

Sends frames of one kind as fast as one core can, and prints how many: `sent N in S s, R packets/s`.
They are made beforehand and handed to the kernel a thousand at a time, so Python is not what is measured.

With `received` they arrive at DEVICE as if a network card had brought them, 64 at a time: an XDP program is run on
them without a card (BPF_PROG_TEST_RUN, live frames, Linux 5.18). A packet socket wakes the receiver's side for each
frame by itself, which costs several times what receiving does, and no core can offer half a million a second then.
Of each frame the first 60 bytes are as made, the rest is zeros. Needs root.

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


def transmit(frames):
    """Through a packet socket; returns how many were sent, and in how many seconds."""
    count = len(frames)
    store = ctypes.create_string_buffer(b"".join(frames))
    pieces = (Piece * count)()
    messages = (Message * count)()
    at = ctypes.addressof(store)
    for number, one in enumerate(frames):
        pieces[number].base, pieces[number].len = at, len(one)
        messages[number].iov = ctypes.addressof(pieces) + number * ctypes.sizeof(Piece)
        messages[number].iovlen = 1
        at += len(one)
    packet_qdisc_bypass = 20
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.setsockopt(263, packet_qdisc_bypass, 1)
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
    return sent, time.monotonic() - began


HEAD = 60
ROW = 8 + HEAD + 4  # what the map holds of a frame: its length, its head, and up to a multiple of eight
RUN = 1 << 16  # frames of one call


def bpf(command, layout, *values):
    """bpf(2) with the attributes packed as linux/bpf.h lays them out; returns a descriptor or 0."""
    attributes = struct.pack(layout, *values).ljust(144, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(321, command, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes))
    if done < 0:
        sys.exit("bpf: " + os.strerror(ctypes.get_errno()))
    return done


def program(table, count):
    """XDP: takes a row of the table at random, gives the frame its length and its head, and lets it pass."""
    code = []

    def say(op, dst=0, src=0, offset=0, value=0):
        code.append(struct.pack("<BBhi", op, src << 4 | dst, offset, value))

    def leave_if(op, dst, src, verdict):
        say(op, dst, src, 2)
        say(0xB7, 0, value=verdict)
        say(0x95)

    say(0xBF, 6, 1)  # r6 = the frame
    say(0x85, value=7)  # a random number
    say(0x57, 0, value=count - 1)
    say(0x63, 10, 0, -4)
    say(0x18, 1, 1, value=table)
    say(0x00)
    say(0xBF, 2, 10)
    say(0x07, 2, value=-4)
    say(0x85, value=1)  # look it up
    leave_if(0x55, 0, 0, 1)
    say(0xBF, 7, 0)  # r7 = the row
    say(0x61, 2, 7, 0)
    say(0x61, 3, 6, 4)
    say(0x61, 4, 6, 0)
    say(0x1F, 3, 4)
    say(0x1F, 2, 3)
    say(0xBF, 1, 6)
    say(0x85, value=65)  # longer or shorter by so much
    leave_if(0x15, 0, 0, 1)
    say(0x61, 2, 6, 0)
    say(0x61, 3, 6, 4)
    say(0xBF, 4, 2)
    say(0x07, 4, value=HEAD)
    leave_if(0xBD, 4, 3, 1)
    for at in range(0, HEAD - 4, 8):
        say(0x79, 5, 7, 8 + at)
        say(0x7B, 2, 5, at)
    say(0x61, 5, 7, 8 + HEAD - 4)
    say(0x63, 2, 5, HEAD - 4)
    say(0xB7, 0, value=2)
    say(0x95)
    text, licence = ctypes.create_string_buffer(b"".join(code)), ctypes.create_string_buffer(b"GPL")
    return bpf(5, "<IIQQ", 6, len(code), ctypes.addressof(text), ctypes.addressof(licence))


def receive(frames):
    """As if a network card had brought them; returns how many, and in how many seconds."""
    count = len(frames)
    assert count & (count - 1) == 0, "a power of two"
    table = bpf(0, "<IIII", 2, 4, ROW, count)
    for number, one in enumerate(frames):
        key, row = ctypes.create_string_buffer(struct.pack("<I", number), 4), ctypes.create_string_buffer(
            struct.pack("<Q", len(one)) + one[:HEAD], ROW)
        bpf(2, "<IIQQQ", table, 0, ctypes.addressof(key), ctypes.addressof(row), 0)
    run = program(table, count)
    frame = ctypes.create_string_buffer(frames[0][:60], 60)
    where = ctypes.create_string_buffer(struct.pack("<6I", 0, 60, 0, socket.if_nametoindex(device), 0, 0), 24)
    live_frames = 2
    print("ready", flush=True)
    sent, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        bpf(10, "<IIIIQQIIIIQQIII", run, 0, 60, 0, ctypes.addressof(frame), 0, RUN, 0, 24, 0,
            ctypes.addressof(where), 0, live_frames, 0, 64)
        sent += RUN
    return sent, time.monotonic() - began


make, count = KINDS[kind]
made = [make(number) for number in range(count)]
way = receive if sys.argv[5:] == ["received"] else transmit
sent, took = way(made)
print("sent %d in %.1f s, %d packets/s" % (sent, took, sent / took), flush=True)
