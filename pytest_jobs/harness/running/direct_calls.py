"""Direct calls of a task in a test, such as `task(1)`: past the library, and so past every delivery."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from ..records.record import current_record

#: Whether a direct call is being made: calls of tasks within it are a part of it.
_calling: ContextVar[bool] = ContextVar("pytest_jobs_calling", default=False)
#: What a call gives to a job in place of what a worker gives, such as the `ctx` of arq; None for nothing.
given_context: ContextVar[Mapping[str, Any] | None] = ContextVar(
    "pytest_jobs_given_context", default=None
)


@dataclass(frozen=True)
class DirectCall:
    """A task that is called instead of enqueued."""

    #: The name of the job.
    name: str
    #: The function that runs as the job.
    body: Callable[..., Any]
    #: Makes the call, each time with the arguments as they were at first.
    make: Callable[[], Any]
    #: The task, and the arguments that the call gives to it.
    job: Any
    given: tuple[tuple[Any, ...], dict[str, Any]]
    #: What the call gives in place of what a worker gives; None when it gives nothing.
    context: Mapping[str, Any] | None = None
    #: Whether making it returns a coroutine.
    is_awaited: bool = False
    #: The library that the function was given to; empty where the task says so itself.
    library: str = ""
    #: Whether nobody waits for it, so that it may be left out or made later.
    can_wait: bool = False

    def error_in(self, result: object) -> BaseException | None:
        """Return the error that a result stands for, as the result of `task.apply()` may; None for none."""
        error = getattr(result, "result", None)
        failed = getattr(result, "failed", None)
        return error if callable(failed) and isinstance(error, BaseException) else None


class SeesCalls(Protocol):
    """Sees the direct calls of a test as it sees deliveries: see `SeesDeliveries`."""

    def call(self, call: DirectCall) -> Any:
        """Let a call be made, and return what the test gets."""
        ...

    async def acall(self, call: DirectCall) -> Any:
        """Let the call of a coroutine function be made, and return what the test gets."""
        ...

    def make_waiting(self) -> None:
        """Make what was left out in another thread, now that the thread of the test is free."""
        ...


class DirectCalls:
    """Who sees the direct calls of the test that runs."""

    __slots__ = ("_spectator", "when_seen")

    def __init__(self) -> None:
        self._spectator: SeesCalls | None = None
        #: Called with whether direct calls are seen from now on: what changes functions does so only meanwhile.
        self.when_seen: list[Callable[[bool], object]] = []

    @contextmanager
    def seen_by(self, spectator: SeesCalls | None) -> Generator[None, None, None]:
        """Let a spectator see the direct calls in a block; nobody if it is None."""
        before = self._spectator
        self._set(spectator)
        try:
            yield
        finally:
            self._set(before)

    def _set(self, spectator: SeesCalls | None) -> None:
        self._spectator = spectator
        for tell in self.when_seen:
            tell(spectator is not None)

    def spectator(self) -> SeesCalls | None:
        """Return who sees a call that begins now; None for a call that is part of a job."""
        if self._spectator is None or _calling.get() or current_record.get() is not None:
            return None
        return self._spectator


direct_calls = DirectCalls()


@contextmanager
def calling() -> Generator[None, None, None]:
    """Make a direct call in a block."""
    token = _calling.set(True)
    try:
        yield
    finally:
        _calling.reset(token)
