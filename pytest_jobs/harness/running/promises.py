"""Calls that do nothing until they are awaited or entered, and those of a test that never were."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast

from ...core.foundation.settings import returns_coroutine
from ...errors import ForgottenCallError
from ..commits.callables import calling_place, line_text

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])

#: What a call has not done if nothing awaits it, by the end of its name.
_UNDONE: Final = {
    "commit": "committed nothing",
    "awaited": "asserted nothing",
    "simulate_retries": "simulated nothing",
}


class Block(Protocol):
    """The context manager that a call of the harness returns."""

    @property
    def entered(self) -> bool:
        """Whether its `with` block has begun."""
        ...


@dataclass(slots=True)
class _Promise:
    """One call."""

    call: str
    never: str
    begun: Callable[[], bool]
    coroutine: Coroutine[Any, Any, Any] | None = None
    place: tuple[str, int] = field(default_factory=calling_place)

    def __str__(self) -> str:
        return f"{self.call}() at {line_text(*self.place)} was never {self.never}"


class Promises:
    """The calls of one test that have not begun yet."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: list[_Promise] = []

    def awaitable(self, call: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Expect that a coroutine is awaited before the test ends.

        Args:
            call: the call that made it, such as `jobs.adrain`.
            coroutine: what it returned.
        """
        name = call.rpartition(".")[2].removeprefix("a")
        undone = _UNDONE.get("awaited" if call.endswith(".awaited") else name, "performed nothing")
        self._add(
            _Promise(
                call,
                f"awaited, so it {undone}: write `await {call}(...)`.",
                lambda: inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED,
                coroutine,
            )
        )

    def block(self, call: str, block: Block, undone: str, instead: str) -> None:
        """Expect that a block is entered before the test ends.

        Args:
            call: the call that made it, such as `jobs.inline`.
            block: what it returned.
            undone: what it has not done if it is not entered.
            instead: what to write.
        """
        never = f"entered, so {undone}: write `{instead}`."
        self._add(_Promise(call, never, lambda: block.entered))

    def real_time(self, block: Block) -> None:
        """Expect the same of a block of `real_time`, of the harness or of its clock."""
        undone = "the time stayed that of the virtual clock"
        self.block("real_time", block, undone, "with jobs.real_time():")

    def _add(self, promise: _Promise) -> None:
        self._made = [*(made for made in self._made if not made.begun()), promise]

    def check(self) -> None:
        """Raise when a call has not begun.

        Raises:
            ForgottenCallError: names each such call with its line.
        """
        made, self._made = self._made, []
        forgotten = [promise for promise in made if not promise.begun()]
        for promise in forgotten:
            if promise.coroutine is not None:
                promise.coroutine.close()  # or Python warns of the same
        if forgotten:
            raise ForgottenCallError("\n".join(map(str, forgotten)))


def awaitable(verb: F) -> F:
    """Expect that what an `async def` verb of `Jobs` returns is awaited before the test ends."""

    @functools.wraps(verb)
    def call(self: Any, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        coroutine = verb(self, *args, **kwargs)
        self.harness.promises.awaitable(f"jobs.{verb.__name__}", coroutine)
        return coroutine

    return cast(F, returns_coroutine(call))
