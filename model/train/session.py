"""The session layer in integers: the reference that `src/watch` is held against. Formulas and fields: docs/features.md.

A quiet window says nothing (silent video and an idle device look alike), so only windows with evidence move the belief; quiet
ones use up the playout allowance, which grows with the square of the session's own burst period: who fetches often
holds little. Who fetches by the clock is missed as soon as it does not. After a dead silence, without a packet, the count waits
for fetching to go on. Credit reaches back to where the evidence began.
"""
import dataclasses
import math

import numpy as np

ONE = 65536
# The variation of a period that was not seen.
UNSTEADY = 2**32 - 1
SENSITIVITY = {"low": 0, "normal": 1, "high": 2}


@dataclasses.dataclass
class Settings:
    """What is chosen by training, in natural units."""

    evidence_bytes: int = 20_000
    temper: float = 0.6
    bias: float = 0.0
    clip: float = 2.0
    floor: float = -1.0
    ceiling: float = 5.0
    on: tuple = (4.0, 3.0, 2.0)
    off: float = -0.9
    back_max_windows: int = 24
    period_default_ds: int = 120
    period_bursts_min: int = 3
    hold_square: int = 60_000
    hold_min_ds: int = 100
    hold_max_ds: int = 1500
    steady_below_pm: int = 0
    steady_hold_ds: int = 0
    steady_hold_pm: int = 0
    dead_pm: int = 0
    dead_bridge_ds: int = 0
    forget_quiet_ds: int = 1800

    def llr(self):
        """Log-likelihood ratio in 16.16 by score >> 8: the tempered log odds of the score, clipped."""
        table = []
        for i in range(256):
            p = min(max((i + 0.5) / 256, 0.01), 0.99)
            value = self.temper * (math.log(p / (1 - p)) - self.bias)
            table.append(round(max(-self.clip, min(self.clip, value)) * ONE))
        return table

    def params(self):
        """The JSON object that the artefact carries."""
        whole = lambda x: round(x * ONE)
        return {"window_s": 10, "evidence_bytes": self.evidence_bytes, "llr": self.llr(), "llr_min": whole(self.floor),
                "llr_max": whole(self.ceiling), "on": [whole(x) for x in self.on], "off": whole(self.off),
                "back_max_windows": self.back_max_windows, "period_default_ds": self.period_default_ds,
                "period_bursts_min": self.period_bursts_min, "hold_square": self.hold_square,
                "hold_min_ds": self.hold_min_ds, "hold_max_ds": self.hold_max_ds,
                "steady_below_pm": self.steady_below_pm, "steady_hold_ds": self.steady_hold_ds,
                "steady_hold_pm": self.steady_hold_pm, "dead_pm": self.dead_pm, "dead_bridge_ds": self.dead_bridge_ds,
                "forget_quiet_ds": self.forget_quiet_ds}


class Watch:
    """One client's session state."""

    def __init__(self, params, sensitivity="normal"):
        self.p, self.on_at, self.last = params, params["on"][SENSITIVITY[sensitivity]], None
        self.reset()

    def reset(self):
        self.on, self.belief, self.since = False, self.p["llr_min"], None
        self.period_ds, self.seen, self.hold_ds = self.p["period_default_ds"], False, self.p["hold_min_ds"]
        self.period_cv, self.dead, self.waits_since = UNSTEADY, 0, None

    def evidence(self, no, score, bursts, period_ds, period_cv):
        p = self.p
        if self.since is None or (not self.on and self.belief <= p["llr_min"]):
            self.since = no
        self.belief = min(max(self.belief + p["llr"][score >> 8], p["llr_min"]), p["llr_max"])
        if bursts >= p["period_bursts_min"]:
            cv = period_cv if period_cv >= 0 else UNSTEADY
            self.period_cv = self.period_cv // 2 + cv // 2 if self.seen else cv
            self.period_ds = (3 * self.period_ds + period_ds) // 4 if self.seen else period_ds
            self.seen = True
        self.last = no
        hold_ds = p["hold_square"] * self.period_ds * self.period_ds // 1_000_000
        if self.period_cv < p["steady_below_pm"]:
            hold_ds = min(hold_ds, p["steady_hold_ds"] + p["steady_hold_pm"] * self.period_ds // 1_000)
        self.hold_ds = min(max(hold_ds, p["hold_min_ds"]), p["hold_max_ds"])

    def resume(self, no):
        """Fetching goes on: the first window that is counted now, `no` if none had to wait, or too many had."""
        since, self.waits_since, self.dead = self.waits_since, None, 0
        return since if since is not None and (no - self.last - 1) * 100 <= self.p["dead_bridge_ds"] else no

    def listen(self, no, down_packets):
        """A window without evidence: how dead is the silence?"""
        self.dead = self.dead + 1 if down_packets == 0 else 0
        if self.on and self.waits_since is None and 0 < self.p["dead_pm"] * self.period_ds < self.dead * 100_000:
            self.waits_since = no

    def step(self, no, score, down_bytes, down_packets, bursts, period_ds, period_cv):
        """The windows that become counted: `range(first, no + 1)`, empty if none."""
        first = no
        if down_bytes >= self.p["evidence_bytes"]:
            first = self.resume(no)
            self.evidence(no, score, bursts, period_ds, period_cv)
        else:
            self.listen(no, down_packets)
        if self.last is None:
            return range(0)
        quiet_ds = (no - self.last) * 100
        if not self.on and self.belief >= self.on_at:
            self.on = True
            first = max(self.since, no - self.p["back_max_windows"])
        elif self.on and self.belief <= self.p["off"]:
            self.reset()
        if self.on and quiet_ds > self.hold_ds:
            self.reset()
        if not self.on and quiet_ds >= self.p["forget_quiet_ds"]:
            self.reset()
        return range(first, no + 1) if self.on and self.waits_since is None else range(0)


def steps(params, numbers, scores, down_bytes, down_packets, bursts, period_ds, period_cv, sensitivity="normal"):
    """(window, windows that became counted then) for each window 0..=last number that can change anything. `numbers` are the
    window numbers of the rows given, ascending."""
    watch, at = Watch(params, sensitivity), 0
    rows = zip(*(column.tolist() for column in (numbers, scores, down_bytes, down_packets, bursts, period_ds, period_cv)))
    for no, *row in rows:
        # Quiet windows without a row: only until nothing can change any more.
        while at < no and (watch.on or watch.belief > params["llr_min"] or watch.since is not None):
            yield at, watch.step(at, 0, 0, 0, 0, 0, 0)
            at += 1
        yield no, watch.step(no, *row)
        at = no + 1


def counted(params, numbers, *columns, sensitivity="normal"):
    """Whether each window 0..=last number is counted; columns as of `steps`."""
    out = np.zeros(int(numbers[-1]) + 1 if len(numbers) else 0, bool)
    for _, became in steps(params, numbers, *columns, sensitivity=sensitivity):
        out[became.start:became.stop] = True
    return out
