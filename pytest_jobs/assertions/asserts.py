"""The assertions: callables for any test runner, and what the fixtures return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, Unpack, overload

from ..errors import CriterionError
from ..harness.jobs import Jobs, current_jobs
from ..harness.records.delivery import Delivery
from ..harness.records.record import JobRecord
from .failure import hide_ours, missing, unexpected
from .question import (
    AwaitedEnqueuedCriteria,
    CountedDeliveredCriteria,
    CountedEnqueuedCriteria,
    CountedStatusCriteria,
    DeliveredCriteria,
    EnqueuedCriteria,
    StatusCriteria,
)
from .search import (
    DELIVERED,
    DISCARDED,
    ENQUEUED,
    FAILED,
    PERFORMED,
    RETRIED,
    Search,
    Subject,
    await_for,
    parse_timeout,
    wait_for,
)
from .several import AssertBatched, AssertEnqueuedInOrder, AssertFollowedBy

T = TypeVar("T")

#: In a test of unittest, the last line shown is the call.
__unittest = True


class _Assertion(Generic[T]):
    """An assertion, and where it finds the harness."""

    _name: str
    _subject: Subject[T]

    def __init__(self, find_jobs: Callable[[], Jobs] = current_jobs) -> None:
        self._find_jobs = find_jobs

    def _find(self, job: object, criteria: dict[str, Any]) -> Any:
        return self._taken(self._search(job, criteria))

    def _taken(self, search: Search[T]) -> Any:
        if not search.counts.admit(len(search.matches)):
            raise AssertionError(missing(search))
        search.look()
        return search.matches[0] if search.counts.singular else tuple(search.matches)

    def _find_none(self, job: object, criteria: dict[str, Any]) -> None:
        search = self._search(job, criteria, negative=True)
        if search.matches:
            raise AssertionError(unexpected(search))

    def _search(
        self, job: object, criteria: dict[str, Any], *, negative: bool = False
    ) -> Search[T]:
        jobs = self._find_jobs()
        try:
            return Search(
                jobs, self._subject, job, criteria, assertion=self._name, negative=negative
            )
        except Exception as error:
            hide_ours(error)
            raise

    def __repr__(self) -> str:
        return f"<{self._name}>"


class AssertEnqueued(_Assertion[JobRecord]):
    """Assert that the application enqueued a job, performed since or not.

    Criteria are `args`, `kwargs`, `params`, `queue`, `priority`, `at`, `wait`, `attempt` (which asks
    for retries too), `where`, `tolerance` and `within`; of `count`, `at_least` and `at_most` none
    means exactly one. With `timeout`, in seconds of real time, it waits for what another thread
    enqueues.
    """

    _name = "assert_enqueued"
    _subject = ENQUEUED

    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] - without a number, the first is meant
        self, job: object, /, **criteria: Unpack[AwaitedEnqueuedCriteria]
    ) -> JobRecord: ...
    @overload
    def __call__(
        self, job: object, /, **criteria: Unpack[CountedEnqueuedCriteria]
    ) -> tuple[JobRecord, ...]: ...
    def __call__(self, job: object, /, **criteria: Any) -> JobRecord | tuple[JobRecord, ...]:
        """Return the record; the records, as a tuple, when a number is asked for.

        Raises:
            AssertionError: when another number of jobs matches.
            CriterionError: when a criterion can be true of no job.
        """
        timeout = parse_timeout(criteria)
        found: JobRecord | tuple[JobRecord, ...]
        if timeout is None:
            found = self._find(job, criteria)
        else:
            ledger = self._find_jobs().ledger
            found = self._taken(wait_for(lambda: self._search(job, criteria), ledger, timeout))
        return found

    @overload
    async def awaited(
        self, job: object, /, **criteria: Unpack[AwaitedEnqueuedCriteria]
    ) -> JobRecord: ...
    @overload
    async def awaited(
        self, job: object, /, **criteria: Unpack[CountedEnqueuedCriteria]
    ) -> tuple[JobRecord, ...]: ...
    async def awaited(self, job: object, /, **criteria: Any) -> JobRecord | tuple[JobRecord, ...]:
        """Wait on the running event loop, and return the same: `await assert_enqueued.awaited(Pay, timeout=5)`.

        Raises:
            AssertionError: when another number of jobs matches once `timeout` seconds have passed.
            CriterionError: when a criterion can be true of no job, or `timeout` is missing.
        """
        timeout = parse_timeout(criteria)
        if timeout is None:
            raise CriterionError(
                "assert_enqueued.awaited() waits for a job and does not know how long: write timeout=, in seconds."
            )
        ledger = self._find_jobs().ledger
        found: JobRecord | tuple[JobRecord, ...] = self._taken(
            await await_for(lambda: self._search(job, criteria), ledger, timeout)
        )
        return found


class _AssertDelivered(_Assertion[Delivery]):
    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] - without a number, the first is meant
        self, job: object, /, **criteria: Unpack[DeliveredCriteria]
    ) -> Delivery: ...
    @overload
    def __call__(
        self, job: object, /, **criteria: Unpack[CountedDeliveredCriteria]
    ) -> tuple[Delivery, ...]: ...
    def __call__(self, job: object, /, **criteria: Any) -> Delivery | tuple[Delivery, ...]:
        """Return the delivery; the deliveries, as a tuple, when a number is asked for.

        Raises:
            AssertionError: when another number of deliveries matches.
            CriterionError: when a criterion can be true of no delivery.
        """
        found: Delivery | tuple[Delivery, ...] = self._find(job, criteria)
        return found


class AssertPerformed(_AssertDelivered):
    """Assert that a delivery of the job succeeded.

    Criteria are `args`, `kwargs`, `params`, `queue`, `priority`, `attempt`, `at` (when it began),
    `wait` (until the next attempt), `result`, `error`, `where`, `tolerance` and `within`; of
    `count`, `at_least` and `at_most` none means exactly one.
    """

    _name = "assert_performed"
    _subject = PERFORMED


class AssertRetried(_AssertDelivered):
    """Assert that a delivery of the job failed and another attempt was enqueued; see `AssertPerformed`."""

    _name = "assert_retried"
    _subject = RETRIED


class AssertDiscarded(_AssertDelivered):
    """Assert that a rule dropped the job; see `AssertPerformed`."""

    _name = "assert_discarded"
    _subject = DISCARDED


class AssertFailed(_AssertDelivered):
    """Assert that the job ended in failure: failed, or out of attempts; see `AssertPerformed`."""

    _name = "assert_failed"
    _subject = FAILED


class AssertDelivered(_Assertion[Delivery]):
    """Assert what an attempt of the job came to, whatever that is: `status="snoozed"`; see `AssertPerformed`.

    What a job asked of its queue is a status too: retried, discarded, snoozed, cancelled, halted.
    """

    _name = "assert_delivered"
    _subject = DELIVERED

    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] - without a number, the first is meant
        self, job: object, /, **criteria: Unpack[StatusCriteria]
    ) -> Delivery: ...
    @overload
    def __call__(
        self, job: object, /, **criteria: Unpack[CountedStatusCriteria]
    ) -> tuple[Delivery, ...]: ...
    def __call__(self, job: object, /, **criteria: Any) -> Delivery | tuple[Delivery, ...]:
        """Return the delivery; the deliveries, as a tuple, when a number is asked for.

        Raises:
            AssertionError: when another number of deliveries matches.
            CriterionError: when a criterion can be true of no delivery.
        """
        found: Delivery | tuple[Delivery, ...] = self._find(job, criteria)
        return found


class AssertNotEnqueued(_Assertion[JobRecord]):
    """Assert that the application did not enqueue such a job; without a job, nothing at all."""

    _name = "assert_not_enqueued"
    _subject = ENQUEUED

    def __call__(self, job: object | None = None, /, **criteria: Unpack[EnqueuedCriteria]) -> None:
        """Look for it.

        Raises:
            AssertionError: when there is one.
            CriterionError: when a criterion can be true of no job, or the job is not known here.
        """
        self._find_none(job, dict(criteria))


class AssertNotPerformed(_Assertion[Delivery]):
    """Assert that no delivery of such a job succeeded; without a job, of none at all."""

    _name = "assert_not_performed"
    _subject = PERFORMED

    def __call__(self, job: object | None = None, /, **criteria: Unpack[DeliveredCriteria]) -> None:
        """Look for it.

        Raises:
            AssertionError: when there is one.
            CriterionError: when a criterion can be true of no delivery, or the job is not known here.
        """
        self._find_none(job, dict(criteria))


assert_enqueued = AssertEnqueued()
assert_enqueued_in_order = AssertEnqueuedInOrder()
assert_performed = AssertPerformed()
assert_retried = AssertRetried()
assert_discarded = AssertDiscarded()
assert_failed = AssertFailed()
assert_delivered = AssertDelivered()
assert_followed_by = AssertFollowedBy()
assert_batched = AssertBatched()
assert_not_enqueued = AssertNotEnqueued()
assert_not_performed = AssertNotPerformed()
