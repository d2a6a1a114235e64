# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Split arithmetic: from shares of two colors to one integer weight a server, and back. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate

from .._errors import InputError

MAX_WEIGHT = 256
"""HAProxy's largest weight of a server."""

ROUNDROBIN_MOST = 4095
"""More servers than these are no backend of ``balance roundrobin``."""

MOST_OF_MANY = 16
"""The largest weight where there are more servers. What balances them then, such as ``random(1)``, keeps a tree with 16
places for each unit of weight: 10,000 servers of 256 each would make 41 million of them, and gigabytes."""

WAYS = ("requests", "user", "vm")
"""The ways to split: each request by itself, each user for good, or whole VMs at a time."""

NO_CAPACITIES: Mapping[str, float] = {}
"""Every server carries as much as any other."""

_TOLERANCE = Fraction(1, 1_000_000)


def split_weights(
    servers: Mapping[str, Sequence[str]], shares: Mapping[str, float], capacities: Mapping[str, float] = NO_CAPACITIES
) -> dict[str, int]:
    """One weight (0 to 256) a server, so that the colors' totals come as close to ``shares`` as integers can.

    ``servers``: color to the names of its servers, of two colors. ``shares``: color to per cent, together 100, or all 0
    for a service without a release (then every weight is 0). ``capacities``: server to how much it carries beside the
    others of its color, 1 where not given.

    Of all pairs of totals that the colors can have (0 to the sum of their full weights) those with the least distance
    to the wanted share are taken; among these the ones that give every server of a color its exact part are preferred,
    then the larger. A server's weight is less than 1 away from its part of the color's total, by its full weight. A
    share above 0 never gets a total of 0, and a share below 100 never all of it.

    Raises ``InputError`` where a color without servers is to have a share, a name comes twice, the shares are not
    percentages that add up to 100, or a capacity is not above 0.
    """
    first, second = _two_colors(servers)
    wanted = _checked_shares(shares, servers)
    largest = largest_weight(sum(map(len, servers.values())))
    full = {color: full_weights(names, capacities, largest) for color, names in servers.items()}
    if wanted[first] == wanted[second] == 0:
        totals = (0, 0)
    else:
        totals = _totals((_Color(full[first]), _Color(full[second])), wanted[first])
    return {**_spread(totals[0], full[first]), **_spread(totals[1], full[second])}


def largest_weight(servers: int) -> int:
    """The largest weight among so many servers of a backend."""
    return MAX_WEIGHT if servers <= ROUNDROBIN_MOST else MOST_OF_MANY


def full_weights(names: Sequence[str], capacities: Mapping[str, float], largest_weight: int) -> dict[str, int]:
    """The weights of one color's servers where it has all the traffic: the largest one for the largest capacity."""
    for name in names:
        capacity = capacities.get(name, 1)
        if not math.isfinite(capacity) or capacity <= 0:
            raise InputError(f"The capacity of {name} is {capacity:g}, not a number above 0.", server=name)
    largest = max((capacities.get(name, 1) for name in names), default=1)
    return {name: max(1, round(largest_weight * capacities.get(name, 1) / largest)) for name in names}


def weights_by(
    way: str,
    servers: Mapping[str, Sequence[str]],
    shares: Mapping[str, float],
    capacities: Mapping[str, float] = NO_CAPACITIES,
) -> dict[str, int]:
    """The weights for ``shares`` in one of ``WAYS``; arguments and errors are those of ``split_weights``."""
    return (vm_weights if way == "vm" else split_weights)(servers, shares, capacities)


def vm_weights(
    servers: Mapping[str, Sequence[str]],
    shares: Mapping[str, float],
    capacities: Mapping[str, float] = NO_CAPACITIES,
) -> dict[str, int]:
    """Weights by capacity alone, or 0: one color has all of its servers, the other its first, as many as come closest.

    Up to the share that a color has with all servers of both, it is the one with some of its servers, at least one; so
    more servers of it join while its share rises, and none of them has more to do than its capacity says.
    Arguments and errors are those of ``split_weights``.
    """
    first, second = _two_colors(servers)
    wanted = _checked_shares(shares, servers)
    names = [*servers[first], *servers[second]]
    full = full_weights(names, capacities, largest_weight(len(names)))
    active = {color: list(names) if wanted[color] > 0 else [] for color, names in servers.items()}
    if active[first] and active[second]:
        total = {color: sum(full[name] for name in names) for color, names in servers.items()}
        part = min((first, second), key=lambda color: wanted[color] - Fraction(total[color], sum(total.values())))
        rest = total[second if part == first else first]
        reached = list(accumulate(full[name] for name in servers[part]))
        distances = [abs(Fraction(some, some + rest) - wanted[part]) for some in reached]
        active[part] = active[part][: distances.index(min(distances)) + 1]
    return {
        name: full[name] if name in chosen else 0
        for color, names in servers.items()
        for chosen in [set(active[color])]
        for name in names
    }


