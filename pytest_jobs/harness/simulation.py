"""Running a job through its retries without running its body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import CriterionError
from .body import Body, SimulatedBody
from .clock import VirtualClock
from .delivery import Delivery
from .faults import Raising, checked_error, fresh_error
from .ledger import Ledger
from .record import JobRecord
from .selection import Selection
from .verbs import Plan

if TYPE_CHECKING:
    from .targets import Target, Targets


class Simulation:
    """One job that fails again and again, and perhaps succeeds at last."""

    __slots__ = ("_limit", "_raising", "_succeed_on", "_target")

    def __init__(
        self, target: Target, raising: Raising, *, succeed_on: int | None, limit: int
    ) -> None:
        self._target = target
        self._raising = checked_error(raising, "raising")
        if succeed_on is not None and (type(succeed_on) is not int or succeed_on < 1):
            raise CriterionError(
                f"succeed_on={succeed_on!r} is no attempt: write the number of the attempt that succeeds, from 1."
            )
        if type(limit) is not int or limit < 1:
            raise CriterionError(
                f"limit={limit!r} is no number of attempts: write an int of at least 1."
            )
        self._succeed_on = succeed_on
        self._limit = limit

    def enqueue(
        self, ledger: Ledger, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None
    ) -> Awaitable[object] | None:
        """Enqueue the job; where no arguments are given, None stands for each that is required.

        Returns:
            What is to be awaited until it is enqueued, where its library does so.
        """
        # Stopped now, so that no real time passes between the first attempt and its retry.
        ledger.clock.advance_ns(0)
        bridge, job = self._target.bridge, self._target.job
        if args is not None or kwargs is not None:
            return bridge.enqueue(job, tuple(args or ()), kwargs or {})
        blank, named = bridge.signature(job).blank()
        try:
            enqueueing = bridge.enqueue(job, blank, named)
        except Exception as error:
            raise self._not_enqueued_blank(error) from error
        return None if enqueueing is None else self._explained(enqueueing)

    def first(self, ledger: Ledger) -> JobRecord:
        """Return the record of the job; its callbacks may have enqueued others.

        Raises:
            CriterionError: when it was not enqueued.
        """
        first = next(filter(self._target.is_job_of, ledger.records), None)
        if first is None:
            raise CriterionError(
                f"{self._target.name} was not enqueued: a callback halted it, so there is nothing to simulate. "
                "Give the arguments with which it is enqueued."
            )
        return first

    async def _explained(self, enqueueing: Awaitable[object]) -> None:
        try:
            await enqueueing
        except Exception as error:
            raise self._not_enqueued_blank(error) from error

    def _not_enqueued_blank(self, error: Exception) -> CriterionError:
        return CriterionError(
            f"{self._target.name} cannot be enqueued with None for each argument ({type(error).__name__}: "
            f"{error}): give simulate_retries the args= or kwargs= with which it is enqueued."
        )

    def plan(
        self, ledger: Ledger, clock: VirtualClock, targets: Targets, first: JobRecord
    ) -> Plan[list[Delivery]]:
        """Perform the job and its retries, and nothing that they enqueue."""
        selection = Selection(targets, only=_with_id(first.job_id))
        deliveries: list[Delivery] = []
        while len(deliveries) < self._limit:
            record = ledger.take(selection)
            if record is not None:
                deliveries.append((yield record))
                continue
            due_ns = ledger.next_due_ns(selection)
            if due_ns is None:
                break
            clock.reach_ns(due_ns)
        return deliveries

    def body(self, record: JobRecord) -> Body:
        """Return what runs instead of the body."""
        error = None if record.attempt == self._succeed_on else fresh_error(self._raising)
        return SimulatedBody(error, is_coroutine=record._bridge.is_coroutine(record))


def _with_id(job_id: str) -> Callable[[JobRecord], bool]:
    return lambda record: record.job_id == job_id
