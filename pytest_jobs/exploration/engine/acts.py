"""The effects of jobs: how effect sources report them, and who watches them.

Three words name what is outside of a job. An *effect* is what a job does there, and an `Act` describes one.
A *store* is a place whose content stays and is compared. A *world* is all that one history finds, built afresh.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from types import CodeType, FrameType
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

from .sameness.chance import drawing

T = TypeVar("T")


class Unwound(BaseException):
    """Unwinds a delivery that was killed or given up. Code of the project is not to catch it."""


class Skipped(Unwound):
    """Says that an effect is skipped: its delivery is dead, and only ends what it began."""


_REFUSED: Final = partial(ConnectionError, "refused: it did not happen")
_ANSWER_LOST: Final = partial(TimeoutError, "no answer: it has happened")


def _never_busy(error: BaseException) -> bool:
    return False


class Transaction(Hashable, Protocol):
    """A transaction of a database that takes everything back, without a trace, when its worker dies."""

    @property
    def is_open(self) -> bool:
        """Whether it is neither committed nor rolled back."""
        ...

    @property
    def excludes_others(self) -> bool:
        """Whether nobody else can write what it reads, or read what it writes, once it has changed something."""
        ...


@dataclass(frozen=True, slots=True)
class Act:
    """One effect of a job: something durable, or outside of the process."""

    #: The thing that it is done to, such as `gateway` or `sqlite`.
    kind: str
    #: The call or statement.
    text: str
    #: Whether the check compares how often it happened, because no state may show it.
    counts: bool = True
    #: The value that is compared; None for the text.
    value: object = None
    #: The idempotency key: a second effect with the same key does not count. None for no key.
    key: object = None
    #: The idempotency key that was sent, also if the receiver itself finds out which keys it knows.
    sent_key: object = None
    #: The place that is set, such as an attribute: only the last value of a place counts. None for other effects.
    slot: object = None
    #: The function of the project in whose place the test has put a double; empty for all other effects.
    stands_for: str = field(default="", compare=False)
    #: Returns whether an error means that another delivery holds a lock.
    busy: Callable[[BaseException], bool] = _never_busy
    #: Makes the error of an effect that fails before it happens; None if it cannot fail.
    refused: Callable[[], Exception] | None = _REFUSED
    #: Makes the error of an effect whose reply is lost; None if it has no reply.
    answer_lost: Callable[[], Exception] | None = _ANSWER_LOST
    #: The transaction in which it happens, if nothing is left of it there before a commit.
    transaction: Transaction | None = field(default=None, compare=False)
    #: Whether it is a statement that a database takes back unless a commit follows it.
    awaits_commit: bool = field(default=False, compare=False)
    #: Whether a database of SQL is what it is done to.
    of_database: bool = field(default=False, compare=False)

    @property
    def is_commit(self) -> bool:
        return self.text.lower() == "commit"

    @property
    def tells_itself(self) -> bool:
        """Whether effects of this kind are counted, rather than only visible in the world's state."""
        return self.counts or self.value is not None

    def in_memory(self) -> Act:
        """Return the same for an effect that cannot fail, since setting the memory of a process cannot."""
        return replace(self, refused=None, answer_lost=None)


class SourceState:
    """The state of effect sources: it lasts as long as a history, a search, or a session."""

    __slots__ = ("_ends", "_things", "lessons")

    def __init__(self) -> None:
        self._things: dict[object, Any] = {}
        self._ends: list[Callable[[], object]] = []
        #: How often something was learned here that changes which effects count.
        self.lessons = 0

    def of(self, owner: Hashable, make: Callable[[], T]) -> T:
        """Return what belongs to an owner; it is made when it is asked for the first time."""
        if owner not in self._things:
            self._things[owner] = make()
        return self._things[owner]  # type: ignore[no-any-return]

    def learn(self, known: set[str], lesson: str) -> None:
        """Add something to a set that is kept here. What was observed before is observed anew."""
        if lesson not in known:
            known.add(lesson)
            self.lessons += 1

    def undo_by(self, undo: Callable[[], object]) -> None:
        """Call a function in its turn when the history, the search or the session ends."""
        self._ends.append(undo)

    def end(self) -> None:
        """Undo everything, the newest first, and forget it."""
        while self._ends:
            self._ends.pop()()
        self._things.clear()


def later_acts(history: SourceState) -> list[Callable[[], Iterable[Act]]]:
    """Return the functions that return the effects of a history that show only when they are looked for."""
    return history.of("later acts", list)


class ActWatcher(Protocol):
    """Watches one delivery. `Watch` implements it and describes its methods."""

    @property
    def of_history(self) -> SourceState: ...

    @property
    def of_search(self) -> SourceState: ...

    @property
    def undisturbed(self) -> bool: ...

    @property
    def beats(self) -> int: ...

    def form_of(self, value: object) -> object: ...

    @property
    def isolated(self) -> bool: ...

    @property
    def dead(self) -> bool: ...

    def acting(self, act: Act) -> AbstractContextManager[None]: ...

    def looking(
        self, busy: Callable[[BaseException], bool], transaction: Transaction | None = None
    ) -> AbstractContextManager[None]: ...

    def look(self, *, changes: bool = False) -> None: ...

    def note(self, act: Act) -> None: ...

    def commits(self) -> int: ...

    def leave_tasks(self, loop: Any = None) -> None: ...

    def called_later(self, handle: Any, caller: FrameType) -> None: ...

    def changing(self, text: str, *, counts: bool = False) -> None: ...

    def calling_back(self) -> AbstractContextManager[None]: ...

    def outside(self, text: str) -> None: ...

    def begun(self, function: Callable[..., object]) -> None: ...

    def opened(self, close: Callable[[], object], shared: object) -> None: ...

    def holds(self, shared: object) -> bool: ...

    def may_wait(self) -> bool: ...

    def refuse(self, why: str) -> None: ...

    def process_id(self) -> int | None: ...

    def is_alive(self, process_id: int) -> bool | None: ...

    def is_of_project(self, code: CodeType) -> bool: ...

    def is_work(self) -> bool: ...

    def draw(self, text: str) -> None: ...


#: The watch of the delivery that runs in this context.
watcher: ContextVar[ActWatcher | None] = ContextVar("pytest_jobs_act_watcher", default=None)


#: Whether this runs as a part of an effect that is compared by itself, as the call of a fake is: what it writes to
#: stores is a part of it.
told: ContextVar[bool] = ContextVar("pytest_jobs_told", default=False)


#: Receives the effects that are a part of the effect that runs here; None if nobody asks for them.
parts: ContextVar[list[Act] | None] = ContextVar("pytest_jobs_parts", default=None)


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
    busy: Callable[[BaseException], bool] = _never_busy, transaction: Transaction | None = None
) -> AbstractContextManager[None]:
    """Return a block in which an effect source reads something outside of the job. To read is no effect.

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


def explored() -> ActWatcher | None:
    """Return the watch of the delivery that check_idempotent or JobMachine makes here.

    None under --jobs-crash, where a delivery has the connections of the test, and outside of deliveries.
    """
    current = watcher.get()
    return current if current is not None and current.isolated else None


def is_explored() -> bool:
    """Return True inside check_idempotent and JobMachine, False under --jobs-crash or outside of all.

    Only the former isolate the connections of deliveries. For effect sources of projects; ours patch by
    `in_check` of `effects/wrapping.py`, which asks for them.
    """
    return explored() is not None


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
    current = explored()
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
