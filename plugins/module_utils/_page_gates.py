# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person writes under ``gates`` on a service's page: keys, types, limits, defaults. Pure."""

from __future__ import annotations

import re
from typing import Any

from . import _json_path
from ._errors import InputError
from ._gate._policy import ACTIONS, CAUSES
from ._gate._settings import COLOR, JUDGE_SOURCES, SOURCES
from ._schema import Reader, is_list, plain
from ._units import percent, shown, tidy

QUANTILES = ("p50", "p90", "p99")
_HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_LABEL = r"[A-Za-z_][A-Za-z0-9_]*"
_SERVER = r"[A-Za-z0-9._:-]+"
_QUERY = r"(?s:.*\S.*)"


def gates(top: Reader) -> dict[str, Any]:
    """``errors`` is there unless it was switched off: a page that says nothing of gates is still gated."""
    given = top.section("gates")
    found: dict[str, Any] = {}
    # Written `errors: false`, or an empty `errors:`, which like a page without it means the defaults.
    if given.take("errors") is not False:
        found["errors"] = _errors(given.section("errors"))
    if given.take("latency") not in (None, False):
        found["latency"] = _latency(given.section("latency"))
    found["thresholds"] = [_threshold(threshold) for threshold in given.sections("thresholds")]
    names = [threshold["name"] for threshold in found["thresholds"]]
    for twice in sorted({name for name in names if name and names.count(name) > 1}):
        given.note("thresholds", f"two are called {shown(twice)}; give each a name of its own")
    if given.take("baseline") is not None:
        found["baseline"] = _words(given, "baseline", _SERVER, "names of servers, some of each color")
    given.done()
    return found


def _errors(errors: Reader) -> dict[str, Any]:
    found = {
        "max_ratio": tidy(errors.number("max_ratio", 1.5, low=1, high=1000)),
        "promote_ratio": tidy(errors.number("promote_ratio", 2, low=1, high=1000)),
        "margin": tidy(errors.points("margin", 0.2, low=0.001, high=99)),
        "alpha": tidy(errors.number("alpha", 0.01, low=1e-9, high=0.5)),
        "beta": tidy(errors.number("beta", 0.05, low=1e-9, high=0.5)),
        "cap": tidy(errors.number("cap", 4, low=1.01, high=1e6)),
        "min_errors": errors.integer("min_errors", 5, low=1, high=10**9),
        "min_excess": tidy(errors.points("min_excess", 0.05, low=0, high=99)),
        "warmup": errors.duration("warmup", 30, high=3600),
        **_totals(errors, "requests", "bad"),
    }
    if errors.take("max_error_ratio") is not None:
        found["max_error_ratio"] = _rate(errors, "max_error_ratio")
    errors.done()
    return found


def _latency(latency: Reader) -> dict[str, Any]:
    slowdown = latency.percentage("max_slowdown", 10, low=0, high=10000)
    found: dict[str, Any] = {"max_slowdown": tidy(slowdown), "quantiles": list(QUANTILES)}
    if latency.take("promote_slowdown") is not None:
        found["promote_slowdown"] = tidy(latency.percentage("promote_slowdown", 46, low=0.1, high=100000))
        if found["promote_slowdown"] <= slowdown:
            latency.note(
                "promote_slowdown",
                f"{found['promote_slowdown']:g} % is not above max_slowdown, {slowdown:g} %; raise it, or leave it out",
            )
    if latency.take("quantiles") is not None:
        found["quantiles"] = _words(latency, "quantiles", "|".join(QUANTILES), f"some of {', '.join(QUANTILES)}")
    found.update(_totals(latency, "buckets"))
    latency.done()
    return found


def _totals(gate: Reader, *queries: str) -> dict[str, Any]:
    """Where a gate that compares colors has its running totals from; nothing for the balancers' own."""
    found: dict[str, Any] = _policy(gate)
    if gate.choice("source", JUDGE_SOURCES, JUDGE_SOURCES[0]) == "haproxy":
        for key in ("url", *queries, "color_label", "server_label", "headers", "token", "timeout"):
            if gate.take(key) is not None:
                gate.note(key, "belongs to a source of its own; add 'source: prometheus', or leave it out")
        return found
    found["source"] = "prometheus"
    found["url"] = _url(gate)
    for query in queries:
        found[query] = gate.text(query, pattern=_QUERY, wanted="write a query that gives a counter by color and server")
    found["color_label"] = gate.text("color_label", "color", pattern=_LABEL, wanted="write the name of a label")
    found["server_label"] = gate.text("server_label", "server", pattern=_LABEL, wanted="write the name of a label")
    found["timeout"] = gate.duration("timeout", 5, low=0.1, high=300)
    return {**found, **_secrets(gate)}


def _policy(gate: Reader) -> dict[str, str]:
    """What is to be done without data, where the page says it; else the gate holds."""
    return {cause: gate.choice(cause, ACTIONS) for cause in CAUSES if gate.take(cause) is not None}


