"""One delivery, watched: its points, its acts, and its end."""

from __future__ import annotations

import contextlib
import errno
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, Final, TypeAlias, TypeVar

from ..harness.body import Body
from ..harness.delivery import Delivery
from .acts import Act
from .lines import LineTracer
from .points import Point, PointCounter

T = TypeVar("T")
#: Called at each point of a delivery, with its place in the order; returns what to raise there, or None.
Reach: TypeAlias = Callable[[int, Point], BaseException | None]
#: So many lines of a delivery that runs while another is suspended, and it waits for that one.
_SPINNING: Final = 20_000


class Unwound(BaseException):
    """Ends a delivery that is dead already, and whose world is thrown away."""


@dataclass(eq=False)
class Run:
    """One delivery of a history, as it went."""

    number: int
    points: list[Point] = field(default_factory=list)
    #: The act of each point that is one of an act.
    point_acts: list[Act | None] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    #: Where it was stopped; None when it came to its end.
    stopped_at: Point | None = None
    delivery: Delivery | None = None
    error: BaseException | None = None
    acknowledged: bool = False
    spinning: bool = False


class Watch:
    """Counts the points of one delivery, and stops it where it is to be stopped."""

    def __init__(
        self, run: Run, reach: Reach | None, refuse: Callable[[str], None], *, nested: bool
    ) -> None:
        self._run = run
        self._reach = reach
        self._refuse = refuse
        self._acting = 0
        self._nested = nested
        self._counter = PointCounter()
        self._connections: list[Callable[[], object]] = []
        self._lines = 0
        self.dead = False
        self.spinning = False

    def line(self, code: CodeType, line: int) -> None:
        """Hear that a line is about to run."""
        self._check_alive()
        self._lines += 1
        if self._nested and self._lines > _SPINNING:
            self.dead = self.spinning = True
            raise Unwound
        self._at(self._counter.line(code, line))

    def act(self, act: Act, do: Callable[[], T]) -> T:
        """Hear of an act, and let it happen or not."""
        self._check_alive()
        self._at(self._counter.act("before", f"{act.kind}: {act.text}"), act)
        self._acting += 1
        try:
            result = do()
        finally:
            self._acting -= 1
        if act.counts:
            self._run.acts.append(act)
        self._at(self._counter.act("after", f"{act.kind}: {act.text}"), act)
        return result

    def changing(self, text: str) -> None:
        """Hear that a file is about to be changed."""
        if not self._acting:
            self._check_alive()
            act = Act("file", text, counts=False, refused=_no_space, answer_lost=None)
            self._at(self._counter.act("before", f"file: {text}"), act)

    def outside(self, text: str) -> None:
        """Refuse what leaves the process and is no act that can be told from others."""
        if not self._acting:
            self._refuse(
                f"The job called {text}, which reaches outside of the world, and nothing that pytest-jobs knows "
                "owns it: put a fake in the place of what does it (`fake(module, name, ...)`)."
            )
            self.dead = True
            raise Unwound

    def note(self, act: Act) -> None:
        """Note that an act has had its effect."""
        self._run.acts.append(act)

    def opened(self, close: Callable[[], object]) -> None:
        """Note a connection of this delivery."""
        self._connections.append(close)

    def close_connections(self) -> None:
        """Close what this delivery opened, as the kernel does."""
        while self._connections:
            with contextlib.suppress(Exception):
                self._connections.pop()()

    def _at(self, point: Point, act: Act | None = None) -> None:
        index = len(self._run.points)
        self._run.points.append(point)
        self._run.point_acts.append(act)
        if self._reach is None:
            return
        error = self._reach(index, point)
        if error is None:
            return
        if isinstance(error, Unwound):
            self.dead = True
            self._run.stopped_at = point
        raise error

    def _check_alive(self) -> None:
        if self.dead:
            raise Unwound


def _no_space() -> Exception:
    return OSError(errno.ENOSPC, "No space left on device")


class WatchedBody(Body):
    """Runs the body of a job with its lines heard."""

    def __init__(self, watch: Watch, tracer: LineTracer) -> None:
        self._watch = watch
        self._tracer = tracer
        self.outcome: BaseException | None = None
        self.called = False

    def __call__(self, call: Callable[[], Any], /) -> Any:
        """Run the body."""
        self.called = True
        with self._tracer.hooked(self._watch.line):
            result = call()
        return self._awaited(result) if inspect.isawaitable(result) else result

    async def _awaited(self, awaitable: Any) -> Any:
        with self._tracer.hooked(self._watch.line):
            return await awaitable
