"""What runs in the place of a job's body during a delivery."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, Protocol

from .faults import Fault

Outcomes = tuple[type[BaseException], ...]


class Body(Protocol):
    """Called by a bridge with the bound body, inside the library's retry wrapper."""

    outcome: BaseException | None
    #: Whether it was called at all.
    called: bool

    def __call__(self, call: Callable[[], Any], /) -> Any:
        """Run the body, or what stands in for it."""
        ...


class RealBody:
    """Runs the body, and notes an error that must fail the test whatever the library does with it."""

    __slots__ = ("_fault", "_outcomes", "called", "outcome")

    def __init__(self, outcomes: Outcomes, fault: Fault | None) -> None:
        self._outcomes = outcomes
        self._fault = fault
        #: The failed assertion, or the outcome of the test runner, that the body raised.
        self.outcome: BaseException | None = None
        self.called = False

    @property
    def faulty(self) -> bool:
        """Whether the delivery was set up to fail."""
        return self._fault is not None

    def anew(self) -> RealBody:
        """Return a body for another delivery of the same kind, with the same fault."""
        return RealBody(self._outcomes, self._fault)

    def __call__(self, call: Callable[[], Any], /) -> Any:
        """Run the body."""
        self.called = True
        fault = self._fault
        if fault is not None and not fault.after:
            raise fault.error()
        try:
            result = call()
        except self._outcomes as outcome:
            self.outcome = outcome
            raise
        if type(result) is CoroutineType:
            return self._awaited(result)
        if fault is not None:
            raise fault.error()
        return result

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        try:
            result = await coroutine
        except self._outcomes as outcome:
            self.outcome = outcome
            raise
        if self._fault is not None:
            raise self._fault.error()
        return result


class SimulatedBody:
    """Raises an error instead of running the body, or returns None for a success."""

    __slots__ = ("_error", "_is_coroutine", "called", "outcome")

    def __init__(self, error: BaseException | None, *, is_coroutine: bool) -> None:
        self._error = error
        self._is_coroutine = is_coroutine
        self.outcome: BaseException | None = None
        self.called = False

    def __call__(self, call: Callable[[], Any], /) -> Any:
        """Do not run the body."""
        self.called = True
        if self._error is not None:
            raise self._error
        return _nothing() if self._is_coroutine else None


async def _nothing() -> None:
    """Stand in for a coroutine body that succeeds."""
