"""`at_least` and `at_most` say how many deliveries a verb is to make."""

import asyncio
from datetime import timedelta

import pytest

from pytest_jobs import job, retry_on
from pytest_jobs.errors import CriterionError, LoopLimitError, TooFewPerformedError


@job
def note(value): ...


@job
def again():
    again.perform_later()


@retry_on(TimeoutError, wait=5, attempts=3)
@job
def flaky():
    raise TimeoutError


@pytest.mark.parametrize("verb", ["perform_due", "drain", "run_for"])
def test_it_stops_after_so_many_and_the_rest_stays_pending(jobs, noon, verb):
    for value in (1, 2, 3):
        note.perform_later(value)

    span = [60] * (verb == "run_for")
    assert getattr(jobs, verb)(*span, at_most=2) == {"performed": 2}
    assert [record.args for record in jobs.pending] == [(3,)]
    assert (jobs.clock.now() - noon).total_seconds() == sum(span)


def test_a_loop_ends_without_an_error_and_retries_are_deliveries(jobs):
    flaky.perform_later()
    assert jobs.drain(at_least=2, at_most=2) == {"retried": 2}
    jobs.drain(raise_errors=False)

    again.perform_later()
    assert jobs.drain(at_most=5, limit=5).total == 5
    with pytest.raises(LoopLimitError):
        jobs.drain(at_most=7, limit=5)


def test_the_twins_do_the_same(jobs):
    async def run():
        for value in (1, 2, 3):
            note.perform_later(value)
        await jobs.adrain(at_most=1)
        await jobs.aperform_due(at_least=1, at_most=1)
        await jobs.arun_for(1, at_least=1)

    asyncio.run(run())

    assert len(jobs.performed) == 3


def test_nothing_to_do_fails_when_something_was_to_be_done(jobs):
    with pytest.raises(TooFewPerformedError) as caught:
        jobs.drain(at_least=1)

    assert isinstance(caught.value, AssertionError)
    assert str(caught.value) == (
        "jobs.drain() was to make at least 1 delivery and made none. Pending: nothing. Make sure that the code "
        "which enqueues the jobs ran before it."
    )


def test_too_few_say_how_many_there_were_and_what_is_pending(jobs):
    jobs.clock.freeze()
    note.perform_later(1)
    flaky.perform_later()
    note.set(wait=60).perform_later(2)

    with pytest.raises(TooFewPerformedError) as caught:
        jobs.perform_due(at_least=3)

    assert str(caught.value) == (
        "jobs.perform_due() was to make at least 3 deliveries and made only 2 (1 performed, 1 retried). Pending: "
        "1 note in 'default' due later, 1 flaky in 'default' due later. Make sure that the code which enqueues "
        "the jobs ran before it, and that they are due: jobs.drain() moves the clock to each."
    )


@pytest.mark.parametrize(
    "verb",
    [
        lambda jobs: jobs.run_for(timedelta(minutes=1), at_least=1),
        lambda jobs: jobs.drain(until=jobs.clock.now() + timedelta(minutes=1), at_least=1),
    ],
    ids=["run_for", "drain(until=)"],
)
def test_too_few_until_an_instant_may_be_due_after_it(jobs, verb):
    jobs.clock.freeze()
    note.set(wait=3600).perform_later(1)

    with pytest.raises(TooFewPerformedError) as caught:
        verb(jobs)

    assert str(caught.value).endswith(
        "Pending: 1 note in 'default'. Make sure that the code which enqueues the jobs ran before it, and that "
        "they are due by its end."
    )


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (
            {"at_least": -1},
            "at_least=-1 is not a number of deliveries: write an int of at least 0.",
        ),
        ({"at_most": 0}, "at_most=0 is not a number of deliveries: write an int of at least 1."),
        (
            {"at_most": True},
            "at_most=True is not a number of deliveries: write an int of at least 1.",
        ),
        (
            {"at_least": 3, "at_most": 2},
            "at_least=3 is more than at_most=2: no number of deliveries is both.",
        ),
    ],
)
def test_what_is_no_number_is_refused(jobs, bounds, text):
    with pytest.raises(CriterionError) as caught:
        jobs.drain(**bounds)

    assert str(caught.value) == text
