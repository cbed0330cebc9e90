"""The bridge to Taskiq."""

from __future__ import annotations

from .bridge import bridge

__all__ = ["bridge"]
