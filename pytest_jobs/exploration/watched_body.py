"""The body of a job, with its lines and its awaits heard."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from ..harness.running.performer import Body
from .lines import LineTracer
from .unwinding import hush_loop
from .watching import Watch


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
        with self._hooked():
            result = call()
        return self._awaited(result) if inspect.isawaitable(result) else result

    @contextmanager
    def _hooked(self) -> Generator[None, None, None]:
        watch = self._watch
        with self._tracer.hooked(watch.line, needed=watch.lines):
            yield
            if self._tracer.was_taken():
                watch.taken_from()

    async def _awaited(self, awaitable: Any) -> Any:
        try:
            with self._hooked():
                if not inspect.iscoroutine(awaitable):
                    return await awaitable
                return await _paused(awaitable, self._watch)
        finally:
            if self._watch.dead:
                hush_loop()


@types.coroutine
def _paused(coroutine: Any, watch: Watch) -> Generator[Any, Any, Any]:
    """Drive a coroutine, and let what watches it hear where it waits, and where it goes on."""
    step: Callable[[], Any] = functools.partial(coroutine.send, None)
    while True:
        try:
            wanted = step()
        except StopIteration as end:
            return end.value
        step = yield from _waited(coroutine, watch, wanted)


def _waited(coroutine: Any, watch: Watch, wanted: Any) -> Generator[Any, Any, Callable[[], Any]]:
    try:
        watch.waiting(coroutine)
        answer = yield wanted
        watch.going_on(coroutine)
    except BaseException as error:
        return functools.partial(coroutine.throw, error)
    return functools.partial(coroutine.send, answer)
