# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads: counts, ratios, odds, and one sentence about what they mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Any, Optional

from ._policy import Forced
from ._settings import Settings

if TYPE_CHECKING:
    from ._verdict import Signals

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


# The way out where no limit for errors follows from what is known of the stable color.
LIMIT_WRITTEN = "write one as gates.errors.max_error_ratio on the page"


@dataclass(frozen=True)
class Names:
    """What the two colors are called."""

    candidate: str = "the candidate"
    stable: str = "the stable color"


def odds(e: float) -> str:
    """An e-value as odds: ``12 to 1``, ``1 to 5``, ``2·10⁸ to 1``."""
    if e >= 1e5:
        power = floor(log10(e))
        lead = round(e / 10.0**power)
        if lead == 10:
            lead, power = 1, power + 1
        return f"{lead}·10{str(power).translate(_RAISED)} to 1"
    if e >= 1.0:
        return f"{_short(e)} to 1"
    if e > 1e-5:
        return f"1 to {_short(1.0 / e)}"
    return "nil"


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"


def per_cent(k: int, n: int) -> str:
    """``1.2 %``; more digits where the rate is small, so that it never reads as none."""
    rate = 100.0 * k / n if n else 0.0
    if rate and rate < 0.095:
        return f"{rate:.1g} %"
    return f"{rate:.1f} %"


def requests(n: int, *, none: str = "no request") -> str:
    return none if not n else "1 request" if n == 1 else f"{n} requests"


def ratio_text(ratio: float, interval: Optional[Sequence[Optional[float]]], stable: str) -> str:
    if interval is None:
        return f"{ratio:.2g} times as often as {stable}"
    low, high = interval
    if high is None:
        between = "any number is possible" if not low else f"at least {low:.2g}"
    else:
        between = f"{low:.2g} to {high:.2g}"
    return f"{ratio:.2g} times as often as {stable} ({between}, 95 %, valid whenever you look)"


def _against(settings: Settings, e: float) -> str:
    return f"the evidence against 'at most {settings.r0:g} times' is {odds(e)}"


def sentence(
    verdict: str, cause: str, names: Names, settings: Settings, signals: Signals, evidence: Mapping[str, Any]
) -> str:
    """The message of a verdict of the judge."""
    c, b = names.candidate, names.stable
    if signals.forced and cause == signals.forced.trouble.cause:
        return _forced(signals.forced)
    if cause == "split_lost":
        return f"the split is not what was set: {signals.split_lost}"
    if cause == "candidate_down":
        return f"{c} is down: {signals.down}"
    if cause == "threshold":
        return f"{signals.thresholds.violated}"
    if cause == "errors":
        return _comparison(names, settings, evidence) + _single_host(names, evidence)
    if cause == "latency":
        return f"{c} is slower than {b}: " + _slower(names, settings, evidence) + _single_host(names, evidence)
    if cause == "passed":
        return _passed(names, settings, evidence)
    if cause == "source_down":
        return f"no verdict without its source: {signals.source_down or signals.thresholds.source_down}"
    if cause == "no_data":
        return f"no verdict without data: {signals.no_data or signals.thresholds.no_data}"
    if cause == "one_host":
        without = odds(evidence["leave_one_out"].get(signals.one_host, 1.0))
        return (
            f"one machine or the version? The evidence for a rollback is {odds(signals.e_rollback)}, but without "
            f"{signals.one_host} only {without}; look at {signals.one_host}"
        )
    if cause == "server_down":
        return f"not all servers of {c} are up: {signals.server_down}"
    if cause == "warmup":
        return f"warming up: {signals.warmup}"
    if cause == "too_few_requests" and signals.measuring == 0:
        return f"too few requests: how quick {b} is has just been taken; latencies are compared from now on"
    if cause == "too_few_requests" and signals.measuring is not None:
        return (
            f"too few requests: to know how quick {b} is, {signals.measuring} more of its responses are needed; "
            "latencies are compared from then on"
        )
    if cause == "too_few_requests":
        had = requests(evidence["stage"]["candidate"]["requests"], none="none")
        return f"too few requests: {c} had {had} in this stage, about {signals.needed} more are needed"
    if cause == "dwell":
        return f"good so far, but the stage has not lasted its {settings.dwell:g} s"
    if signals.thresholds.failing:
        return f"undecided: {signals.thresholds.failing}"
    if signals.useless:
        return f"undecided: every request to {c} failed in this tick, which shows nothing good whatever {b} does"
    if signals.thresholds.waiting:
        return f"undecided: {signals.thresholds.waiting}"
    proven = evidence["e_promote_errors"]
    if evidence["latency"] and (proven is None or proven >= signals.proven):
        return "undecided: " + _slower(names, settings, evidence)
    return "undecided: " + _comparison(names, settings, evidence)


