"""`jobs.drain` performs everything; the clock jumps to each due time."""

import time
import traceback
from datetime import datetime, timedelta

import pytest

from pytest_jobs import Job, job, polynomially_longer, retry_on
from pytest_jobs.errors import NaiveDatetimeError


class Note(Job):
    def perform(self, text):
        pass


class Fail(Job):
    def perform(self, text=""):
        raise ValueError(text)


@retry_on(ValueError, wait=polynomially_longer, attempts=5)
class Flaky(Fail):
    pass


def test_jobs_are_performed_in_the_order_of_their_due_times(jobs, noon):
    Note.set(wait=20).perform_later("20")
    Note.perform_later("0")
    Note.set(wait=10).perform_later("10")
    Note.set(wait=10, priority=-1).perform_later("10 first")
    jobs.drain()

    assert [(d.record.args[0], (d.at - noon).total_seconds()) for d in jobs.performed] == [
        ("0", 0),
        ("10 first", 10),
        ("10", 10),
        ("20", 20),
    ]


def test_the_clock_stays_at_the_last_due_time_and_moves_for_nothing_else(jobs):
    for text in "abc":
        Note.perform_later(text)
    jobs.drain()
    assert not jobs.clock.frozen

    then = jobs.clock.freeze() + timedelta(days=3)
    Note.set(wait=timedelta(days=3)).perform_later("later")
    jobs.drain()
    assert jobs.clock.now() == then


def test_retries_are_performed_at_their_times_and_nothing_sleeps(jobs, noon):
    Flaky.perform_later("no")
    tally = jobs.drain(raise_errors=False)

    assert tally == {"retried": 4, "exhausted": 1}
    assert [delivery.wait.total_seconds() for delivery in jobs.retried] == [3, 18, 83, 258]
    assert [(d.at - noon).total_seconds() for d in jobs.deliveries] == [0, 3, 21, 104, 362]


def test_children_are_performed_after_their_parent_and_before_what_is_due_later(jobs, noon):
    @job
    def parent():
        Note.set(wait=5).perform_later("in 5 s")
        Note.perform_later("child")

    parent.perform_later()
    Note.perform_later("other")
    Note.set(wait=1).perform_later("in 1 s")
    jobs.drain()

    assert [d.record.args for d in jobs.performed] == [
        (),
        ("other",),
        ("child",),
        ("in 1 s",),
        ("in 5 s",),
    ]


def test_a_job_never_runs_inside_another(jobs):
    running = []

    @job
    def nested(depth):
        running.append(depth)
        if depth:
            nested.perform_later(depth - 1)
        assert running == [depth]
        running.remove(depth)

    nested.perform_later(3)

    assert jobs.drain() == {"performed": 4}


def test_a_deep_chain_of_jobs_needs_no_deep_stack(jobs):
    @job
    def chain(left):
        if left:
            chain.perform_later(left - 1)

    chain.perform_later(3000)

    assert jobs.drain() == {"performed": 3001}


def test_a_job_that_fails_raises_its_own_error_with_its_own_traceback(jobs):
    original = ValueError("mine")

    @job
    def fail():
        raise original

    fail.perform_later()
    with pytest.raises(ValueError) as caught:
        jobs.drain()

    assert caught.value is original
    assert traceback.extract_tb(original.__traceback__)[-1].name == "fail"


def test_the_rest_stays_pending_and_the_next_drain_goes_on(jobs):
    for text in "ab":
        Note.perform_later(text)
    Fail.perform_later("first")
    Note.perform_later("c")
    Fail.perform_later("second")
    Note.set(wait=5).perform_later("d")
    with pytest.raises(ValueError, match=r"^first$"):
        jobs.drain()

    assert [record.args[0] for record in jobs.pending] == ["c", "second", "d"]

    with pytest.raises(ValueError, match=r"^second$"):
        jobs.drain()

    assert [record.args[0] for record in jobs.pending] == ["d"]
    assert jobs.drain() == {"performed": 1}
    assert [d.record.args[0] for d in jobs.deliveries] == ["a", "b", "first", "c", "second", "d"]


def test_an_exhausted_job_raises_at_its_last_attempt(jobs, noon):
    Flaky.perform_later("no")
    with pytest.raises(ValueError, match=r"^no$"):
        jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["retried"] * 4 + ["exhausted"]
    assert jobs.clock.now() == noon + timedelta(seconds=362)


