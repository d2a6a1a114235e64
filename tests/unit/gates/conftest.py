"""Make `gates`, `chaos` and `demo` importable, as `python -m gates` finds them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
