"""Callbacks around enqueueing and performing.

They form one chain in the order of their declaration, parents first: `before` and `around`
callbacks run on the way in, `after` and `around` callbacks unwind on the way out. The semantics
are ActiveJob's.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from ...errors import CallbackError, DeclarationError, Halt

if TYPE_CHECKING:
    from ..job import Job


F = TypeVar("F", bound=Callable[..., Any])


class Declaration(Protocol):
    """What a marked method means to its class."""

    def declare(self, owner: type[Job], name: str) -> None:
        """Take effect on the class whose body holds the method under this name."""
        ...


class Marked:
    """Stands in a class body for a marked method until the class exists."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self._declarations: list[Declaration] = []

    def add(self, make: Callable[[Callable[..., Any]], Declaration]) -> None:
        """Mark the method once more."""
        self._declarations.append(make(self._method))

    def __set_name__(self, owner: type[Job], name: str) -> None:
        setattr(owner, name, self._method)
        if not hasattr(owner, "_declare_callback"):
            raise DeclarationError(
                f"{owner.__qualname__}.{name} is marked as a callback or handler of a job, and "
                f"{owner.__qualname__} is no job class: derive it from Job."
            )
        for declaration in self._declarations:
            declaration.declare(owner, name)


def mark(method: F, make: Callable[[Callable[..., Any]], Declaration]) -> F:
    """Mark a method of a job class with a declaration made from it.

    Raises:
        DeclarationError: when it is not a function defined in a class body.
    """
    marked = method if isinstance(method, Marked) else None
    if marked is None:
        if not callable(method) or isinstance(method, type):
            raise DeclarationError(
                f"{method!r} is no method: decorate a `def` in the body of a job class."
            )
        marked = Marked(method)
    marked.add(make)
    return cast(F, marked)


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
        """Whether the callback is awaited."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def key(self) -> tuple[str, str, str]:
        """What a callback declared again replaces."""
        return self.event, self.kind, self.name

    def declare(self, owner: type[Job], name: str) -> None:
        """Take the callback into the job class that defines it."""
        self.name = name
        owner._declare_callback(self)

    def call(self, job: Job) -> Any:
        """Call the method of the job."""
        return getattr(job, self.name)()


def before_enqueue(method: F) -> F:
    """Run the method before the job is enqueued. Raise `Halt` in it to stop the enqueue."""
    return _declare("before", "enqueue", method)


def around_enqueue(method: F) -> F:
    """Run the generator around the enqueue, which happens at its one `yield`."""
    return _declare("around", "enqueue", method)


def after_enqueue(method: F) -> F:
    """Run the method after the job was handed to the adapter. `self.enqueued` says whether it took it."""
    return _declare("after", "enqueue", method)


def before_perform(method: F) -> F:
    """Run the method before `perform`. Raise `Halt` in it to skip the job."""
    return _declare("before", "perform", method)


def around_perform(method: F) -> F:
    """Run the generator around `perform`, whose result its one `yield` returns.

    An error of `perform` is raised at the `yield`; one that the generator catches does not count.
    """
    return _declare("around", "perform", method)


def after_perform(method: F) -> F:
    """Run the method after `perform` returned. It does not run when the job failed or was halted."""
    return _declare("after", "perform", method)


def _declare(kind: Kind, event: Event, method: F) -> F:
    return mark(method, lambda function: Callback(kind, event, function))


def run_chain(callbacks: tuple[Callback, ...], job: Job, action: Callable[[], Any]) -> Any:
    """Run a synchronous action inside its callbacks and return its result."""
    chain = arun_chain(callbacks, job, action)
    try:
        chain.send(None)
    except StopIteration as end:
        return end.value
    chain.close()
    raise CallbackError(
        f"A callback of {type(job).__qualname__} awaited something, but the job is not a coroutine function."
    )


async def arun_chain(callbacks: tuple[Callback, ...], job: Job, action: Callable[[], Any]) -> Any:
    """Run an action inside its callbacks and return its result; whatever is awaitable is awaited."""
    unwinding: list[tuple[Callback, Generator[None, Any, None] | None]] = []
    error: BaseException | None = None
    result: Any = None
    try:
        for callback in callbacks:
            await _enter(callback, job, unwinding)
        result = await _settled(action())
    except BaseException as raised:
        error = raised
    done = error is None
    while unwinding:
        callback, generator = unwinding.pop()
        try:
            if generator is not None:
                error = _leave_around(callback, generator, result, error)
            elif error is None:
                await _settled(callback.call(job))
        except BaseException as raised:
            error = _too_late(callback, raised) if done and isinstance(raised, Halt) else raised
    if error is not None:
        raise error
    return result


async def _enter(
    callback: Callback,
    job: Job,
    unwinding: list[tuple[Callback, Generator[None, Any, None] | None]],
) -> None:
    if callback.kind == "before":
        await _settled(callback.call(job))
    elif callback.kind == "after":
        unwinding.append((callback, None))
    else:
        generator = cast("Generator[None, Any, None]", callback.call(job))
        try:
            next(generator)
        except StopIteration:
            raise CallbackError(
                f"{callback.function.__qualname__} returned before its `yield`, so the job did not go on: "
                "raise Halt to stop a job on purpose."
            ) from None
        unwinding.append((callback, generator))


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


def _too_late(callback: Callback, halt: Halt) -> CallbackError:
    error = CallbackError(
        f"{callback.function.__qualname__} raised Halt after the {callback.event} it would have stopped: raise it "
        f"in a before_{callback.event} callback, or before the `yield`."
    )
    error.__cause__ = halt
    return error


async def _settled(value: Any) -> Any:
    return await cast("Awaitable[Any]", value) if inspect.iscoroutine(value) else value
