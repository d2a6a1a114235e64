"""Tapes made up for the tests."""

from __future__ import annotations

import random

import pytest


def make_line(t, candidate, stable, **more):
    """A line from ``{server: (n, k)}`` of both colors."""
    colors = {
        "candidate": {name: {"errors": list(count)} for name, count in candidate.items()},
        "stable": {name: {"errors": list(count)} for name, count in stable.items()},
    }
    return {"t": t, "colors": colors, **more}


class Traffic:
    """Random ticks of 5 s: requests a second, the candidate's share of them, error rates, servers a color."""

    def __init__(self, seed=1, rate=200, share=0.05, candidates=2, stables=4):
        self.random = random.Random(seed)
        self.rate, self.share = rate, share
        self.candidates = [f"green{i + 1}" for i in range(candidates)]
        self.stables = [f"blue{i + 1}" for i in range(stables)]

    def hits(self, n, p):
        return sum(self.random.random() < p for _ in range(n)) if p else 0

    def line(self, t, p_c, p_b, **more):
        """``p_c`` is a rate, or one by server."""
        in_all = self.rate * 5
        each_c = round(in_all * self.share / len(self.candidates))
        each_b = round(in_all * (1 - self.share) / len(self.stables))
        rates = p_c if isinstance(p_c, dict) else dict.fromkeys(self.candidates, p_c)
        candidate = {name: (each_c, self.hits(each_c, rates.get(name, p_b))) for name in self.candidates}
        stable = {name: (each_b, self.hits(each_b, p_b)) for name in self.stables}
        return make_line(t, candidate, stable, **more)

    def run(self, judge, p_c, p_b, until=900):
        """Tick until there is a verdict or ``until`` seconds are over; the last result."""
        for t in range(5, until + 1, 5):
            result = judge.tick(self.line(t, p_c, p_b))
            if result["verdict"] != "hold":
                break
        return result


@pytest.fixture(scope="session")
def line():
    return make_line


@pytest.fixture(scope="session")
def traffic():
    return Traffic
