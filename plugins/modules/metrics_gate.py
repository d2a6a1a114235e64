#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: metrics_gate
short_description: Judge a candidate by its metrics until there is a verdict
version_added: 0.1.0
description:
  - Looks at every balancer of a service at each tick, prints a line, and ends with the verdict C(promote) or
    C(rollback), or when the time of the stage is over. It succeeds only when the candidate may go on.
  - Error rates are compared with those of the stable color at the same time, from the balancers' own counters. The
    evidence is kept as e-values, so looking at every tick does not make false alarms more likely. Missing data
    never pass.
  - Runs on the controller, once for all balancers; use C(run_once). Every balancer is asked over its own
    connection, with M(sluice.bluegreen.haproxy_tick), which also renews the lease of the stage and writes the tape.
  - An idle controller costs nothing here, but a balancer without C(pipelining) makes every tick slower by some
    round trips.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
attributes:
  check_mode:
    support: full
    details:
      - Looks at every balancer once and claims no verdict. Source V(tape) works as always, since it touches
        nothing.
  diff_mode:
    support: N/A
    details:
      - Nothing is changed.
  idempotent:
    support: N/A
    details:
      - Observes; what it finds depends on the traffic.
options:
  service:
    description: Name of the service.
    type: str
    required: true
  candidate:
    description: The color that is judged; the other one is the stable color.
    type: str
    choices: [blue, green]
    required: true
  source:
    description:
      - Where requests and errors come from.
      - V(haproxy) reads the counters of every balancer.
      - V(tape) judges a recorded tape, with no clock, no traffic and no balancer.
    type: str
    choices: [haproxy, tape]
    default: haproxy
  tape:
    description: Path, on the controller, of the tape that source V(tape) reads.
    type: path
  release_id:
    description:
      - The release that the stage belongs to. Its lease is renewed at every tick, and the gate ends at once, with
        cause C(superseded), on a balancer where another release has taken over.
      - Without it the balancers are only read.
    type: str
  servers:
    description:
      - The servers of both colors, each with C(name) and C(color); other keys are ignored, save C(age), the
        seconds for which the container had been running when the stage began. A server is not counted until it has
        run O(gates.errors.warmup). The age of a candidate that has none is read from the balancers' journals.
      - Required for source V(haproxy).
    type: list
    elements: dict
  balancers:
    description: Inventory names of the balancers; by default all hosts of the play, failed ones included.
    type: list
    elements: str
  weights:
    description:
      - The weight, by server, that every balancer has to have. A difference in any tick means cause C(split_lost)
        and verdict C(rollback).
    type: dict
  gates:
    description: What is judged.
    type: dict
    default: {}
    suboptions:
      errors:
        description: Compares error rates. An empty dictionary does it with the defaults.
        type: dict
        suboptions:
          max_ratio:
            description: Roll back on evidence that the candidate fails more than this many times as often (1.5).
            type: float
          promote_ratio:
            description: Promote on evidence that it fails less than this many times as often (2), plus
              O(gates.errors.margin).
            type: float
          margin:
            description: Percentage points, V(0.5pp) or V(0.5). By default 0.2.
            type: raw
          max_error_ratio:
            description:
              - Highest error rate, as a fraction or in per cent (V(0.01), V(1%)), where there is nothing to
                compare with.
              - Without it O(gates.errors.max_ratio) times the rate that the stable color had, plus
                O(gates.errors.margin).
            type: raw
          alpha:
            description: Chance of rolling back a candidate that is not worse (0.01).
            type: float
          beta:
            description: Chance, a stage, of promoting one that is worse than the ratio and margin allow (0.05).
            type: float
          cap:
            description: Most that one tick may multiply the evidence for a rollback by (4).
            type: float
          min_errors:
            description: Errors of the candidate below which they are no evidence (5).
            type: int
          min_excess:
            description: Percentage points that more of the candidate's requests must fail than of the stable
              color's (0.05).
            type: raw
          warmup:
            description: Seconds after the start of a container in which errors and latency do not count it (30).
            type: float
          requests:
            description: For source V(prometheus), a query for the counters of all requests.
            type: str
          bad:
            description: For source V(prometheus), a query for the counters of those that failed.
            type: str
          <<: &series
            source:
              description:
                - V(haproxy) (the default) has the running totals from the balancers.
                - V(prometheus) has them from queries that give one series a color and server.
              type: str
              choices: [haproxy, prometheus]
            color_label:
              description: Label whose value is V(blue) or V(green) (V(color)).
              type: str
            server_label:
              description: Label with the name of the server (V(server)); a port behind it is ignored.
              type: str
            <<: &asking
              url:
                description: The server that is asked, with any path prefix, e.g. V(http://prometheus.example.com:9090).
                type: str
              headers:
                description: HTTP headers to send.
                type: dict
              token:
                description: Bearer token to send.
                type: str
              timeout:
                description: Seconds to wait for an answer (5).
                type: float
              no_data:
                description: What to do when data have been missing three ticks in a row. By default hold.
                type: str
                choices: [hold, pause, rollback]
              source_down:
                description: What to do when the source has not answered three ticks in a row. By default hold.
                type: str
                choices: [hold, pause, rollback]
      latency:
        description:
          - Compares latencies with those of the stable color, from the balancers' own histogram (written by the role
            C(haproxy)) or from one in Prometheus. An empty dictionary does it with the defaults.
          - The stable color's quantiles are taken from its first 500 responses in the first stage, in ticks that are
            not judged themselves, and kept for the release.
        type: dict
        suboptions:
          max_slowdown:
            description:
              - Roll back on evidence that the candidate is slower than the stable color by more than this many per cent
                (V(10%)).
            type: raw
          promote_slowdown:
            description:
              - Promote on evidence, at p50 and p90, that it is not slower by so many per cent. By default V(46%), and a
                third above O(gates.latency.max_slowdown) where that is more.
            type: raw
          quantiles:
            description: Some of V(p50), V(p90) and V(p99); by default all.
            type: list
            elements: str
          buckets:
            description: For source V(prometheus), a query for the buckets of a histogram, with the label C(le).
            type: str
          <<: *series
      thresholds:
        description: Plain limits on measured values.
        type: list
        elements: dict
        suboptions:
          name:
            description: What a person will read.
            type: str
            required: true
          source:
            description:
              - Where the value comes from, asked by the controller. V($color) in a question stands for the color of the
                candidate.
              - V(prometheus) runs an instant query, V(json) gets a number out of what any HTTP endpoint answers.
              - V(command) runs a check of your own. Exit status 0 is good, 1 bad, 75 no data, any other a source that
                is down. It may print a JSON object with C(value), C(verdict) (promote, hold, rollback) and C(message).
            type: str
            choices: [prometheus, json, command]
            default: prometheus
          query:
            description: An instant query that gives one number. No result, or C(NaN), is no data, which holds the
              gate.
            type: str
          path:
            description: Where the number stands in a JSON answer, e.g. V(series[0].pointlist[-1][1]).
            type: str
          command:
            description: Program and arguments; no shell. It is told the release in variables C(SLUICE_...).
            type: list
            elements: str
          env:
            description: More variables for the command; their values are secrets.
            type: dict
          max:
            description:
              - Highest value that is good. Give one of O(gates.thresholds[].max), O(gates.thresholds[].min) and
                O(gates.thresholds[].max_ratio); a command may do without.
            type: float
          min:
            description: Lowest value that is good.
            type: float
          max_ratio:
            description:
              - How many times the stable color's value is good; the question, with V($color), is asked for both.
            type: float
          failures:
            description: Measurements in a row beyond the limit that mean a rollback (2).
            type: int
            aliases: [failure_limit]
          total_failures:
            description: Measurements beyond the limit in the whole stage that mean a rollback. By default any number is
              allowed, as long as they are not in a row.
            type: int
          interval:
            description: Seconds from one measurement to the next. By default every tick.
            type: float
          count:
            description: How often it is measured; a promotion needs them all. By default to the end of the stage.
            type: int
          delay:
            description: Seconds after the begin of the stage from which on it is measured (0).
            type: float
          <<: *asking
      baseline:
        description:
          - Names of servers of both colors. Of the stable color only these are compared with, for instance some that
            were restarted just before the release, as the candidate's were. By default all are.
        type: list
        elements: str
  baseline:
    description:
      - V(concurrent) compares with the stable color, which serves at the same time.
      - V(none) is for a first release and for the stage at 100 %. It judges by health, thresholds and a fixed
        limit on the error rate, and says that this is weaker evidence.
    type: str
    choices: [concurrent, none]
    default: concurrent
  carry:
    description:
      - RV(carry) of the stage before. The evidence for a rollback goes on from it.
      - Or, for O(baseline=none), its RV(known), without the evidence.
    type: dict
  stable_rate:
    description:
      - What the stable color did before, for O(baseline=none). By default it is taken from O(carry), else from what the
        balancers have counted of the stable color since they were started; at least 500 requests are needed, or 1 in
        O(gates.errors.margin).
    type: dict
    suboptions:
      requests:
        description: Requests.
        type: int
        required: true
      errors:
        description: Bad ones among them.
        type: int
        required: true
  first_release:
    description:
      - Whether no color has served before, for O(baseline=none). Else nothing is promoted without a limit for errors,
        where these are judged at all; a tape, which does not know, needs none.
    type: bool
    default: false
  stage:
    description: Number of the stage; part of the name of its tape.
    type: int
    default: 1
  look:
    description: How many times this stage of the release has been begun; a later look has a tape of its own.
    type: int
    default: 1
  second_look:
    description:
      - Whether the caller goes back to a stage in which both colors serve where RV(outcome) is C(second_look), to
        compare them there. A rollback for O(baseline=none) becomes that where it rests on the stable color's errors or
        latencies of before alone.
      - The traffic then stays where it is until the caller moves it; O(back) is not done.
    type: bool
    default: false
  split:
    description: Share of the traffic, in per cent, that the candidate gets; for what is printed only.
    type: float
  tick:
    description: Seconds from one look to the next, at least 1.
    type: float
    default: 5
  dwell:
    description: Seconds that the stage lasts at least before it may be promoted.
    type: float
    default: 60
  timeout:
    description: Seconds after which a stage that is still held ends as O(on_timeout) says.
    type: float
    default: 900
  on_timeout:
    description:
      - V(pause) for a person, V(rollback), or V(promote).
      - V(promote) covers what is undecided or had too few requests. Without data, with a source that is down, or
        with one bad machine the gate pauses all the same.
    type: str
    choices: [pause, rollback, promote]
    default: pause
  lease:
    description:
      - Seconds of the lease that every tick renews, at least two ticks. A balancer that does not answer for longer
        has gone back to what is committed by itself, which means cause C(split_lost).
      - Leave it out where runtime does not lead what is committed.
    type: float
  back:
    description:
      - Per cent by color that are set and committed on every balancer as soon as the verdict is to roll back, or
        as the gate itself fails in an unexpected way, before this returns, as M(sluice.bluegreen.haproxy_split) does
        it with O(release_id).
      - What fails then is not told here, so the caller does the same again, with the event for the journal.
    type: dict
  socket:
    description: Path of HAProxy's Runtime API socket on the balancers, or a dictionary of paths by balancer.
    type: raw
  config:
    description:
      - HAProxy's main configuration file on the balancers, with which O(back) has what it commits validated, or a
        dictionary of paths by balancer.
    type: raw
  config_dir:
    description: Folder with one HAProxy file per service, on the balancers, or a dictionary of paths by balancer.
    type: raw
  state_dir:
    description: Folder of the journals and tapes, on the balancers.
    type: path
  run_dir:
    description: Folder of the locks and leases, on the balancers.
    type: path
