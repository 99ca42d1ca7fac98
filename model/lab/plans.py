"""The words families are written in: activities, habits, jobs.

An *activity* is one engine of the traffic program with its numbers (see
traffic/plan.go). Ranges are pairs; the program draws from them.
"""


def activity(engine, cls, proto, spec, seconds=0):
    return {"engine": engine, "class": cls, "proto": proto, "duration_s": seconds, "spec": spec}


def span(rng, low, high, widest=3.0):
    """A narrower range inside [low, high], so that each client has habits of its own."""
    centre = low * (high / low) ** rng.random() if low > 0 else rng.uniform(low, high)
    factor = rng.uniform(1.1, widest)
    return [round(max(low, centre / factor), 3), round(min(high, centre * factor), 3)]


def split(rng, total, low, high):
    """Lengths between low and high that add up to total."""
    out = []
    while total > 0:
        part = min(total, rng.uniform(low, high))
        out.append(part)
        total -= part
    return out


def job(host, every, down, up=(0, 0), repeat=(1, 1), inner=(0, 0), **more):
    return {
        "host": host,
        "every_s": list(every),
        "down_kb": list(down),
        "up_kb": list(up),
        "repeat": list(repeat),
        "inner_s": list(inner),
        **more,
    }


def rename(activities, cls):
    return [{**a, "class": cls} for a in activities]
