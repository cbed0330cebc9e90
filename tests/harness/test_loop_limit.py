"""A job that goes on for ever is stopped, and named."""

import asyncio
from functools import partial

import pytest

from pytest_jobs import Job, job, polynomially_longer, retry_on
from pytest_jobs.errors import ClockError, CriterionError, LoopLimitError


class Again(Job):
    def perform(self):
        Again.perform_later()


class Note(Job):
    def perform(self, number=0):
        pass


@retry_on(ValueError, wait=1, attempts=None)
class Endless(Job):
    def perform(self):
        raise ValueError


def message(verb, limit, last, count, name):
    return (
        f"jobs.{verb}() stopped: it performed {limit} jobs that were enqueued while it ran, and more are pending. "
        f"Of the last {last}, {count} were {name}, which most likely enqueues itself, or retries, for ever. Give "
        f"its chain an end, perform one round with `jobs.perform_due(children=False)`, or pass a "
        f"`limit=` above {limit} if it has an end."
    )


@pytest.mark.parametrize(
    ("verb", "limits", "shown"),
    [
        ("drain", {"limit": 50}, (50, 51, 51)),
        ("drain", {"limit": 0}, (0, 1, 1)),
        ("drain", {}, (10_000, 1000, 1000)),
        ("perform_due", {"limit": 50}, (50, 51, 51)),
        ("run_for", {"limit": 50}, (50, 51, 51)),
        ("adrain", {"limit": 50}, (50, 51, 51)),
    ],
)
def test_a_job_that_enqueues_itself_is_stopped_at_the_limit(jobs, verb, limits, shown):
    Again.perform_later()
    call = partial(getattr(jobs, verb), *[10] * (verb == "run_for"), **limits)
    for times in (1, 2):  # The next verb goes on.
        with pytest.raises(LoopLimitError) as caught:
            asyncio.run(call()) if verb == "adrain" else call()

        assert str(caught.value) == message(verb.removeprefix("a"), *shown, "Again")
        count = times * (limits.get("limit", 10_000) + 1)
        assert len(jobs.deliveries) == count
        assert [record.sequence for record in jobs.pending] == [count]


def test_a_job_that_retries_for_ever_is_stopped(jobs):
    Endless.perform_later()
    with pytest.raises(LoopLimitError) as caught:
        jobs.drain(limit=50)

    assert str(caught.value) == message("drain", 50, 51, 51, "Endless")
    assert [record.attempt for record in jobs.pending] == [52]


def test_a_job_that_retries_for_ever_with_ever_longer_waits_is_stopped(jobs, noon):
    @retry_on(ValueError, wait=polynomially_longer, attempts=None)
    @job
    def endless():
        raise ValueError

    endless.perform_later()
    with pytest.raises(ClockError) as caught:
        jobs.drain()

    assert str(caught.value) == (
        "The clock cannot move beyond the year 9999. If a job is due then, it most likely retries for ever: give "
        "its `retry_on` an end with `attempts=`, or perform a part with `until=`."
    )
    assert len(jobs.pending) == 1
    assert jobs.clock.now().year > 2030
    assert "endless" in repr(jobs.pending)
    assert jobs.scheduled == jobs.pending


def test_the_limit_counts_what_came_up_during_the_verb_and_as_many_are_no_loop(jobs):
    @job
    def parent():
        for number in range(10):
            Note.perform_later(number)

    for number in range(20):
        Note.perform_later(number)
    assert jobs.drain(limit=1) == {"performed": 20}

    parent.perform_later()
    assert jobs.drain(limit=10) == {"performed": 11}


def test_the_job_that_ran_most_often_of_late_is_named(jobs):
    @job
    def pair():
        Note.perform_later()
        Note.perform_later()
        pair.perform_later()

    pair.perform_later()
    with pytest.raises(LoopLimitError) as caught:
        jobs.drain(limit=30)

    assert str(caught.value) == message("drain", 30, 31, 20, "Note")


def test_only_the_last_thousand_deliveries_are_looked_at(jobs):
    for _ in range(1_500):
        Note.perform_later()
    Again.perform_later()
    with pytest.raises(LoopLimitError) as caught:
        jobs.drain(limit=600)

    assert str(caught.value) == message("drain", 600, 1000, 601, "Again")


@pytest.mark.parametrize("limit", [-1, "10", None, True, 1.5])
@pytest.mark.parametrize(
    "verb",
    [
        lambda jobs, limit: jobs.drain(limit=limit),
        lambda jobs, limit: jobs.drain(limit=limit, workers=2),
        lambda jobs, limit: jobs.perform_due(limit=limit),
        lambda jobs, limit: jobs.run_for(60, limit=limit),
    ],
    ids=["drain", "workers", "perform_due", "run_for"],
)
def test_a_limit_that_is_no_number_is_refused(jobs, verb, limit):
    with pytest.raises(CriterionError) as caught:
        verb(jobs, limit)

    assert (
        str(caught.value) == f"limit={limit!r} is not a number of jobs: write an int of at least 0."
    )
