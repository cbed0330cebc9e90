"""What a job does outside of itself, and who hears of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

T = TypeVar("T")
_NOTHING: Final = object()


def _refused() -> Exception:
    return ConnectionError("refused: it did not happen")


def _answer_lost() -> Exception:
    return TimeoutError("no answer: it has happened")


def _never_busy(error: BaseException) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a job does outside of itself."""

    #: What it is done to, such as `gateway` or `sqlite`.
    kind: str
    #: What is done, as a call or a statement.
    text: str
    #: Whether how often it was done is compared, since no state may show it.
    counts: bool = True
    #: What is compared; the text where this is None.
    value: object = None
    #: What the receiver tells repetitions by: with one, doing it again is no second time. None for none.
    key: object = None
    #: Whether an error says that another delivery holds a lock on what is wanted.
    busy: Callable[[BaseException], bool] = _never_busy
    #: Makes the error of the attempt that did not happen.
    refused: Callable[[], Exception] = _refused
    #: Makes the error of the attempt whose answer was lost; None where there is no answer to lose.
    answer_lost: Callable[[], Exception] | None = _answer_lost

    @property
    def tells_itself(self) -> bool:
        """Whether it is compared by itself, or by what stands in for its receiver, and not in the state alone."""
        return self.counts or self.value is not None


class ActWatcher(Protocol):
    """Hears of the acts of one delivery, and may make them fail."""

    @property
    def dead(self) -> bool:
        """Whether the delivery goes no further, and is being unwound."""
        ...

    def acting(self, act: Act) -> AbstractContextManager[None]:
        """Return the block in which an act is done; raises before it, or at its end."""
        ...

    def looking(self, busy: Callable[[BaseException], bool]) -> AbstractContextManager[None]:
        """Return the block in which something is read, which may have to wait for another delivery."""
        ...

    def note(self, act: Act) -> None:
        """Take note of an act that has taken effect: of those that do not count by themselves."""
        ...

    def changing(self, text: str) -> None:
        """Hear that a file is about to be changed; raise to prevent it."""
        ...

    def outside(self, text: str) -> None:
        """Hear of something outside the process that no effect source owns, unless it is part of an act."""
        ...

    def begun(self, function: Callable[..., object]) -> None:
        """Hear that a thread begins to run a function."""
        ...

    def opened(self, close: Callable[[], object], shared: object) -> None:
        """Take note of a connection: the function is called when the worker that opened it dies."""
        ...

    def holds(self, shared: object) -> bool:
        """Say whether a connection was noted."""
        ...

    def may_wait(self) -> bool:
        """Say whether a lock may be waited for: who holds it is not suspended, but about to release it."""
        ...

    def refuse(self, why: str) -> None:
        """Hear that nothing can be shown by the delivery, which an exploration ends."""
        ...


#: Who watches the delivery that runs in this context.
watcher: ContextVar[ActWatcher | None] = ContextVar("pytest_jobs_act_watcher", default=None)


def acting(act: Act | None) -> AbstractContextManager[None]:
    """Return the block in which an act is done; with None, a block that nobody watches."""
    current = watcher.get()
    return nullcontext() if current is None or act is None else current.acting(act)


def perform_act(act: Act, do: Callable[[], T]) -> T:
    """Do something outside of the job, and let the explorer know: for effect sources.

    What happens outside within it is part of it, and none of its own.

    Args:
        act: what is done.
        do: does it.
    """
    with acting(act):
        return do()


async def perform_act_async(act: Act, do: Callable[[], Awaitable[T]]) -> T:
    """Do the same where it is awaited.

    Args:
        act: what is done.
        do: returns what does it.
    """
    with acting(act):
        return await do()


@contextmanager
def looking(busy: Callable[[BaseException], bool] = _never_busy) -> Generator[None, None, None]:
    """Read something outside of the job in a block, which is no effect: for effect sources.

    What happens outside within it, such as a connection to a server, is owned by the source.

    Args:
        busy: whether an error says that another delivery holds a lock on what is read.
    """
    current = watcher.get()
    if current is None:
        yield
        return
    with current.looking(busy):
        yield


def note_effect(act: Act) -> None:
    """Let the explorer know that an act which need not have an effect has had one: for effect sources."""
    current = watcher.get()
    if current is not None:
        current.note(act)


def note_connection(close: Callable[[], object], shared: object = None) -> None:
    """Let the explorer know that a delivery has a connection: it is closed when its worker dies.

    Call it when a delivery opens a connection, and when it takes one out of a pool.

    Args:
        close: ends it as the kernel does when the process is gone, without a commit.
        shared: what tells the connection from others, where two deliveries might be given the same
            one; that is refused.
    """
    current = watcher.get()
    if current is not None:
        current.opened(close, shared)


def is_explored() -> bool:
    """Say whether a delivery is explored, so that it is to be like one in a process of its own.

    It is not where nobody watches, and where its test goes on in the same world. For effect sources.
    """
    current = watcher.get()
    return current is not None and not current.holds(_NOTHING)


def holds_connection(shared: object) -> bool:
    """Say whether the delivery has a connection, as `note_connection` was told: for effect sources."""
    current = watcher.get()
    return current is None or current.holds(shared)


def may_wait_for_locks() -> bool:
    """Say whether a lock may be waited for, shortly: none is held by a delivery that is suspended.

    For effect sources, which let a connection wait for locks hardly at all.
    """
    current = watcher.get()
    return current is None or current.may_wait()


def refuse_delivery(why: str) -> None:
    """End the delivery and the whole exploration, since nothing can be shown: for effect sources.

    Args:
        why: what the job did, why it shows nothing, and what to write instead.
    """
    current = watcher.get()
    if current is not None:
        current.refuse(why)
