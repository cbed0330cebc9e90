"""What every bridge must do, as a suite that anybody's bridge can be held to."""

from __future__ import annotations

from .case import CAPABILITIES, DeclaredJobs, Library
from .suite import BridgeConformance

__all__ = ["CAPABILITIES", "BridgeConformance", "DeclaredJobs", "Library"]
