"""Make `ansible_collections.sluice.bluegreen` importable from any checkout, as Ansible itself would."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / "build" / "collections"
LINK = COLLECTIONS / "ansible_collections" / "sluice" / "bluegreen"


def _install_finder() -> None:
    if not LINK.exists():
        LINK.parent.mkdir(parents=True, exist_ok=True)
        LINK.symlink_to(ROOT, target_is_directory=True)
    if not any(type(finder).__name__ == "_AnsibleCollectionFinder" for finder in sys.meta_path):
        _AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()


_install_finder()

# How long an example takes says how busy the machine is.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
