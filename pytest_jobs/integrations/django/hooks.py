"""One callback of `transaction.on_commit`, wrapped so that the harness knows what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from ...harness.commits.callables import callable_owner, callable_text, commit_wait
from ...harness.commits.transactions import WITH_TEST_CASE, CallbackState, CommitCallback
from ...harness.records.record import JobRecord

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

ROLLED_BACK: Final = "by a rollback"

# Django's own, so that a test that looks for its message finds it.
_log = logging.getLogger("django.db.backends.base")


class CommitHook:
    """Takes the place of a callback in `connection.run_on_commit`, and notes that it was called.

    It equals the callback and has its attributes, for tests that look at what they captured.
    """

    __slots__ = (
        "_done",
        "_dropped",
        "connection",
        "fires",
        "function",
        "raised",
        "ran",
        "record",
        "registered_at",
        "robust",
    )

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        function: Callable[[], object],
        *,
        robust: bool,
        registered_at: str,
        record: JobRecord | None,
        fires: bool,
    ) -> None:
        """Describe what was registered.

        Args:
            connection: the database whose commit it waits for.
            function: the callback.
            robust: whether its errors are logged and not raised.
            registered_at: the file and line that registered it.
            record: the job that registered it.
            fires: whether the end of its transaction calls it; otherwise `jobs.commit()` does.
        """
        self.connection = connection
        self.function = function
        self.robust = robust
        self.registered_at = registered_at
        self.record = record
        self.fires = fires
        #: Whether it was called, and whether it raised an error that nothing caught.
        self.ran = False
        self.raised = False
        #: Whether `run` has called it: then Django, which still keeps it, must not call it again.
        self._done = False
        #: Why it will never be called.
        self._dropped = ""

    def __call__(self) -> object:
        if self._done:
            return None
        self.ran = True
        try:
            return self.function()
        except BaseException:
            self.raised = not self.robust
            raise

    def __eq__(self, other: object) -> bool:
        return self is other or self.function == (
            other.function if isinstance(other, CommitHook) else other
        )

    def __hash__(self) -> int:
        return hash(self.function)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def is_listed(self) -> bool:
        """Say whether Django still keeps it."""
        return any(entry[1] is self for entry in self.connection.run_on_commit)

    def waits(self) -> bool:
        """Say whether it may still be called after a commit."""
        return not self.ran and not self._dropped and self.is_listed()

    def drop(self, by: str) -> None:
        """Note that it will never be called, unless it was."""
        if not self.ran:
            self._dropped = self._dropped or by
            wait = commit_wait(self.function)
            if wait is not None:
                wait.dropped(by)

    def leave(self) -> None:
        """Note that its TestCase ends while it waits. A job that waits is not told: only the test rolls back."""
        self._dropped = WITH_TEST_CASE

    def run(self) -> None:
        """Call it as the commit does, and never again."""
        try:
            self()
        except Exception as error:
            if not self.robust:
                raise
            name = getattr(self.function, "__qualname__", self.function)
            _log.exception("Error calling %s in on_commit() during transaction (%s).", name, error)
        finally:
            self._done = True

    def describe(self, *, listed: bool) -> CommitCallback:
        """Return it as views and messages show it; `listed` says whether Django still keeps it."""
        dropped = self._dropped or ("" if listed else ROLLED_BACK)
        state: CallbackState = "ran" if self.ran else "dropped" if dropped else "waiting"
        return CommitCallback(
            text=callable_text(self.function),
            using=self.connection.alias,
            registered_at=self.registered_at,
            state=state,
            dropped=dropped if state == "dropped" else "",
            owner=callable_owner(self.function),
        )


def run_in_order(hooks: Sequence[CommitHook]) -> None:
    """Call hooks as commits do: after one that raises, the rest of its database is dropped.

    Raises:
        BaseException: what a hook raised that is not robust.
    """
    for position, hook in enumerate(hooks):
        try:
            hook.run()
        except BaseException:
            _drop_behind(hook, hooks[position + 1 :])
            raise


def note_rollbacks(hooks: Iterable[CommitHook]) -> None:
    """Note which hooks Django has dropped with a savepoint."""
    for hook in hooks:
        if not hook.is_listed():
            hook.drop(ROLLED_BACK)


def note_commit(hooks: Sequence[CommitHook]) -> None:
    """Note what became of hooks whose transaction Django itself has committed or rolled back."""
    raised = next((hook for hook in hooks if hook.raised), None)
    if raised is not None:
        _drop_behind(raised, hooks)
    note_rollbacks(hooks)


def _drop_behind(raised: CommitHook, others: Iterable[CommitHook]) -> None:
    """Drop the hooks of the same database that come after one that raised."""
    for other in others:
        if other.connection is raised.connection:
            other.drop(f"since {callable_text(raised.function)} raised before it")
