# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ``sluice.bluegreen.plan``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError
from ansible_collections.sluice.bluegreen.plugins.module_utils._plan import Stage, stages

DOCUMENTATION = r"""
name: plan
short_description: The stages of a rollout from a strategy
version_added: 0.1.0
description:
  - Gives the list of stages that a strategy means, each with its split, dwell, timeout and what happens at the timeout.
positional: _input
options:
  _input:
    description:
      - The name of a strategy (V(all_at_once), V(canary) or V(linear)); a list of stages, each a per cent figure or a
        dictionary of C(split), C(dwell), C(timeout) and C(on_timeout); or a dictionary with C(name) or C(stages), the
        same three settings for all its stages, and C(step) in per cent for V(linear).
      - The splits must rise strictly, and the last one must be 100.
    type: raw
    required: true
  dwell:
    description: How long a stage lasts at least, in seconds or as a duration such as V(2m), where the strategy does
    not say. type: raw
    default: 60
  timeout:
    description: How long a stage may be held, in seconds or as a duration, where the strategy does not say.
    type: raw
    default: 900
  on_timeout:
    description: What happens then, where the strategy does not say.
    type: str
    choices: [pause, rollback, promote]
    default: pause
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Show what a canary release does
  ansible.builtin.debug:
    msg: "{{ 'canary' | sluice.bluegreen.plan }}"

- name: Four steps of a quarter, ten minutes each
  ansible.builtin.debug:
    msg: "{{ {'name': 'linear', 'step': 25} | sluice.bluegreen.plan(dwell='10m') }}"

- name: Stages of one's own
  ansible.builtin.debug:
    msg: "{{ [1, {'split': 10, 'dwell': '1h', 'timeout': '2h'}, 100] | sluice.bluegreen.plan(on_timeout='rollback') }}"
"""

RETURN = r"""
_value:
  description: The stages; C(split) in per cent, C(dwell) and C(timeout) in seconds.
  type: list
  elements: dict
  sample:
    - {split: 5.0, dwell: 60, timeout: 900, on_timeout: pause}
    - {split: 25.0, dwell: 60, timeout: 900, on_timeout: pause}
    - {split: 50.0, dwell: 60, timeout: 900, on_timeout: pause}
    - {split: 100.0, dwell: 60, timeout: 900, on_timeout: pause}
"""


def plan(strategy: Any, **defaults: Any) -> list[Stage]:
    """See DOCUMENTATION; raises AnsibleFilterError."""
    try:
        return stages(strategy, defaults, what_defaults="plan")
    except InputError as error:
        raise AnsibleFilterError(f"sluice.bluegreen.plan: {error}") from error


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan": plan}