def _forced(forced: Forced) -> str:
    trouble = forced.trouble
    done = {"rollback": "rolled back", "pause": "paused for a person"}[forced.action]
    return f"{done}, as {trouble.cause}: {forced.action} of {trouble.gate} says: {trouble.text}"


def _slower(names: Names, settings: Settings, evidence: Mapping[str, Any]) -> str:
    """The quantile that says most."""
    c, b = names.candidate, names.stable
    quantile, found = max(evidence["latency"].items(), key=lambda entry: entry[1]["e_rollback"])
    (n_c, k_c), (n_b, k_b) = found["candidate"], found["stable"]
    beta = found["beta"]
    than = f"{milliseconds(beta)} ({b}'s {quantile})" if beta else f"{b}'s {quantile}"
    return (
        f"{per_cent(k_c, n_c)} of {requests(n_c)} to {c} took over {settings.slowdown:.4g} times as long as {than}, "
        f"{per_cent(k_b, n_b)} of {n_b} to {b} over once; the evidence against 'at most "
        f"{100.0 * (settings.slowdown - 1.0):.3g} % slower' is {odds(evidence['e_latency'])}"
    )


def milliseconds(seconds: float) -> str:
    """``53 ms``."""
    return f"{1000.0 * seconds:.3g} ms"


def _comparison(names: Names, settings: Settings, evidence: Mapping[str, Any]) -> str:
    c, b = names.candidate, names.stable
    candidate, stable = evidence["candidate"], evidence["stable"]
    if evidence["ratio"] is not None:
        return f"{c} fails {ratio_text(evidence['ratio'], evidence['ratio_interval'], b)}; " + _against(
            settings, evidence["e_errors"]
        )
    return (
        f"{candidate['errors']} of {requests(candidate['requests'])} to {c} failed, and "
        f"{stable['errors'] or 'none'} of {stable['requests']} to {b}; " + _against(settings, evidence["e_errors"])
    )


def _single_host(names: Names, evidence: Mapping[str, Any]) -> str:
    if evidence["hosts_told_apart"]:
        return ""
    return f". With one {names.candidate} server, the machine and the version cannot be told apart"


def _passed(names: Names, settings: Settings, evidence: Mapping[str, Any]) -> str:
    c, b = names.candidate, names.stable
    candidate, stable = evidence["stage"]["candidate"], evidence["stage"]["stable"]
    if evidence["e_promote"] is None:
        return f"{c} is up and within every limit"
    if evidence["e_promote_errors"] is None:
        return f"{c} is as quick as {b}; {_not_slower(settings, evidence)}"
    latency = f", and {_not_slower(settings, evidence)}" if evidence["latency"] else ""
    return (
        f"{c} is as good as {b}: {per_cent(candidate['errors'], candidate['requests'])} of "
        f"{requests(candidate['requests'])} failed, {b} {per_cent(stable['errors'], stable['requests'])} of "
        f"{stable['requests']}; the evidence against '{settings.r1:g} times as often plus {100 * settings.d1:g} "
        f"percentage points or worse' is {odds(evidence['e_promote_errors'])}{latency}"
    )


def _not_slower(settings: Settings, evidence: Mapping[str, Any]) -> str:
    proofs = [found["e_promote"] for found in evidence["latency"].values() if found["e_promote"] is not None]
    text = f"'{100.0 * (settings.promote_slowdown - 1.0):.3g} % slower or worse'"
    return f"against {text} it is {odds(min(proofs))}" if proofs else "slowness was looked for and not found"


