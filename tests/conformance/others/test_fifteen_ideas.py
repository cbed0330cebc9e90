"""The fifteen ideas of other systems that are most worth having, one test each at least."""

import asyncio
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

import pytest
from dirty_equals import IsPositiveInt
from others_payments import billing, pay_awaiting
from others_shop import Charge, Closed, fetch, place_order, poll, send_mail

from pytest_jobs import (
    InlineAdapter,
    Job,
    after_perform,
    around_perform,
    check_idempotent,
    configure,
    job,
    open_jobs,
    retry_on,
)
from pytest_jobs.errors import (
    CriterionError,
    DuplicateEffect,
    LoopLimitError,
    NoHarnessError,
    RunningLoopError,
    SerializationError,
    TooFewPerformedError,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def failing(call, *args, **criteria):
    with pytest.raises(AssertionError) as caught:
        call(*args, **criteria)
    return str(caught.value).splitlines()


def test_idea_1_three_verbs_have_three_costs(jobs):
    jobs.clock.move_to(NOON)
    for wait in (0, 60, 120):
        send_mail.set(wait=wait).perform_later(wait)

    jobs.perform(jobs.pending[2])
    assert jobs.clock.now() == NOON

    jobs.run_for(90)
    assert len(jobs.performed) == 3
    assert jobs.clock.now() == NOON + timedelta(seconds=90)

    place_order.perform_later(1)
    assert jobs.drain() == {"performed": 2}


def test_idea_2_one_executor_in_tests_and_in_production():
    seen = []

    @retry_on(TimeoutError, wait=0, attempts=2)
    class Traced(Job):
        @around_perform
        def around(self):
            seen.append("around")
            yield

        @after_perform
        def after(self):
            seen.append("after")

        def perform(self):
            seen.append(self.attempt)
            if self.attempt == 1:
                raise TimeoutError

    with open_jobs() as jobs:
        Traced.perform_later()
        jobs.drain()
    harness, seen[:] = list(seen), []

    with configure(adapter=InlineAdapter()):
        Traced.perform_later()

    assert harness == seen == ["around", 1, "around", 2, "after"]


def test_idea_3_arguments_are_always_serialised_and_the_path_is_named(jobs):
    with pytest.raises(SerializationError, match=r"kwargs\['options'\]\['lines'\]\[1\]"):
        send_mail.perform_later("ann", options={"lines": [1, object()]})

    assert len(jobs.enqueued) == 0


def test_idea_4_a_block_yields_what_happened_in_it(jobs, assert_not_enqueued):
    send_mail.perform_later("before")
    with jobs.capture() as sent:
        place_order.perform_later(1)

    assert [record.job for record in sent] == [place_order]
    assert_not_enqueued(send_mail, within=sent)


def test_idea_5_the_match_is_returned_and_ambiguity_refused(jobs, assert_enqueued):
    send_mail.perform_later("ann")
    assert assert_enqueued(send_mail) is jobs.enqueued[0]

    send_mail.perform_later("bob")
    lines = failing(assert_enqueued, send_mail)
    assert lines[:2] == ["Expected exactly 1 send_mail enqueued", "but 2 match:"]
    assert lines[-2].startswith("Next: write count=, at_least= or at_most= if several are right")


def test_idea_6_the_closest_has_a_verdict_a_field_and_the_rest_is_cut_down(jobs, assert_enqueued):
    send_mail.set(queue="low").perform_later("ann")
    send_mail.set(queue="low", priority=1).perform_later("bob")

    lines = failing(assert_enqueued, send_mail, queue="mailers", priority=5)

    assert lines[5:8] == [
        "Closest: #0 send_mail('ann') queue='low'",
        "  queue     differs  expected 'mailers', got 'low'",
        "  priority  ok",
    ]
    assert "  #1  queue 'low', priority 1" in lines


def test_idea_7_subsets_match_and_matchers_by_equality(jobs, assert_enqueued):
    jobs.clock.freeze()
    send_mail.set(wait=60).perform_later("ann", options={"size": 10})

    assert_enqueued(send_mail, params={"options": {"size": IsPositiveInt}})
    assert_enqueued(send_mail, args=[ANY], kwargs={"options": ANY})
    lines = failing(assert_enqueued, send_mail, wait=65, tolerance=timedelta(seconds=2))
    assert "  wait  differs  expected 1m 5s (+-2s), got 1m, 5s shorter" in lines


def test_idea_8_every_transition_is_in_the_ledger(jobs):
    jobs.clock.move_to(NOON)
    Charge.perform_later(1, error="slow")
    jobs.drain(raise_errors=False)

    assert [(d.status, d.record.attempt, d.at - NOON, type(d.error)) for d in jobs.deliveries] == [
        ("retried", 1, timedelta(0), TimeoutError),
        ("retried", 2, timedelta(seconds=30), TimeoutError),
        ("exhausted", 3, timedelta(seconds=60), TimeoutError),
    ]


def test_idea_9_a_drain_has_knobs_a_tally_and_a_hard_stop(jobs):
    place_order.perform_later(1)
    place_order.perform_later(2)
    Charge.perform_later(3, error="broken")

    assert jobs.drain(queue="payments", raise_errors=False) == {"failed": 1}
    assert jobs.drain(only=place_order, at_most=1) == {"performed": 1}
    assert jobs.perform_due(children=False).total == 2

    poll.perform_later()
    with pytest.raises(LoopLimitError, match="were poll, which most likely enqueues itself"):
        jobs.drain(only=poll, limit=20)


def test_idea_10_it_fails_when_nothing_happened(jobs):
    with pytest.raises(TooFewPerformedError):
        jobs.drain(at_least=1)


def test_idea_11_an_outcome_is_an_object_that_can_be_asserted(jobs, assert_delivered):
    Charge.perform_later(1, error="slow")
    Charge.perform_later(2, error="expired")
    Closed.perform_later()

    first, second, third = (jobs.perform(record) for record in list(jobs.pending))

    assert (first.status, first.wait, first.next.attempt) == ("retried", timedelta(seconds=30), 2)
    assert (second.status, type(second.error).__name__) == ("discarded", "CardExpired")
    assert third is assert_delivered(Closed, status="halted")


def test_idea_12_the_clock_moves_while_work_is_awaited_and_by_hand(jobs):
    jobs.clock.move_to(NOON)
    send_mail.set(wait=60).perform_later("ann")
    jobs.perform_due()
    assert jobs.clock.now() == NOON

    jobs.drain()
    assert jobs.clock.now() == NOON + timedelta(seconds=60)

    jobs.clock.advance(5)
    assert jobs.clock.now() == NOON + timedelta(seconds=65)


@pytest.mark.parametrize(
    ("outcome", "came_to"),
    [("assert False", "failed"), ("pytest.fail('no')", "failed"), ("pytest.skip('no')", "skipped")],
)
def test_idea_13_outcomes_of_the_test_are_never_swallowed(pytester, outcome, came_to):
    pytester.makepyfile(f"""
        import pytest
        from pytest_jobs import Job, retry_on

        @retry_on(Exception, wait=1, attempts=5)
        class Check(Job):
            def perform(self):
                {outcome}

        def test_it(jobs):
            Check.perform_later()
            jobs.drain(raise_errors=False)
            raise LookupError("the drain went on")
    """)

    result = pytester.runpytest()

    result.assert_outcomes(**{came_to: 1})
    result.stdout.no_fnmatch_line("*the drain went on*")


def test_idea_13_an_interrupt_passes_through_and_leaves_the_job_pending(jobs):
    @retry_on(Exception, wait=1, attempts=5)
    @job
    def interrupted():
        raise KeyboardInterrupt

    interrupted.perform_later()
    with pytest.raises(KeyboardInterrupt):
        jobs.drain()

    assert len(jobs.pending) == 1


def test_idea_14_a_flag_delivers_every_job_of_a_suite_twice(pytester):
    pytester.makepyfile("""
        from pytest_jobs import job

        paid = []

        @job
        def pay(number):
            paid.append(number)

        def test_it(jobs):
            pay.perform_later(7)
            jobs.drain()
            assert paid == [7]
    """)

    pytester.runpytest().assert_outcomes(passed=1)
    pytester.runpytest("--jobs-twice").assert_outcomes(failed=1)


def test_idea_14_every_await_is_a_place_to_begin_anew():
    with pytest.raises(DuplicateEffect):
        check_idempotent(pay_awaiting, args=(1,), world=billing, histories=["crash"])


def test_idea_15_errors_of_the_setup_name_the_missing_call(jobs):
    from pytest_jobs import assert_enqueued, current_jobs

    async def run():
        jobs.drain()

    fetch.perform_later(1)
    with pytest.raises(RunningLoopError, match=r"`await jobs\.adrain\(\)`"):
        asyncio.run(run())
    with pytest.raises(CriterionError, match="name a class derived from Job"):
        assert_enqueued(print)
    assert current_jobs() is jobs


def test_idea_15_without_a_harness_the_error_names_the_fixture():
    from pytest_jobs import assert_enqueued

    with pytest.raises(NoHarnessError, match="Ask for the `jobs` fixture"):
        assert_enqueued(send_mail)
