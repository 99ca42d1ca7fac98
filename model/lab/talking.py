"""Families of datagrams and things: calls, conferences, games, devices, far desktops."""

from plans import activity, job, span


def voice(rng, period=None):
    size = rng.choice(([172, 172], [60, 140], [80, 200]))
    return {
        "kind": "voice",
        "period_ms": period or rng.choice((10, 20, 20, 20, 40, 60)),
        "size": size,
        "talk_s": [1, 12],
        "hush_s": [1, 12],
        "hush_ms": rng.choice((20, 100, 400, 0)),
    }


def picture(rng, kbps, sigma=0.25):
    return {
        "kind": "picture",
        "kbps": kbps,
        "fps": rng.choice((15, 20, 24, 30)),
        "sigma": sigma,
        "key_s": rng.choice((0, 0, 5, 10)),
        "packet": rng.choice((1000, 1100, 1180)),
    }


CALL_PORTS, GAME_PORTS = (3478, 3479, 5004, 8801, 19302), (27015, 30000)


def call_audio(rng, world, proto, duration):
    spec = {
        "host": world.host("call"),
        "port": rng.choice(CALL_PORTS + (5060,)),
        "up": [voice(rng)],
        "down": [voice(rng)],
        "call_s": span(rng, 60, 900),
        "gap_s": [10, 60],
    }
    return [activity("udp", "call", proto, spec, duration)]


def call_video(rng, world, proto, duration):
    spec = {
        "host": world.host("call"),
        "port": rng.choice(CALL_PORTS),
        "up": [voice(rng), picture(rng, rng.choice((200, 400, 700, 1200)))],
        "down": [voice(rng), picture(rng, rng.choice((200, 400, 700, 1200)))],
        "call_s": span(rng, 120, 900),
        "gap_s": [10, 60],
    }
    return [activity("udp", "call", proto, spec, duration)]


def call_steady(rng, world, proto, duration):
    """A call of constant rate and large packets, as some conference boxes send."""
    flow = {"kind": "voice", "size": [rng.choice((900, 1100))] * 2, "talk_s": [0, 0]}
    spec = {
        "host": world.host("call"),
        "port": rng.choice(CALL_PORTS),
        "up": [{**flow, "period_ms": rng.uniform(5, 20)}],
        "down": [{**flow, "period_ms": rng.uniform(5, 20)}],
        "call_s": span(rng, 120, 900),
        "gap_s": [10, 60],
    }
    return [activity("udp", "call", proto, spec, duration)]


def conference(rng, world, proto, duration):
    others = rng.randint(2, 5)
    down = [voice(rng)] + [picture(rng, rng.choice((90, 150, 300, 600))) for _ in range(others)]
    up = [voice(rng)] + ([picture(rng, rng.choice((150, 400, 900)))] if rng.random() < 0.6 else [])
    if rng.random() < 0.3:
        down.append(
            {
                "kind": "picture",
                "kbps": rng.choice((150, 400, 900)),
                "fps": 5,
                "sigma": 1.2,
                "key_s": 20,
                "packet": 1150,
            }
        )
    spec = {
        "host": world.host("call"),
        "port": rng.choice(CALL_PORTS),
        "up": up,
        "down": down,
        "call_s": span(rng, 200, 900),
        "gap_s": [10, 60],
    }
    return [activity("udp", "call", proto, spec, duration)]


def datagrams(rng, world, proto, duration):
    """A stream of one rate in plain datagrams, evenly or in bursts: a camera, a far screen, somebody else's tunnel."""
    kbps = round(200 * 10 ** rng.random())
    even = {"kind": "voice", "period_ms": 1200 * 8 / kbps, "size": [1200, 1200], "talk_s": [0, 0]}
    bursts = picture(rng, kbps, 0) | {"fps": rng.choice((2, 2, 5, 10, 25)), "key_s": 0}
    spec = {
        "host": world.host("call"),
        "port": rng.choice(CALL_PORTS + GAME_PORTS),
        "up": [{"kind": "voice", "period_ms": rng.choice((100, 500, 1000)), "size": [20, 60], "talk_s": [0, 0]}],
        "down": [rng.choice((even, bursts))],
        "call_s": [duration, duration],
        "gap_s": [10, 60],
    }
    return [activity("udp", "datagrams", proto, spec, duration)]


