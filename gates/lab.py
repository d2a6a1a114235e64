# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab of the demo, what its balancers have written down, and what can be done to it while a gate looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chaos.lab import ROOT, STATE
from chaos.lab import Lab as AnyLab

INVENTORY = ROOT / "inventories" / "lab"
SERVICE = "shop"
_OWN = f"docker ps -q --filter label=sluice.bluegreen.service={SERVICE}"
_TROUBLE = "/dev/shm/trouble.json"


class Lab(AnyLab):
    """Acts take the name of a VM; what concerns a balancer takes none."""

    def __init__(self) -> None:
        super().__init__(SERVICE, INVENTORY)

    def whom(self, said: str, candidate: str) -> list[str]:
        """The VMs that a case calls ``all``, ``candidate``, ``one`` of the candidate, or ``""`` for none."""
        of_candidate = self.vms[candidate]
        everybody = [vm for vms in self.vms.values() for vm in vms]
        return {"all": everybody, "candidate": of_candidate, "one": of_candidate[-1:]}.get(said, [])

    def act(self, what: str, vms: Sequence[str]) -> None:
        """Do it to all of them at once, or to none in particular."""
        do = getattr(self, what)
        if not vms:
            do()
            return
        with ThreadPoolExecutor(len(vms)) as hands:
            list(hands.map(do, vms))

    def fail_third(self, vm: str) -> None:
        """A third of the requests, whatever version it is."""
        told = json.dumps({"error_ratio": 0.33})
        write = f"cat > {_TROUBLE}.new && mv {_TROUBLE}.new {_TROUBLE}"
        self.shell(vm, f"echo '{told}' | docker exec -i $({_OWN}) sh -c '{write}'")

    def fail_none(self, vm: str) -> None:
        self.shell(vm, f"{_OWN} | xargs -r -I % docker exec % rm -f {_TROUBLE}")

    def prometheus_stop(self) -> None:
        self.run(self.balancers[0], "systemctl", "stop", "prometheus")

    def quiet(self) -> None:
        """No trouble anywhere, and Prometheus runs."""
        self.act("fail_none", self.whom("all", "blue"))
        self.run(self.balancers[0], "systemctl", "start", "prometheus")

    def events(self, tries: int = 3) -> list[dict[str, Any]]:
        """What the first balancer's journal holds, oldest first; asked again where the engine gave no whole answer."""
        said = self.shell(self.balancers[0], f"cat {STATE}/{SERVICE}/journal.jsonl 2>/dev/null || true")
        try:
            return [json.loads(line) for line in said.splitlines()]
        except ValueError:
            if tries < 2:
                raise RuntimeError(f"{self.balancers[0]}: this is no journal: {said[:200]!r}") from None
            return self.events(tries - 1)

    def tapes(self, release_id: str) -> dict[str, str]:
        """The recorded stages of a release, by the end of their names."""
        folder = f"{STATE}/{SERVICE}/tapes"
        names = self.shell(self.balancers[0], f"ls {folder} | grep -F '{release_id}-' || true").split()
        return {
            Path(name).stem.removeprefix(f"{release_id}-"): self.shell(self.balancers[0], f"cat {folder}/{name}")
            for name in names
        }
