"""The effects of jobs: how effect sources report them.

Three words name what is outside of a job. An *effect* is what a job does there, and an `Act` describes one.
A *store* is a place whose content stays and is compared. A *world* is all that one history finds, built afresh.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, Final, TypeAlias, TypeVar, cast

from .run import (
    Act as Act,
    SourceState as SourceState,
    Transaction as Transaction,
    never_busy,
    parts as parts,
    within_compared as within_compared,
)
from .sameness.chance import drawing
from .unwinding import Skipped as Skipped, Unwound as Unwound
from .watching import Watch as Watch

T = TypeVar("T")

#: The watch of the delivery that runs in this context.
watcher: ContextVar[Watch | None] = ContextVar("pytest_jobs_act_watcher", default=None)


#: Under this a search keeps the names of effects whose idempotency keys are other ones at another time.
KEYS_BY_TIME: Final = "keys by the time"
#: Under this a history keeps what fakes show of their calls, by identity, each with the kind of its effect.
RECORDS: Final = "records of calls"


def place_of_key(act: Act) -> str:
    """Return the name of an effect that carries a key, without its arguments, as `KEYS_BY_TIME` has it."""
    first = act.value[0] if isinstance(act.value, tuple) and act.value else ""
    return f"{act.kind} {first}".strip()


def later_acts(history: SourceState) -> list[Callable[[], Iterable[Act]]]:
    """Return the functions that return the effects of a history that show only when they are looked for."""
    return history.of("later acts", list)


#: Called with the name and the arguments of an audit event.
OnEvent: TypeAlias = Callable[[str, tuple[Any, ...]], None]


class AuditHook:
    """The one audit hook of this process: Python cannot remove one, so it is added once and stays.

    It lies beside the watcher to which it reports, so that both live equally long. An effect source may be
    imported again in one process, by a test that runs pytest, and its events must not be reported twice.
    """

    def __init__(self) -> None:
        self._called: dict[str, tuple[frozenset[str], OnEvent]] = {}
        #: What is called at which event.
        self._by_event: dict[str, tuple[OnEvent, ...]] = {}

    def call(self, on_event: OnEvent, events: Iterable[str], instead_of: str = "acts") -> None:
        """Call a function at some events, in place of the one that was given with the same name before."""
        is_first = not self._called
        before, _ = self._called.get(instead_of, (frozenset(), on_event))
        self._called[instead_of] = frozenset(events), on_event
        # Each in its place, since an event of another thread may be looking for its own.
        for name in before.union(events):
            called = [function for names, function in self._called.values() if name in names]
            self._by_event[name] = tuple(called)
        if is_first:
            sys.addaudithook(_hook_of(self._by_event))


def _hook_of(by_event: Mapping[str, tuple[OnEvent, ...]]) -> OnEvent:
    # Python calls it thousands of times in a check, for each `id()` and each frame that is looked at. A plain
    # function is called faster than a method.
    def on_event(event: str, args: tuple[Any, ...]) -> None:
        if event in by_event:
            for function in by_event[event]:
                function(event, args)

    return on_event


audit_hook = AuditHook()


def acting(act: Act | None) -> AbstractContextManager[None]:
    """Return the block in which an effect is done; with None, a block that nobody watches."""
    current = watcher.get()
    return nullcontext() if current is None or act is None else current.acting(act)


class _Skippable:
    """See `skippable`."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        return kind is Skipped


_skippable: Final = _Skippable()


def skippable() -> AbstractContextManager[None, bool]:
    """Return a block that is left in silence where a dead delivery skips an effect: for effect sources.

    It surrounds the block of the effect, so that the clean-up of a dead delivery goes on behind it.
    """
    return _skippable


def perform_act(act: Act, do: Callable[[], T]) -> T:
    """Let an effect happen, so that the check can interrupt it: for effect sources.

    Other effects within it are part of it, and are not reported.

    Args:
        act: describes the effect.
        do: lets it happen.
    """
    with skippable(), acting(act):
        return do()
    return cast(T, None)


async def perform_act_async(act: Act, do: Callable[[], Awaitable[T]]) -> T:
    """Let an effect happen that is awaited.

    Args:
        act: describes the effect.
        do: returns the awaitable that lets it happen.
    """
    with skippable(), acting(act):
        return await do()
    return cast(T, None)


def looking(
    busy: Callable[[BaseException], bool] = never_busy, transaction: Transaction | None = None
) -> AbstractContextManager[None]:
    """Return a block in which an effect source reads outside of the job, which is no effect.

    Calls that leave the process within it, such as connecting to a server, are part of it.

    Args:
        busy: returns whether an error means that another delivery holds a lock.
        transaction: the transaction in which it is read, as in an effect.
    """
    current = watcher.get()
    return nullcontext() if current is None else current.looking(busy, transaction)


def note_look(*, changes: bool = False) -> None:
    """Report that something outside of the memory of the delivery is looked at: for effect sources.

    Args:
        changes: whether it may be changed as well, without being an effect.
    """
    current = watcher.get()
    if current is not None:
        current.look(changes=changes)


def note_draw(text: str) -> None:
    """Report a random text that a delivery, or its world, has drawn past `os.urandom`: for effect sources."""
    current, draw_in_world = watcher.get(), drawing.get()
    if current is not None:
        current.draw(text)
    elif draw_in_world is not None:
        draw_in_world(text)


def note_effect(act: Act) -> None:
    """Report that an effect with `counts=False` counts after all: for effect sources."""
    current = watcher.get()
    if current is not None:
        current.note(act)


def note_connection(close: Callable[[], object], shared: object = None) -> None:
    """Report a connection of the delivery: it is closed when its worker dies.

    Call it when a delivery opens a connection, and when it takes one out of a pool.

    Args:
        close: ends it as the kernel does when the process is gone, without a commit.
        shared: the connection itself, if two deliveries might get the same one; that is refused.
    """
    current = watcher.get()
    if current is not None:
        current.opened(close, shared)


def lengthened(ns: int) -> int:
    """Return how many nanoseconds a sleep takes, in a delivery that may be watched."""
    current = watcher.get()
    return ns if current is None else current.sleeping(ns)


def is_dead() -> bool:
    """Return whether a dead delivery runs here."""
    current = watcher.get()
    return current is not None and current.dead


def is_in_delivery() -> bool:
    """Return whether a delivery runs here."""
    return watcher.get() is not None


def holds_connection(shared: object) -> bool:
    """Return whether the delivery uses a connection that `note_connection` has reported: for effect sources."""
    current = watcher.get()
    return current is None or current.holds(shared)


def limit_of_waiting(suspended: int, dying: int) -> int | None:
    """Return how long a connection that is opened here may wait for a lock; None for as long as it likes.

    Args:
        suspended: the limit where a suspended delivery may hold the lock, which it never releases.
        dying: the limit elsewhere in a check: a server needs a moment to release the locks of a killed process.
    """
    current = watcher.get()
    return None if current is None else dying if current.may_wait() else suspended


def may_wait_for_locks() -> bool:
    """Return whether a connection may wait for a lock, shortly: no suspended delivery can hold it.

    For effect sources, which otherwise let a connection hardly wait at all.
    """
    current = watcher.get()
    return current is None or current.may_wait()


def refuse_delivery(why: str) -> None:
    """Stop the delivery and fail the check, since nothing can be shown: for effect sources.

    Args:
        why: says what the job did, why it shows nothing, and what to write instead.
    """
    current = watcher.get()
    if current is not None:
        current.refuse(why)
