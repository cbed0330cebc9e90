"""A job does not perform others: what it enqueues is performed after it."""

import asyncio

import pytest

from pytest_jobs import Job, job
from pytest_jobs.errors import VerbInsideJobError
from pytest_jobs.harness.jobs import current_jobs


class Note(Job):
    def perform(self):
        pass


VERBS = {
    "perform": lambda jobs: jobs.perform(jobs.pending[0]),
    "perform_due": lambda jobs: jobs.perform_due(),
    "drain": lambda jobs: jobs.drain(),
    "run_for": lambda jobs: jobs.run_for(5),
    "simulate_retries": lambda jobs: jobs.simulate_retries(Note, raising=ValueError),
}
TWINS = {
    "aperform": lambda jobs: jobs.aperform(jobs.pending[0]),
    "aperform_due": lambda jobs: jobs.aperform_due(),
    "adrain": lambda jobs: jobs.adrain(),
    "arun_for": lambda jobs: jobs.arun_for(5),
    "asimulate_retries": lambda jobs: jobs.asimulate_retries(Note, raising=ValueError),
}


def message(verb):
    return (
        f"jobs.{verb}() was called by caller({verb!r}) while it ran. A job does not perform others: what it "
        "enqueues is performed after it. Call the verb in the test."
    )


@job
def caller(verb):
    Note.perform_later()
    VERBS[verb](current_jobs())


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_inside_a_job_is_refused(jobs, verb):
    caller.perform_later(verb)
    with pytest.raises(VerbInsideJobError) as caught:
        jobs.drain()

    assert str(caught.value) == message(verb)
    assert [record.job for record in jobs.pending] == [Note]
    assert jobs.drain() == {"performed": 1}


@pytest.mark.parametrize("on_the_loop", [True, False])
@pytest.mark.parametrize("verb", TWINS)
def test_a_twin_inside_a_coroutine_job_is_refused_also_on_the_loop_of_the_test(
    jobs, verb, on_the_loop
):
    @job
    async def caller(verb):
        Note.perform_later()
        await TWINS[verb](jobs)

    caller.perform_later(verb)
    with pytest.raises(VerbInsideJobError) as caught:
        asyncio.run(jobs.adrain()) if on_the_loop else jobs.drain()

    assert str(caught.value) == message(verb)
    assert [record.job for record in jobs.pending] == [Note]


def test_a_verb_after_a_job_that_failed_is_not_inside_it(jobs):
    @job
    def fail():
        raise ValueError

    fail.perform_later()
    with pytest.raises(ValueError):
        jobs.drain()
    Note.perform_later()

    assert jobs.drain() == {"performed": 1}


def test_a_job_may_look_at_the_harness(jobs):
    @job
    def look():
        Note.perform_later()
        return len(jobs.pending), len(jobs.enqueued), repr(jobs)

    look.perform_later()

    assert jobs.perform(jobs.pending[0]).result == (1, 2, "<Jobs 2 records, 1 pending>")
