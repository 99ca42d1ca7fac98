"""Families of behaviour: what a client of each kind does, as a plan of activities.

A family is a function of a random generator and a world (names); it returns the
plan that `traffic client` carries out, or the settings of a real player. All
numbers are drawn here, from ranges wide enough that two clients of a family are
different people on different services. The one idea to know: a family's *class*
(the word in the manifest's notes) says what the use is, and only classes in
STREAMING count as watching while the player plays.
"""

STREAMING = {"vod", "youtube_like", "dash", "progressive", "live", "shortform", "autoplay", "vpn_video", "hls"}


def activity(engine, cls, proto, spec, seconds=0):
    return {"engine": engine, "class": cls, "proto": proto, "duration_s": seconds, "spec": spec}


def span(rng, low, high, widest=3.0):
    """A narrower range inside [low, high], so that each client has habits of its own."""
    centre = low * (high / low) ** rng.random() if low > 0 else rng.uniform(low, high)
    factor = rng.uniform(1.1, widest)
    return [round(max(low, centre / factor), 3), round(min(high, centre * factor), 3)]


# ---- video ----------------------------------------------------------------

LADDERS = (
    [60, 110, 180, 300], [90, 160, 280, 450, 800], [150, 350, 700, 1200], [235, 375, 560, 750, 1050, 1750],
    [300, 600, 1000, 1800, 2800], [400, 800, 1600, 3000], [350, 1000, 2800], [500, 900, 1500, 2500, 4000], [145, 365, 730, 1100, 2000, 3000, 4500],
)


def player(rng, world, mode, policy=None):
    """A player of one service with its own ladder, buffers and manners."""
    ladder = rng.choice(LADDERS)
    top = rng.choice((len(ladder), len(ladder), max(1, len(ladder) - 1), max(1, len(ladder) - 2)))
    segment = rng.choice((2, 2, 3, 4, 4, 5, 6, 6, 8, 10))
    high = rng.choice((12, 20, 30, 30, 40, 60, 60, 90, 120))
    if mode == "seg" and rng.random() < .15:
        high = rng.choice((180, 240))
    low = high * rng.uniform(.25, .8)
    if mode == "live":
        segment = rng.choice((1, 2, 2, 3, 4, 6))
        high, low = 3 * segment, 2 * segment
    return {
        "mode": mode, "hosts": world.hosts_of("video", 1, 3), "api": world.host("video_api"),
        "segment_s": segment, "ladder_kbps": ladder[:top], "audio_kbps": rng.choice((0, 0, 64, 96, 128, 160)) if mode in ("batch", "range", "live") else 0,
        "start_s": rng.choice((1, 2, 2, 4)) if mode != "live" else segment, "max_buffer_s": high, "low_buffer_s": low,
        "chunk_kb": rng.choice((256, 512, 1024, 1536, 2048)), "policy": policy or rng.choice(("rate", "rate", "buffer")),
        "sigma": rng.uniform(.1, .9), "titles_seed": rng.randrange(1 << 30), "gap_s": [1, 6],
        "beacon_s": rng.choice((0, 5, 10, 10, 20, 30)), "thumbs": rng.randint(0, 40), "ad_s": rng.choice((0, 0, 0, 6, 15)),
        "pace_factor": rng.uniform(1.05, 2.0),
    }


def user_script(rng, length, restless=1.0):
    """What the viewer does in `length` seconds of one sitting: [[at, action, argument], ...]."""
    steps, at = [], rng.uniform(30, 150)
    while at < length - 40:
        choice = rng.random()
        if choice < .45:
            pause = rng.choice((rng.uniform(8, 40), rng.uniform(60, 110), rng.uniform(90, 200)))
            steps.append([round(at, 1), "pause"])
            if at + pause > length - 20:
                break
            steps.append([round(at + pause, 1), "resume"])
            at += pause
        elif choice < .75:
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
        length = min(left, rng.choice((rng.uniform(60, 150), rng.uniform(150, 400), rng.uniform(300, 900), left * .8)))
        if left - length < 75:
            length = left if rng.random() < .35 else max(50, left - rng.uniform(75, 130))
        plan.append(make(round(length, 1)))
        left -= length
        rest = min(left, rng.uniform(60, 180))
        if rest > 1:
            plan.append(between(rng, world, rest))
        left -= rest
    return plan