seealso:
  - module: sluice.bluegreen.haproxy_tick
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Judge green at 5 %
  sluice.bluegreen.metrics_gate:
    service: shop
    release_id: 20260504T120000Z-2.1.0-3f9c
    candidate: green
    servers:
      - {name: blue1, color: blue}
      - {name: green1, color: green}
    weights: {blue1: 190, green1: 10}
    gates:
      errors: {max_ratio: 1.5, margin: 0.5pp}
      thresholds:
        - name: p99 of green in seconds
          url: http://prometheus.example.com:9090
          query: histogram_quantile(0.99, sum by (le) (rate(http_seconds_bucket{color="green"}[1m])))
          max: 0.4
    stage: 1
    split: 5
    lease: 30
  run_once: true
  register: gate

- name: What would a stricter policy have done?
  sluice.bluegreen.metrics_gate:
    service: shop
    candidate: green
    source: tape
    tape: tapes/shop-2.1.0.jsonl
    gates:
      errors: {max_ratio: 1.2}
"""

RETURN = r"""
verdict:
  description: C(promote), C(rollback) or C(hold); null in check mode.
  type: str
  returned: always
  sample: rollback
cause:
  description:
    - Why. For C(promote) it is C(passed) or C(timeout); for C(rollback) C(errors), C(latency), C(threshold),
      C(candidate_down), C(split_lost), C(no_data), C(source_down) or C(timeout); for C(hold)
      C(too_few_requests), C(undecided), C(one_host), C(server_down), C(no_data), C(source_down), C(warmup), C(dwell)
      or C(superseded).
  type: str
  returned: always
  sample: errors