def shares_of(weights: Mapping[str, int], servers: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The per cent of requests that ``weights`` really give to each color; all 0 where every weight is 0."""
    totals = {color: sum(weights[name] for name in names) for color, names in servers.items()}
    everything = sum(totals.values())
    if everything == 0:
        return dict.fromkeys(totals, 0.0)
    return {color: float(Fraction(100 * total, everything)) for color, total in totals.items()}


def _two_colors(servers: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    if len(servers) != 2:
        raise InputError(f"A split is between two colors, not {len(servers)}: {', '.join(servers) or 'none'}.")
    first, second = servers
    seen: dict[str, str] = {}
    for color, names in servers.items():
        for name in names:
            if name in seen:
                where = f"twice in {color}" if seen[name] == color else f"in {seen[name]} and in {color}"
                raise InputError(f"The server {name} is {where}; a server belongs to one color, once.", server=name)
            seen[name] = color
    return first, second


def _checked_shares(shares: Mapping[str, float], servers: Mapping[str, Sequence[str]]) -> dict[str, Fraction]:
    """The shares as exact fractions of 1, by the decimal digits that the user wrote."""
    if set(shares) != set(servers):
        raise InputError(f"Shares are for {', '.join(sorted(shares))}, the servers are {', '.join(sorted(servers))}.")
    exact = {}
    for color, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not math.isfinite(share):
            raise InputError(f"The share of {color} is {share!r}, not a percentage from 0 to 100.", color=color)
        if not 0 <= share <= 100:
            raise InputError(f"The share of {color} is {share:g} %, outside of 0 to 100 %.", color=color)
        exact[color] = Fraction(repr(share))
        if share > 0 and not servers[color]:
            raise InputError(
                f"The color {color} has no servers and cannot get {share:g} % of the requests. "
                f"Put hosts in its group and run sluice.bluegreen.site.",
                color=color,
            )
    total = sum(exact.values(), Fraction(0))
    if total == 0:
        return exact
    if abs(total - 100) > _TOLERANCE:
        parts = ", ".join(f"{color} {share:g} %" for color, share in shares.items())
        raise InputError(f"Shares must add up to 100 % (or all be 0), but add up to {float(total):g} %: {parts}.")
    return {color: share / total for color, share in exact.items()}


class _Color:
    """``limit``: the largest total; ``exact``: totals that are multiples of it give every server its exact part."""

    def __init__(self, full: Mapping[str, int]) -> None:
        self.limit = sum(full.values())
        self.exact = self.limit // math.gcd(*full.values()) if full else 0


def _totals(colors: tuple[_Color, _Color], share: Fraction) -> tuple[int, int]:
    """The best totals of the first and the second color, for the first color's ``share`` of 1."""
    limits, sizes = (colors[0].limit, colors[1].limit), (colors[0].exact, colors[1].exact)
    if share == 0:
        return 0, limits[1]
    if share == 1:
        return limits[0], 0
    candidates = list(_neighbours(share / (1 - share), limits))
    distances = [abs(Fraction(a, a + b) - share) for a, b in candidates]
    nearest = min(distances)
    best = [_scaled(pair, sizes, limits) for pair, distance in zip(candidates, distances) if distance == nearest]
    return max(best, key=lambda totals: (_uniform(totals, sizes), sum(totals)))


def _neighbours(ratio: Fraction, limits: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The fractions a/b, 1 <= a <= limits[0] and 1 <= b <= limits[1], next to ``ratio`` below and above, or just it.

    A walk down the Stern-Brocot tree in leaps: every fraction between the two ends of an interval has a numerator and
    a denominator of at least the sums of theirs, so the walk ends where these leave the limits.
    """
    (low_a, low_b), (high_a, high_b) = (0, 1), (1, 0)
    p, q = ratio.numerator, ratio.denominator
    while True:
        # The lower end may go towards the upper one as often as it stays at or below the ratio and inside the limits.
        steps = min(
            (p * low_b - q * low_a) // (q * high_a - p * high_b),
            _room(limits[0], low_a, high_a),
            _room(limits[1], low_b, high_b),
        )
        low_a, low_b = low_a + steps * high_a, low_b + steps * high_b
        if low_a * q == p * low_b:
            yield low_a, low_b
            return
        leaps = min(
            (q * high_a - p * high_b) // (p * low_b - q * low_a),
            _room(limits[0], high_a, low_a),
            _room(limits[1], high_b, low_b),
        )
        high_a, high_b = high_a + leaps * low_a, high_b + leaps * low_b
        if high_a * q == p * high_b:
            yield high_a, high_b
            return
        if steps == 0 and leaps == 0:
            break
    if low_a > 0:
        yield low_a, low_b
    if high_b > 0:
        yield high_a, high_b


def _room(limit: int, start: int, step: int) -> int:
    """How many steps fit between ``start`` and ``limit``; a step of 0 never leaves it."""
    return (limit - start) // step if step else limit + 1


def _scaled(pair: tuple[int, int], sizes: tuple[int, int], limits: tuple[int, int]) -> tuple[int, int]:
    """The multiple of a reduced pair that is uniform in as many colors as possible, then the largest."""
    most = min(limit // part for limit, part in zip(limits, pair))
    periods = [size // math.gcd(size, part) for size, part in zip(sizes, pair)]
    both = math.lcm(*periods)
    factors = {most, *(most - most % period for period in (*periods, both))} - {0}
    choices = [(pair[0] * factor, pair[1] * factor) for factor in factors]
    return max(choices, key=lambda totals: (_uniform(totals, sizes), sum(totals)))


def _uniform(totals: tuple[int, int], sizes: tuple[int, int]) -> int:
    return sum(total % size == 0 for total, size in zip(totals, sizes) if size)


def _spread(total: int, full: Mapping[str, int]) -> dict[str, int]:
    """``total`` in proportion to the full weights, by the largest remainders; the earlier server where equal."""
    whole = sum(full.values())
    parts = {name: divmod(total * weight, whole) for name, weight in full.items()}
    spread = {name: part for name, (part, _remainder) in parts.items()}
    # Python's sort keeps the order of equals.
    by_remainder = sorted(parts, key=lambda name: -parts[name][1])
    for name in by_remainder[: total - sum(spread.values())]:
        spread[name] += 1
    return spread