def between(rng, world, seconds):
    if seconds > 20 and rng.random() < .5:
        return browse(rng, world, seconds)
    return activity("idle", "idle", "h1", {}, round(seconds, 1))


def browse(rng, world, seconds, proto=None):
    return activity("pages", "web", proto or rng.choice(("h1", "h2", "h2")), surfing(rng, world), round(seconds, 1))


def vod(rng, world, proto, duration):
    return evening(rng, world, duration, lambda s: sitting(rng, world, "vod", proto, player(rng, world, "seg"), s))


def vod_fixed(rng, world, proto, duration):
    """One rendition only: what mpv, old set-top boxes and apps on 'data saver' do."""
    spec = player(rng, world, "seg", "fixed")
    spec["ladder_kbps"] = [rng.choice((80, 130, 200, 300, 450, 700, 1000, 1500, 2300))]
    return evening(rng, world, duration, lambda s: sitting(rng, world, "vod", proto, spec, s))


def youtube_like(rng, world, proto, duration):
    return evening(rng, world, duration, lambda s: sitting(rng, world, "youtube_like", proto, player(rng, world, rng.choice(("range", "batch"))), s))


def low_rate(rng, world, proto, duration):
    """Long sittings at 40-250 kbit/s with long quiet times."""
    def make(seconds):
        spec = player(rng, world, rng.choice(("range", "batch")), "fixed")
        spec["ladder_kbps"] = [rng.choice((40, 60, 90, 120, 180, 250))]
        spec["max_buffer_s"], spec["audio_kbps"] = rng.choice((60, 90, 120)), rng.choice((0, 48, 64))
        spec["low_buffer_s"] = spec["max_buffer_s"] * rng.uniform(.4, .8)
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
        return sitting(rng, world, "autoplay", proto, player(rng, world, rng.choice(("seg", "batch", "range"))), seconds, .5, titles)
    return evening(rng, world, duration, make)


def shortform(rng, world, proto, duration):
    def make(seconds):
        spec = {"hosts": world.hosts_of("video", 1, 3), "api": world.host("video_api"), "clip_s": [7, rng.choice((30, 60))],
                "kbps": span(rng, 300, 2500), "watch_s": [rng.uniform(1.5, 4), rng.uniform(12, 45)], "ahead": rng.randint(1, 4),
                "first_kb": rng.choice((0, 0, 300, 600, 1000)), "rest_s": [5, 90], "rest_odds": rng.choice((0, .03, .06))}
        return activity("feed", "shortform", proto, spec, seconds)
    return evening(rng, world, duration, make)


# ---- browsing -------------------------------------------------------------

def surfing(rng, world, weight=None):
    weight = weight or rng.choice(("light", "medium", "medium", "heavy"))
    parts, part_kb = {"light": ([3, 18], [2, 30]), "medium": ([10, 60], [3, 90]), "heavy": ([25, 120], [4, 300])}[weight]
    during = []
    if rng.random() < .5:
        during.append({"every_s": span(rng, 2, 15), "parts": [1, rng.randint(3, 16)], "part_kb": [3, rng.choice((40, 150))], "odds": .5})
    if rng.random() < .5:
        during.append({"every_s": span(rng, 5, 40), "parts": [1, 4], "part_kb": [1, rng.choice((20, 200))], "host": world.host("ads"), "odds": .7})
    return {"hosts": world.hosts_of("web", 2, 12) + [world.host("ads")], "page_kb": span(rng, 8, 200), "parts": parts, "part_kb": part_kb,
            "think_s": [rng.uniform(1.5, 6), rng.uniform(15, 90)], "during": during}


def web_light(rng, world, proto, duration):
    return [browse_for(rng, world, proto, duration, "light")]


def web(rng, world, proto, duration):
    return [browse_for(rng, world, proto, s, None) for s in split(rng, duration, 120, 500)]


def web_heavy(rng, world, proto, duration):
    return [browse_for(rng, world, proto, s, "heavy") for s in split(rng, duration, 120, 500)]


def browse_for(rng, world, proto, seconds, weight):
    return activity("pages", "web", proto, surfing(rng, world, weight), round(seconds, 1))


def split(rng, total, low, high):
    """Lengths between low and high that add up to total."""
    out = []
    while total > 0:
        part = min(total, rng.uniform(low, high))
        out.append(part)
        total -= part
    return out


