"""One delivery in the world of a test, watched, and killed at one of its points."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import CodeType
from typing import Any

from ...harness.running.performer import Body, RealBody
from ..engine.acts import Act, watcher
from ..engine.lines import LineTracer
from ..engine.points import Point, PointCounter
from ..engine.unwinding import hearing_nothing_of, hush_loop, isolated, let_go
from ..engine.watching import block_end


class Killed(BaseException):
    """Unwinds a delivery whose worker was killed, while its test goes on."""


class LiveWatch:
    """Notes the points of one delivery, and kills it at one of them.

    From then on each further line raises again, and no effect takes place but a rollback: what the
    project's own `finally` and `except` blocks would do, no killed process does.
    """

    def __init__(self, kill_at: Point | None) -> None:
        """Begin.

        Args:
            kill_at: where the delivery dies, by name; None for nowhere.
        """
        self._kill_at = None if kill_at is None else kill_at.name
        self._counter = PointCounter()
        self._connections: list[Callable[[], object]] = []
        self._acting = 0
        self.points: list[Point] = []
        #: What it did outside of the process that is no point.
        self.reached: list[str] = []
        #: Where it was killed.
        self.died_at: Point | None = None

    @property
    def dead(self) -> bool:
        """Whether it was killed."""
        return self.died_at is not None

    def line(self, code: CodeType, line: int) -> None:
        """Hear that a line is about to run, of this delivery or of another task on its thread."""
        if watcher.get() is not self:
            return
        end = block_end(code)
        if self.dead and end == "raised":
            # As a `finally` of an installed package does, what it begun it ends. Of a context manager of
            # the project no line runs.
            return
        self._check_alive()
        if end is None:
            # Nothing that is raised where a block is left comes to its context manager.
            self._at(self._counter.line(code, line))

    @contextmanager
    def acting(self, act: Act) -> Generator[None, None, None]:
        """Hear of an act, and let it happen unless the delivery is dead."""
        self._check_alive()
        nested = bool(self._acting)
        if not nested:
            self._at(self._counter.act("before", f"{act.kind}: {act.text}"))
        with self._part_of_act():
            yield
        if not nested:
            self._at(self._counter.act("after", f"{act.kind}: {act.text}"))

    @contextmanager
    def looking(self, busy: Callable[[BaseException], bool]) -> Generator[None, None, None]:
        """Hear that something is read, or a transaction begun or rolled back, which what is dead may do."""
        with self._part_of_act():
            yield

    def note(self, act: Act) -> None:
        """Hear of an act that has had its effect: it is a point already."""

    def changing(self, text: str) -> None:
        """Hear that a file is about to be changed."""
        if not self._acting:
            self._check_alive()
            self._at(self._counter.act("before", f"file: {text}"))

    def outside(self, text: str) -> None:
        """Note what leaves the process and is no point; the test may well mean it."""
        if not self._acting:
            self._check_alive()
            self.reached.append(text)

    def begun(self, function: Callable[..., object]) -> None:
        """Hear that a thread begins to run a function: its lines are no points."""

    def opened(self, close: Callable[[], object], shared: object) -> None:
        """Note a connection of this delivery; one that may be shared may be that of the test."""
        if shared is None:
            self._connections.append(close)

    def refuse(self, why: str) -> None:
        """Note what an exploration would end at; the test may well mean it."""
        self.reached.append(why)

    def holds(self, shared: object) -> bool:
        """Say whether a connection was noted: those of the test may be used, whoever opened them."""
        return True

    def may_wait(self) -> bool:
        """Say that locks may be waited for: nobody is suspended."""
        return True

    def close_connections(self) -> None:
        """Close what the delivery opened, as the kernel does."""
        while self._connections:
            with contextlib.suppress(Exception):
                self._connections.pop()()

    @contextmanager
    def _part_of_act(self) -> Generator[None, None, None]:
        self._acting += 1
        try:
            yield
        finally:
            self._acting -= 1

    def _at(self, point: Point) -> None:
        self.points.append(point)
        if point.name == self._kill_at:
            self.died_at = point
            hush_loop(Killed)
            raise Killed

    def _check_alive(self) -> None:
        if self.dead:
            raise Killed


class LiveBody(Body):
    """Runs the body of a job with its lines heard, and lets go of it when it is killed."""

    def __init__(self, body: RealBody, watch: LiveWatch, tracer: LineTracer) -> None:
        self._body = body
        self._watch = watch
        self._tracer = tracer
        self.outcome: BaseException | None = None
        self.called = False

    def __call__(self, call: Callable[[], Any], /) -> Any:
        """Run the body."""
        self.called = True
        token = watcher.set(self._watch)
        try:
            with self._tracer.hooked(self._watch.line, needed=True), hearing_nothing_of(Killed):
                try:
                    result = isolated(lambda: self._body(call))
                except Killed as death:
                    # Here, where what a suspended generator does in its end is refused.
                    let_go(death)
                    raise
        finally:
            watcher.reset(token)
            self.outcome = self._body.outcome
        return self._awaited(result) if hasattr(result, "__await__") else result

    async def _awaited(self, awaitable: Any) -> Any:
        token = watcher.set(self._watch)
        try:
            with self._tracer.hooked(self._watch.line, needed=True), hearing_nothing_of(Killed):
                try:
                    return await awaitable
                except Killed as death:
                    let_go(death)
                    raise
        finally:
            watcher.reset(token)
            self.outcome = self._body.outcome
