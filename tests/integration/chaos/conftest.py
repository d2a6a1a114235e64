"""Make `chaos` importable, as `python -m chaos` finds it, and the balancer of the tests of a step."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "integration" / "step")]
