"""The bridge to Django."""

from __future__ import annotations

from .bridge import bridge

__all__ = ["bridge"]
