"""The records and deliveries that a session saw, as jobs with attempts."""

import time
from dataclasses import replace

from pytest_jobs import job, retry_on
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.insight.report.data import Schedule
from pytest_jobs.insight.report.filling import schedules, shown_tests
from pytest_jobs.insight.report.lanes import timeline
from pytest_jobs.insight.seen.recorder import Recorder


@retry_on(TimeoutError, wait=3, attempts=3)
@job(queue="payments")
def charge(order_id, error=False):
    receipt.perform_later(order_id)
    if error:
        raise TimeoutError("no answer")


@job
def receipt(order_id):
    pass


def seen(body, nodeid="test_it"):
    recorder = Recorder(with_arguments=True)
    with Jobs([ReferenceBridge()]) as jobs:
        recorder.opened(jobs, nodeid)
        jobs.clock.freeze()
        body(jobs)
    recorder.ended(nodeid, "passed")
    return recorder.session.tests


def shown(body, nodeid="test_it"):
    [test] = shown_tests(seen(body, nodeid))
    return test


def test_a_job_and_its_retries_are_one_row_with_an_attempt_each():
    def body(jobs):
        charge.perform_later(7, error=True)
        jobs.drain(raise_errors=False)

    charged, *receipts = shown(body).jobs

    assert (charged.call, charged.queue, charged.outcome) == (
        "charge(7, error=True)",
        "payments",
        "exhausted",
    )
    assert [(one.number, one.at, one.status, one.wait) for one in charged.attempts] == [
        (1, 0.0, "retried", 3.0),
        (2, 3.0, "retried", 3.0),
        (3, 6.0, "exhausted", None),
    ]
    assert charged.attempts[0].error == "TimeoutError: no answer"
    assert [one.parent for one in receipts] == [0, 0, 0]


def test_a_redelivery_belongs_to_the_row_of_its_job():
    def body(jobs):
        receipt.perform_later(7)
        record = jobs.pending[0]
        jobs.drain()
        jobs.redeliver(record)
        jobs.drain()

    [one] = shown(body).jobs

    assert [attempt.status for attempt in one.attempts] == ["performed", "performed"]


def test_a_job_that_nobody_performed_is_pending_and_has_its_due_time():
    [one] = shown(lambda jobs: receipt.set(wait=3600).perform_later(1)).jobs

    assert (one.outcome, one.due, one.attempts) == ("pending", 3600.0, ())


def test_a_retry_that_is_left_leaves_its_job_pending():
    def body(jobs):
        charge.perform_later(7, error=True)
        jobs.perform_due()

    charged = shown(body).jobs[0]

    assert (charged.outcome, len(charged.attempts)) == ("pending", 1)


def test_what_a_job_enqueues_comes_after_it_began_and_before_what_began_later():
    def body(jobs):
        charge.perform_later(1)
        charge.perform_later(2)
        jobs.drain()

    first, first_receipt, second, second_receipt = timeline(shown(body)).lanes

    assert (
        first.enqueued
        < second.enqueued
        < first.attempts[0][0]
        < first_receipt.enqueued
        < second.attempts[0][0]
        < second_receipt.enqueued
        < first_receipt.attempts[0][0]
    )


def test_time_that_passes_before_the_clock_first_moves_is_no_part_of_the_axis():
    [test] = seen(
        lambda jobs: [
            charge.perform_later(7, error=True),
            charge.perform_later(8, error=True),
            jobs.drain(raise_errors=False),
        ]
    )
    began = test.records[0].enqueued_ns
    late = 340_000_000

    def slower(ns):
        """Return a time as it is on a machine that needs 340 ms for the second job."""
        return ns if ns is None or ns <= began else ns + late

    records = [
        one._replace(enqueued_ns=slower(one.enqueued_ns + number), due_ns=slower(one.due_ns))
        for number, one in enumerate(test.records)
    ]
    deliveries = [
        one._replace(began_ns=slower(one.began_ns + 1), ended_ns=slower(one.ended_ns + 1))
        for one in test.deliveries
    ]
    [shown] = shown_tests(
        [replace(test, records=records, deliveries=deliveries, froze_ns=began + late)]
    )

    assert {label for _, label in timeline(shown).ticks} == {"+0s", "+3s", "+6s"}


def test_a_clock_that_runs_and_two_jobs_that_wait_equally_long_are_due_at_one_instant():
    def body(jobs):
        for wait in (3, 3, 60):
            receipt.set(wait=wait).perform_later(wait)
            # A slow machine, as far as the report can show it.
            begun = time.perf_counter_ns()
            while time.perf_counter_ns() - begun < 2_000_000:
                pass
        jobs.drain()

    recorder = Recorder(with_arguments=True)
    with Jobs([ReferenceBridge()]) as jobs:
        recorder.opened(jobs, "test_it")
        body(jobs)
    recorder.ended("test_it", "passed")
    [test] = shown_tests(recorder.session.tests)

    assert [one.due for one in test.jobs] == [3.0, 3.0, 60.0]
    assert [one.attempts[0].at for one in test.jobs] == [3.0, 3.0, 60.0]


def test_a_failed_attempt_has_the_lines_that_raised():
    def body(jobs):
        charge.perform_later(7, error=True)
        jobs.perform_due()

    [attempt] = shown(body).jobs[0].attempts

    assert attempt.traceback.splitlines()[-1].strip() == 'raise TimeoutError("no answer")'
    assert "pytest_jobs/harness" not in attempt.traceback


def test_the_harness_of_the_session_has_a_name():
    assert shown(lambda jobs: receipt.perform_later(1), "").nodeid == (
        "outside of tests: session_jobs"
    )


def test_a_test_without_jobs_is_not_shown():
    assert shown_tests(seen(lambda jobs: None)) == []


def test_of_a_job_the_longest_schedule_counts_and_jobs_with_the_same_one_share_it():
    def failing(jobs):
        charge.perform_later(7, error=True)
        jobs.perform_due()

    def simulated(jobs):
        jobs.simulate_retries(charge, raising=TimeoutError)

    tests = [*seen(failing), *seen(simulated)]
    shown = shown_tests(tests)
    name = shown[0].jobs[0].name

    assert schedules(tests[:1], shown) == [Schedule([name], (3.0,), "pending")]
    assert schedules(tests, shown) == [Schedule([name], (3.0, 3.0), "exhausted")]
    assert len(shown) == 1

    other = replace(shown[0].jobs[0], name="other")
    both = [replace(shown[0], jobs=(*shown[0].jobs, other))]
    assert schedules([], both) == [Schedule(["other", name], (3.0,), "pending")]
