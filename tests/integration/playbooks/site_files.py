"""An inventory of a small site, and the ways to spoil it."""

from __future__ import annotations

import copy
import sys
from typing import Any

PAGE: dict[str, Any] = {
    "image": "registry.example.com/shop",
    "hosts": {"blue": "shop_blue", "green": "shop_green"},
    "container": {"port": 8080},
    "health": {"path": "/healthz"},
    "listen": {"bind": "*:80"},
    "strategy": "canary",
}
# Nobody listens on port 1: whoever is asked there is out of reach at once.
OUT_OF_REACH = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "nobody"}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


def vm(number: int, **reach: Any) -> dict[str, Any]:
    return {"bluegreen_address": f"198.18.0.{number}", **(reach or OUT_OF_REACH)}


def inventory(**spoilt: Any) -> dict[str, Any]:
    """Two balancers and two VMs a color, all out of reach.

    ``spoilt`` are changes by path: ``page__strategy`` on the service's page, ``groups__shop_blue`` in the inventory.
    ``...`` takes the entry away.
    """
    site: dict[str, Any] = {
        "page": copy.deepcopy(PAGE),
        "groups": {
            "loadbalancers": {"lb1": dict(OUT_OF_REACH), "lb2": dict(OUT_OF_REACH)},
            "shop_blue": {"blue1": vm(21), "blue2": vm(22)},
            "shop_green": {"green1": vm(31), "green2": vm(32)},
        },
    }
    for path, value in spoilt.items():
        *parents, last = path.split("__")
        at = site
        for parent in parents:
            at = at[parent]
        if value is ...:
            del at[last]
        else:
            at[last] = value
    return {
        "all": {
            "hosts": {"localhost": dict(LOCAL)},
            "vars": {"bluegreen_services": {"shop": site["page"]}},
            "children": {name: {"hosts": hosts} for name, hosts in site["groups"].items()},
        }
    }
