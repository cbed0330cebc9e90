"""What a harness has seen, as read-only sequences."""

from __future__ import annotations

from ..core.foundation.waits import Seconds
from ..errors import CriterionError
from .delivery import ENDED_IN_FAILURE, Delivery
from .events import Events
from .kept_out import KeptOut, kept_out_jobs
from .locks import Lock, held_locks
from .open_harness import OpenHarness
from .record import JobRecord
from .views import Capture, View, is_blocked, look_at_delivery, look_at_nothing, look_at_record


class Viewing(OpenHarness):
    """Shows what was enqueued and what came of it."""

    @property
    def enqueued(self) -> View[JobRecord]:
        """Every job that the application enqueued, performed or not; no retries, no redeliveries."""
        return View("enqueued", self._ledger.first_enqueues(), look_at_record)

    @property
    def pending(self) -> View[JobRecord]:
        """What waits to be performed, retries included, in the order of enqueueing."""
        return View("pending", self._ledger.pending(), look_at_record)

    @property
    def scheduled(self) -> View[JobRecord]:
        """What is pending and due later."""
        now = self._clock.now()
        later = (r for r in self._ledger.pending() if r.due_at is not None and r.due_at > now)
        return View("scheduled", later, look_at_record)

    @property
    def blocked(self) -> View[JobRecord]:
        """What is pending and waits for a place of its concurrency limit, in the order of enqueueing."""
        return View("blocked", filter(is_blocked, self._ledger.pending()), look_at_record)

    @property
    def locks(self) -> View[Lock]:
        """The locks of unique jobs and the places of limited ones that are held now."""
        return View("locks", held_locks(self._bridges, self._ledger), look_at_nothing)

    @property
    def kept_out(self) -> View[KeptOut]:
        """What was not enqueued, since another job had its lock or the last place of its limit."""
        return View("kept out", kept_out_jobs(self._bridges, self._ledger), look_at_nothing)

    @property
    def deliveries(self) -> View[Delivery]:
        """Every attempt, in the order in which they ended."""
        return self._deliveries("deliveries", None)

    @property
    def performed(self) -> View[Delivery]:
        """The attempts that succeeded."""
        return self._deliveries("performed", frozenset(("performed",)))

    @property
    def retried(self) -> View[Delivery]:
        """The attempts that failed and will be followed by another."""
        return self._deliveries("retried", frozenset(("retried",)))

    @property
    def discarded(self) -> View[Delivery]:
        """The attempts after which a rule dropped the job."""
        return self._deliveries("discarded", frozenset(("discarded",)))

    @property
    def failed(self) -> View[Delivery]:
        """The attempts with which a job ended in failure: no rule knew the error, or no attempts were left."""
        return self._deliveries("failed", ENDED_IN_FAILURE)

    @property
    def dead(self) -> View[Delivery]:
        """The dead letters: the attempts with which a job was given up, failed, exhausted or discarded.

        The payload is kept, readable or not. What was redriven, or is beyond a limit, is left out.
        """
        return View("dead", self._dead_letters.kept(), look_at_delivery)

    def limit_dead(self, *, size: int | None = None, age: Seconds | None = None) -> None:
        """Limit the dead letters from now on; the oldest go first, and do not come back.

        Args:
            size: how many are kept; None for all, as at the beginning. Sidekiq keeps 10,000.
            age: seconds or a timedelta after the last attempt for which each is kept, by the virtual
                clock; None for ever, as at the beginning. Sidekiq keeps each for 180 days.

        Raises:
            CriterionError: when the size is no number of dead letters.
            WaitError: when the age is no duration.
        """
        self._dead_letters.limit(size, age)

    @property
    def events(self) -> Events:
        """What happened, in order: each job enqueued, started, and what its deliveries came to."""
        return Events(self._ledger.events)

    def capture(self) -> Capture:
        """Return a window: `with jobs.capture() as sent:` holds what is first-enqueued inside it."""
        return Capture(self._ledger)

    def result_of(self, record: JobRecord) -> object:
        """Return what the library's result object would return for a job.

        Raises:
            NotPerformedError: when the job has not been performed.
            BaseException: what the job raised.
        """
        return checked_record(record, "result_of")._bridge.result_of(record)

    def _deliveries(self, title: str, statuses: frozenset[str] | None) -> View[Delivery]:
        every = self._ledger.deliveries
        wanted = every if statuses is None else (d for d in every if d.status in statuses)
        return View(title, wanted, look_at_delivery)


def checked_record(record: object, verb: str) -> JobRecord:
    """Return a record.

    Raises:
        CriterionError: when it is something else, such as a delivery.
    """
    if not isinstance(record, JobRecord):
        meant = (
            "delivery.record"
            if isinstance(record, Delivery)
            else "a record, such as jobs.pending[0]"
        )
        raise CriterionError(f"jobs.{verb}({record!r}) is given no record: pass {meant}.")
    return record
