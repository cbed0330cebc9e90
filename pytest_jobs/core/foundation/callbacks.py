"""Callbacks around enqueueing and performing, and the chain that they form.

The chain has the order of their declaration, parents first: `before` and `around` callbacks run on
the way in, `after` and `around` callbacks on the way out. The semantics are ActiveJob's.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Literal, TypeVar, cast

from ...errors import CallbackError, DeclarationError, Halt

T = TypeVar("T")
Kind = Literal["before", "around", "after"]
Event = Literal["enqueue", "perform"]


class Callback:
    """One declared callback. It is called by name, so that a subclass can override the method."""

    __slots__ = ("event", "function", "kind", "name")

    def __init__(self, kind: Kind, event: Event, function: Callable[..., Any]) -> None:
        self.kind = kind
        self.event = event
        self.function = function
        self.name = function.__name__
        if kind == "around" and not inspect.isgeneratorfunction(function):
            raise DeclarationError(
                f"{function.__qualname__} is declared @around_{event} and never yields: write a generator "
                "with one `yield` where the job goes on."
            )
        if kind != "around" and inspect.isgeneratorfunction(function):
            raise DeclarationError(
                f"{function.__qualname__} is declared @{kind}_{event} and yields, so calling it does nothing: "
                f"declare it @around_{event}, or take the `yield` out."
            )

    @property
    def is_coroutine(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    @property
    def key(self) -> tuple[str, str, str]:
        """What a callback declared again replaces."""
        return self.event, self.kind, self.name

    def call(self, job: object) -> Any:
        return getattr(job, self.name)()


def run_chain(callbacks: tuple[Callback, ...], job: object, action: Callable[[], Any]) -> Any:
    """Run a synchronous action inside its callbacks and return its result."""
    return without_awaiting(
        arun_chain(callbacks, job, action), f"A callback of {type(job).__qualname__}"
    )


def without_awaiting(coroutine: Coroutine[Any, Any, T], what: str) -> T:
    """Run a coroutine that awaits nothing to its end, and return its result.

    Args:
        coroutine: the coroutine.
        what: how the message names it.

    Raises:
        CallbackError: when it does await something.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    coroutine.close()
    raise CallbackError(f"{what} awaited something, but the job is not a coroutine function.")


async def arun_chain(
    callbacks: tuple[Callback, ...], job: object, action: Callable[[], Any]
) -> Any:
    """Run an action inside its callbacks and return its result; whatever is awaitable is awaited."""
    unwinding: list[tuple[Callback, Generator[None, Any, None] | None]] = []
    error: BaseException | None = None
    result: Any = None
    try:
        for callback in callbacks:
            generator: Generator[None, Any, None] | None = None
            if callback.kind == "before":
                await _settled(callback.call(job))
                continue
            if callback.kind == "around":
                generator = cast("Generator[None, Any, None]", callback.call(job))
                try:
                    next(generator)
                except StopIteration:
                    raise CallbackError(
                        f"{callback.function.__qualname__} returned before its `yield`, so the job did not go on: "
                        "raise Halt to stop a job on purpose."
                    ) from None
            unwinding.append((callback, generator))
        result = await _settled(action())
    except BaseException as raised:
        error = raised
    succeeded = error is None
    while unwinding:
        callback, generator = unwinding.pop()
        try:
            if generator is not None:
                error = _leave_around(callback, generator, result, error)
            elif error is None:
                await _settled(callback.call(job))
        except BaseException as raised:
            error = raised
            if succeeded and isinstance(raised, Halt):
                error = CallbackError(
                    f"{callback.function.__qualname__} raised Halt after the {callback.event} it would have "
                    f"stopped: raise it in a before_{callback.event} callback, or before the `yield`."
                )
                error.__cause__ = raised
    if error is not None:
        raise error
    return result


def _leave_around(
    callback: Callback,
    generator: Generator[None, Any, None],
    result: Any,
    error: BaseException | None,
) -> BaseException | None:
    """Resume an around callback and return the error that is left."""
    try:
        if error is None:
            generator.send(result)
        else:
            generator.throw(error)
    except StopIteration:
        return error if isinstance(error, Halt) else None
    generator.close()
    raise CallbackError(
        f"{callback.function.__qualname__} yielded twice: the job goes on once."
    ) from error


async def _settled(value: Any) -> Any:
    return await cast("Awaitable[Any]", value) if inspect.iscoroutine(value) else value
