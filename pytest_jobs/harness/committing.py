"""Committing in a test whose own transaction never commits."""

from __future__ import annotations

from dataclasses import replace

from .record import FIRST, JobRecord
from .transactions import WITH_TEST_CASE, CallbackState, CommitCallback
from .viewing import Viewing
from .views import View


class Committing(Viewing):
    """Shows what waits for a commit, and commits."""

    @property
    def waiting_for_commit(self) -> View[CommitCallback]:
        """What the application asked to be called after a commit that has not come yet."""
        return self._callbacks_view("waiting for commit", "waiting")

    @property
    def dropped_by_rollback(self) -> View[CommitCallback]:
        """What was to be called after a commit, and never will be."""
        return self._callbacks_view("dropped by rollback", "dropped")

    def commit(self) -> tuple[JobRecord, ...]:
        """Run what waits for a commit, as the commit of the outermost transaction would.

        What a callback asks to be called after a commit is called at once, as it is where no
        transaction is open. What was registered before the test case began, by `setUpTestData`
        say, is left alone.

        Returns:
            The records that the callbacks enqueued; none when nothing waited.

        Raises:
            CommitError: inside a transaction that the test or the application opened, when none of
                the known database libraries is in use, or when callbacks wait in other threads alone.
            VerbInsideJobError: when a job calls it.
            BaseException: what a callback raised, unless it was registered as robust; callbacks
                behind it on the same database are dropped.
        """
        before = self._before_commit("commit")
        for system in self._transactions:
            system.commit()
        return self._enqueued_since(before)

    async def acommit(self) -> tuple[JobRecord, ...]:
        """Do the same where an async application runs its synchronous code; see `commit`."""
        before = self._before_commit("acommit")
        for system in self._transactions:
            await system.acommit()
        if self._inline is not None:
            await self._inline.settle()
        return self._enqueued_since(before)

    def _before_commit(self, verb: str) -> int:
        self._check_outside_jobs(verb)
        self._transactions.check_can_commit(verb)
        return len(self._ledger.records)

    def _enqueued_since(self, before: int) -> tuple[JobRecord, ...]:
        return tuple(
            record
            for record in self._ledger.records[before:]
            if record._origin is FIRST and record._parent is None
        )

    def _callbacks_view(self, title: str, state: CallbackState) -> View[CommitCallback]:
        return View(title, self._transactions.callbacks(state), self._see)

    def _see(self, callback: CommitCallback) -> None:
        self._callbacks_seen.add(_key_of(callback))

    def left_waiting(self) -> list[CommitCallback]:
        """Return the jobs that waited for a commit to the end of the test, and that it never saw: for plugins."""
        ended = (
            replace(callback, state="waiting", dropped="")
            for callback in self._transactions.callbacks("dropped")
            if callback.dropped == WITH_TEST_CASE
        )
        return [
            callback
            for callback in (*self._transactions.callbacks("waiting"), *ended)
            if _key_of(callback) not in self._callbacks_seen
            and callback.owner is not None
            and self._targets.find(callback.owner) is not None
        ]


def _key_of(callback: CommitCallback) -> tuple[str, str, str]:
    return callback.text, callback.using, callback.registered_at
