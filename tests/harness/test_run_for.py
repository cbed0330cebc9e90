"""`jobs.run_for` lets time pass and performs what comes due in it."""

from datetime import timedelta

import pytest

from pytest_jobs import Job, retry_on
from pytest_jobs.errors import NothingMatchedError, WaitError


class Note(Job):
    def perform(self, text):
        pass


@retry_on(ValueError, wait=30, attempts=4)
class Flaky(Job):
    def perform(self):
        raise ValueError("no")


@pytest.mark.parametrize("delta", [90, 90.0, timedelta(seconds=90)])
def test_the_clock_ends_exactly_delta_later(jobs, noon, delta):
    Note.set(wait=7).perform_later("7")
    jobs.run_for(delta)

    assert jobs.clock.now() == noon + timedelta(seconds=90)


def test_what_comes_due_is_performed_at_its_time(jobs, noon):
    for seconds in (0, 59, 60, 61):
        Note.set(wait=seconds).perform_later(seconds)
    tally = jobs.run_for(60)

    assert [(d.record.args[0], (d.at - noon).total_seconds()) for d in tally.deliveries] == [
        (0, 0),
        (59, 59),
        (60, 60),
    ]
    assert [record.args for record in jobs.scheduled] == [(61,)]


def test_retries_that_come_due_are_performed(jobs, noon):
    Flaky.perform_later()

    assert jobs.run_for(60) == {"retried": 3}
    assert jobs.run_for(29) == {}
    assert jobs.run_for(1, raise_errors=False) == {"exhausted": 1}


def test_one_run_goes_on_where_the_one_before_ended(jobs, noon):
    Note.set(wait=100).perform_later("100")

    assert [jobs.run_for(40).total for _ in range(4)] == [0, 0, 1, 0]
    assert jobs.clock.now() == noon + timedelta(seconds=160)


def test_the_clock_stops_where_a_job_raises(jobs, noon):
    Flaky.perform_later()
    with pytest.raises(ValueError, match=r"^no$"):
        jobs.run_for(3600)

    assert jobs.clock.now() == noon + timedelta(seconds=90)


def test_a_job_that_sleeps_beyond_the_end_takes_the_clock_along(jobs, noon):
    import time

    class Sleeper(Job):
        def perform(self):
            time.sleep(100)

    Sleeper.set(wait=50).perform_later()
    Note.set(wait=70).perform_later("not in this minute")

    assert jobs.run_for(60) == {"performed": 1}
    assert jobs.clock.now() == noon + timedelta(seconds=150)
    assert jobs.run_for(0) == {"performed": 1}


@pytest.mark.parametrize("delta", [0, timedelta(0), 0.000_001])
def test_hardly_any_time_can_pass_before_the_clock_has_moved(jobs, delta):
    Note.perform_later("now")
    Note.set(wait=60).perform_later("later")

    assert jobs.run_for(delta) == {"performed": 1}


def test_filters_hold_for_run_for_and_one_that_matches_nothing_leaves_the_clock_alone(jobs, noon):
    with pytest.raises(NothingMatchedError):
        jobs.run_for(10, only=Note)
    assert jobs.clock.now() == noon
    Note.perform_later("a")
    Flaky.perform_later()

    assert jobs.run_for(10, only=Note) == {"performed": 1}
    assert jobs.run_for(10, exclude=Note, queue="default") == {"retried": 1}


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        (-1, "delta is -1: a wait is finite and not negative. Write 0 for no wait."),
        ("60", "delta must be a number of seconds such as 30, or timedelta(minutes=5), got '60'."),
        (float("inf"), "delta is inf: a wait is finite and not negative. Write 0 for no wait."),
        (None, "delta must be a number of seconds such as 30, or timedelta(minutes=5), got None."),
    ],
)
def test_a_delta_that_is_no_wait_is_an_error(jobs, delta, message):
    Note.perform_later("a")
    with pytest.raises(WaitError) as caught:
        jobs.run_for(delta)

    assert str(caught.value) == message
    assert len(jobs.pending) == 1
