"""What users of other systems want and none of those offers."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import Phase, settings, strategies as st
from hypothesis.stateful import invariant
from others_payments import billing, pay_always, pay_once_marked, pay_with_key
from others_shop import Charge, send_mail

from pytest_jobs import (
    Job,
    JobMachine,
    Schedule,
    after_discard,
    check_idempotent,
    job,
    limits_concurrency,
    preview,
    retry_on,
)
from pytest_jobs.errors import DuplicateEffect


def test_gap_1_the_retry_timeline_is_a_value(jobs):
    timeline = jobs.simulate_retries(Charge, raising=TimeoutError("slow"), succeed_on=3)

    assert timeline.wait_seconds == [30, 30]
    assert timeline.status == "performed"
    assert [str(attempt.error) for attempt in timeline.attempts] == ["slow", "slow", "None"]


def test_gap_2_idempotency_is_an_assertion():
    check_idempotent(pay_with_key, args=(1,), world=billing, histories=["twice"])

    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(pay_always, args=(1,), world=billing, histories=["twice"])
    assert "now:  2 x ('charge', 1)" in str(caught.value)


def test_gap_3_a_race_counts_the_effects():
    check_idempotent(pay_once_marked, args=(1,), world=billing, histories=["twice"])

    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(pay_once_marked, args=(1,), world=billing, histories=["overlap"])
    assert caught.value.report.history == "overlap"


def test_gap_4_a_crash_between_effects_of_an_ordinary_job():
    with pytest.raises(DuplicateEffect) as caught:
        check_idempotent(pay_once_marked, args=(1,), world=billing, histories=["crash"])

    assert "x  worker killed here, after gateway: charge(1)" in str(caught.value)


def test_gap_5_generated_histories_end_in_a_script():
    class Shop(JobMachine):
        world = staticmethod(billing)
        jobs = {pay_once_marked: {"number": st.sampled_from([1, 2])}}  # noqa: RUF012

        @invariant()
        def nobody_is_charged_twice(self):
            assert len(self.state["charges"]) == len(set(self.state["charges"]))

    Shop.TestCase.settings = settings(
        max_examples=30,
        stateful_step_count=6,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
    )
    with pytest.raises(AssertionError) as caught:
        Shop.TestCase("runTest").runTest()

    script = [line for line in caught.value.__notes__ if line.startswith("state")]
    assert (script[0], script[-1]) == ("state = Shop()", "state.teardown()")


def test_gap_6_a_failure_shows_a_diff(jobs, assert_enqueued):
    jobs.clock.freeze()
    lines = [f"a long line of an order, number {number}" for number in range(5)]
    send_mail.set(wait=60).perform_later("ann", options=lines)

    with pytest.raises(AssertionError) as caught:
        assert_enqueued(send_mail, params={"options": [*lines[:4], "another"]}, wait=90)

    text = str(caught.value)
    assert "- expected, + got:" in text
    assert "-  'another']" in text
    assert "+  'a long line of an order, number 4']" in text
    assert "expected 1m 30s (+-1s), got 1m" in text


def test_gap_7_priorities_are_honoured(jobs):
    for priority in (5, 1, 3):
        send_mail.set(priority=priority).perform_later(priority)
    jobs.drain()

    assert [d.record.priority for d in jobs.performed] == [1, 3, 5]


def test_gap_7_unique_jobs_and_limits_are_honoured(jobs):
    @limits_concurrency(to=1, key="account")
    @job
    def report(account):
        time.sleep(10)

    start = jobs.clock.freeze()
    for _ in range(2):
        report.perform_later("acme")
    jobs.drain(workers=2)

    assert jobs.clock.now() - start == timedelta(seconds=20)


def test_gap_9_a_schedule_is_previewed_and_fired(jobs):
    jobs.clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
    schedule = Schedule(
        {"mail": {"class": send_mail, "schedule": "every day at 9am", "args": ["ann"]}}
    )
    jobs.recurring(schedule)

    expected = [
        firing.at for firing in preview(schedule, timedelta(days=2), start=jobs.clock.now())
    ]
    jobs.run_for(timedelta(days=2))

    assert [d.at for d in jobs.performed] == expected
    assert len(expected) == 2


def test_gap_8_dead_letters_and_the_order_of_discard_hooks(jobs):
    calls = []

    @retry_on(TimeoutError, wait=1, attempts=2, then=lambda job, error: calls.append("then"))
    class Pay(Job):
        @after_discard
        def tell(self, error):
            calls.append("after_discard")

        def perform(self):
            calls.append(f"attempt {self.attempt}")
            raise TimeoutError

    Pay.perform_later()
    jobs.drain()

    (dead,) = jobs.dead
    assert (dead.status, dead.record.job_id) == ("exhausted", jobs.enqueued[0].job_id)
    assert calls == ["attempt 1", "attempt 2", "then", "after_discard"]


def test_also_a_test_that_leaves_jobs_alone_is_told_so(pytester):
    pytester.makepyfile("""
        from pytest_jobs import job

        @job
        def note(): ...

        def test_it(jobs):
            note.perform_later()
    """)

    result = pytester.runpytest("--jobs-strict")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["This test left 1 job that it neither looked at nor performed:"])
