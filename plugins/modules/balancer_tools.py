#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_tools
short_description: Put the collection's own tools on a balancer
version_added: 0.1.0
description:
  - Copies the Python package that a balancer runs by itself, above all when a lease ends and nobody is there any
    more, and that the validation of configuration files uses.
  - The files are those of the collection that runs the play, all in one step; files of an older version are removed.
extends_documentation_fragment:
  - sluice.bluegreen.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Names the files, without their text.
  idempotent:
    support: full
options:
  path:
    description:
      - Folder to keep the package in, as C(sluice_bluegreen). It is run as C(python3 -m sluice_bluegreen.…) with this
        folder in C(PYTHONPATH).
      - Nothing but Python files below C(sluice_bluegreen) is ever written or removed.
    type: path
    default: /usr/local/lib/sluice
  files:
    description:
      - The files' texts by their path in the package.
      - Given by the action plugin of the same name; leave it out.
    type: dict
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Install the tools
  sluice.bluegreen.balancer_tools:
"""

RETURN = r"""
path:
  description: The package's folder.
  type: str
  returned: success
  sample: /usr/local/lib/sluice/sluice_bluegreen
written:
  description: Files that were written, or would be.
  type: list
  elements: str
  returned: success
removed:
  description: Files of another version that were removed, or would be.
  type: list
  elements: str
  returned: success
"""

import os
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import InputError, SluiceError

PACKAGE = "sluice_bluegreen"
_NAME = re.compile(r"(?:[a-z_][a-z0-9_]*/)*[a-z_][a-z0-9_]*\.py")


def install(path: str, files: dict[str, str], check_mode: bool) -> dict[str, Any]:
    """Make the Python files below ``path``/``sluice_bluegreen`` those of ``files``; OSError where that fails."""
    wrong = [name for name in files if not _NAME.fullmatch(name)]
    if wrong or not files:
        raise InputError(f"Not the files of a Python package: {', '.join(wrong) or 'none given'}.")
    root = Path(path, PACKAGE)
    present = {str(file.relative_to(root)): file for file in root.rglob("*.py")}
    removed = sorted(set(present) - set(files))
    written = sorted(name for name, text in files.items() if name not in present or _text(present[name]) != text)
    if not check_mode:
        for name in written:
            _write(root / name, files[name])
        for name in removed:
            present[name].unlink()
    before = dict.fromkeys(sorted(present), "present")
    after = {name: "new" if name in written else "present" for name in sorted(files)}
    return {
        "changed": bool(written or removed),
        "path": str(root),
        "written": written,
        "removed": removed,
        "diff": {"before": before, "after": after},
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o644)
    temporary.replace(path)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/usr/local/lib/sluice"},
            "files": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    try:
        module.exit_json(**install(module.params["path"], module.params["files"] or {}, module.check_mode))
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        module.fail_json(msg=f"Cannot install the tools: {error}")


if __name__ == "__main__":
    main()