def absolute_sentence(
    verdict: str,
    cause: str,
    names: Names,
    settings: Settings,
    signals: Signals,
    evidence: Mapping[str, Any],
    limit_text: Optional[str],
) -> str:
    """The message where there is nothing to compare with; says that this is the weaker kind of evidence."""
    c = names.candidate
    count = evidence["candidate"]
    rate = f"{per_cent(count['errors'], count['requests'])} of {requests(count['requests'])} failed"
    if cause == "errors":
        found = f"{c}: {rate}, and the evidence against {limit_text} is {odds(evidence['e_errors'])}"
    elif cause == "latency" or (cause == "undecided" and evidence["slower"] and not signals.thresholds.failing):
        found = (f"{c} is slower: " if cause == "latency" else "undecided: ") + _slower(names, settings, evidence)
    elif cause == "passed":
        within = f"{rate}, within {limit_text}" if limit_text else "no limit was set for errors"
        found = f"{c} is up for {settings.dwell:g} s; {within}"
        if evidence["not_judged"]:
            found += f"; not judged, since it is not known how {names.stable} was before: "
            found += ", ".join(evidence["not_judged"])
    elif cause == "too_few_requests" and evidence["unknown"]:
        found = (
            f"too few requests: {names.stable} had {requests(evidence['stable']['requests'], none='none')} before that "
            f"is known of, and {signals.needed} more are needed for a limit on {c}'s errors; {LIMIT_WRITTEN}"
        )
    elif cause == "too_few_requests":
        what = f"{limit_text} cannot be checked" if limit_text else "there is nothing to judge"
        found = f"too few requests: {c} had none, so {what}"
    elif cause == "undecided" and not signals.thresholds.failing and not signals.useless:
        found = f"undecided: {c}: {rate}, not within {limit_text}"
    else:
        return sentence(verdict, cause, names, settings, signals, evidence)
    return f"{found} (weaker evidence: there is no other color to compare with at the same time)"


def held_at_timeout(result: Mapping[str, Any], policy: str, asked: str) -> str:
    what = {"pause": "paused for a person", "rollback": "rolled back", "promote": "promoted"}[policy]
    because = (
        f"as on_timeout: {asked} says"
        if policy == asked
        else f"although on_timeout is {asked}, which does not cover {result['cause']}"
    )
    return f"not decided in {result['elapsed']:.0f} s, so {what}, {because}; last: {result['message']}"


def once_more(result: Mapping[str, Any]) -> str:
    return f"{result['message']}; so once back to the stage before, where both colors are compared at the same time"


def progress(label: str, result: Mapping[str, Any], names: Names) -> str:
    """One line a tick: ``shop stage 1 (5 %) 35 s: hold undecided - green 1.2 % of 410 requests failed, ...``."""
    evidence = result["evidence"]
    head = f"{label} {result['elapsed']:.0f} s: {result['verdict']} {result['cause']}"
    if result["cause"] in _SAY_WHY or (result["cause"] == "too_few_requests" and not evidence["concurrent"]):
        return f"{head} - {result['message']}"
    candidate, stable = evidence["candidate"], evidence["stable"]
    parts = [f"{names.candidate} {_failed(candidate)}"]
    if evidence["concurrent"]:
        parts.append(f"{names.stable} {_failed(stable, brief=True)}")
    text = f"{head} - {', '.join(parts)}; odds for rollback {odds(evidence['e_rollback'])}"
    if evidence["e_promote"] is not None:
        text += f", for promotion {odds(evidence['e_promote'])}"
    if result["cause"] == "too_few_requests" and evidence["needed"]:
        text += f", about {evidence['needed']} more requests needed"
    return text


_SAY_WHY = (
    "split_lost",
    "candidate_down",
    "threshold",
    "source_down",
    "no_data",
    "one_host",
    "server_down",
    "superseded",
    "warmup",
)


def _failed(count: Mapping[str, int], *, brief: bool = False) -> str:
    n = count["requests"]
    if not n:
        return "had no request"
    return f"{per_cent(count['errors'], n)} of {n}" + ("" if brief else f" request{'s' if n != 1 else ''} failed")
