"""The first table of docs/accuracy.md: what is wanted of watch time, and what left-out captures say."""
import statistics

# Programs that decode; the other players of our laboratory only keep their buffers.
REAL_PLAYERS = ("chromium", "ffmpeg", "mpv")
PAPERWORK = ("office", "web", "web_light", "web_heavy", "mail", "scroll", "work")
QUIET = ("idle", "iot", "music", "call", "download", "telemetry")


def percent(value, digits=1):
    return "–" if value is None else f"{value:.{digits}f} %"


def pooled(scores, source, group="ALL"):
    return next((x for s in scores for x in s["positive"] if x["source"] == source and x["group"] == group), None)


def public_videos(scores):
    requet, b2, home, lab = pooled(scores, "requet"), pooled(scores, "requet", "B2"), pooled(scores, "home"), pooled(scores, "lab")
    return [("Requet pooled, mean error", "≤ 5 %", "≤ 3 %", percent(requet and requet["mean_abs_error_pct"])),
            ("Requet pooled, sessions within 10 %", "≥ 84 %", "≥ 92 %", percent(requet and requet["within_10_pct"], 0)),
            ("Requet B2, mean error", "≤ 3 %", "", percent(b2 and b2["mean_abs_error_pct"])),
            ("home video, mean error", "≤ 4 %", "", percent(home and home["mean_abs_error_pct"])),
            ("over-count per stop or pause, median", "≤ 45 s", "≤ 20 s",
             f"{lab['over_per_stop_s'][0]:.0f} s (n {lab['stops']})" if lab and lab["over_per_stop_s"] else "–")]


def false_minutes(scores, classes):
    """(minutes, hours) of some classes of the public library."""
    found = [x for s in scores for x in s["negative"] if x["cls"] in classes and x["fp_min"] is not None and not x["source"].startswith("ALL")]
    return sum(x["fp_min"] for x in found), sum(x["hours"] for x in found)


def an_hour(minutes, hours):
    return f"{minutes / hours:.2f} in {hours:.1f} h" if hours else "–"


def public_others(scores):
    quiet = false_minutes(scores, QUIET)
    return [("idle, IoT, music, call, download, telemetry: false min", "0", "0", f"{quiet[0]:.1f} in {quiet[1]:.0f} h"),
            ("documents, music, drive: false min/h", "≤ 1", "≤ 0.3", an_hour(*false_minutes(scores, ("drive", "music", "documents")))),
            ("home office: false min/h", "≤ 0.5", "≤ 0.1", an_hour(*false_minutes(scores, ("office",))))]


def house(lines, own, carriers):
    """The public laboratory recording, client by client, by models that saw our own recordings instead."""
    videos, others = [], []
    for s in (s for s in own if s.source == "lab" and s.recording.group == "run3"):
        key, client = (s.recording.file, s.client.address), s.client
        if key not in lines:
            continue
        if client.positive:
            videos.append(f"{carriers[key].split(' ')[0]} {100 * (lines[key] - client.watched_s) / client.watched_s:+.1f} %")
        else:
            others.append(f"{client.kind} {lines[key] / 60 / (client.other_s / 3600):.1f}")
    return [("lab run3 left out, error of each video client", "≤ 10 %", "≤ 5 %", ", ".join(videos)),
            ("lab run3 left out, false min/h of each other client", "≤ 1", "", ", ".join(others))]


def laboratory(lines, own):
    """Our own recordings, each left out in turn."""
    mine = [s for s in own if s.source == "lab" and s.recording.group != "run3" and (s.recording.file, s.client.address) in lines]
    counted = lambda s: lines[(s.recording.file, s.client.address)]

    def videos(wanted):
        errors = [abs(counted(s) - s.client.watched_s) / s.client.watched_s for s in mine if s.client.positive and wanted(s)]
        return f"{100 * statistics.mean(errors):.1f} %, median {100 * statistics.median(errors):.1f} % (n {len(errors)})" if errors else "–"

    def others(wanted):
        chosen = [s for s in mine if not s.client.positive and wanted(s)]
        return sum(counted(s) for s in chosen) / 60, sum(s.client.other_s for s in chosen) / 3600

    kinds = sorted({s.client.family for s in mine if not s.client.positive})
    rate = lambda kind: (lambda minutes, hours: minutes / hours if hours else 0)(*others(lambda s: s.client.family == kind))
    worst = max(kinds, key=rate, default=None)
    tunnels = [s for s in mine if s.client.kind == "vpn_video"]
    watched = sum(s.client.watched_s for s in tunnels)
    found = sum(min(counted(s), s.client.watched_s) for s in tunnels)
    return [("unseen recording, real players: mean error", "≤ 10 %", "≤ 5 %", videos(lambda s: s.client.family in REAL_PLAYERS)),
            ("unseen recording, light players that pause every few minutes: mean error", "≤ 10 %", "≤ 5 %", videos(lambda s: s.client.family not in REAL_PLAYERS)),
            ("unseen recording, office, web, mail: false min/h", "≤ 0.5", "≤ 0.1", an_hour(*others(lambda s: s.client.family in PAPERWORK))),
            ("unseen recording, all other use: false min/h; the worst kind", "≤ 3", "≤ 0.5", an_hour(*others(lambda s: True)) + (f"; {worst} {rate(worst):.1f}" if worst else "")),
            ("video in a tunnel: minutes found", "≥ 70 %", "≥ 90 %", percent(100 * found / watched if watched else None, 0) + f" (n {len(tunnels)})")]


def beginnings(begun, own):
    """How long a person watches before the program says so."""
    def median(wanted):
        seconds = [begun[key] for s in own if (key := (s.recording.file, s.client.address)) in begun and wanted(s)]
        told = [x for x in seconds if x is not None]
        return f"{statistics.median(told):.0f} s (n {len(seconds)}, {len(seconds) - len(told)} never)" if told else "–"
    return [("from the first picture to “watching”, median: Requet; unseen recordings", "≤ 30 s", "≤ 20 s",
             median(lambda s: s.source == "requet") + "; " + median(lambda s: s.source == "lab"))]


def left_out_whole(sources):
    """Minutes found of a source that no training saw."""
    requet = pooled(sources, "requet")
    return [("Requet left out as a whole, minutes found", "≥ 80 %", "≥ 95 %", percent(requet and 100 * requet["counted_min"] / requet["true_min"], 0))]


def goals_met(groups, sources, report, own, carriers, artefact_bytes):
    """Rows of (goal, reach, aim, here). The first scores of each protocol are those of the public library."""
    lines = report["groups lines"]
    return [*public_videos(groups[:1]), *left_out_whole(sources[:1]), *house(lines, own, carriers), *public_others(groups[:1]), *laboratory(lines, own),
            *beginnings(report["groups begun"], own), ("artefact", "≤ 112 KB", "≤ 60 KB", f"{artefact_bytes / 1000:.0f} KB")]
