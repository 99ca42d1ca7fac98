"""captures.py CAPTURE DIR: writes forms of a capture into DIR and prints
`name packets bytes` for each, counted here without streamguard.

    demo.pcap         as it is
    short.pcap        its first 20,000 packets
    short-swapped.pcap   the same in the other byte order
    short-nano.pcap      the same with nanosecond stamps
"""

import struct
import sys

MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D


def packets(path):
    with open(path, "rb") as f:
        head = f.read(24)
        order = "<" if struct.unpack("<I", head[:4])[0] in (MICRO, NANO) else ">"
        magic, major, minor, _, _, snaplen, link = struct.unpack(order + "IHHiIII", head)
        yield magic, snaplen, link
        while len(record := f.read(16)) == 16:
            sec, frac, incl, orig = struct.unpack(order + "IIII", record)
            yield sec, frac, orig, f.read(incl)


def write(path, order, magic, head, records):
    scale = 1000 if magic == NANO and head[0] == MICRO else 1
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, head[1], head[2]))
        for sec, frac, orig, data in records:
            f.write(struct.pack(order + "IIII", sec, frac * scale, len(data), orig) + data)


def main(capture, directory):
    source = packets(capture)
    head = next(source)
    everything = list(source)
    short = everything[:20_000]
    write(f"{directory}/short.pcap", "<", head[0], head, short)
    write(f"{directory}/short-swapped.pcap", ">", head[0], head, short)
    forms = [("demo.pcap", everything), ("short.pcap", short), ("short-swapped.pcap", short)]
    if head[0] == MICRO:
        write(f"{directory}/short-nano.pcap", "<", NANO, head, short)
        forms.append(("short-nano.pcap", short))
    for name, records in forms:
        print(name, len(records), sum(orig for _, _, orig, _ in records))


if __name__ == "__main__":
    main(*sys.argv[1:])
