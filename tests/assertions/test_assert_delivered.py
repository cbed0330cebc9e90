"""`assert_delivered` asks what an attempt came to, whatever that is."""

import pytest

from pytest_jobs import Job, before_perform, discard_on, retry_on
from pytest_jobs.errors import Halt


@retry_on(TimeoutError, wait=30, attempts=2)
@discard_on(KeyError)
class Sync(Job):
    def perform(self, error=None):
        if error is not None:
            raise {"slow": TimeoutError, "gone": KeyError}[error]


class Closed(Job):
    @before_perform
    def stop(self):
        raise Halt

    def perform(self): ...


def test_a_job_that_was_halted(jobs, assert_delivered):
    Closed.perform_later()
    jobs.drain()

    assert assert_delivered(Closed, status="halted").error.__class__ is Halt


def test_the_retry_in_30_s_that_a_job_asked_for(jobs, assert_delivered):
    Sync.perform_later("slow")
    jobs.perform_due()

    assert_delivered(Sync, status="retried", wait=30, attempt=1, error=TimeoutError)


def test_any_attempt_counts_without_a_status(jobs, assert_delivered):
    Sync.perform_later("slow")
    Sync.perform_later("gone")
    jobs.drain(raise_errors=False)

    assert [d.status for d in assert_delivered(Sync, count=3)] == [
        *("retried", "discarded", "exhausted")
    ]


def test_another_status_is_shown_as_such(jobs, assert_delivered, failure):
    Sync.perform_later("gone")
    jobs.drain()

    assert failure(assert_delivered, Sync, status="snoozed", wait=60) == (
        "Sync('gone') was delivered with wait=None, not 1m (+-1s), and status='discarded', not 'snoozed'.\n"
        "Expected exactly 1 Sync delivered with\n"
        "  wait    1m (+-1s)\n"
        "  status  'snoozed'\n"
        "\n"
        "Closest: #0 Sync('gone') discarded: KeyError\n"
        "  wait    differs  expected 1m (+-1s), got None\n"
        "  status  differs  expected 'snoozed', got 'discarded'\n"
        "\n"
        "Next: correct the job, or the expectation; drop a criterion that does not matter here.\n"
        "See: python -m pytest_jobs explain it-came-to-something-else"
    )


def test_a_job_that_is_pending_is_named(jobs, assert_delivered, failure):
    Sync.perform_later()

    assert "No Sync was delivered: #0 Sync() is pending" in failure(
        assert_delivered, Sync, status="performed"
    )


@pytest.mark.parametrize("status", ["snoozd", None, 3])
def test_what_is_no_status_is_refused(jobs, assert_delivered, refusal, status):
    assert refusal(assert_delivered, Sync, status=status) == (
        f"No attempt comes to status={status!r}: write one of performed, retried, discarded, exhausted, failed, "
        "halted, snoozed, cancelled, crashed, or a matcher."
    )


def test_other_assertions_know_no_status(jobs, assert_performed, refusal):
    assert refusal(assert_performed, Sync, status="performed").startswith(
        "assert_performed() knows no criterion 'status'"
    )
