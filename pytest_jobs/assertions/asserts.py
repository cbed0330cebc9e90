"""The assertions: callables for any test runner, and what the fixtures return."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, Generic, Never, TypeVar, Unpack, overload

from ..errors import CriterionError
from ..harness.commits.callables import calling_place, line_text
from ..harness.ledger.ledger import Ledger
from ..harness.open_harness import OpenHarness
from ..harness.records.delivery import Delivery
from ..harness.records.mocks import mock_text, mocked_methods, raises
from ..harness.records.record import JobRecord
from ..harness.records.targets import Target
from ..harness.records.texts import listed, short_repr
from .failure import Assertion, hide_ours, missing, unexpected
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
    EVERY_JOB,
    FAILED,
    PERFORMED,
    RETRIED,
    Search,
    Subject,
    await_for,
    wait_for,
)
from .several import AssertBatched, AssertEnqueuedInOrder, AssertFollowedBy

T = TypeVar("T")

#: In a test of unittest, the last line shown is the call.
__unittest = True


class _Assertion(Assertion, Generic[T]):
    """An assertion about one job, or one kind of delivery."""

    _subject: Subject[T]
    #: Whether the assertion is about every job when it names none.
    _may_ask_for_all = False

    def _search(
        self, job: object, criteria: Mapping[str, Any], *, negative: bool = False
    ) -> Search[T]:
        jobs, name = self._find_jobs(), self._name
        try:
            return Search(jobs, self._subject, job, criteria, assertion=name, negative=negative)
        except Exception as error:
            hide_ours(error)
            raise

    def _check_call(self, job: object, arguments: tuple[Any, ...]) -> None:
        """Raise when the job is missing, or its arguments are written as those of the assertion."""
        if job is EVERY_JOB and not self._may_ask_for_all:
            raise CriterionError(
                f"{self._name}() does not say which job: write it first, without a keyword, as in "
                f"{self._name}(Pay)."
            )
        if arguments:
            named = getattr(job, "__name__", None) or short_repr(job)
            raise CriterionError(
                f"{self._name}({named}, {listed(arguments, {})}) does not compare arguments that stand alone: "
                f"write {self._name}({named}, args={arguments!r})."
            )

    def _found(self, search: Search[T]) -> T | tuple[T, ...]:
        """Return the match, or a tuple of them where a number is asked for."""
        counts, count = search.counts, len(search.matches)
        if count < counts.least or (counts.most is not None and count > counts.most):
            raise AssertionError(missing(search))
        search.look()
        return search.matches[0] if counts.singular else tuple(search.matches)

    def _find_none(self, job: object, criteria: Mapping[str, Any]) -> None:
        search = self._search(job, criteria, negative=True)
        harness, target = search.harness, search.target
        named = (getattr(job, "__name__", None) or short_repr(job)) if target is not None else ""
        for mocked, mock in _mocks_of(harness, target):
            method = f"{named or 'a job'}.{mocked}"
            raise CriterionError(
                f"{self._name}({named}) would pass whatever the application does, since {method} "
                f"{mock_text(mock)}: take the mock out. Under the harness the job is recorded, and nothing of it "
                "leaves the process."
            )
        if search.matches:
            raise AssertionError(unexpected(search))
        ledger = harness.ledger
        ledger.check_nothing_refused(f"{self._name} found no job")
        if target is None and not criteria and self._subject is ENQUEUED and ledger.sends:
            raise AssertionError(
                f"{self._name}() found no job, but a message was sent by {ledger.sends[0]}, and nobody sees "
                f"whether that is one.\nNext: name the job that is meant, as in {self._name}(Pay), if the message "
                "is something else. If it is a job, put a mock in the place of what sends it, and look at that."
            )
        waiting = {callback.key for callback in harness.may_come(target)}
        if waiting:
            call = f"{self._name}({named}) at {line_text(*calling_place())}"
            harness.doubts.append(partial(_doubt, harness, target, waiting, call))


def _mocks_of(harness: OpenHarness, target: Target | None) -> Iterator[tuple[str, Any]]:
    """Yield the mocks that have kept a job from its queue: the method with `is` or `was`, and the mock."""
    for name, mock in () if target is None else mocked_methods(target.job):
        if not raises(mock):  # Somebody wants to see the application without a broker.
            yield f"{name} is", mock
    for name, mock in harness.swallowed_calls(target):
        yield f"{name} was", mock


def _doubt(
    harness: OpenHarness,
    target: Target | None,
    waiting: Collection[tuple[str, str, str]],
    call: str,
) -> str:
    """Say at the end of the test that what an assertion did not find was still to come; empty if it was not."""
    left = [callback for callback in harness.may_come(target) if callback.key in waiting]
    if not left:
        return ""
    them = "\n".join(f"  {one.text}, registered at {one.registered_at}" for one in left)
    return (
        f"{call} would pass whatever the application does: what may enqueue the job waited for a commit, and none "
        f"came.\n{them}\nNext: jobs.commit() before the assertion, or look at jobs.waiting_for_commit if the test "
        "is about what happens without a commit."
    )


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
    def __call__(
        self, job: object = EVERY_JOB, /, *arguments: Never, **criteria: Any
    ) -> JobRecord | tuple[JobRecord, ...]:
        """Return the record; the records, as a tuple, when a number is asked for.

        Raises:
            AssertionError: when another number of jobs matches.
            CriterionError: when a criterion can be true of no job.
        """
        self._check_call(job, arguments)
        if criteria.get("timeout") is None:
            return self._found(self._search(job, criteria))
        ledger = self._find_jobs().harness.ledger
        return self._found(wait_for(lambda: self._search(job, criteria), ledger))

    @overload
    async def awaited(
        self, job: object, /, **criteria: Unpack[AwaitedEnqueuedCriteria]
    ) -> JobRecord: ...
    @overload
    async def awaited(
        self, job: object, /, **criteria: Unpack[CountedEnqueuedCriteria]
    ) -> tuple[JobRecord, ...]: ...
    def awaited(self, job: object = EVERY_JOB, /, *arguments: Never, **criteria: Any) -> Any:
        """Wait on the running event loop, and return the same: `await assert_enqueued.awaited(Pay, timeout=5)`.

        Raises:
            AssertionError: when another number of jobs matches once `timeout` seconds have passed.
            CriterionError: when a criterion can be true of no job, or `timeout` is missing.
        """
        self._check_call(job, arguments)
        harness = self._find_jobs().harness
        coroutine = self._awaited(harness.ledger, job, criteria)
        harness.promises.awaitable(f"{self._name}.awaited", coroutine)
        return coroutine

    async def _awaited(
        self, ledger: Ledger, job: object, criteria: Mapping[str, Any]
    ) -> JobRecord | tuple[JobRecord, ...]:
        if criteria.get("timeout") is None:
            raise CriterionError(
                "assert_enqueued.awaited() waits for a job and does not know how long: write timeout=, in seconds."
            )
        return self._found(await await_for(lambda: self._search(job, criteria), ledger))


class _AssertDelivered(_Assertion[Delivery]):
    @overload
    def __call__(  # pyright: ignore[reportOverlappingOverload] - without a number, the first is meant
        self, job: object, /, **criteria: Unpack[DeliveredCriteria]
    ) -> Delivery: ...
    @overload
    def __call__(
        self, job: object, /, **criteria: Unpack[CountedDeliveredCriteria]
    ) -> tuple[Delivery, ...]: ...
    def __call__(
        self, job: object = EVERY_JOB, /, *arguments: Never, **criteria: Any
    ) -> Delivery | tuple[Delivery, ...]:
        """Return the delivery; the deliveries, as a tuple, when a number is asked for.

        Raises:
            AssertionError: when another number of deliveries matches.
            CriterionError: when a criterion can be true of no delivery.
        """
        self._check_call(job, arguments)
        return self._found(self._search(job, criteria))


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
    def __call__(
        self, job: object = EVERY_JOB, /, *arguments: Never, **criteria: Any
    ) -> Delivery | tuple[Delivery, ...]:
        """Return the delivery; the deliveries, as a tuple, when a number is asked for.

        Raises:
            AssertionError: when another number of deliveries matches.
            CriterionError: when a criterion can be true of no delivery.
        """
        self._check_call(job, arguments)
        return self._found(self._search(job, criteria))


class AssertNotEnqueued(_Assertion[JobRecord]):
    """Assert that the application did not enqueue such a job; without a job, nothing at all."""

    _name = "assert_not_enqueued"
    _may_ask_for_all = True
    _subject = ENQUEUED

    def __call__(
        self, job: object = EVERY_JOB, /, *arguments: Never, **criteria: Unpack[EnqueuedCriteria]
    ) -> None:
        """Look for it.

        Raises:
            AssertionError: when there is one.
            CriterionError: when a criterion can be true of no job, or the job is not known here.
        """
        self._check_call(job, arguments)
        self._find_none(job, criteria)


class AssertNotPerformed(_Assertion[Delivery]):
    """Assert that no delivery of such a job succeeded; without a job, of none at all."""

    _name = "assert_not_performed"
    _may_ask_for_all = True
    _subject = PERFORMED

    def __call__(
        self, job: object = EVERY_JOB, /, *arguments: Never, **criteria: Unpack[DeliveredCriteria]
    ) -> None:
        """Look for it.

        Raises:
            AssertionError: when there is one.
            CriterionError: when a criterion can be true of no delivery, or the job is not known here.
        """
        self._check_call(job, arguments)
        self._find_none(job, criteria)


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
