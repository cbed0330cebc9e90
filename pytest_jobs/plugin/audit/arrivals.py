"""Seeing each job of a test: delivered in a harness, called directly, left pending, or kept by a mock.

`Reached` notes in the first pass which test reaches which job, and says which of them the second pass takes.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from ...harness.ledger.ledger import Ledger
from ...harness.records.delivery import Delivery
from ...harness.records.record import JobRecord
from ...harness.records.texts import short_name
from ...harness.running.direct_calls import DirectCall, calling
from ...harness.running.performer import Performer, RealBody
from ...insight.reached.reached import Way

#: The ways in which a test reaches a job that can be checked there, in the order of preference.
_WAYS: Final[Sequence[Way]] = ("delivered", "called", "enqueued", "mocked")
#: Where one ends and the next one begins; the lines of a traceback belong to the one before them.
_SENTENCE_ENDS: Final = re.compile(r"(?<=\.)\s+(?=[A-Z`])|\n(?=\S)")
_CHECK_IT: Final = "Check it in a test of its own, which can say more: check_idempotent(job, ...)."
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
    #: The library that a function was given to; empty where the job says so itself.
    library: str = ""

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


class Reason(NamedTuple):
    """Why a job was not checked."""

    why: str
    #: What to write; empty if nothing helps.
    advice: str = ""

    @classmethod
    def of_refusal(cls, text: str) -> Reason:
        """Take what a check says to a reader who has written none, as far as it is of use to him."""
        why, *others = _SENTENCE_ENDS.split(text)
        advice = " ".join(
            one for one in others if one.startswith(("Put ", "Install ")) and "world" not in one
        )
        return cls(" ".join(why.split()), advice or _CHECK_IT)

    def __str__(self) -> str:
        return " ".join(filter(None, self))


class Spectator(ABC):
    """Sees each delivery and each direct call of a test, which is made as it would be without it."""

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
        self,
        performer: Performer,
        ledger: Ledger,
        record: JobRecord,
        body: RealBody,
        *,
        in_real_time: bool,
    ) -> Delivery:
        if record.retry_of is not None:
            return await performer.amake(ledger, record, body)
        with self._seen(Arrival.of_record(record, "delivered")) as arrival:
            delivery = await performer.amake(ledger, record, body, in_real_time=in_real_time)
            arrival.raised = body.faulty or delivery.error is not None
        return delivery

    def call(self, call: DirectCall) -> Any:
        with self._seen(called(call)) as arrival:
            with calling():
                result = call.make()
            arrival.raised = call.error_in(result) is not None
        return result

    async def acall(self, call: DirectCall) -> Any:
        with self._seen(called(call)), calling():
            return await call.make()

    @abstractmethod
    def make_waiting(self) -> None:
        """Make what was left out, now that the thread of the test is free."""

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


def called(call: DirectCall) -> Arrival:
    def again() -> Any:
        return call.make()

    async def awaited() -> Any:
        return await call.make()

    made = awaited if call.is_awaited else again
    made.__qualname__ = short_name(call.name)
    return Arrival(
        call.name, "called", call.job, lambda: call.given, False, call.context, made, call.library
    )


@dataclass(frozen=True)
class Reach:
    """A job that a test reaches."""

    job: str
    nodeid: str
    way: Way
    #: The types of its arguments.
    shape: str
    raised: bool
    #: How long the job took, in seconds of computing.
    seconds: float


class Reached(Spectator):
    """Notes which jobs the tests reach, and changes nothing."""

    def __init__(self) -> None:
        #: The test that runs.
        self.nodeid = ""
        self._reaches: dict[str, list[Reach]] = {}
        self._begun: dict[int, float] = {}
        self._passed: set[str] = set()

    def begins(self, arrival: Arrival) -> None:
        self._begun[id(arrival)] = time.process_time()

    def ended(self, arrival: Arrival) -> None:
        seconds = time.process_time() - self._begun.pop(id(arrival))
        name, way = arrival.name, arrival.way
        reach = Reach(name, self.nodeid, way, arrival.shape, arrival.raised, seconds)
        self._reaches.setdefault(name, []).append(reach)

    def make_waiting(self) -> None:
        """Do nothing: nothing was left out."""

    def note_passed(self, nodeid: str) -> None:
        self._passed.add(nodeid)

    def jobs(self) -> list[str]:
        """Return the names of the jobs, those first that take the least time."""

        def seconds(job: str) -> float:
            return min(reach.seconds for reach in self._reaches[job])

        return sorted(self._reaches, key=seconds)

    def tests(self) -> set[str]:
        """Return the ids of all tests that reach a job."""
        return {reach.nodeid for reaches in self._reaches.values() for reach in reaches}

    def tests_of(self, job: str) -> list[str]:
        return list(dict.fromkeys(reach.nodeid for reach in self._reaches[job]))

    def ways_of(self, job: str) -> list[Way]:
        """Return how tests reach a job."""
        found = {reach.way for reach in self._reaches[job]}
        return [way for way in _WAYS if way in found]

    def unfit(self, job: str, spared: Mapping[str, str]) -> Iterator[Reason]:
        """Yield why the second pass leaves tests out.

        Args:
            job: the name of the job.
            spared: the ids of the tests that run only once, each with the reason.
        """
        for reach in self._reaches[job]:
            if reach.nodeid in spared:
                yield Reason(spared[reach.nodeid])
            elif reach.nodeid not in self._passed:
                yield Reason("Its tests did not pass.")
            elif reach.raised:
                yield Reason(
                    "It raises in its tests, so no delivery that ends well shows what it should do.",
                    "Write a test in which it returns.",
                )

    def fit(self, job: str, spared: Mapping[str, str]) -> list[Reach]:
        """Return where the second pass may check a job: by the best way, one of each shape of arguments first.

        Args:
            job: the name of the job.
            spared: the ids of the tests that run only once, each with the reason.
        """
        usable = [
            reach
            for reach in self._reaches[job]
            if reach.nodeid in self._passed and reach.nodeid not in spared and not reach.raised
        ]
        usable.sort(key=lambda reach: _WAYS.index(reach.way))
        once = {(reach.nodeid, reach.shape): reach for reach in reversed(usable)}
        ordered = [reach for reach in usable if once[reach.nodeid, reach.shape] is reach]
        first = {reach.shape: reach for reach in reversed(ordered)}
        # Stable: within the two groups the order stays.
        return sorted(ordered, key=lambda reach: first[reach.shape] is not reach)
