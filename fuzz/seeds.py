"""Writes a seed corpus from tests/fixtures/frames.txt: each frame for `frame`, small captures for `capture_file`, and so on."""
import gzip
import pathlib
import struct
import sys

LINKS = [1, 0, 9, 51, 101, 113, 276, 228, 229, 147]
corpus = pathlib.Path(sys.argv[1])
frames = []
for line in pathlib.Path("tests/fixtures/frames.txt").read_text().splitlines():
    if line.startswith("#"):
        continue
    name, link, _, data = line.split(" ")
    data = bytes.fromhex(data)
    if int(link) in LINKS:
        head = bytes([LINKS.index(int(link))]) + struct.pack("<H", len(data))
        (corpus / "frame" / name).write_bytes(head + data)
    frames.append(data)


def pcap(order, magic, extra=b""):
    out = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, 1)
    for i, data in enumerate(frames[:8]):
        out += struct.pack(order + "IIII", i, i, len(data), len(data)) + extra + data
    return out


def block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(order):
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(order + "HHBxxxHH", 9, 1, 9, 0, 0)
    out += block(order, 1, struct.pack(order + "HHI", 1, 0, 65535) + options)
    for i, data in enumerate(frames[:8]):
        out += block(order, 6, struct.pack(order + "IIIII", 0, i, i, len(data), len(data)) + data)
        out += block(order, 3, struct.pack(order + "I", len(data)) + data)
        out += block(order, 2, struct.pack(order + "HHIIII", 0, 0, 0, i, len(data), len(data)) + data)
    return out


files = {
    "us-le": pcap("<", 0xA1B2C3D4),
    "us-be": pcap(">", 0xA1B2C3D4),
    "ns-le": pcap("<", 0xA1B23C4D),
    "modified": pcap("<", 0xA1B2CD34, b"\0" * 8),
    "ng-le": pcapng("<"),
    "ng-be": pcapng(">"),
}
files["gz"] = gzip.compress(files["us-le"], mtime=0)
files["gz-ng"] = gzip.compress(files["ng-le"], mtime=0)
for name, data in files.items():
    (corpus / "capture_file" / name).write_bytes(data)

# The trained artefacts without their checksums, and with little in them.
(corpus / "artifact").mkdir(parents=True, exist_ok=True)
for name in ("streaming", "threat"):
    whole = pathlib.Path(f"model/{name}.forest").read_bytes()[:-8]
    (corpus / "artifact" / f"{name}-embedded").write_bytes(whole)
    (corpus / "artifact" / f"{name}-head").write_bytes(whole[:4096])

(corpus / "seconds").mkdir(parents=True, exist_ok=True)
(corpus / "seconds" / "every-line").write_bytes(pathlib.Path("tests/fixtures/seconds.csv").read_bytes())
