"""`streaming.forest` and `threat.forest`: the files that the program loads. The layout stands in docs/features.md; everything is little endian."""
import json
import struct

import numpy as np

from forest import Flat, Link

# Trees that vote, trees that add up, and trees that vote for a class each.
MAGIC, VERSION_MEAN, VERSION_LINK, VERSION_VOTES = b"SGFR", 1, 2, 3
# The shipped artefact's budget; the program refuses only far larger ones.
BUDGET_BYTES = 112 * 1024


class ArtifactError(Exception):
    """Bytes that are no artefact."""


def fnv1a(data):
    code = 0xCBF29CE484222325
    for byte in data:
        code = ((code ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return code


def text_of(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def pack(flat, schema_hash, session, summary):
    session, summary = text_of(session), text_of(summary)
    n_cuts = sum(len(c) for c in flat.cuts)
    out, version = bytearray(MAGIC), VERSION_LINK if flat.link else VERSION_VOTES if flat.classes else VERSION_MEAN
    out += struct.pack("<HHQHHIIII", version, len(flat.cuts), schema_hash, len(flat.roots), flat.depth, len(flat.nodes), n_cuts,
                       len(session), len(summary))
    for cuts in flat.cuts:
        out += struct.pack(f"<H{len(cuts)}i", len(cuts), *(int(c) for c in cuts))
    if flat.link:
        table = [int(score) for score in flat.link.table]
        out += struct.pack(f"<IHH{len(table)}H", flat.link.first, flat.link.shift, len(table), *table)
    if flat.classes:
        out += struct.pack("<H", flat.classes)
    out += struct.pack(f"<{len(flat.roots)}I", *(int(r) for r in flat.roots))
    for feature, bound, left in flat.nodes.tolist():
        out += struct.pack("<BBH", feature, bound, left)
    out += session + summary
    return bytes(out + struct.pack("<Q", fnv1a(out)))


def unpack(data):
    """(flat, schema hash, session, summary) of an artefact."""
    if data[:4] != MAGIC or struct.unpack_from("<Q", data, len(data) - 8)[0] != fnv1a(data[:-8]):
        raise ArtifactError("magic or checksum")
    version, n_features, schema, n_trees, depth, n_nodes, _, session_len, summary_len = struct.unpack_from("<HHQHHIIII", data, 4)
    if version not in (VERSION_MEAN, VERSION_LINK, VERSION_VOTES):
        raise ArtifactError(f"version {version}")
    at, cuts, classes = 36, [], 0
    for _ in range(n_features):
        (count,) = struct.unpack_from("<H", data, at)
        cuts.append(np.array(struct.unpack_from(f"<{count}i", data, at + 2), np.int64))
        at += 2 + 4 * count
    link = None
    if version == VERSION_LINK:
        first, shift, count = struct.unpack_from("<IHH", data, at)
        link = Link(first, shift, np.array(struct.unpack_from(f"<{count}H", data, at + 8), np.int64))
        at += 8 + 2 * count
    if version == VERSION_VOTES:
        (classes,) = struct.unpack_from("<H", data, at)
        at += 2
    roots = struct.unpack_from(f"<{n_trees}I", data, at)
    at += 4 * n_trees
    nodes = [struct.unpack_from("<BBH", data, at + 4 * i) for i in range(n_nodes)]
    at += 4 * n_nodes
    session, summary = json.loads(data[at:at + session_len]), json.loads(data[at + session_len:at + session_len + summary_len])
    return Flat(cuts, roots, nodes, depth, link, classes), schema, session, summary