def game(rng, world, proto, duration):
    tick = rng.choice((1000 / 20, 1000 / 30, 1000 / 64, 100))
    flow = {"kind": "voice", "period_ms": tick, "talk_s": [0, 0]}
    spec = {
        "host": world.host("game"),
        "port": rng.choice(GAME_PORTS),
        "up": [{**flow, "size": [40, 140]}],
        "down": [{**flow, "size": [60, rng.choice((250, 600, 1100))]}],
        "call_s": span(rng, 120, 600),
        "gap_s": [15, 60],
    }
    return [activity("udp", "game", proto, spec, duration)]


def telemetry(rng, world, proto, duration):
    jobs = [job(world.host("iot"), span(rng, 5, 60), [0.1, 2], up=[0.2, 4]) for _ in range(rng.randint(1, 4))]
    return [activity("tasks", "telemetry", proto, {"tasks": jobs}, duration)]


def camera_upload(rng, world, proto, duration):
    spec = {
        "hosts": [world.host("iot")],
        "way": "up",
        "file_mb": span(rng, 0.2, 6),
        "chunk_mb": [0, 0],
        "gap_s": span(rng, 5, 90),
        "kbps": rng.choice(([0, 0], [500, 2500])),
    }
    return [activity("transfer", "camera_upload", proto, spec, duration)]


def idle_phone(rng, world, proto, duration):
    jobs = [
        job(world.host("cloud"), [0.5, 5], [0.1, 2], wait_s=[30, 120]),
        job(
            world.host("cloud"), span(rng, 60, 300), [1, 40], repeat=[1, 4], inner=[0.1, 2], first_s=rng.uniform(5, 60)
        ),
        job(world.host("ads"), span(rng, 90, 400), [0.5, 10], up=[0.5, 8], first_s=rng.uniform(5, 90)),
    ]
    if rng.random() < 0.4:
        jobs.append(
            job(
                world.host("download"),
                span(rng, 200, 600),
                [200, 6000],
                repeat=[1, 3],
                inner=[1, 5],
                first_s=rng.uniform(30, 300),
            )
        )
    return [activity("tasks", "idle", proto, {"tasks": jobs}, duration)]


def idle(rng, world, proto, duration):
    return [activity("idle", "idle", proto, {}, duration)]


def remote_desktop(rng, world, proto, duration):
    """Screens of a far computer: small updates while typing, large ones when windows change."""
    host = world.host("cloud")
    jobs = [
        job(host, span(rng, 0.1, 1), [0.3, rng.choice((6, 25))], up=[0.1, 0.3]),
        job(host, span(rng, 3, 25), span(rng, 40, 500), repeat=[1, 6], inner=[0.05, 0.4]),
    ]
    return [activity("tasks", "remote_desktop", proto, {"tasks": jobs}, duration)]


def code_work(rng, world, proto, duration):
    """git, package installs, continuous integration pages."""
    hosts = world.hosts_of("download", 2, 4)
    jobs = [
        job(hosts[0], span(rng, 30, 180), [5, 3000], repeat=[1, 4], inner=[0.3, 3]),
        job(hosts[1], span(rng, 60, 300), [20, 2500], repeat=[5, 60], inner=[0.02, 0.3], first_s=rng.uniform(5, 60)),
        job(hosts[0], span(rng, 3, 15), [1, 30]),
    ]
    return [activity("tasks", "code", proto, {"tasks": jobs}, duration)]


def cloud_game(rng, world, proto, duration):
    """A game drawn far away: a picture stream in one direction, controls in the other. Its own class."""
    spec = {
        "host": world.host("game"),
        "port": rng.choice(GAME_PORTS),
        "up": [{"kind": "voice", "period_ms": 8, "size": [60, 120], "talk_s": [0, 0]}],
        "down": [picture(rng, rng.choice((1500, 2500, 4000)), 0.35), voice(rng, 10)],
        "call_s": span(rng, 120, 500),
        "gap_s": [15, 60],
    }
    return [activity("udp", "cloud_game", proto, spec, duration)]