def test_errors_need_not_be_raised(jobs):
    Fail.perform_later("first")
    Note.perform_later("a")
    Fail.perform_later("second")

    assert jobs.drain(raise_errors=False) == {"performed": 1, "failed": 2}
    assert [str(delivery.error) for delivery in jobs.failed] == ["first", "second"]


def test_what_is_due_after_until_stays_pending_and_the_clock_does_not_go_on_to_it(jobs, noon):
    for minutes in (1, 2, 4):
        Note.set(wait=timedelta(minutes=minutes)).perform_later(minutes)

    assert jobs.drain(until=noon + timedelta(minutes=3)) == {"performed": 2}
    assert [record.args for record in jobs.scheduled] == [(4,)]
    assert jobs.clock.now() == noon + timedelta(minutes=2)
    Note.set(wait=60).perform_later("early")
    jobs.clock.advance(600)
    assert jobs.drain(until=noon + timedelta(minutes=3)) == {"performed": 1}
    assert [record.args for record in jobs.pending] == [(4,)]


def test_so_it_does_when_a_job_that_sleeps_takes_the_clock_beyond_until(jobs, sleepless, noon):
    @job
    def work(minutes):
        time.sleep(minutes * 60)

    work.perform_later(5)
    later = work.set(wait=180).perform_later(1)
    tally = jobs.drain(until=noon + timedelta(minutes=2))

    assert tally == {"performed": 1}
    assert jobs.clock.now() == noon + timedelta(minutes=5)
    assert [record.job_id for record in jobs.pending] == [later.job_id]
    assert jobs.drain() == {"performed": 1}


def test_retries_that_come_due_before_until_are_performed(jobs, noon):
    Flaky.perform_later("no")

    assert jobs.drain(until=noon + timedelta(seconds=21)) == {"retried": 3}
    assert jobs.drain(until=noon + timedelta(seconds=22)) == {}
    assert jobs.drain(raise_errors=False) == {"retried": 1, "exhausted": 1}


def test_until_takes_an_aware_datetime(jobs):
    Note.perform_later("a")
    with pytest.raises(NaiveDatetimeError) as caught:
        jobs.drain(until=datetime(2030, 1, 1))  # noqa: DTZ001

    assert str(caught.value) == (
        "until must have a timezone, got datetime.datetime(2030, 1, 1, 0, 0): "
        "write until.replace(tzinfo=UTC), or .astimezone() when it is local time."
    )
    assert len(jobs.pending) == 1


def test_a_wait_that_is_over_before_the_clock_has_moved(jobs):
    for _ in range(50):
        Note.set(wait=0.000_01).perform_later("very soon")

    assert jobs.drain() == {"performed": 50}


def test_many_jobs_are_drained_in_order(jobs, noon):
    for number in range(2_000):
        Note.set(wait=number % 7 or None, priority=number % 3 or None).perform_later(number)

    def key(record):
        return record.due_at or noon, record.priority or 0, record.sequence

    expected = sorted(jobs.pending, key=key)

    assert [delivery.record for delivery in jobs.drain().deliveries] == expected


def test_interrupts_pass_through_and_the_job_stays_pending_in_its_place(jobs):
    interrupts = [KeyboardInterrupt, SystemExit]

    @job
    def interrupted():
        if interrupts:
            raise interrupts.pop(0)

    Note.perform_later("a")
    interrupted.perform_later()
    Note.perform_later("b")
    with pytest.raises(KeyboardInterrupt):
        jobs.drain()

    assert [record.sequence for record in jobs.pending] == [1, 2]

    with pytest.raises(SystemExit):
        jobs.drain()

    assert jobs.drain() == {"performed": 2}
    assert [d.record.sequence for d in jobs.deliveries] == [0, 1, 2]


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_an_error_that_ends_iterations_is_an_error_like_any_other(jobs, error):
    @retry_on(error, attempts=3)
    @job
    def stop():
        raise error("stopped")

    stop.perform_later()
    Note.perform_later("a")
    with pytest.raises(error, match=r"^stopped$"):
        jobs.drain()

    assert jobs.failed[0].error.args == ("stopped",)
    statuses = [delivery.status for delivery in jobs.deliveries]
    assert statuses == ["retried", "performed", "retried", "exhausted"]


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (StopIteration, RuntimeError, r"^coroutine raised StopIteration$"),
        (StopAsyncIteration, StopAsyncIteration, r"^stopped$"),
    ],
)
def test_a_coroutine_job_that_raises_what_ends_iterations_fails(jobs, error, raised, text):
    @job
    async def stop():
        raise error("stopped")

    stop.perform_later()
    with pytest.raises(raised, match=text):
        jobs.drain()
