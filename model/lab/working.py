"""Families of work and transfers: mail, documents, chats, downloads, clouds."""

from browsing import surfing
from plans import activity, job, span


def mail(rng, world, proto, duration):
    host, files = world.host("cloud"), world.host("cloud")
    jobs = [
        job(host, [0.2, 2], [0.2, 4], wait_s=[20, 55]),
        job(host, span(rng, 10, 60), span(rng, 5, 250), repeat=[1, 4], inner=[1, 8]),
        job(
            files,
            span(rng, 60, 240),
            [80, rng.choice((800, 4000, 9000))],
            repeat=[1, 3],
            inner=[0.2, 3],
            first_s=rng.uniform(5, 90),
        ),
        job(host, span(rng, 60, 300), [1, 3], up=[3, rng.choice((60, 2500))], first_s=rng.uniform(20, 120)),
    ]
    return [activity("tasks", "mail", proto, {"tasks": jobs}, duration)]


def office(rng, world, proto, duration):
    """Documents in the browser: load, long poll, a save every few seconds of typing."""
    host, api = world.host("cloud"), world.host("cloud")
    jobs = [
        job(api, [0.1, 1], [0.1, 3], wait_s=[5, 40]),
        job(host, span(rng, 45, 240), [300, 6000], repeat=[2, 12], inner=[0.05, 0.6]),
        job(api, span(rng, 1.5, 12), [0.3, 3], up=span(rng, 0.5, 40)),
        job(host, span(rng, 15, 90), span(rng, 20, 900), repeat=[1, 5], inner=[0.1, 2]),
    ]
    if rng.random() < 0.5:
        jobs.append(job(api, span(rng, 4, 20), span(rng, 10, 200)))
    return [activity("tasks", "office", proto, {"tasks": jobs}, duration)]


def chat(rng, world, proto, duration):
    host, media = world.host("cloud"), world.host("cloud")
    jobs = [
        job(host, [0.1, 1], [0.2, 3], wait_s=[2, 30]),
        job(host, span(rng, 2, 20), [0.3, 2], up=[0.3, 4]),
        job(media, span(rng, 15, 120), span(rng, 30, 1500), repeat=[1, 3], inner=[0.5, 4]),
        job(media, span(rng, 60, 300), [0.5, 1], up=[100, rng.choice((500, 3500))], first_s=rng.uniform(10, 100)),
    ]
    return [activity("tasks", "chat", proto, {"tasks": jobs}, duration)]


def download(rng, world, proto, duration):
    spec = {
        "hosts": world.hosts_of("download", 1, 2),
        "way": "down",
        "file_mb": span(rng, 5, 120),
        "gap_s": span(rng, 5, 120),
        "conns": rng.choice((1, 1, 1, 4)),
        "kbps": rng.choice(([0, 0], [1000, 6000], [400, 1500])),
        "pace": rng.choice(("", "", "server")),
        "chunk_mb": rng.choice(([0, 0], [0, 0], [4, 4])),
    }
    return [activity("transfer", "download", proto, spec, duration)]


def update(rng, world, proto, duration):
    """Game and system updates: chunks on several connections, with waits to unpack."""
    spec = {
        "hosts": world.hosts_of("download", 1, 3),
        "way": "down",
        "file_mb": [60, 300],
        "chunk_mb": rng.choice(([1, 1], [0.5, 2], [2, 10])),
        "conns": rng.choice((1, 2, 4)),
        "chunk_gap_s": rng.choice(([0, 0.3], [0.5, 4], [2, 12], [5, 25])),
        "gap_s": [10, 120],
        "kbps": rng.choice(([0, 0], [1500, 8000])),
        "meta_kb": [10, 500],
    }
    return [activity("transfer", "update", proto, spec, duration)]


def app_store(rng, world, proto, duration):
    spec = surfing(rng, world, "medium")
    fetch = {
        "hosts": world.hosts_of("download", 1, 2),
        "way": "down",
        "file_mb": [2, 60],
        "gap_s": span(rng, 15, 150),
        "meta_kb": [10, 100],
        "kbps": [0, 0],
        "chunk_mb": [0, 0],
    }
    return [
        activity("pages", "app_store", proto, spec, 40),
        activity("transfer", "app_store", proto, fetch, duration - 40),
    ]


def sync_down(rng, world, proto, duration):
    spec = {
        "hosts": world.hosts_of("cloud", 1, 2),
        "way": "down",
        "file_mb": span(rng, 0.1, 12),
        "chunk_mb": rng.choice(([1, 1], [4, 4], [0, 0], [0.5, 2])),
        "chunk_gap_s": rng.choice(([0, 0], [0.2, 3], [1, 10])),
        "gap_s": span(rng, 1, 60),
        "kbps": rng.choice(([0, 0], [800, 4000])),
        "meta_kb": [1, 20],
    }
    return [activity("transfer", "cloud_sync", proto, spec, duration)]


def sync_up(rng, world, proto, duration):
    spec = {
        "hosts": world.hosts_of("cloud", 1, 2),
        "way": "up",
        "file_mb": span(rng, 0.1, 12),
        "chunk_mb": rng.choice(([1, 1], [4, 4], [0, 0])),
        "gap_s": span(rng, 0.5, 40),
        "kbps": rng.choice(([0, 0], [500, 3000])),
        "meta_kb": [1, 20],
    }
    return [activity("transfer", rng.choice(("cloud_sync", "photo_upload", "backup")), proto, spec, duration)]


def drive(rng, world, proto, duration):
    """A cloud drive in use: files come and go, each on a connection of its own, with lists and previews between."""
    plan, left = [], duration
    kbps = rng.choice(([0, 0], [0, 0], [1500, 8000]))
    while left > 5:
        small = rng.random() < 0.35
        spec = {
            "hosts": world.hosts_of("cloud", 1, 2),
            "way": rng.choice(("up", "down", "down")),
            "file_mb": [0.04, 0.4] if small else rng.choice(([1, 6], [6, 15])),
            "files": rng.choice((1, 1, 2, 3)),
            "gap_s": [0.5, 8],
            "kbps": kbps,
            "meta_kb": [1, 90],
            "chunk_mb": rng.choice(([0, 0], [1, 1], [4, 4])),
        }
        length = min(left, rng.uniform(4, 20) if small else rng.uniform(20, 100))
        plan.append(activity("transfer", "cloud_sync", proto, spec, round(length, 1)))
        left -= length
    return plan


def gallery(rng, world, proto, duration):
    """Looking through photos in a cloud: one picture of 0.3-4 MB after the other."""
    spec = {
        "hosts": world.hosts_of("cloud", 1, 2),
        "page_kb": [2, 20],
        "parts": [1, 2],
        "part_kb": span(rng, 150, 4000),
        "think_s": span(rng, 1.5, 25),
        "during": [],
    }
    return [activity("pages", "gallery", proto, spec, duration)]


def torrent(rng, world, proto, duration):
    hosts = world.hosts_of("download", 6, 12)
    spec = {
        "hosts": hosts,
        "way": "down",
        "file_mb": [100, 400],
        "chunk_mb": [0.016, 0.6],
        "chunk_gap_s": [0, rng.choice((0.3, 1.5, 4))],
        "conns": rng.choice((6, 10)),
        "gap_s": [5, 20],
        "kbps": span(rng, 800, 6000),
    }
    return [activity("transfer", "torrent", proto, spec, duration)]