def scroll(rng, world, proto, duration):
    """Endless pages of pictures (social networks, shops)."""
    spec = surfing(rng, world, "medium")
    spec["think_s"] = [40, 300]
    spec["during"] = [{"every_s": span(rng, 1, 8), "parts": [2, rng.randint(4, 20)], "part_kb": [8, rng.choice((60, 150, 350))]}]
    return [activity("pages", "web_scroll", proto, spec, duration)]


def web_motion(rng, world, proto, duration):
    """Pages with animated ads and moving thumbnails: not watching, but it moves."""
    spec = surfing(rng, world, "medium")
    spec["think_s"] = [15, 120]
    spec["during"] = [{"every_s": span(rng, 8, 40), "parts": [1, 3], "part_kb": span(rng, 20, 250), "odds": .8}]
    return [activity("pages", "web_motion", proto, spec, duration)]


def maps(rng, world, proto, duration):
    spec = {"hosts": world.hosts_of("web", 3, 5), "page_kb": [100, 400], "parts": [20, 60], "part_kb": [5, 60], "think_s": [60, 300],
            "during": [{"every_s": span(rng, .8, 12), "parts": [4, rng.randint(10, 40)], "part_kb": [4, rng.choice((25, 60))]}]}
    return [activity("pages", "maps", proto, spec, duration)]


def search(rng, world, proto, duration):
    spec = {"hosts": world.hosts_of("web", 1, 3), "page_kb": span(rng, 20, 330), "parts": [2, rng.randint(6, 30)], "part_kb": [1, rng.choice((15, 50))],
            "think_s": span(rng, 2, 30), "during": [{"every_s": [.4, 3], "parts": [1, 2], "part_kb": [.5, 4], "odds": .6}]}
    return [activity("pages", "search", proto, spec, duration)]


# ---- mail, office, chat ---------------------------------------------------

def job(host, every, down, up=(0, 0), repeat=(1, 1), inner=(0, 0), **more):
    return {"host": host, "every_s": list(every), "down_kb": list(down), "up_kb": list(up), "repeat": list(repeat), "inner_s": list(inner), **more}


def mail(rng, world, proto, duration):
    host, files = world.host("cloud"), world.host("cloud")
    jobs = [job(host, [.2, 2], [.2, 4], wait_s=[20, 55]), job(host, span(rng, 10, 60), span(rng, 5, 250), repeat=[1, 4], inner=[1, 8]),
            job(files, span(rng, 60, 240), [80, rng.choice((800, 4000, 9000))], repeat=[1, 3], inner=[.2, 3], first_s=rng.uniform(5, 90)),
            job(host, span(rng, 60, 300), [1, 3], up=[3, rng.choice((60, 2500))], first_s=rng.uniform(20, 120))]
    return [activity("tasks", "mail", proto, {"tasks": jobs}, duration)]


def office(rng, world, proto, duration):
    """Documents in the browser: load, long poll, a save every few seconds of typing."""
    host, api = world.host("cloud"), world.host("cloud")
    jobs = [job(api, [.1, 1], [.1, 3], wait_s=[5, 40]), job(host, span(rng, 45, 240), [300, 6000], repeat=[2, 12], inner=[.05, .6]),
            job(api, span(rng, 1.5, 12), [.3, 3], up=span(rng, .5, 40)), job(host, span(rng, 15, 90), span(rng, 20, 900), repeat=[1, 5], inner=[.1, 2])]
    if rng.random() < .5:
        jobs.append(job(api, span(rng, 4, 20), span(rng, 10, 200)))
    return [activity("tasks", "office", proto, {"tasks": jobs}, duration)]


def chat(rng, world, proto, duration):
    host, media = world.host("cloud"), world.host("cloud")
    jobs = [job(host, [.1, 1], [.2, 3], wait_s=[2, 30]), job(host, span(rng, 2, 20), [.3, 2], up=[.3, 4]),
            job(media, span(rng, 15, 120), span(rng, 30, 1500), repeat=[1, 3], inner=[.5, 4]),
            job(media, span(rng, 60, 300), [.5, 1], up=[100, rng.choice((500, 3500))], first_s=rng.uniform(10, 100))]
    return [activity("tasks", "chat", proto, {"tasks": jobs}, duration)]


# ---- audio ----------------------------------------------------------------

