"""Where a delivery may be killed and left, so that no `__exit__`, no `finally` and no `async with` is skipped.

The source decides, by its lines. A line on which a block is entered or left is an edge: an exception that is
raised there may reach neither the block nor what stands around it. So no point lies before such a line.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from ....harness.records.attributes import identity
from ....harness.running.performer import Performer

_OURS: Final = str(Path(__file__).resolve().parents[3])
#: The functions that make a delivery. Their callers have nothing to do with it.
_BASE: Final = frozenset(made.__code__ for made in (Performer.attempt, Performer.aattempt))
#: An exception inside one of these leaves half of its work undone.
_BLOCK_METHODS: Final = frozenset(("__enter__", "__exit__", "__aenter__", "__aexit__", "__del__"))


class _Lines(NamedTuple):
    """What the lines of a function mean for an exception that is raised on them."""

    #: Lines on which a block is entered or left.
    edges: frozenset[int] = frozenset()
    #: Lines that clean up: those of a `finally`, or of an `except` that raises again.
    endings: frozenset[int] = frozenset()
    #: Lines inside a `with`, and inside a `try`.
    withs: frozenset[int] = frozenset()
    tries: frozenset[int] = frozenset()


class Leaving:
    """Decides where a delivery may be killed and left. It remembers what it found in the source."""

    def __init__(self) -> None:
        #: By the identity of the code, since computing the hash of code takes long.
        self._known: dict[int, tuple[_Lines, CodeType]] = {}

    def is_edge(self, code: CodeType, line: int) -> bool:
        """Return whether a block is entered or left on a line, so that no point lies before it."""
        # Asked at each line, so that no further call is made for it.
        known = self._known.get(identity(code))
        return line in (self._lines(code) if known is None else known[0]).edges

    def may_leave(self, frame: FrameType | None) -> bool:
        """Return whether an exception that is raised in a running function skips no end of what was begun."""
        return not any(map(self._is_ending, frames_of_delivery(_caller_of_ours(frame))))

    def may_leave_await(self, coroutine: Any) -> bool:
        """Return whether an exception that is thrown into a waiting coroutine skips nothing."""
        return not any(map(self._is_ending, waiting_frames(coroutine)))

    def is_in_block(
        self, frame: FrameType | None, coroutine: Any, is_of_project: Callable[[CodeType], bool]
    ) -> bool:
        """Return whether a delivery is inside a block, at the edge of one, or cleaning up.

        It comes to the end of the block while it is unwound. Of code of libraries only `with` counts.
        """
        running = frames_of_delivery(_caller_of_ours(frame))
        return any(
            self._is_ending(each)
            or each.f_lineno in self._lines(each.f_code).withs
            or (each.f_lineno in self._lines(each.f_code).tries and is_of_project(each.f_code))
            for each in (*running, *waiting_frames(coroutine))
        )

    def in_blocks(self, frames: Iterable[FrameType]) -> Iterator[FrameType]:
        """Yield the functions that are inside a block, such as a `with` or a `try`, or at the edge of one."""
        for each in frames:
            lines = self._lines(each.f_code)
            if self._is_ending(each) or each.f_lineno in lines.withs | lines.tries:
                yield each

    def _is_ending(self, frame: FrameType) -> bool:
        """Return whether a function is beginning or leaving a block, or cleaning up."""
        lines = self._lines(frame.f_code)
        return (
            frame.f_code.co_name in _BLOCK_METHODS
            or frame.f_lineno in lines.edges
            or frame.f_lineno in lines.endings
        )

    def _lines(self, code: CodeType) -> _Lines:
        known = self._known.get(identity(code))
        if known is None:
            known = self._known[identity(code)] = (_lines_of(code), code)
        return known[0]


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a running function of this thread, and those that have called each other to come to it.

    An asynchronous engine of SQLAlchemy runs its statements in a greenlet, whose functions do not lead to the
    coroutine that awaits them.
    """
    greenlets: Any = sys.modules.get("greenlet")
    current = None if greenlets is None else greenlets.getcurrent()
    while frame is not None:
        yield frame
        frame = frame.f_back
        while frame is None and current is not None:
            current = current.parent
            frame = None if current is None else current.gr_frame