outcome:
  description:
    - What is to be done, C(promote), C(pause), C(rollback) or, only with O(second_look), C(second_look); null in check
      mode. A gate that was superseded gives C(pause), and its release must not touch the balancers any more.
  type: str
  returned: always
  sample: rollback
message:
  description: One sentence for a person; also C(msg).
  type: str
  returned: always
  sample: >-
    green fails 3.7 times as often as blue (2.1 to 6.5, 95 %, valid whenever you look); the evidence against 'at
    most 1.5 times' is 2·10⁸ to 1
held_for:
  description: Cause of the hold that the timeout, or the end of the tape, ended.
  type: str
  returned: when the gate ended without a verdict of its own
ticks:
  description: How many ticks were judged.
  type: int
  returned: always
  sample: 7
elapsed:
  description: Seconds since the stage began.
  type: float
  returned: always
  sample: 35
evidence:
  description:
    - What the verdict rests on. E-values are odds against a hypothesis, and RV(evidence.ratio_interval) holds
      whenever one looks. A null upper end means infinite.
  type: dict
  returned: except in check mode
  sample:
    e_rollback: 312.4
    e_errors: 312.4
    e_latency: null
    e_promote: 0.2
    leave_one_out: {green1: 44.1, green2: 87.0}
    hosts_told_apart: true
    candidate: {requests: 4100, errors: 44}
    stable: {requests: 37000, errors: 39}
    ratio: 10.2
    ratio_interval: [6.1, 17.5]
    needed: 0
    thresholds: {}
  contains:
    e_rollback:
      description: Evidence that the candidate is worse; a rollback needs 1/alpha.
      type: float
    e_promote:
      description: Evidence that it is as good; a promotion needs 1/beta. Null where none is required.
      type: float
    latency:
      description:
        - By quantile C(beta), the stable color's in seconds; C(candidate) and C(stable), responses and slow ones among
          them; and the e-values.
      type: dict
    leave_one_out:
      description: RV(evidence.e_rollback) without each candidate server in turn.
      type: dict
    candidate:
      description: Requests and errors of the candidate, with those of the stages that O(carry) stands for.
      type: dict
    stable:
      description: The same of the stable color.
      type: dict
    stage:
      description: Both, of this stage alone.
      type: dict
    ratio:
      description: How many times as often the candidate fails; null while the stable color has not failed.
      type: float
    ratio_interval:
      description: Both ends at 95 %.
      type: list
      elements: float
    needed:
      description: About how many more requests of the candidate are needed.
      type: int
    thresholds:
      description: By name the last value, the limits, and how many times in a row it was beyond them.
      type: dict
carry:
  description: For the next stage's O(carry).
  type: dict
  returned: except in check mode
known:
  description: What of RV(carry) the journals keep, for O(carry) of the stage at 100 % of a release that is resumed.
  type: dict
  returned: always
  sample: {reference: {beta: {p50: 0.02}}, slow: {p50: [4000, 1900]}, stable: [37000, 39], thresholds: {}}
"""
