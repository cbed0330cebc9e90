"""Tests of what is recorded when an application enqueues."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from ..assertions.asserts import AssertEnqueued, AssertNotEnqueued
from ..harness.jobs import Jobs
from ..harness.records.bridge import Bridge
from .case import Case, Library, need, send, sent_record


class Enqueueing(Case):
    """An enqueued job is recorded with all that the library says of it."""

    def test_an_enqueued_job_is_recorded_and_not_performed(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        send(library, library.jobs.note, 7)

        assert noted == []
        assert [each.params for each in jobs.enqueued] == [{"value": 7, "again": None}]
        assert len(jobs.pending) == 1

    def test_a_record_names_its_bridge_and_its_job(
        self, library: Library, jobs: Jobs, bridge: Bridge
    ) -> None:
        record = sent_record(jobs, library, library.jobs.note, 7)

        assert record.bridge == bridge.name
        assert record.name == bridge.identify(library.jobs.note)
        assert record.job == library.jobs.note
        assert record.attempt == 1
        assert record.parent is None
        assert record.retry_of is None

    def test_every_job_has_an_id_of_its_own(self, library: Library, jobs: Jobs) -> None:
        send(library, library.jobs.note, 1)
        send(library, library.jobs.note, 1)

        first, second = jobs.enqueued

        assert first.job_id
        assert first.job_id != second.job_id
        assert first.sequence < second.sequence

    def test_arguments_are_compared_by_parameter_however_they_were_passed(
        self, library: Library, jobs: Jobs
    ) -> None:
        send(library, library.jobs.note, kwargs={"value": 7, "again": 2})

        assert_enqueued = AssertEnqueued(lambda: jobs)

        assert_enqueued(library.jobs.note, args=[7, 2])
        assert_enqueued(library.jobs.note, params={"again": 2})

    def test_what_is_recorded_is_a_snapshot(self, library: Library, jobs: Jobs) -> None:
        items = ["a"]
        record = sent_record(jobs, library, library.jobs.note, items)

        items.append("b")

        assert record.params["value"] == ["a"]

    def test_what_cannot_be_written_down_is_refused_at_enqueue(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        need(library, bridge, "serialise")

        with pytest.raises(Exception):  # noqa: B017, PT011 - each library has an error of its own
            send(library, library.jobs.note, threading.Lock())

        assert len(jobs.enqueued) == 0

    def test_a_job_for_later_is_due_then(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        need(library, bridge, "eta")

        record = sent_record(jobs, library, library.jobs.note, 7, wait=timedelta(minutes=5))

        assert record.wait is not None
        assert abs(record.wait - timedelta(minutes=5)) < timedelta(seconds=1)
        assert list(jobs.scheduled) == [record]

    def test_a_job_for_at_once_has_no_due_time(self, library: Library, jobs: Jobs) -> None:
        assert sent_record(jobs, library, library.jobs.note, 7).due_at is None

    def test_a_record_has_the_declared_queue(self, library: Library, jobs: Jobs) -> None:
        assert sent_record(jobs, library, library.jobs.note, 7).queue == "notes"

    def test_a_record_has_the_queue_that_was_asked_for(self, library: Library, jobs: Jobs) -> None:
        assert sent_record(jobs, library, library.jobs.note, 7, queue="others").queue == "others"

    def test_a_record_has_the_priority_that_was_asked_for(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        need(library, bridge, "priority")

        assert sent_record(jobs, library, library.jobs.note, 7, priority=3).priority == 3

    def test_a_record_has_what_travels_beside_the_arguments(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        need(library, bridge, "headers")

        record = sent_record(jobs, library, library.jobs.note, 7, headers={"tenant": "a"})

        assert record.headers["tenant"] == "a"

    def test_what_other_threads_enqueue_is_recorded(self, library: Library, jobs: Jobs) -> None:
        thread = threading.Thread(target=send, args=(library, library.jobs.note, 7))

        thread.start()
        thread.join()

        assert [each.params for each in jobs.enqueued] == [{"value": 7, "again": None}]

    def test_what_was_not_enqueued_can_be_asserted(self, library: Library, jobs: Jobs) -> None:
        send(library, library.jobs.note, 7)

        assert_not_enqueued = AssertNotEnqueued(lambda: jobs)

        assert_not_enqueued(library.jobs.fails)
        with pytest.raises(AssertionError):
            assert_not_enqueued(library.jobs.note)