def audio_player(rng, world, mode):
    spec = player(rng, world, mode, "fixed")
    spec.update(hosts=world.hosts_of("audio", 1, 2), api=world.host("audio"), ladder_kbps=[rng.choice((48, 64, 96, 128, 160, 192, 256, 320))],
                audio_kbps=0, ad_s=0, sigma=rng.choice((0, .05, .2)), thumbs=rng.randint(0, 8), segment_s=rng.choice((4, 6, 10, 10, 12)),
                max_buffer_s=rng.choice((20, 30, 60, 120)), chunk_kb=rng.choice((128, 256, 512)))
    spec["low_buffer_s"] = spec["max_buffer_s"] * rng.uniform(.3, .8)
    return spec


def audio(rng, world, proto, duration):
    def make(seconds):
        spec = audio_player(rng, world, rng.choice(("seg", "seg", "batch", "range", "prog")))
        return sitting(rng, world, "audio", proto, spec, seconds, .5, [round(rng.uniform(120, 300)) for _ in range(20)])
    return evening(rng, world, duration, make)


def radio(rng, world, proto, duration):
    one = job(world.host("audio"), [.5, 3], [1, 1], kbps=rng.choice((48, 64, 96, 128, 192, 320)), tick_ms=rng.choice((100, 250, 500, 1000, 2000)),
              burst_kb=rng.choice((0, 64, 128, 512)))
    jobs = [one, job(world.host("audio"), span(rng, 20, 180), [1, 60])]
    return [activity("tasks", "audio", proto, {"tasks": jobs}, duration)]


def songs(rng, world, proto, duration):
    spec = {"hosts": world.hosts_of("audio", 1, 2), "way": "down", "file_mb": span(rng, 2, 11, 1.8), "chunk_mb": rng.choice(([0, 0], [0, 0], [.25, .6])),
            "gap_s": span(rng, 60, 240, 1.5), "kbps": [0, 0], "meta_kb": [5, 120]}
    return [activity("transfer", "audio", proto, spec, duration)]


def podcast(rng, world, proto, duration):
    spec = {"hosts": world.hosts_of("audio", 1, 2), "way": "down", "file_mb": [15, 60], "chunk_mb": rng.choice(([0, 0], [1, 1], [.5, 2])),
            "chunk_gap_s": rng.choice(([0, 0], [20, 80])), "gap_s": [60, 300], "kbps": rng.choice(([0, 0], [600, 3000])), "pace": rng.choice(("", "server")), "meta_kb": [5, 200]}
    return [activity("transfer", "audio", proto, spec, duration)]


# ---- downloads, clouds ----------------------------------------------------

def download(rng, world, proto, duration):
    spec = {"hosts": world.hosts_of("download", 1, 2), "way": "down", "file_mb": span(rng, 5, 120), "gap_s": span(rng, 5, 120), "conns": rng.choice((1, 1, 1, 4)),
            "kbps": rng.choice(([0, 0], [1000, 6000], [400, 1500])), "pace": rng.choice(("", "", "server")), "chunk_mb": rng.choice(([0, 0], [0, 0], [4, 4]))}
    return [activity("transfer", "download", proto, spec, duration)]


def update(rng, world, proto, duration):
    """Game and system updates: chunks on several connections, with waits to unpack."""
    spec = {"hosts": world.hosts_of("download", 1, 3), "way": "down", "file_mb": [60, 300], "chunk_mb": rng.choice(([1, 1], [.5, 2], [2, 10])), "conns": rng.choice((1, 2, 4)),
            "chunk_gap_s": rng.choice(([0, .3], [.5, 4], [2, 12], [5, 25])), "gap_s": [10, 120], "kbps": rng.choice(([0, 0], [1500, 8000])), "meta_kb": [10, 500]}
    return [activity("transfer", "update", proto, spec, duration)]


def app_store(rng, world, proto, duration):
    spec = surfing(rng, world, "medium")
    fetch = {"hosts": world.hosts_of("download", 1, 2), "way": "down", "file_mb": [2, 60], "gap_s": span(rng, 15, 150), "meta_kb": [10, 100],
             "kbps": [0, 0], "chunk_mb": [0, 0]}
    return [activity("pages", "app_store", proto, spec, 40), activity("transfer", "app_store", proto, fetch, duration - 40)]


