"""Families of listening: audio players, radio, songs, podcasts."""

from plans import activity, job, span
from viewing import evening, player, sitting


def audio_player(rng, world, mode):
    spec = player(rng, world, mode, "fixed")
    spec.update(
        hosts=world.hosts_of("audio", 1, 2),
        api=world.host("audio"),
        ladder_kbps=[rng.choice((48, 64, 96, 128, 160, 192, 256, 320))],
        audio_kbps=0,
        ad_s=0,
        sigma=rng.choice((0, 0.05, 0.2)),
        thumbs=rng.randint(0, 8),
        segment_s=rng.choice((4, 6, 10, 10, 12)),
        max_buffer_s=rng.choice((20, 30, 60, 120)),
        chunk_kb=rng.choice((128, 256, 512)),
    )
    spec["low_buffer_s"] = spec["max_buffer_s"] * rng.uniform(0.3, 0.8)
    return spec


def audio(rng, world, proto, duration):
    def make(seconds):
        spec = audio_player(rng, world, rng.choice(("seg", "seg", "batch", "range", "prog")))
        return sitting(
            rng, world, "audio", proto, spec, seconds, 0.5, [round(rng.uniform(120, 300)) for _ in range(20)]
        )

    return evening(rng, world, duration, make)


def radio(rng, world, proto, duration):
    one = job(
        world.host("audio"),
        [0.5, 3],
        [1, 1],
        kbps=rng.choice((48, 64, 96, 128, 192, 320)),
        tick_ms=rng.choice((100, 250, 500, 1000, 2000)),
        burst_kb=rng.choice((0, 64, 128, 512)),
    )
    jobs = [one, job(world.host("audio"), span(rng, 20, 180), [1, 60])]
    return [activity("tasks", "audio", proto, {"tasks": jobs}, duration)]


def songs(rng, world, proto, duration):
    spec = {
        "hosts": world.hosts_of("audio", 1, 2),
        "way": "down",
        "file_mb": span(rng, 2, 11, 1.8),
        "chunk_mb": rng.choice(([0, 0], [0, 0], [0.25, 0.6])),
        "gap_s": span(rng, 60, 240, 1.5),
        "kbps": [0, 0],
        "meta_kb": [5, 120],
    }
    return [activity("transfer", "audio", proto, spec, duration)]


def podcast(rng, world, proto, duration):
    spec = {
        "hosts": world.hosts_of("audio", 1, 2),
        "way": "down",
        "file_mb": [15, 60],
        "chunk_mb": rng.choice(([0, 0], [1, 1], [0.5, 2])),
        "chunk_gap_s": rng.choice(([0, 0], [20, 80])),
        "gap_s": [60, 300],
        "kbps": rng.choice(([0, 0], [600, 3000])),
        "pace": rng.choice(("", "server")),
        "meta_kb": [5, 200],
    }
    return [activity("transfer", "audio", proto, spec, duration)]
