"""One test of the second pass, and the check in it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from ...bridges.toolkit import given_to
from ...core.arguments.records import with_records
from ...core.foundation.libraries import sqlalchemy_is_known
from ...errors import ExplorationError, NotIdempotent
from ...exploration.check import check_idempotent
from ...exploration.histories.plans import HistoryName
from ...exploration.report.audience import Audience
from ...harness.ledger.ledger import Ledger
from ...harness.open_harness import open_harnesses
from ...harness.records.delivery import Delivery
from ...harness.records.record import JobRecord
from ...harness.records.texts import error_text
from ...harness.running.direct_calls import DirectCall, direct_calls, given_context
from ...harness.running.performer import Performer, RealBody
from .arrivals import Arrival, Reach, Reason, Spectator, called
from .findings import Finding, findings_of

_HISTORIES: Final[Sequence[HistoryName]] = ("twice", "crash", "effect_fails", "abandoned")
#: How many seconds of computing the histories of a check take, and those of one that is made again at the end,
#: as the first was cut short.
SECONDS: Final = 6.0
LONGER: Final = 20.0
#: How a job is delivered that is called as in its test.
_CALLED: Final = "at least once, as brokers do: its library cannot send what the test gives it."
#: With which a check fails that can show nothing.
_FAILURES: Final = (Exception, pytest.fail.Exception, pytest.skip.Exception)


@dataclass
class Checked:
    """The result of one check, or the reason why there is none."""

    reach: Reach
    #: Why nothing was shown; None if something was.
    refused: Reason | None = None
    #: The last line of a job that has changed nothing; empty if it has.
    idle_at: str = ""
    findings: Sequence[Finding] = ()
    #: What a check without findings left out; empty if nothing.
    left_out: str = ""
    #: How many histories were carried out, and how many there are.
    tried: int = 0
    planned: int = 0
    #: The whole story, of a replay.
    story: str = ""
    #: Of a replay: whether the check was of another job than the token names.
    is_other: bool = False

    @property
    def passes(self) -> bool:
        """Of a replay: whether a history passes now."""
        return len(self.findings) < self.tried


class Checker(Spectator):
    """Checks one job where a test reaches it, and only there; everything else goes on as in the first pass."""

    def __init__(self, reach: Reach, audience: Audience, seconds: float) -> None:
        """Wait for a job.

        Args:
            reach: where it was reached in the first pass.
            audience: the test that runs.
            seconds: how long the histories compute.
        """
        self._reach = reach
        self._seconds = seconds
        self._audience = audience
        #: None before the check.
        self.checked: Checked | None = None
        #: The job, from when another thread was to perform it until this one is free.
        self._waiting: Arrival | None = None

    async def acall(self, call: DirectCall) -> Any:
        if call.can_wait and self._leaves_out(called(call)):
            return None
        return await super().acall(call)

    async def adeliver(
        self,
        performer: Performer,
        ledger: Ledger,
        record: JobRecord,
        body: RealBody,
        *,
        in_real_time: bool,
    ) -> Delivery:
        if in_real_time and self._leaves_out(Arrival.of_record(record, "delivered")):
            return Delivery(record, performer.clock.now_ns(), "performed")
        return await super().adeliver(performer, ledger, record, body, in_real_time=in_real_time)

    def _leaves_out(self, arrival: Arrival) -> bool:
        """Leave the job out in another thread, where no check can run, and also what follows in its response."""
        if _is_in_thread_of_test():
            return False
        if self._waiting is None and self._is_wanted(arrival):
            self._waiting = arrival
        return self._waiting is not None

    def make_waiting(self) -> None:
        arrival = self._waiting
        if arrival is not None and _is_in_thread_of_test():
            self._waiting = None
            self.begins(arrival)

    def _is_wanted(self, arrival: Arrival) -> bool:
        reach = self._reach
        wanted = (reach.job, reach.way, reach.shape)
        return self.checked is None and (arrival.name, arrival.way, arrival.shape) == wanted

    def begins(self, arrival: Arrival) -> None:
        reach = self._reach
        if not self._is_wanted(arrival):
            return
        if isinstance(arrival.job, str):
            why = Reason("Another service performs it, so its code is not here.")
            self.checked = Checked(reach, why)
            return
        if not _is_in_thread_of_test():
            why = Reason(
                "Its tests perform it in a thread of their own, where no check can run.",
                "Perform it by a harness, as with --jobs-inline.",
            )
            self.checked = Checked(reach, why)
            return
        # The check makes deliveries and calls of its own.
        before, open_harnesses.spectator = open_harnesses.spectator, None
        token = given_context.set(arrival.context)
        try:
            with (
                direct_calls.seen_by(None),
                given_to(arrival.library, arrival.job),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                self.checked = self._check(arrival)
        finally:
            given_context.reset(token)
            open_harnesses.spectator = before

    def ended(self, arrival: Arrival) -> None:
        """Do nothing: the check comes before the job."""

    def _check(self, arrival: Arrival) -> Checked:
        try:
            if sqlalchemy_is_known():
                from ...exploration.worlds.sqlalchemy.engines import flush_sessions

                flush_sessions()
            # A delivery has the names of records, and no job is enqueued with a name.
            args, kwargs = with_records(arrival.given())
            return self._explored(arrival.job, args, kwargs)
        except _FAILURES as error:
            why = error_text(error).rstrip(".")
            failed = Checked(self._reach, Reason(f"The check failed with {why}."))
        if arrival.again is None:
            return failed
        # Its library cannot send what a test gives to a call, such as a double in place of a dependency.
        try:
            again = self._explored(arrival.again, (), {})
        except _FAILURES:
            return failed
        again.findings = [replace(each, semantics=_CALLED) for each in again.findings]
        return again

    def _explored(self, job: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Checked:
        reach, audience = self._reach, self._audience
        try:
            explored = check_idempotent(
                job,
                args=args,
                kwargs=kwargs,
                histories=_HISTORIES,
                time_limit=self._seconds,
                allow_partial=True,
            )
        except NotIdempotent as error:
            report: Any = error.report
            found = list(findings_of(report, reach.job))
            tried, planned = report.exploration.histories, report.exploration.planned
            story = str(report) if audience.replays else ""
            return Checked(reach, findings=found, tried=tried, planned=planned, story=story)
        except ExplorationError as refusal:
            return Checked(reach, Reason.of_refusal(str(refusal)), refusal.idle_at)
        tried = sum(each.histories for each in explored.explorations)
        planned = sum(each.planned for each in explored.explorations)
        left = [f"{tried} of {planned} histories"] if tried < planned else []
        elsewhere = [where for each in explored.explorations for where in each.elsewhere]
        if elsewhere:
            left.append(f"without interruptions in other threads, at {', '.join(elsewhere)}")
        is_other = explored.replay == "other"
        return Checked(
            reach,
            left_out="; ".join(left),
            tried=tried,
            planned=planned,
            is_other=is_other,
        )


def _is_in_thread_of_test() -> bool:
    return threading.current_thread() is threading.main_thread()
