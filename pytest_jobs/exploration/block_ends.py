"""Where a function leaves a `with` block: the line of the `with` is heard once more there."""

from __future__ import annotations

import dis
import sys
from types import CodeType, FrameType
from typing import Any, Final, Literal, TypeAlias

#: By an exception, or without one.
BlockEnd: TypeAlias = Literal["raised", "reached"]

_RAISED: Final = ("PUSH_EXC_INFO", "WITH_EXCEPT_START")
#: The three `None` that `__exit__` gets.
_REACHED: Final = ("LOAD_CONST",) * 3
_OPERATION: Final = 2


def block_end(code: CodeType) -> BlockEnd | None:
    """Return how a function that is running leaves a `with` block; None where it does not.

    Args:
        code: its code, a line of which is heard.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    if frame is None:
        return None
    rest = code.co_code[frame.f_lasti :]
    if _names(rest, 2) == _RAISED:
        return "raised"
    if _names(rest, 1) == ("SWAP",):
        # What is returned in the block stays below.
        rest = rest[_OPERATION:]
    if _names(rest, 4) == (*_REACHED, "CALL") and _loads_none(code, rest):
        return "reached"
    return None


def _names(operations: bytes, number: int) -> tuple[str, ...]:
    return tuple(dis.opname[each] for each in operations[: number * _OPERATION : _OPERATION])


def _loads_none(code: CodeType, operations: bytes) -> bool:
    loaded: list[Any] = [code.co_consts[operations[place]] for place in (1, 3, 5)]
    return loaded == [None, None, None]
