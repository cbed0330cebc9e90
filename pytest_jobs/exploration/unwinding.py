"""Letting go of what a dead delivery held."""

from __future__ import annotations

import sys
import traceback
import warnings

from ..harness.patches import Patches


def let_go(death: BaseException) -> None:
    """Free the frames of a delivery that is dead, without a warning of what it left open.

    A kernel closes the files of a process that was killed, and says nothing of it.

    Args:
        death: what unwound the delivery.
    """
    patches = Patches()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        # A generator that was suspended may end here, and what it does in its end is refused.
        patches.set(sys, "unraisablehook", _hear_nothing)
        try:
            traceback.clear_frames(death.__traceback__)
            death.__traceback__ = None
        finally:
            patches.restore()


def _hear_nothing(unraisable: object) -> None:
    pass
