"""Database transactions of an application: what waits for their commit, what a rollback dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

from ...core.foundation.protocols import ReadTransaction, WaitState
from ...errors import CommitError

CallbackState: TypeAlias = WaitState

#: By what a callback was dropped that waited until its test case had ended: no application rolled it back.
WITH_TEST_CASE: Final = "with its test case, before any commit"


@dataclass(frozen=True, slots=True)
class CommitCallback:
    """Something that an application asked to be called after a commit, as it is now."""

    #: The call in the words of the application, such as `send.delay(7)`.
    text: str
    #: The name of the database whose commit it waits for.
    using: str
    #: The file and line that asked for it; empty when that was before the harness was opened.
    registered_at: str
    #: Whether it waits, ran, or will never run.
    state: CallbackState
    #: Of what was dropped, by what: `by a rollback`. Empty otherwise.
    dropped: str = ""
    #: The object whose method is called, which may be a job; None for a function.
    owner: object | None = None
    #: Whether the commit comes in tests too, by the application's own hand, so that no verb makes it.
    commits_itself: bool = False


class Transactions(Protocol):
    """Watches the transactions of one database library, and can commit in a test.

    A test case that rolls everything back holds a transaction of its own around the test, so the
    commit that the application waits for never comes. What the test case opened does not count as
    a transaction here: only what the application, or the test itself, opened inside it.
    """

    @property
    def name(self) -> str:
        """The name of the library."""
        ...

    def install(self, commits: Callable[[], bool], ended: Callable[[], None]) -> None:
        """Begin to watch.

        Args:
            commits: says whether callbacks run when a transaction ends, as in production; while
                it says no they wait for `commit`.
            ended: called when the outermost transaction of a thread has ended, in that thread.
        """
        ...

    def uninstall(self) -> None:
        """Restore exactly what `install` found, also after an exception."""
        ...

    def open_here(self) -> str | None:
        """Return which transaction is open in this thread, as in `an atomic block of 'default'`, or None."""
        ...

    def callbacks(self) -> Sequence[CommitCallback]:
        """Return every callback that was registered, in order, whatever became of it."""
        ...

    def commit(self) -> None:
        """Run what waits in this thread, as a commit would.

        Raises:
            CommitError: when callbacks wait, but all of them in other threads.
            BaseException: what a callback raised; what stood behind it is dropped, as it would be.
        """
        ...

    async def acommit(self) -> None:
        """Do the same where an asynchronous application runs its synchronous code."""
        ...


@runtime_checkable
class CommitsItself(Protocol):
    """Transactions that commit in tests too, by the application's own hand."""

    def tell_end(self) -> None:
        """Call `ended` of `install` when what is open in this thread has ended."""
        ...

    def reading_here(self) -> Sequence[ReadTransaction]:
        """Return the transactions of this thread that have only read so far."""
        ...

    def refusal(self, verb: str) -> str:
        """Say why a verb cannot commit what is open in this thread."""
        ...


class TransactionSystems:
    """The transactions of all database libraries in use."""

    __slots__ = ("_systems",)

    def __init__(self, systems: Sequence[Transactions]) -> None:
        self._systems = tuple(systems)

    def __iter__(self) -> Iterator[Transactions]:
        """Go through them in order."""
        return iter(self._systems)

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._systems)

    def open_here(self) -> str | None:
        """Return which transaction of the application's or the test's own this thread is in, or None."""
        return next(
            (text for system in self._systems if (text := system.open_here()) is not None), None
        )

    def reading_here(self) -> list[ReadTransaction]:
        """Return the transactions of this thread that have only read so far."""
        return [
            transaction
            for system in self._systems
            if isinstance(system, CommitsItself)
            for transaction in system.reading_here()
        ]

    def holds_here(self) -> bool:
        """Say whether there is one, whose end is then told."""
        found = [system for system in self._systems if system.open_here() is not None]
        for system in found:
            if isinstance(system, CommitsItself):
                system.tell_end()
        return bool(found)

    def callbacks(self, state: CallbackState) -> list[CommitCallback]:
        """Return the callbacks that are in a state."""
        return [
            callback
            for system in self._systems
            for callback in system.callbacks()
            if callback.state == state
        ]

    def check_can_commit(self, verb: str) -> None:
        """Raise when a commit could not come here.

        Raises:
            CommitError: says what is missing, or which block is still open.
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
