"""Families of browsing: pages of different weight, endless scrolling, maps, searches."""

from plans import activity, span, split


def browse(rng, world, seconds, proto=None):
    return activity("pages", "web", proto or rng.choice(("h1", "h2", "h2")), surfing(rng, world), round(seconds, 1))


def surfing(rng, world, weight=None):
    weight = weight or rng.choice(("light", "medium", "medium", "heavy"))
    parts, part_kb = {"light": ([3, 18], [2, 30]), "medium": ([10, 60], [3, 90]), "heavy": ([25, 120], [4, 300])}[
        weight
    ]
    during = []
    if rng.random() < 0.5:
        during.append(
            {
                "every_s": span(rng, 2, 15),
                "parts": [1, rng.randint(3, 16)],
                "part_kb": [3, rng.choice((40, 150))],
                "odds": 0.5,
            }
        )
    if rng.random() < 0.5:
        during.append(
            {
                "every_s": span(rng, 5, 40),
                "parts": [1, 4],
                "part_kb": [1, rng.choice((20, 200))],
                "host": world.host("ads"),
                "odds": 0.7,
            }
        )
    return {
        "hosts": world.hosts_of("web", 2, 12) + [world.host("ads")],
        "page_kb": span(rng, 8, 200),
        "parts": parts,
        "part_kb": part_kb,
        "think_s": [rng.uniform(1.5, 6), rng.uniform(15, 90)],
        "during": during,
    }


def web_light(rng, world, proto, duration):
    return [browse_for(rng, world, proto, duration, "light")]


def web(rng, world, proto, duration):
    return [browse_for(rng, world, proto, s, None) for s in split(rng, duration, 120, 500)]


def web_heavy(rng, world, proto, duration):
    return [browse_for(rng, world, proto, s, "heavy") for s in split(rng, duration, 120, 500)]


def browse_for(rng, world, proto, seconds, weight):
    return activity("pages", "web", proto, surfing(rng, world, weight), round(seconds, 1))


def scroll(rng, world, proto, duration):
    """Endless pages of pictures (social networks, shops)."""
    spec = surfing(rng, world, "medium")
    spec["think_s"] = [40, 300]
    spec["during"] = [
        {"every_s": span(rng, 1, 8), "parts": [2, rng.randint(4, 20)], "part_kb": [8, rng.choice((60, 150, 350))]}
    ]
    return [activity("pages", "web_scroll", proto, spec, duration)]


def web_motion(rng, world, proto, duration):
    """Pages with animated ads and moving thumbnails: not watching, but it moves."""
    spec = surfing(rng, world, "medium")
    spec["think_s"] = [15, 120]
    spec["during"] = [{"every_s": span(rng, 8, 40), "parts": [1, 3], "part_kb": span(rng, 20, 250), "odds": 0.8}]
    return [activity("pages", "web_motion", proto, spec, duration)]


def maps(rng, world, proto, duration):
    spec = {
        "hosts": world.hosts_of("web", 3, 5),
        "page_kb": [100, 400],
        "parts": [20, 60],
        "part_kb": [5, 60],
        "think_s": [60, 300],
        "during": [
            {"every_s": span(rng, 0.8, 12), "parts": [4, rng.randint(10, 40)], "part_kb": [4, rng.choice((25, 60))]}
        ],
    }
    return [activity("pages", "maps", proto, spec, duration)]


def search(rng, world, proto, duration):
    spec = {
        "hosts": world.hosts_of("web", 1, 3),
        "page_kb": span(rng, 20, 330),
        "parts": [2, rng.randint(6, 30)],
        "part_kb": [1, rng.choice((15, 50))],
        "think_s": span(rng, 2, 30),
        "during": [{"every_s": [0.4, 3], "parts": [1, 2], "part_kb": [0.5, 4], "odds": 0.6}],
    }
    return [activity("pages", "search", proto, spec, duration)]