def frames_of_delivery(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the running functions of a delivery, from the innermost outwards, without ours."""
    for each in outwards(frame):
        if each.f_code in _BASE:
            return
        if not is_ours(each.f_code):
            yield each


def _caller_of_ours(frame: FrameType | None) -> FrameType | None:
    """Return the first function that is not of this package. Functions of `contextlib` enter our blocks."""
    while frame is not None and (
        is_ours(frame.f_code) or frame.f_code.co_filename == contextlib.__file__
    ):
        frame = frame.f_back
    return frame


def is_ours(code: CodeType) -> bool:
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


def _lines_of(code: CodeType) -> _Lines:
    """Read from the source of a function what its lines mean; nothing if there is none."""
    tree = _syntax(code)
    edges, endings = set[int](), set[int]()
    withs, tries = set[int](), set[int]()
    for node in () if tree is None else ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            header = [item.optional_vars or item.context_expr for item in node.items]
            edges.update(range(node.lineno, 1 + max(_end(each) for each in header)))
            withs |= _span(node.body)
        elif isinstance(node, ast.Try | ast.TryStar):
            edges.add(node.lineno)
            again = [handler.body for handler in node.handlers if _raises_again(handler)]
            if again or node.finalbody:
                endings.update(handler.lineno for handler in node.handlers)
            for body in (node.finalbody, *again):
                endings |= _span(body)
            tries |= _span(node.body)
            if node.finalbody:
                tries |= _span(node.handlers) | _span(node.orelse)
        else:
            continue
        edges |= _span(filter(_does_nothing, ast.walk(node)))
    return _Lines(frozenset(edges), frozenset(endings), frozenset(withs), frozenset(tries))


def _syntax(code: CodeType) -> ast.AST | None:
    """Return the syntax of a function, with the lines of its file; None if it has no block or no source."""
    numbers = [line for _, _, line in code.co_lines() if line]
    if not code.co_exceptiontable or not numbers:
        return None
    begin = code.co_firstlineno - 1
    lines = linecache.getlines(code.co_filename)[begin : max(numbers)]
    if not any("with" in line or "try" in line for line in lines):
        return None
    try:
        tree: ast.AST = ast.parse(textwrap.dedent("".join(lines)))
    except SyntaxError:
        # Some functions make no sense on their own, such as a part of an expression.
        return _whole(code.co_filename)
    return ast.increment_lineno(tree, begin)


@lru_cache(maxsize=20)
def _whole(filename: str) -> ast.AST | None:
    try:
        return ast.parse("".join(linecache.getlines(filename)))
    except (SyntaxError, ValueError):
        return None


def _span(nodes: Iterable[Any]) -> set[int]:
    return {line for node in nodes for line in range(node.lineno, _end(node) + 1)}


def _end(node: Any) -> int:
    return int(node.end_lineno or node.lineno)


def _does_nothing(node: ast.AST) -> bool:
    """Return whether a statement computes nothing, so that its line may already belong to no block."""
    if isinstance(node, ast.Return):
        computed = () if node.value is None else ast.walk(node.value)
        return not any(isinstance(part, ast.Name | ast.Call) for part in computed)
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant or isinstance(node, ast.Break | ast.Continue | ast.Pass)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler cleans up and then raises: what it has caught, or another error for anything."""
    last = handler.body[-1]
    if not isinstance(last, ast.Raise) or len(handler.body) == 1:
        return False
    caught = handler.type
    catches_all = caught is None or (isinstance(caught, ast.Name) and caught.id == "BaseException")
    return last.exc is None or catches_all
