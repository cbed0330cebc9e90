"""Where a dead delivery may be left, so that no `__exit__`, no `finally` and no `async with` is skipped."""

from __future__ import annotations

import ast
import contextlib
import dis
import gc
import linecache
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from ....harness.records.attributes import identity
from ....harness.running.calls import DirectCall
from ....harness.running.performer import Performer

_OURS: Final = str(Path(__file__).resolve().parents[3])
#: The functions that make a delivery. Their callers have nothing to do with it.
_BASE: Final = frozenset(
    made.__code__
    for made in (Performer.attempt, Performer.aattempt, DirectCall.run, DirectCall.arun)
)
#: An exception inside one of these leaves half of its work undone.
_BLOCK_METHODS: Final = frozenset(("__enter__", "__exit__", "__aenter__", "__aexit__", "__del__"))

#: The size of an operation in the code of a function.
_SIZE: Final = 2
_ENTERING: Final = frozenset(("BEFORE_WITH", "BEFORE_ASYNC_WITH", "LOAD_SPECIAL"))
_CALLS: Final = frozenset(("PRECALL", "CALL"))
#: The operations of an `await`.
_AWAITING: Final = frozenset(
    (
        "GET_AWAITABLE",
        "LOAD_CONST",
        "SEND",
        "YIELD_VALUE",
        "RESUME",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "JUMP_BACKWARD",
        "CLEANUP_THROW",
    )
)


class Leaving:
    """Decides where a dead delivery may be left. It remembers what it found in the code."""

    def __init__(self) -> None:
        #: By the identity of the code, since computing the hash of code takes long.
        self._ends: dict[int, tuple[frozenset[int], CodeType]] = {}
        self._blocks: dict[int, tuple[list[_Block], CodeType]] = {}

    def may_leave(self, frame: FrameType | None, line_of: CodeType | None = None) -> bool:
        """Return whether an exception that is raised now skips nothing that ends what was begun.

        Args:
            frame: the running function.
            line_of: the code whose line was just reported, if a line was; it runs below `frame`.
        """
        if line_of is not None:
            frame = _running(line_of, frame)
            if frame is not None and _is_between_blocks(frame):
                return False
        else:
            frame = _caller_of_ours(frame)
        return not any(map(self._is_ending, frames_of_delivery(frame)))

    def is_at_edge(self, frame: FrameType | None, code: CodeType) -> bool:
        """Return whether some code, a line of which was just reported, enters or leaves a block in it.

        Args:
            frame: a running function that the code has called.
            code: the code.
        """
        found = _running(code, frame)
        return found is not None and (_is_at_edge(found) or _is_between_blocks(found))

    def may_leave_await(self, coroutine: Any) -> bool:
        """Return whether an exception that is thrown into a waiting coroutine skips nothing.

        Args:
            coroutine: the coroutine of the job, which waits for others.
        """
        return not any(self._is_ending(frame) for frame in waiting_frames(coroutine))

    def is_in_block(
        self, frame: FrameType | None, coroutine: Any, is_of_project: Callable[[CodeType], bool]
    ) -> bool:
        """Return whether a delivery is inside a block, at the edge of one, or cleaning up.

        It comes to the end of the block while it is unwound.

        Args:
            frame: the running function.
            coroutine: the coroutine of the job, which may wait; None if it is a plain function.
            is_of_project: returns whether code belongs to the project. Of other code only `with` counts.
        """
        running = list(frames_of_delivery(_caller_of_ours(frame)))
        if running and _is_between_blocks(running[0]):
            return True
        return any(
            self._is_in_block(each, only_with=not is_of_project(each.f_code))
            or self._is_ending(each)
            for each in (*running, *waiting_frames(coroutine))
        )

    def in_blocks(self, frames: Iterable[FrameType]) -> Iterator[FrameType]:
        """Yield the functions that are inside a block, such as a `with` or a `try`, or at the edge of one."""
        for each in frames:
            if (
                self._is_in_block(each, only_with=False)
                or self._is_ending(each)
                or _is_between_blocks(each)
            ):
                yield each

    def _is_in_block(self, frame: FrameType, *, only_with: bool) -> bool:
        code = frame.f_code
        known = self._blocks.get(identity(code))
        if known is None:
            known = self._blocks[identity(code)] = (_blocks(code), code)
        return any(
            block.begin <= frame.f_lasti < block.end and (block.is_with or not only_with)
            for block in known[0]
        )

    def _is_ending(self, frame: FrameType) -> bool:
        """Return whether a function is beginning or leaving a block, or cleaning up."""
        code = frame.f_code
        return (
            code.co_name in _BLOCK_METHODS
            or _is_at_edge(frame)
            or frame.f_lineno in self._ending_lines(code)
        )

    def _ending_lines(self, code: CodeType) -> frozenset[int]:
        known = self._ends.get(identity(code))
        if known is None:
            known = self._ends[identity(code)] = (_ending_lines(code, code.co_filename), code)
        return known[0]


