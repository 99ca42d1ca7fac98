"""weigh.py WITH-SYMBOLS STRIPPED: which crate or C library takes how many bytes.

Reads the symbol table of an ELF file of either width and byte order, so that
one host can weigh every router's binary without that router's binutils. Sizes
are those of functions and data as linked; what has no symbol (padding, string
tables, unwind tables) is the remainder, named so.
"""

import re
import struct
import sys
from collections import defaultdict

C_LIBRARIES = [
    ("SQLite", re.compile(r"^(sqlite3|fts|vdbe|btree|pager|walk|expr|pcache|balance|select|where|unix|json|code|name|analyze|resolve|alter|"
                          r"attach|trigger|fk|auto|pragma|column|column|aggregate|window|printf|str|yy|sql)", re.I)),
    ("libpcap", re.compile(r"^(pcap|bpf|gen_|iface|linux_|sf_|nametoport|add_or_find|opt_|icode|dlt|bittok|activate|handle)", re.I)),
    ("libnftnl", re.compile(r"^(nftnl|__nftnl|expr_ops|obj_ops|nft)")),
    ("libmnl", re.compile(r"^mnl")),
]


def symbols(path):
    """(name, size, section name) of every function and object; names of files in between."""
    data = open(path, "rb").read()
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    header = struct.unpack_from(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), data, 16)
    offset, each, count, names_at = header[5], header[10], header[11], header[12]
    layout = order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")
    sections = [struct.unpack_from(layout, data, offset + i * each) for i in range(count)]

    def text(table, at):
        start = table[4] + at
        return data[start:data.index(b"\0", start)].decode("utf-8", "replace")

    names = [text(sections[names_at], s[0]) for s in sections]
    for section in sections:
        if section[1] != 2:  # SHT_SYMTAB
            continue
        strings = sections[section[6]]
        entry = struct.Struct(order + ("IBBHQQ" if wide else "IIIBBH"))
        source = ""
        for at in range(section[4], section[4] + section[5], entry.size):
            fields = entry.unpack_from(data, at)
            name, info, where, size = (
                (fields[0], fields[1], fields[3], fields[5]) if wide else (fields[0], fields[3], fields[5], fields[2])
            )
            kind = info & 15
            if kind == 4:  # STT_FILE: the C source that the following local symbols come from
                source = text(strings, name)
            elif kind in (1, 2) and size and where < len(names):
                yield text(strings, name), size, names[where], source if info >> 4 == 0 else ""


def owner(name, source):
    """The crate or library a symbol belongs to."""
    crate = rust_crate(name)
    if crate:
        return crate
    if "sqlite" in source:
        return "SQLite"
    for library, pattern in C_LIBRARIES:
        if pattern.match(name):
            return library
    return "musl, compiler-rt, other C"


def rust_crate(name):
    if name.startswith("_ZN"):
        found = re.match(r"_ZN(\d+)", name)
        part = name[found.end():found.end() + int(found.group(1))]
        if part.startswith(("_$LT$", "_<")):
            inner = re.sub(r"\$(LT|RF|BP|u7b|u20)\$|_\$LT\$|^_|&|mut ", "", part)
            inner = re.sub(r"^(dyn|mut|const|\$u20\$)+", "", inner)
            found = re.match(r"([a-z_0-9]+?)\.\.", inner)
            return found.group(1) if found else "core"
        return part
    if name.startswith("_R"):
        found = re.search(r"C(?:s[0-9a-zA-Z]*_)?(\d+)", name)
        if found:
            start = found.end() + (name[found.end()] == "_")
            return name[start:start + int(found.group(1))]
        return "core"
    return None


def main(path, stripped):
    weight = defaultdict(lambda: [0, 0])
    for name, size, section, source in symbols(path):
        if section == ".bss":
            continue
        weight[owner(name, source)][section.startswith(".text") is False] += size
    std = {"std", "core", "alloc", "compiler_builtins", "hashbrown", "gimli", "addr2line", "miniz_oxide", "rustc_demangle",
           "panic_unwind", "panic_abort", "memchr", "unwind", "object", "std_detect", "rustc_std_workspace_core", "__rustc"}
    merged = defaultdict(lambda: [0, 0])
    for crate, (code, data) in weight.items():
        key = "standard library" if crate in std else crate
        merged[key][0] += code
        merged[key][1] += data
    total = len(open(stripped, "rb").read())
    known = sum(code + data for code, data in merged.values())
    print(f"{'':32}{'code':>10}{'data':>10}{'of file':>9}")
    for crate, (code, data) in sorted(merged.items(), key=lambda kv: -sum(kv[1])):
        if code + data >= 1000:
            print(f"{crate:32}{code:>10}{data:>10}{100 * (code + data) / total:>8.1f}%")
    print(f"{'without a symbol':32}{'':10}{total - known:>10}{100 * (total - known) / total:>8.1f}%")
    print(f"{'stripped file':32}{'':10}{total:>10}")


if __name__ == "__main__":
    main(*sys.argv[1:])
