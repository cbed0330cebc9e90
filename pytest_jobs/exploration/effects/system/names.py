"""The names of temporary files: different in each delivery, and the same for the comparison of two histories."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from typing import Any, Final

from ....harness.records.patches import Patches
from ...engine.acts import watcher
from ...engine.sameness.chance import drawing

library: Final = "tempfile"


def install(patches: Patches) -> None:
    """Let points and states call the names random, however often a file of that name is there already."""
    sequence: Any = vars(tempfile)["_RandomNameSequence"]
    draw: Callable[[Any], str] = sequence.__next__

    @functools.wraps(draw)
    def drawn(names: Any) -> str:
        name = draw(names)
        current = watcher.get()
        draw_in_world = drawing.get()
        if current is not None:
            current.draw(name)
        elif draw_in_world is not None:
            draw_in_world(name)
        return name

    patches.set(sequence, "__next__", drawn)
