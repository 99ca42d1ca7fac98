"""Families of watching: players of different manners, and the viewers in front of them.

A *sitting* is one viewer with one player until he stops it; an *evening* is
sittings with rests and browsing between, so that every recording is full of
stops and pauses.
"""

from browsing import browse
from plans import activity, span

LADDERS = (
    [60, 110, 180, 300],
    [90, 160, 280, 450, 800],
    [150, 350, 700, 1200],
    [235, 375, 560, 750, 1050, 1750],
    [300, 600, 1000, 1800, 2800],
    [400, 800, 1600, 3000],
    [350, 1000, 2800],
    [500, 900, 1500, 2500, 4000],
    [145, 365, 730, 1100, 2000, 3000, 4500],
)


def player(rng, world, mode, policy=None):
    """A player of one service with its own ladder, buffers and manners."""
    ladder = rng.choice(LADDERS)
    top = rng.choice((len(ladder), len(ladder), max(1, len(ladder) - 1), max(1, len(ladder) - 2)))
    segment = rng.choice((2, 2, 3, 4, 4, 5, 6, 6, 8, 10))
    high = rng.choice((12, 20, 30, 30, 40, 60, 60, 90, 120))
    if mode == "seg" and rng.random() < 0.15:
        high = rng.choice((180, 240))
    low = high * rng.uniform(0.25, 0.8)
    if mode == "live":
        segment = rng.choice((1, 2, 2, 3, 4, 6))
        high, low = 3 * segment, 2 * segment
    return {
        "mode": mode,
        "hosts": world.hosts_of("video", 1, 3),
        "api": world.host("video_api"),
        "segment_s": segment,
        "ladder_kbps": ladder[:top],
        "audio_kbps": rng.choice((0, 0, 64, 96, 128, 160)) if mode in ("batch", "range", "live") else 0,
        "start_s": rng.choice((1, 2, 2, 4)) if mode != "live" else segment,
        "max_buffer_s": high,
        "low_buffer_s": low,
        "chunk_kb": rng.choice((256, 512, 1024, 1536, 2048)),
        "policy": policy or rng.choice(("rate", "rate", "buffer")),
        "sigma": rng.uniform(0.1, 0.9),
        "titles_seed": rng.randrange(1 << 30),
        "gap_s": [1, 6],
        "beacon_s": rng.choice((0, 5, 10, 10, 20, 30)),
        "thumbs": rng.randint(0, 40),
        "ad_s": rng.choice((0, 0, 0, 6, 15)),
        "pace_factor": rng.uniform(1.05, 2.0),
    }


def user_script(rng, length, restless=1.0):
    """What the viewer does in `length` seconds of one sitting: [[at, action, argument], ...]."""
    steps, at = [], rng.uniform(30, 150)
    while at < length - 40:
        choice = rng.random()
        if choice < 0.45:
            pause = rng.choice((rng.uniform(8, 40), rng.uniform(60, 110), rng.uniform(90, 200)))
            steps.append([round(at, 1), "pause"])
            if at + pause > length - 20:
                break
            steps.append([round(at + pause, 1), "resume"])
            at += pause
        elif choice < 0.75:
            steps.append([round(at, 1), "seek", round(rng.choice((-60, -10, 10, 30, 120, 300)), 1)])
        else:
            steps.append([round(at, 1), "level", rng.randint(0, 2)])
        at += rng.uniform(60, 300) / restless
    return steps


def sitting(rng, world, cls, proto, spec, length, restless=1.0, titles=None):
    """One sitting of `length` seconds in front of a player, ended by the viewer."""
    spec = dict(spec)
    spec["titles_s"] = titles or [round(length * rng.uniform(1.1, 3)), 600]
    spec["script"] = user_script(rng, length, restless) + [[round(length - 1, 1), "stop"]]
    return activity("video", cls, proto, spec, length)


def evening(rng, world, duration, make):
    """Sittings with other things between them until `duration` is used up.

    `make(length)` returns a sitting; what stands between is idle, or browsing.
    """
    plan, left = [], duration
    opening = rng.choice((3, rng.uniform(5, 40), rng.uniform(20, 90)))
    plan.append(between(rng, world, opening))
    left -= opening
    while left > 60:
        length = min(left, rng.choice((rng.uniform(60, 150), rng.uniform(150, 400), rng.uniform(300, 900), left * 0.8)))
        if left - length < 75:
            length = left if rng.random() < 0.35 else max(50, left - rng.uniform(75, 130))
        plan.append(make(round(length, 1)))
        left -= length
        rest = min(left, rng.uniform(60, 180))
        if rest > 1:
            plan.append(between(rng, world, rest))
        left -= rest
    return plan