def frames_of_delivery(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the running functions of a delivery, from the innermost outwards, without ours."""
    while frame is not None and frame.f_code not in _BASE:
        if not is_ours(frame.f_code):
            yield frame
        frame = frame.f_back


def _running(code: CodeType, frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame


def _caller_of_ours(frame: FrameType | None) -> FrameType | None:
    """Return the first function that is not of this package. Functions of `contextlib` enter our blocks."""
    while frame is not None and (
        is_ours(frame.f_code) or frame.f_code.co_filename == contextlib.__file__
    ):
        frame = frame.f_back
    return frame


def is_ours(code: CodeType) -> bool:
    """Return whether code belongs to this package."""
    return code.co_filename.startswith(_OURS)


def waiting_frames(awaited: Any) -> Iterator[FrameType]:
    """Yield the functions that wait, from a coroutine down to what it waits for.

    A coroutine that runs waits for nothing: its functions are on the stack of its thread. Python 3.12 may crash
    when it is asked what a running coroutine awaits.
    """
    while awaited is not None and not getattr(awaited, "cr_running", False):
        if type(awaited).__name__.startswith("async_generator_"):
            # It runs a step of an async generator, and has no attribute that names the generator.
            awaited = next(
                (it for it in gc.get_referents(awaited) if hasattr(it, "ag_frame")), None
            )
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)


class _Block(NamedTuple):
    """A part of some code that an exception leaves by a handler."""

    begin: int
    end: int
    #: Whether it is the body of a `with`.
    is_with: bool


def _blocks(code: CodeType) -> list[_Block]:
    if not code.co_exceptiontable:
        return []
    names = [dis.opname[each] for each in code.co_code[::_SIZE]]
    return [
        _Block(entry.start, entry.end, "WITH_EXCEPT_START" in names[entry.target // _SIZE :][:2])
        for entry in getattr(dis.Bytecode(code), "exception_entries", ())
    ]


class _Operations:
    """The operations of some code around one of them, without what the interpreter caches between them."""

    def __init__(self, code: CodeType, offset: int) -> None:
        """Find an operation.

        Args:
            code: the code.
            offset: where it has got to, which may lie in the caches behind the operation.
        """
        self._bytes = code.co_code
        self._constants = code.co_consts
        self._here = offset - offset % _SIZE
        if self._here >= 0 and self._name(self._here) == "CACHE":
            self._here = self._before(self._here)

    def at(self, distance: int) -> tuple[str, int]:
        """Return the name and the argument of the operation so many further on, or back if negative."""
        place = self._here
        for _ in range(abs(distance)):
            place = self._after(place) if distance > 0 else self._before(place)
        if not 0 <= place < len(self._bytes):
            return "", 0
        return self._name(place), self._bytes[place + 1]

    def are_nones(self, first: int) -> bool:
        """Return whether three `None` are loaded from an operation on: what `__exit__` gets."""
        for distance in range(first, first + 3):
            name, argument = self.at(distance)
            if name != "LOAD_CONST" or self._constants[argument] is not None:
                return False
        return True

    def _name(self, place: int) -> str:
        return dis.opname[self._bytes[place]]

    def _after(self, place: int) -> int:
        place += _SIZE
        while place < len(self._bytes) and self._name(place) == "CACHE":
            place += _SIZE
        return place

    def _before(self, place: int) -> int:
        place -= _SIZE
        while place > 0 and self._name(place) == "CACHE":
            place -= _SIZE
        return place


def _is_at_edge(frame: FrameType) -> bool:
    """Return whether a function enters or leaves a `with` block, or waits for one that it enters or leaves."""
    if frame.f_lasti < 0:
        return False
    operations = _Operations(frame.f_code, frame.f_lasti)
    name, _ = operations.at(0)
    if name == "PUSH_EXC_INFO":
        return operations.at(1)[0] == "WITH_EXCEPT_START"
    if name == "SWAP" and operations.are_nones(1):
        # The value that is returned in the block stays below the three `None`.
        return operations.at(4)[0] in _CALLS
    if name == "LOAD_CONST":
        for begin in (0, -1, -2):
            if operations.are_nones(begin) and operations.at(begin + 3)[0] in _CALLS:
                return True
    distance = 0
    while operations.at(distance)[0] in _AWAITING:
        distance -= 1
    name, _ = operations.at(distance)
    if name in _CALLS:
        while operations.at(distance - 1)[0] in _CALLS:
            distance -= 1
        return operations.are_nones(distance - 3)
    return name in _ENTERING or name == "WITH_EXCEPT_START"


def _is_between_blocks(frame: FrameType) -> bool:
    """Return whether a function is at an operation that does nothing, such as the line of a `try`.

    These stand where a block begins or ends, and an exception there reaches neither its handlers nor, on
    some versions of Python, those of the block around it.
    """
    return frame.f_lasti >= 0 and dis.opname[frame.f_code.co_code[frame.f_lasti]] == "NOP"


@lru_cache(maxsize=2_000)
def _ending_lines(code: CodeType, filename: str) -> frozenset[int]:
    """Return the lines of a function that clean up: a `finally`, or an `except` that raises again.

    Args:
        code: the code of the function.
        filename: its file, since equal code may stand in another one.
    """
    if not code.co_exceptiontable:
        return frozenset()
    lines = _lines_of(code)
    if not any("finally" in line or "raise" in line for line in lines):
        return frozenset()
    tree: ast.AST
    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except SyntaxError:
        tree = _whole(code)
    else:
        ast.increment_lineno(tree, code.co_firstlineno - 1)
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.TryStar):
            again = [handler.body for handler in node.handlers if _raises_again(handler)]
            if again or node.finalbody:
                found.update(handler.lineno for handler in node.handlers)
            for body in filter(None, (node.finalbody, *again)):
                found.update(range(body[0].lineno, (body[-1].end_lineno or body[-1].lineno) + 1))
    return frozenset(found)


def _whole(code: CodeType) -> ast.AST:
    """Return the syntax of the file of a function: for functions whose lines make no sense on their own."""
    try:
        return ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _lines_of(code: CodeType) -> list[str]:
    numbers = [line for _, _, line in code.co_lines() if line]
    if not numbers:
        return []
    begin = code.co_firstlineno - 1
    return linecache.getlines(code.co_filename)[begin : max(numbers)]


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler cleans up and then raises: what it has caught, or another error for anything."""
    last = handler.body[-1]
    if not isinstance(last, ast.Raise) or len(handler.body) == 1:
        return False
    caught = handler.type
    catches_all = caught is None or (isinstance(caught, ast.Name) and caught.id == "BaseException")
    return last.exc is None or catches_all