def sync_down(rng, world, proto, duration):
    spec = {"hosts": world.hosts_of("cloud", 1, 2), "way": "down", "file_mb": span(rng, .1, 12), "chunk_mb": rng.choice(([1, 1], [4, 4], [0, 0], [.5, 2])),
            "chunk_gap_s": rng.choice(([0, 0], [.2, 3], [1, 10])), "gap_s": span(rng, 1, 60), "kbps": rng.choice(([0, 0], [800, 4000])), "meta_kb": [1, 20]}
    return [activity("transfer", "cloud_sync", proto, spec, duration)]


def sync_up(rng, world, proto, duration):
    spec = {"hosts": world.hosts_of("cloud", 1, 2), "way": "up", "file_mb": span(rng, .1, 12), "chunk_mb": rng.choice(([1, 1], [4, 4], [0, 0])),
            "gap_s": span(rng, .5, 40), "kbps": rng.choice(([0, 0], [500, 3000])), "meta_kb": [1, 20]}
    return [activity("transfer", rng.choice(("cloud_sync", "photo_upload", "backup")), proto, spec, duration)]


def drive(rng, world, proto, duration):
    """A cloud drive in use: files come and go, each on a connection of its own, with lists and previews between."""
    plan, left = [], duration
    kbps = rng.choice(([0, 0], [0, 0], [1500, 8000]))
    while left > 5:
        small = rng.random() < .35
        spec = {"hosts": world.hosts_of("cloud", 1, 2), "way": rng.choice(("up", "down", "down")), "file_mb": [.04, .4] if small else rng.choice(([1, 6], [6, 15])),
                "files": rng.choice((1, 1, 2, 3)), "gap_s": [.5, 8], "kbps": kbps, "meta_kb": [1, 90], "chunk_mb": rng.choice(([0, 0], [1, 1], [4, 4]))}
        length = min(left, rng.uniform(4, 20) if small else rng.uniform(20, 100))
        plan.append(activity("transfer", "cloud_sync", proto, spec, round(length, 1)))
        left -= length
    return plan


def gallery(rng, world, proto, duration):
    """Looking through photos in a cloud: one picture of 0.3-4 MB after the other."""
    spec = {"hosts": world.hosts_of("cloud", 1, 2), "page_kb": [2, 20], "parts": [1, 2], "part_kb": span(rng, 150, 4000), "think_s": span(rng, 1.5, 25),
            "during": []}
    return [activity("pages", "gallery", proto, spec, duration)]


def torrent(rng, world, proto, duration):
    hosts = world.hosts_of("download", 6, 12)
    spec = {"hosts": hosts, "way": "down", "file_mb": [100, 400], "chunk_mb": [.016, .6], "chunk_gap_s": [0, rng.choice((.3, 1.5, 4))], "conns": rng.choice((6, 10)),
            "gap_s": [5, 20], "kbps": span(rng, 800, 6000)}
    return [activity("transfer", "torrent", proto, spec, duration)]


# ---- calls, games, things -------------------------------------------------

def voice(rng, period=None):
    size = rng.choice(([172, 172], [60, 140], [80, 200]))
    return {"kind": "voice", "period_ms": period or rng.choice((10, 20, 20, 20, 40, 60)), "size": size, "talk_s": [1, 12], "hush_s": [1, 12],
            "hush_ms": rng.choice((20, 100, 400, 0))}


def picture(rng, kbps, sigma=.25):
    return {"kind": "picture", "kbps": kbps, "fps": rng.choice((15, 20, 24, 30)), "sigma": sigma, "key_s": rng.choice((0, 0, 5, 10)), "packet": rng.choice((1000, 1100, 1180))}


CALL_PORTS, GAME_PORTS = (3478, 3479, 5004, 8801, 19302), (27015, 30000)


def call_audio(rng, world, proto, duration):
    spec = {"host": world.host("call"), "port": rng.choice(CALL_PORTS + (5060,)), "up": [voice(rng)], "down": [voice(rng)], "call_s": span(rng, 60, 900), "gap_s": [10, 60]}
    return [activity("udp", "call", proto, spec, duration)]


def call_video(rng, world, proto, duration):
    spec = {"host": world.host("call"), "port": rng.choice(CALL_PORTS), "up": [voice(rng), picture(rng, rng.choice((200, 400, 700, 1200)))],
            "down": [voice(rng), picture(rng, rng.choice((200, 400, 700, 1200)))], "call_s": span(rng, 120, 900), "gap_s": [10, 60]}
    return [activity("udp", "call", proto, spec, duration)]


