"""Database transactions of the application: the callbacks that wait for a commit, and those a rollback dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias, runtime_checkable

from ...core.foundation.protocols import ReadTransaction, WaitState
from ...errors import CommitError

CallbackState: TypeAlias = WaitState

#: The `dropped` of a callback that still waited when its test case ended: no application rolled it back.
WITH_TEST_CASE: Final = "with its test case, before any commit"


@dataclass(frozen=True, slots=True)
class CommitCallback:
    """A call that the application wants to be made after a commit, and its present state."""

    #: The call in the words of the application, such as `send.delay(7)`.
    text: str
    #: The name of the database whose commit it waits for.
    using: str
    #: The file and line that asked for it; empty when that was before the harness was opened.
    registered_at: str
    #: `waiting`, `ran`, or `dropped`: it will never run.
    state: CallbackState
    #: The reason for which it was dropped, such as `by a rollback`; empty if it was not.
    dropped: str = ""
    #: The object whose method is called, which may be a job; None for a function.
    owner: object | None = None
    #: Whether the application commits in tests too, so that no verb needs to.
    commits_itself: bool = False
    #: Whether it is a job that was enqueued: a row of the database, which a rollback has taken back.
    is_row: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same while the state changes."""
        return self.text, self.using, self.registered_at


class Transactions(Protocol):
    """Watches the transactions of one database library, and can commit in a test.

    A test case that rolls everything back has a transaction of its own around the test, so the
    commit that the application waits for never comes. That transaction does not count here: only
    those that the application, or the test itself, opened inside it.
    """

    @property
    def name(self) -> str:
        """The name of the library."""
        ...

    def install(self, commits: Callable[[], bool], ended: Callable[[], None]) -> None:
        """Begin to watch.

        Args:
            commits: returns whether callbacks run when a transaction ends, as in production; when
                it returns False they wait for `commit`.
            ended: called when the outermost transaction of a thread has ended, in that thread.
        """
        ...

    def uninstall(self) -> None:
        """Restore exactly what `install` found, also after an exception."""
        ...

    def open_here(self) -> str | None:
        """Return the transaction that is open in this thread, as in `an atomic block of 'default'`, or None."""
        ...

    def callbacks(self) -> Sequence[CommitCallback]:
        """Return every callback that was registered, in order, whether it still waits or not."""
        ...

    def commit(self) -> None:
        """Run the callbacks that wait in this thread, as a commit would.

        Raises:
            CommitError: when callbacks wait, but all of them in other threads.
            BaseException: the error of a callback; those behind it are dropped, as after a real commit.
        """
        ...

    async def acommit(self) -> None:
        """Run the callbacks where an asynchronous application runs its synchronous code; see `commit`."""
        ...


@runtime_checkable
class CommitsItself(Protocol):
    """Transactions that the application commits in tests too."""

    def report_end(self) -> None:
        """Call `ended` of `install` when the transactions that are open in this thread have ended."""
        ...

    def reading_here(self) -> Sequence[ReadTransaction]:
        """Return the transactions of this thread that have only read so far."""
        ...

    def refusal(self, verb: str) -> str:
        """Return the message that a verb cannot commit the transaction of this thread."""
        ...


class TransactionSystems:
    """The transactions of all database libraries in use, and what a test has seen of them."""

    __slots__ = ("_systems", "asked", "seen")

    def __init__(self, systems: Sequence[Transactions]) -> None:
        self._systems = tuple(systems)
        #: The keys of the callbacks that the test has seen.
        self.seen: set[tuple[str, str, str]] = set()
        #: Whether the test has asked what waits for a commit, be it only for the number.
        self.asked = False

    def __iter__(self) -> Iterator[Transactions]:
        return iter(self._systems)

    def __bool__(self) -> bool:
        return bool(self._systems)

    def open_here(self) -> str | None:
        """Return the transaction of the application, or of the test itself, in this thread; None without one."""
        return next(
            (text for system in self._systems if (text := system.open_here()) is not None), None
        )

    def reading_here(self) -> list[ReadTransaction]:
        return [
            transaction
            for system in self._systems
            if isinstance(system, CommitsItself)
            for transaction in system.reading_here()
        ]

    def in_transaction(self) -> bool:
        """Return whether this thread is in a transaction; if so, its end will be reported."""
        found = [system for system in self._systems if system.open_here() is not None]
        for system in found:
            if isinstance(system, CommitsItself):
                system.report_end()
        return bool(found)

    def callbacks(self, state: CallbackState) -> list[CommitCallback]:
        return [
            callback
            for system in self._systems
            for callback in system.callbacks()
            if callback.state == state
        ]

    def unseen(self) -> Iterator[CommitCallback]:
        """Yield what waits for a commit, or waited to the end of its test case, and the test has not seen."""
        for callback in self.callbacks("waiting"):
            if callback.key not in self.seen:
                yield callback
        for callback in self.callbacks("dropped"):
            if callback.dropped == WITH_TEST_CASE and callback.key not in self.seen:
                yield replace(callback, state="waiting", dropped="")

    def check_can_commit(self, verb: str) -> None:
        """Raise when a verb cannot commit in this thread.

        Raises:
            CommitError: when no database library is in use, or a transaction is still open.
        """
        if not self._systems:
            raise CommitError(
                f"jobs.{verb}() has nothing to commit: no database library whose transactions pytest-jobs knows "
                "is in use. It finds Django by its settings, so set DJANGO_SETTINGS_MODULE; elsewhere leave the "
                "call out, or pass `transactions=` to the harness."
            )
        for system in self._systems:
            block = system.open_here()
            if block is not None and isinstance(system, CommitsItself):
                raise CommitError(system.refusal(verb))
            if block is not None:
                raise CommitError(
                    f"jobs.{verb}() was called inside {block} that the test, or the application, has not left: "
                    f"nothing is committed before its end. Leave the block first, then call jobs.{verb}()."
                )
