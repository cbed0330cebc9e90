"""Tests of deliveries."""

from __future__ import annotations

import traceback
from datetime import timedelta
from typing import Any

import pytest

from ..errors import NotPerformedError, RunningLoopError
from ..harness.jobs import Jobs
from ..harness.records.bridge import Bridge
from . import bodies
from .case import Case, Library, need, send, sent_record


class Performing(Case):
    """A delivery runs the job once, and says what came of it."""

    def test_a_job_is_performed_once(self, library: Library, jobs: Jobs, noted: list[Any]) -> None:
        record = sent_record(jobs, library, library.jobs.note, 7)

        delivery = jobs.perform(record)

        assert (delivery.status, delivery.result, delivery.error) == ("performed", 7, None)
        assert noted == [7]
        assert len(jobs.pending) == 0

    def test_a_job_works_on_arguments_of_its_own(self, library: Library, jobs: Jobs) -> None:
        record = sent_record(jobs, library, library.jobs.note, ["a"])
        assert record.params["value"] == ["a"]

        jobs.perform(record)

        assert record.params["value"] == ["a"]

    def test_a_drain_performs_what_is_due_later_when_it_is_due(
        self, library: Library, bridge: Bridge, jobs: Jobs, noted: list[Any]
    ) -> None:
        need(library, bridge, "eta")
        begin = jobs.clock.now()
        send(library, library.jobs.note, "later", wait=timedelta(hours=1))
        send(library, library.jobs.note, "now")

        jobs.perform_due()
        assert noted == ["now"]
        jobs.drain()

        assert noted == ["now", "later"]
        assert jobs.clock.now() - begin >= timedelta(minutes=59)

    def test_a_job_that_fails_raises_its_own_error_out_of_the_verb(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        send(library, library.jobs.fails, 1)
        send(library, library.jobs.note, 2)

        with pytest.raises(bodies.Broken, match="it broke") as caught:
            jobs.drain()

        frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[-1] == "fails"
        assert [delivery.status for delivery in jobs.deliveries] == ["failed"]
        assert not jobs.deliveries[0].handled
        assert len(jobs.pending) == 1
        jobs.drain()
        assert noted == [1, 2]

    def test_what_a_job_enqueues_is_its_child_and_runs_after_it(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        parent = sent_record(jobs, library, library.jobs.parent, 7)

        jobs.drain()

        child = jobs.enqueued[1]
        assert child.parent == parent.sequence
        assert jobs.deliveries[0].enqueued == (child,)
        assert [delivery.record for delivery in jobs.performed] == [parent, child]
        assert noted == [7]

    def test_a_redelivery_runs_the_same_payload_again(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        record = sent_record(jobs, library, library.jobs.note, 7)
        jobs.perform(record)

        again = jobs.redeliver(record)
        delivery = jobs.perform(again)

        assert delivery.status == "performed"
        assert noted == [7, 7]
        assert (again.job_id, again.attempt) == (record.job_id, record.attempt)
        assert again.sequence != record.sequence
        assert len(jobs.enqueued) == 1

    def test_inline_performs_what_is_enqueued(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        import asyncio

        async def enqueue() -> None:
            sent: Any = library.enqueue(library.jobs.parent, (7,))
            async with jobs.inline():
                if hasattr(sent, "__await__"):
                    await sent
                else:
                    library.enqueue(library.jobs.parent, (8,))

        asyncio.run(enqueue())

        assert noted in ([7], [8])

    def test_a_failed_assertion_in_a_job_fails_the_test_whatever_the_library_does(
        self, library: Library, jobs: Jobs
    ) -> None:
        send(library, library.jobs.asserts)

        with pytest.raises(AssertionError, match="a test is wrong"):
            jobs.drain()

    def test_what_is_no_exception_passes_through_and_the_job_is_pending_again(
        self, library: Library, jobs: Jobs
    ) -> None:
        record = sent_record(jobs, library, library.jobs.breaks)

        with pytest.raises(bodies.Killed):
            jobs.perform(record)

        assert list(jobs.pending) == [record]
        assert len(jobs.deliveries) == 0

    def test_sys_exit_in_a_job_is_an_error_of_the_job_unless_the_worker_ends(
        self, library: Library, jobs: Jobs
    ) -> None:
        record = sent_record(jobs, library, library.jobs.note, 7)
        jobs.fail(library.jobs.note, raising=SystemExit(3), times=1)

        if getattr(library, "survives_exit", False):
            assert jobs.perform(record).status in ("failed", "retried")
        else:
            with pytest.raises(SystemExit):
                jobs.perform(record)
            assert list(jobs.pending) == [record]

    def test_a_fault_strikes_in_the_place_of_the_body(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        record = sent_record(jobs, library, library.jobs.note, 7)
        jobs.fail(library.jobs.note, raising=bodies.Broken("struck"), times=1)

        delivery = jobs.perform(record)

        assert isinstance(delivery.error, bodies.Broken)
        assert noted == []

    def test_the_result_of_a_job_that_was_not_performed_is_an_error(
        self, library: Library, jobs: Jobs
    ) -> None:
        record = sent_record(jobs, library, library.jobs.note, 7)

        with pytest.raises(NotPerformedError):
            jobs.result_of(record)

        jobs.perform(record)
        assert jobs.result_of(record) == 7

    def test_a_coroutine_job_sleeps_in_virtual_time(
        self, library: Library, bridge: Bridge, jobs: Jobs, noted: list[Any]
    ) -> None:
        need(library, bridge, "async")
        begin = jobs.clock.now()
        record = sent_record(jobs, library, library.jobs.coroutine, 7)

        delivery = jobs.perform(record)

        assert (delivery.status, delivery.result) == ("performed", 7)
        assert noted == [7]
        assert jobs.clock.now() - begin >= timedelta(seconds=60)

    def test_what_the_library_schedules_to_recur_comes_while_time_passes(
        self, library: Library, bridge: Bridge, jobs: Jobs, noted: list[Any]
    ) -> None:
        need(library, bridge, "cron")

        jobs.run_for(timedelta(hours=3))

        assert noted == ["hourly"] * 3
        assert {record.job for record in jobs.enqueued} == {library.jobs.hourly}

    def test_a_synchronous_verb_refuses_a_coroutine_job_inside_a_running_loop(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        need(library, bridge, "async")
        import asyncio

        send(library, library.jobs.coroutine, 7)

        async def drain() -> None:
            jobs.drain()

        with pytest.raises(RunningLoopError, match="adrain"):
            asyncio.run(drain())

        assert len(jobs.pending) == 1

    def test_an_asynchronous_verb_performs_on_the_running_loop(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        import asyncio

        send(library, library.jobs.parent, 7)

        asyncio.run(jobs.adrain())

        assert noted == [7]