def call_steady(rng, world, proto, duration):
    """A call of constant rate and large packets, as some conference boxes send."""
    flow = {"kind": "voice", "size": [rng.choice((900, 1100))] * 2, "talk_s": [0, 0]}
    spec = {"host": world.host("call"), "port": rng.choice(CALL_PORTS), "up": [{**flow, "period_ms": rng.uniform(5, 20)}], "down": [{**flow, "period_ms": rng.uniform(5, 20)}],
            "call_s": span(rng, 120, 900), "gap_s": [10, 60]}
    return [activity("udp", "call", proto, spec, duration)]


def conference(rng, world, proto, duration):
    others = rng.randint(2, 5)
    down = [voice(rng)] + [picture(rng, rng.choice((90, 150, 300, 600))) for _ in range(others)]
    up = [voice(rng)] + ([picture(rng, rng.choice((150, 400, 900)))] if rng.random() < .6 else [])
    if rng.random() < .3:
        down.append({"kind": "picture", "kbps": rng.choice((150, 400, 900)), "fps": 5, "sigma": 1.2, "key_s": 20, "packet": 1150})
    spec = {"host": world.host("call"), "port": rng.choice(CALL_PORTS), "up": up, "down": down, "call_s": span(rng, 200, 900), "gap_s": [10, 60]}
    return [activity("udp", "call", proto, spec, duration)]


def game(rng, world, proto, duration):
    tick = rng.choice((1000 / 20, 1000 / 30, 1000 / 64, 100))
    flow = {"kind": "voice", "period_ms": tick, "talk_s": [0, 0]}
    spec = {"host": world.host("game"), "port": rng.choice(GAME_PORTS), "up": [{**flow, "size": [40, 140]}], "down": [{**flow, "size": [60, rng.choice((250, 600, 1100))]}],
            "call_s": span(rng, 120, 600), "gap_s": [15, 60]}
    return [activity("udp", "game", proto, spec, duration)]


def telemetry(rng, world, proto, duration):
    jobs = [job(world.host("iot"), span(rng, 5, 60), [.1, 2], up=[.2, 4]) for _ in range(rng.randint(1, 4))]
    return [activity("tasks", "telemetry", proto, {"tasks": jobs}, duration)]


def camera_upload(rng, world, proto, duration):
    spec = {"hosts": [world.host("iot")], "way": "up", "file_mb": span(rng, .2, 6), "chunk_mb": [0, 0], "gap_s": span(rng, 5, 90), "kbps": rng.choice(([0, 0], [500, 2500]))}
    return [activity("transfer", "camera_upload", proto, spec, duration)]


def idle_phone(rng, world, proto, duration):
    jobs = [job(world.host("cloud"), [.5, 5], [.1, 2], wait_s=[30, 120]), job(world.host("cloud"), span(rng, 60, 300), [1, 40], repeat=[1, 4], inner=[.1, 2], first_s=rng.uniform(5, 60)),
            job(world.host("ads"), span(rng, 90, 400), [.5, 10], up=[.5, 8], first_s=rng.uniform(5, 90))]
    if rng.random() < .4:
        jobs.append(job(world.host("download"), span(rng, 200, 600), [200, 6000], repeat=[1, 3], inner=[1, 5], first_s=rng.uniform(30, 300)))
    return [activity("tasks", "idle", proto, {"tasks": jobs}, duration)]


def idle(rng, world, proto, duration):
    return [activity("idle", "idle", proto, {}, duration)]


def remote_desktop(rng, world, proto, duration):
    """Screens of a far computer: small updates while typing, large ones when windows change."""
    host = world.host("cloud")
    jobs = [job(host, span(rng, .1, 1), [.3, rng.choice((6, 25))], up=[.1, .3]), job(host, span(rng, 3, 25), span(rng, 40, 500), repeat=[1, 6], inner=[.05, .4])]
    return [activity("tasks", "remote_desktop", proto, {"tasks": jobs}, duration)]


def code_work(rng, world, proto, duration):
    """git, package installs, continuous integration pages."""
    hosts = world.hosts_of("download", 2, 4)
    jobs = [job(hosts[0], span(rng, 30, 180), [5, 3000], repeat=[1, 4], inner=[.3, 3]), job(hosts[1], span(rng, 60, 300), [20, 2500], repeat=[5, 60], inner=[.02, .3], first_s=rng.uniform(5, 60)),
            job(hosts[0], span(rng, 3, 15), [1, 30])]
    return [activity("tasks", "code", proto, {"tasks": jobs}, duration)]


