"""The fixtures of the gate's tests; what they are made of has a module of its own."""

from __future__ import annotations

from gate_lab import play, site

__all__ = ["play", "site"]