def _rate(errors: Reader, key: str) -> float:
    """A fraction below 1, from a fraction or from text with a per cent sign."""
    value = errors.take(key)
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            value = percent(value) / 100
        except InputError as error:
            errors.note(key, str(error))
            return 0.0
    number = Reader({key: value}, errors.path, errors.problems).number(key)
    if not 0 <= number < 1:
        errors.note(key, f"{shown(value)} is out of range; write a share of requests such as 1% or 0.01")
    return tidy(number)


def _threshold(threshold: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": threshold.text("name", wanted="give it a name, it is what a person will read"),
        "source": threshold.choice("source", SOURCES, SOURCES[0]),
        "failures": threshold.integer("failures", 2, low=1, high=1000),
        "timeout": threshold.duration("timeout", 5, low=0.1, high=300),
        **_policy(threshold),
    }
    limits = [key for key in ("max", "min", "max_ratio") if threshold.take(key) is not None]
    if len(limits) == 1:
        low = 1e-9 if limits[0] == "max_ratio" else float("-inf")
        found[limits[0]] = tidy(threshold.number(limits[0], low=low))
    elif threshold.given and (limits or found["source"] != "command"):
        what = "only one of them" if limits else "not none"
        threshold.note("", f"give either 'max', 'min' or 'max_ratio', {what}")
    found.update(_asked(threshold, found["source"], bool(limits)))
    if "max_ratio" in found and not any(COLOR in text for text in _texts(found)):
        threshold.note("max_ratio", f"asks for both colors; write {COLOR} where the color stands in the question")
    if threshold.take("total_failures") is not None:
        found["total_failures"] = threshold.integer("total_failures", low=1, high=10**6)
    if threshold.take("interval") is not None:
        found["interval"] = threshold.duration("interval", 5, low=1, high=86400)
    if threshold.take("count") is not None:
        found["count"] = threshold.integer("count", low=1, high=10**6)
    if threshold.take("delay") is not None:
        found["delay"] = threshold.duration("delay", 0, high=86400)
    found.update(_secrets(threshold))
    threshold.done()
    return found


# What each source is asked with.
_QUESTIONS = {"prometheus": ("url", "query"), "json": ("url", "path"), "command": ("command", "path", "env")}


def _asked(threshold: Reader, source: str, limited: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    own = _QUESTIONS[source]
    if "url" in own:
        found["url"] = _url(threshold)
    if "query" in own:
        found["query"] = threshold.text("query", pattern=_QUERY, wanted="write a query that gives one number")
    if "path" in own and (source == "json" or threshold.take("path") is not None):
        found["path"] = threshold.text("path", wanted="write where the number stands, such as series[0].value")
        _check_path(threshold, found["path"])
    if "command" in own:
        found["command"] = _words(
            threshold, "command", r"(?s:.+)", "the program and its arguments as a list, such as [./check, '$color']"
        )
        if threshold.take("env") is not None:
            found["env"] = threshold.texts("env", pattern=_LABEL, wanted="use letters, digits and '_'", secret=True)
    strangers = {key for keys in _QUESTIONS.values() for key in keys} - set(own)
    for key in sorted(strangers):
        if threshold.take(key) is not None:
            threshold.note(key, f"is not asked of source {source}; leave one of them out")
    return found


def _check_path(threshold: Reader, path: str) -> None:
    if not path:
        return
    try:
        _json_path.parse(path)
    except InputError as error:
        threshold.note("path", str(error))


def _texts(found: dict[str, Any]) -> list[str]:
    return [str(found.get(key, "")) for key in ("url", "query", "path")] + list(found.get("command", []))


def _url(reader: Reader) -> str:
    """Never shown: somebody may have written a password into it."""
    value = reader.take("url")
    if value is None:
        reader.note("url", "is missing; write one such as http://prometheus.example.com:9090")
    elif not isinstance(value, str) or not re.fullmatch(r"https?://[^/\s]\S*", value):
        reader.note("url", "does not fit; write one such as http://prometheus.example.com:9090")
    elif "@" in value.split("//", 1)[1].split("/", 1)[0]:
        reader.note("url", "has a user or a password in it, which everybody would read; write 'token' or 'headers'")
    else:
        return plain(value)
    return ""


def _secrets(reader: Reader) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if reader.take("headers") is not None:
        found["headers"] = reader.texts("headers", pattern=_HEADER, wanted="a header has no such name", secret=True)
    if reader.take("token") is not None:
        token = reader.take("token")
        if isinstance(token, str) and token.strip():
            found["token"] = plain(token)
        else:
            reader.note("token", "is not a text; write the bearer token, best from a vault")
    return found


def _words(reader: Reader, key: str, pattern: str, wanted: str) -> list[str]:
    """A list of texts, each of which matches ``pattern`` wholly."""
    value = reader.take(key)
    if not is_list(value) or not value:
        reader.note(
            key, f"{shown(value)} is not a list; write {wanted}" if value is not None else f"is missing; write {wanted}"
        )
        return []
    for word in value:
        if not isinstance(word, str) or not re.fullmatch(pattern, word):
            reader.note(key, f"{shown(word)} does not fit; write {wanted}")
    return [plain(str(word)) for word in value]