def between(rng, world, seconds):
    if seconds > 20 and rng.random() < 0.5:
        return browse(rng, world, seconds)
    return activity("idle", "idle", "h1", {}, round(seconds, 1))


def vod(rng, world, proto, duration):
    return evening(rng, world, duration, lambda s: sitting(rng, world, "vod", proto, player(rng, world, "seg"), s))


def vod_fixed(rng, world, proto, duration):
    """One rendition only: what mpv, old set-top boxes and apps on 'data saver' do."""
    spec = player(rng, world, "seg", "fixed")
    spec["ladder_kbps"] = [rng.choice((80, 130, 200, 300, 450, 700, 1000, 1500, 2300))]
    return evening(rng, world, duration, lambda s: sitting(rng, world, "vod", proto, spec, s))


def youtube_like(rng, world, proto, duration):
    return evening(
        rng,
        world,
        duration,
        lambda s: sitting(rng, world, "youtube_like", proto, player(rng, world, rng.choice(("range", "batch"))), s),
    )


def low_rate(rng, world, proto, duration):
    """Long sittings at 40-250 kbit/s with long quiet times."""

    def make(seconds):
        spec = player(rng, world, rng.choice(("range", "batch")), "fixed")
        spec["ladder_kbps"] = [rng.choice((40, 60, 90, 120, 180, 250))]
        spec["max_buffer_s"], spec["audio_kbps"] = rng.choice((60, 90, 120)), rng.choice((0, 48, 64))
        spec["low_buffer_s"] = spec["max_buffer_s"] * rng.uniform(0.4, 0.8)
        return sitting(rng, world, "youtube_like", proto, spec, seconds)

    return evening(rng, world, duration, make)


def dash(rng, world, proto, duration):
    def make(seconds):
        spec = player(rng, world, "batch")
        spec["audio_kbps"] = rng.choice((64, 96, 128, 192))
        return sitting(rng, world, "dash", proto, spec, seconds)

    return evening(rng, world, duration, make)


def progressive(rng, world, proto, duration):
    def make(seconds):
        spec = player(rng, world, rng.choice(("prog", "prog", "paced")), "fixed")
        spec["ladder_kbps"] = [rng.choice((250, 400, 600, 900, 1400, 2000))]
        return sitting(rng, world, "progressive", proto, spec, seconds)

    return evening(rng, world, duration, make)


def live(rng, world, proto, duration):
    def make(seconds):
        spec = player(rng, world, "live")
        one = sitting(rng, world, "live", proto, spec, seconds, titles=[7200])
        one["spec"]["script"] = [s for s in one["spec"]["script"] if s[1] not in ("seek", "pause", "resume")]
        return one

    return evening(rng, world, duration, make)


def autoplay(rng, world, proto, duration):
    """Short titles one after the other, the next one starting by itself."""

    def make(seconds):
        titles = [round(rng.uniform(25, 240)) for _ in range(40)]
        return sitting(
            rng,
            world,
            "autoplay",
            proto,
            player(rng, world, rng.choice(("seg", "batch", "range"))),
            seconds,
            0.5,
            titles,
        )

    return evening(rng, world, duration, make)


def shortform(rng, world, proto, duration):
    def make(seconds):
        spec = {
            "hosts": world.hosts_of("video", 1, 3),
            "api": world.host("video_api"),
            "clip_s": [7, rng.choice((30, 60))],
            "kbps": span(rng, 300, 2500),
            "watch_s": [rng.uniform(1.5, 4), rng.uniform(12, 45)],
            "ahead": rng.randint(1, 4),
            "first_kb": rng.choice((0, 0, 300, 600, 1000)),
            "rest_s": [5, 90],
            "rest_odds": rng.choice((0, 0.03, 0.06)),
        }
        return activity("feed", "shortform", proto, spec, seconds)

    return evening(rng, world, duration, make)
