"""The names of temporary files: different in each delivery, and the same for the comparison of two histories."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import note_draw

library: Final = "tempfile"


def install(patches: Patches) -> None:
    """Let points and states call the names random, however often a file of that name is there already."""
    sequence: Any = vars(tempfile)["_RandomNameSequence"]
    draw: Callable[[Any], str] = sequence.__next__

    @functools.wraps(draw)
    def drawn(names: Any) -> str:
        name = draw(names)
        note_draw(name)
        return name

    patches.set(sequence, "__next__", drawn)
