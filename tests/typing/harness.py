"""The harness, its clock and its verbs, as fixtures and as blocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_type

from pytest_jobs import (
    Delivery,
    Job,
    JobRecord,
    Jobs,
    RetryTimeline,
    Tally,
    VirtualClock,
    current_jobs,
    open_jobs,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Pay(Job):
    def perform(self, payment_id: int) -> str:
        return str(payment_id)


def verbs(jobs: Jobs, jobs_clock: VirtualClock) -> None:
    record = jobs.enqueued[0]

    # Accepted

    assert_type(record, JobRecord)
    assert_type(jobs.enqueued[1:], tuple[JobRecord, ...])
    assert_type([*jobs.pending], list[JobRecord])
    assert_type([*jobs.performed], list[Delivery])
    assert_type(len(jobs.dead), int)
    assert_type(jobs.perform(record), Delivery)
    assert_type(jobs.perform_due(children=False), Tally)
    assert_type(jobs.drain(only=Pay, exclude=[Pay], queue="low", until=NOON, limit=9), Tally)
    assert_type(jobs.run_for(60, queue=["low", "high"], raise_errors=False), Tally)
    assert_type(jobs.run_for(timedelta(days=1)), Tally)
    assert_type(jobs.drain()["performed"], int)
    assert_type(jobs.redeliver(record), JobRecord)
    assert_type(jobs.simulate_retries(Pay, raising=OSError, succeed_on=2), RetryTimeline)
    assert_type(jobs.simulate_retries(Pay, (7,), {"x": 1}, raising=OSError("x")), RetryTimeline)
    assert_type(jobs.clock, VirtualClock)
    assert_type(jobs_clock.move_to(NOON), datetime)
    assert_type(jobs_clock.advance(60), datetime)
    assert_type(jobs_clock.frozen, bool)
    assert_type(current_jobs(), Jobs)
    with jobs.capture() as sent:
        assert_type(sent[0], JobRecord)
    with jobs.inline(only=Pay), jobs.real_time(), jobs.fail(Pay, raising=OSError, times=2):
        pass
    with open_jobs(mode="inline", raise_at="enqueue", jitter="seeded") as opened:
        assert_type(opened, Jobs)

    # Refused

    jobs.perform(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.perform(jobs.performed[0])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.drain(Pay)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]
    jobs.drain(onyl=Pay)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    jobs.inline(limit=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    jobs.run_for(60, at_least="1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.drain(queue=7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.drain(until=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.run_for()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    jobs.run_for("1 day")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.simulate_retries(Pay)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    jobs.simulate_retries(Pay, raising="x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.fail(Pay)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    jobs.clock.advance("1 day")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    jobs.enqueued = jobs.pending  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    open_jobs(mode="off")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    open_jobs(jitter="none")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def async_verbs(jobs: Jobs) -> None:
    assert_type(await jobs.aperform(jobs.pending[0]), Delivery)
    assert_type(await jobs.aperform_due(), Tally)
    assert_type(await jobs.adrain(only=[Pay]), Tally)
    assert_type(await jobs.arun_for(60), Tally)
    assert_type(await jobs.asimulate_retries(Pay, raising=OSError), RetryTimeline)
    async with jobs.inline():
        pass

    await jobs.drain()  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
    await jobs.adrain(Pay)  # type: ignore[call-arg, arg-type]  # pyright: ignore[reportCallIssue]


def dead_letters(jobs: Jobs) -> None:
    assert_type(jobs.redrive(jobs.enqueued[0]), JobRecord | None)
    assert_type(jobs.redrive(jobs.dead[0]), JobRecord | None)
    assert_type(jobs.redrive_all(), tuple[JobRecord, ...])
    assert_type(jobs.dead[0].aftermath, tuple[str, ...])
    jobs.limit_dead(size=9, age=timedelta(days=1))
