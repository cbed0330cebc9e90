"""Tests of retries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ..harness.jobs import Jobs
from ..harness.records.bridge import Bridge
from . import bodies
from .case import Case, Library, need, send, sent_record

_WAIT = timedelta(seconds=30)


class Retrying(Case):
    """A retry is a record of its own, due after its wait."""

    @pytest.fixture(autouse=True)
    def _has_retries(
        self, library: Library, bridge: Bridge, request: pytest.FixtureRequest
    ) -> None:
        if request.function.__qualname__.startswith("Retrying."):
            need(library, bridge, "retry")

    def test_a_retry_is_a_record_of_its_own_and_due_after_the_wait(
        self, library: Library, jobs: Jobs
    ) -> None:
        record = sent_record(jobs, library, library.jobs.retries, 7)

        delivery = jobs.perform(record)

        (again,) = jobs.pending
        assert delivery.status == "retried"
        assert isinstance(delivery.error, bodies.Flaky)
        assert delivery.wait == _WAIT
        assert delivery.next is again
        assert (again.job_id, again.attempt) == (record.job_id, 2)
        assert again.retry_of == record.sequence
        assert again.params == record.params
        assert len(jobs.enqueued) == 1

    def test_a_job_is_exhausted_after_its_last_attempt(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        send(library, library.jobs.retries, 7)

        with pytest.raises(bodies.Flaky, match="not now"):
            jobs.drain()

        assert [d.status for d in jobs.deliveries] == ["retried", "retried", "exhausted"]
        assert [d.record.attempt for d in jobs.deliveries] == [1, 2, 3]
        assert noted == [7, 7, 7]
        assert len(jobs.pending) == 0

    def test_attempts_are_the_wait_apart(self, library: Library, jobs: Jobs) -> None:
        jobs.clock.freeze()
        send(library, library.jobs.retries, 7)

        jobs.drain(raise_errors=False)

        first, second, third = (delivery.at for delivery in jobs.deliveries)
        assert abs((second - first) - _WAIT) < timedelta(seconds=1)
        assert third - second == _WAIT

    def test_simulated_retries_tell_what_real_ones_do(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        timeline = jobs.simulate_retries(library.jobs.retries, raising=_flaky(library)("simulated"))

        assert timeline.wait_seconds == [30, 30]
        assert timeline.status == "exhausted"
        assert noted == []
        assert len(jobs.enqueued) == 0
        assert len(jobs.deliveries) == 0

    def test_a_simulated_success_ends_the_retries(self, library: Library, jobs: Jobs) -> None:
        timeline = jobs.simulate_retries(
            library.jobs.retries, raising=_flaky(library)("simulated"), succeed_on=2
        )

        assert timeline.wait_seconds == [30]
        assert timeline.status == "performed"

    def test_an_error_that_is_not_retried_ends_the_job(self, library: Library, jobs: Jobs) -> None:
        timeline = jobs.simulate_retries(library.jobs.fails, raising=bodies.Broken("simulated"))

        assert timeline.wait_seconds == []
        assert timeline.status == "failed"

    def test_a_fault_is_retried_as_an_error_of_the_body(
        self, library: Library, jobs: Jobs, noted: list[Any]
    ) -> None:
        jobs.clock.freeze()
        send(library, library.jobs.retries, 7)
        jobs.fail(library.jobs.retries, raising=_flaky(library)("struck"), on=[1])

        jobs.perform_due()

        assert [d.status for d in jobs.deliveries] == ["retried"]
        assert noted == []

    def test_a_declared_schedule_is_the_real_one(
        self, library: Library, bridge: Bridge, jobs: Jobs
    ) -> None:
        policy = bridge.retry_policy(library.jobs.retries)
        if policy is None:
            pytest.skip(f"{bridge.name}: only running a job tells its schedule")

        assert policy.attempts == 3
        assert [policy.wait(1), policy.wait(2)] == [_WAIT, _WAIT]


def _flaky(library: Library) -> type[Exception]:
    """Return the error for which the library retries `retries`."""
    found: type[Exception] = getattr(library, "flaky", bodies.Flaky)
    return found
