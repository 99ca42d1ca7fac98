"""Turns what clients reported into labelled intervals, a manifest and a truth table.

The rules: playing is `streaming`; paused, stopped, and anything that is no
video is `other`; buffering and stalls are *unknown*, that is, no interval at
all. Times are seconds after the first packet of the capture. Only classes in
families.STREAMING can become `streaming`; an audio player reports the same
states and stays `other`.
"""
import csv
import json

import families

COLUMNS = (
    "file",
    "source",
    "group",
    "client",
    "label",
    "start_s",
    "end_s",
    "link_type",
    "packets",
    "ip_bytes",
    "duration_s",
    "truth",
    "licence",
    "notes",
)
TRUTH_COLUMNS = ("t_rel_s", "client_ip", "state", "position_s", "buffer_s", "kbps", "class")
# a report holds until the next one, but not longer than this
REPORT_HOLDS_S = 2.5


def read_events(path):
    """The reports of one client in time order; broken lines (a killed writer's last) are skipped."""
    events = []
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                    event["t"] = float(event["t"])
                except (ValueError, KeyError, TypeError):
                    continue
                events.append(event)
    except FileNotFoundError:
        return []
    return sorted(events, key=lambda e: e["t"])


def intervals(events, first_s, last_s):
    """[(label, start, end, class, remark)] of one client; label None is unknown."""
    marks = [(first_s, "other", "idle", "before start")]
    cls, quiet = "idle", "other"
    for event in events:
        kind = event["event"]
        if kind == "begin":
            cls = event["class"]
            quiet = "before start" if cls in families.STREAMING else ""
            marks.append((event["t"], "other", cls, quiet))
        elif kind == "finish":
            cls = event["class"]
            marks.append((event["t"], "other", cls, "stopped" if cls in families.STREAMING else ""))
        elif kind == "state" and event["class"] in families.STREAMING:
            label, remark = {
                "playing": ("streaming", ""),
                "buffering": (None, ""),
                "paused": ("other", "paused"),
                "stopped": ("other", "stopped"),
            }[event["state"]]
            marks.append((event["t"], label, event["class"], remark))
    return merge(fill(marks, last_s), first_s, last_s)


def fill(marks, last_s):
    """Spans between marks; a playing report that nothing follows soon ends as unknown."""
    spans = []
    for index, (at, label, cls, remark) in enumerate(marks):
        until = marks[index + 1][0] if index + 1 < len(marks) else last_s
        if label == "streaming" and until - at > REPORT_HOLDS_S:
            spans.append((label, at, at + 1.0, cls, remark))
            spans.append((None, at + 1.0, until, cls, ""))
        else:
            spans.append((label, at, until, cls, remark))
    return spans


def merge(spans, first_s, last_s):
    out = []
    for label, start, end, cls, remark in spans:
        start, end = max(start, first_s), min(end, last_s)
        if end - start <= 0:
            continue
        if out and out[-1][0] == label and out[-1][3:] == (cls, remark) and abs(out[-1][2] - start) < 0.01:
            out[-1] = (label, out[-1][1], end, cls, remark)
        else:
            out.append((label, start, end, cls, remark))
    return out


def main_class(spans):
    """The class a client's session is counted under: what it did longest, streaming first."""
    total = {}
    for label, start, end, cls, _ in spans:
        rank = 1 if label == "streaming" else 0
        if cls != "idle" or rank:
            total[cls] = total.get(cls, 0) + (end - start) * (1000 if rank else 1)
    return max(total, key=total.get) if total else "idle"


def rows(scenario, file, shape, events):
    """Manifest rows of a run. `shape` is (first packet's time, packets, ip bytes, duration)."""
    first, packets, ip_bytes, duration = shape
    out = []
    for client in scenario.clients:
        spans = intervals(events.get(client.name, []), first, first + duration)
        session = main_class(spans)
        watches = any(s[0] == "streaming" for s in spans)
        for label, start, end, cls, remark in spans:
            if label is None or end - start < 0.05:
                continue
            shown = session if watches or cls == "idle" else cls
            truth = "player_log" if watches else "scenario"
            span = (label, f"{start - first:.3f}", f"{end - first:.3f}")
            whole = ("ethernet", packets, ip_bytes, f"{duration:.6f}")
            notes = remarks(client, shown, cls if cls != shown else "", remark)
            row = (file, "lab", scenario.name, client.address, *span, *whole, truth, "project-owned", notes)
            out.append(dict(zip(COLUMNS, row)))
    return out


def remarks(client, shown, doing, remark):
    """The notes of a row: `class=...; family=...; what played; what else`."""
    tunnel = " in a tunnel" if client.settings.get("vpn") else ""
    beside = f" beside {client.settings['beside']}" if "beside" in client.settings else ""
    played = f"{client.player or 'light client'} {client.settings['proto']}{tunnel}{beside}"
    return "; ".join(w for w in (f"class={shown}", f"family={client.family}", played, doing, remark) if w)


def write_manifest(path, manifest_rows):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(manifest_rows)


def write_truth(path, scenario, first, events):
    """Player states each second: the long form of the manifest's intervals."""
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(TRUTH_COLUMNS)
        for client in scenario.clients:
            for event in events.get(client.name, []):
                if event["event"] == "state":
                    writer.writerow(
                        (
                            f"{event['t'] - first:.3f}",
                            client.address,
                            event["state"],
                            event.get("position_s", ""),
                            event.get("buffer_s", ""),
                            event.get("kbps", ""),
                            event["class"],
                        )
                    )


def hours(manifest_rows):
    """{(label, class): hours} of manifest rows."""
    total = {}
    for row in manifest_rows:
        cls = row["notes"].split(";")[0].removeprefix("class=")
        key = (row["label"], cls)
        total[key] = total.get(key, 0) + (float(row["end_s"]) - float(row["start_s"])) / 3600
    return total