def cloud_game(rng, world, proto, duration):
    """A game drawn far away: a picture stream in one direction, controls in the other. Its own class."""
    spec = {"host": world.host("game"), "port": rng.choice(GAME_PORTS), "up": [{"kind": "voice", "period_ms": 8, "size": [60, 120], "talk_s": [0, 0]}],
            "down": [picture(rng, rng.choice((1500, 2500, 4000)), .35), voice(rng, 10)], "call_s": span(rng, 120, 500), "gap_s": [15, 60]}
    return [activity("udp", "cloud_game", proto, spec, duration)]


# ---- several things at once -----------------------------------------------

def busy_vod(rng, world, proto, duration):
    """Watching while something else goes on on the same device."""
    main = rng.choice((vod, youtube_like, dash, live))(rng, world, proto, duration)
    return main, rng.choice((mail, chat, office, web_light, sync_up, idle_phone, download))(rng, world, rng.choice(("h1", "h2")), duration)[:1]


def work(rng, world, proto, duration):
    """A desk: documents, mail or chat, songs, now and then a call."""
    beside = rng.choice((mail, chat))(rng, world, proto, duration) + rng.choice((songs, radio, sync_up))(rng, world, proto, duration)
    if rng.random() < .4:
        beside += call_audio(rng, world, proto, duration)
    return rename(office(rng, world, proto, duration), "work"), beside


def web_radio(rng, world, proto, duration):
    """Browsing with music: bursts over a steady or pulsing stream."""
    pages = [a for s in split(rng, duration, 120, 500) for a in [browse(rng, world, s, proto)]]
    return rename(pages, "web_audio"), rng.choice((radio, songs))(rng, world, rng.choice(("h1", "h2")), duration)


def game_chat(rng, world, proto, duration):
    """A game, the voices of friends, and patches of the game in between."""
    beside = call_audio(rng, world, proto, duration)
    if rng.random() < .6:
        beside += rename(sync_down(rng, world, proto, duration), "game")
    return game(rng, world, proto, duration), beside


def rename(activities, cls):
    return [{**a, "class": cls} for a in activities]


FAMILIES = {
    f.__name__: f for f in (
        vod, vod_fixed, youtube_like, low_rate, dash, progressive, live, autoplay, shortform,
        web_light, web, web_heavy, scroll, web_motion, maps, search, mail, office, chat, audio, radio, songs, podcast,
        download, update, app_store, sync_down, sync_up, drive, gallery, torrent, call_audio, call_video, call_steady, conference, game,
        telemetry, camera_upload, idle_phone, idle, remote_desktop, code_work, cloud_game,
        busy_vod, work, web_radio, game_chat,
    )
}
# real players are started by players.py and need no plan
PLAYERS = ("chromium", "mpv", "ffmpeg")


def background(rng, world, odds):
    """What devices do by themselves beside their user's activity."""
    if rng.random() >= odds:
        return []
    jobs = [job(world.host("ads"), span(rng, 20, 120), [.3, 8], up=[.3, 6], first_s=rng.uniform(1, 30))]
    if rng.random() < .5:
        jobs.append(job(world.host("cloud"), [.5, 5], [.1, 2], wait_s=[30, 100]))
    return [activity("tasks", "background", rng.choice(("h1", "h2", "h2", "h3")), {"tasks": jobs})]


def plan(family, rng, world, proto, duration, odds=.5):
    """The plan of one light client. A family gives activities, or a pair: activities and what runs beside them."""
    seed = rng.randrange(1 << 40)
    drawn = FAMILIES[family](rng, world, proto, duration)
    main, beside = drawn if isinstance(drawn, tuple) else (drawn, [])
    return {"seed": seed, "duration_s": duration, "activities": main, "background": beside + ([] if family == "idle" else background(rng, world, odds))}


def rename_tunnelled(drawn, vpn):
    """Inside a tunnel every use gets a class of its own: vpn_video or vpn_other."""
    if vpn:
        for one in drawn["activities"]:
            one["class"] = "vpn_video" if one["class"] in STREAMING else "vpn_other"
