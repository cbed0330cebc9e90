"""Seeing each job of a test: delivered in a harness, called directly, left pending, or kept by a mock."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ...harness.ledger.ledger import Ledger
from ...harness.records.delivery import Delivery
from ...harness.records.record import JobRecord
from ...harness.records.texts import short_name
from ...harness.running.calls import DirectCall, calling
from ...harness.running.performer import Performer, RealBody
from ...harness.running.twice import HasLedger

#: How a test reaches a job, in the order in which the second pass prefers them.
Way: TypeAlias = Literal["delivered", "called", "pending", "mocked"]
#: The arguments of a job.
Given: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(eq=False)
class Arrival:
    """A job that is about to run, or that stays pending."""

    name: str
    way: Way
    job: Any
    #: Returns the arguments; raises if they cannot be read.
    given: Callable[[], Given]
    #: Whether the job then failed.
    raised: bool = False
    #: What a call gives in place of what a worker gives; None when it gives nothing.
    context: Mapping[str, Any] | None = None
    #: Makes the call again, as a function without arguments; None when it was none.
    again: Callable[[], Any] | None = None

    @classmethod
    def of_record(cls, record: JobRecord, way: Way) -> Arrival:
        return cls(record.name, way, record.job, record.arguments)

    @property
    def shape(self) -> str:
        """The types of the arguments: two tests whose arguments differ in it may go different ways."""
        try:
            args, kwargs = self.given()
        except Exception as error:
            return f"unreadable: {type(error).__name__}"
        named = (f"{name}={type(value).__name__}" for name, value in sorted(kwargs.items()))
        return ", ".join((*(type(value).__name__ for value in args), *named))


class Spectator(ABC):
    """Makes each delivery and each direct call of a test as it would be made, and sees it: an adversary."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.only_watches = True
        self.harness: Callable[[], HasLedger | None] = lambda: None

    @abstractmethod
    def begins(self, arrival: Arrival) -> None:
        """See a job before it runs."""

    @abstractmethod
    def ended(self, arrival: Arrival) -> None:
        """See it afterwards."""

    def saw(self, arrival: Arrival) -> None:
        """See a job that does not run in the test."""
        with self._seen(arrival):
            pass

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        if record.retry_of is not None:
            return performer.make(ledger, record, body)
        with self._seen(Arrival.of_record(record, "delivered")) as arrival:
            delivery = performer.make(ledger, record, body)
            arrival.raised = body.faulty or delivery.error is not None
        return delivery

    async def adeliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        if record.retry_of is not None:
            return await performer.amake(ledger, record, body)
        with self._seen(Arrival.of_record(record, "delivered")) as arrival:
            delivery = await performer.amake(ledger, record, body)
            arrival.raised = body.faulty or delivery.error is not None
        return delivery

    def call(self, call: DirectCall) -> Any:
        with self._seen(_called(call)) as arrival:
            with calling():
                result = call.make()
            arrival.raised = call.error_in(result) is not None
        return result

    async def acall(self, call: DirectCall) -> Any:
        with self._seen(_called(call)), calling():
            return await call.make()

    @contextmanager
    def _seen(self, arrival: Arrival) -> Generator[Arrival, None, None]:
        self.begins(arrival)
        try:
            yield arrival
        except BaseException:
            arrival.raised = True
            raise
        finally:
            self.ended(arrival)


def _called(call: DirectCall) -> Arrival:
    def again() -> Any:
        return call.make()

    async def awaited() -> Any:
        return await call.make()

    made = awaited if inspect.iscoroutinefunction(inspect.unwrap(call.body)) else again
    made.__qualname__ = short_name(call.name)
    return Arrival(call.name, "called", call.job, lambda: call.given, False, call.context, made)
