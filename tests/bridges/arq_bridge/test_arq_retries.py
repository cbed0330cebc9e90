"""Retries of arq: what a job raises decides."""

import asyncio
from datetime import timedelta

import pytest

pytest.importorskip("arq")

from arq import Retry, func
from arq.worker import RetryJob


def raising(make_error):
    """Return a function that raises an error, which may depend on the attempt."""

    async def flaky(ctx):
        raise make_error(ctx["job_try"])

    return flaky


@pytest.fixture
def deliveries(open_over, settings, client, run):
    """Return a function that performs a job to its end and returns its deliveries."""

    def deliveries(make_error, **options):
        with open_over(settings(func(raising(make_error), name="flaky"), **options)) as jobs:
            jobs.clock.freeze()
            run(client.enqueue_job("flaky"))
            jobs.drain(raise_errors=False)
            return list(jobs.deliveries)

    return deliveries


def test_a_job_that_raises_retry_waits_and_is_given_up_after_max_tries(deliveries):
    found = deliveries(lambda attempt: Retry(defer=attempt * 10), max_tries=4)

    assert [d.status for d in found] == ["retried", "retried", "retried", "exhausted"]
    assert [d.wait and d.wait.total_seconds() for d in found] == [10, 20, 30, None]
    assert [d.wait_bounds for d in found[:3]] == [
        (timedelta(seconds=n), timedelta(seconds=n)) for n in (10, 20, 30)
    ]
    assert [d.record.attempt for d in found] == [1, 2, 3, 4]
    assert isinstance(found[-1].error, Retry)


@pytest.mark.parametrize(
    ("error", "options", "statuses"),
    [
        (Retry(), {"max_tries": 2}, ["retried", "exhausted"]),
        (RetryJob(), {"max_tries": 2}, ["retried", "exhausted"]),
        (asyncio.CancelledError(), {"max_tries": 2}, ["retried", "exhausted"]),
        (ValueError("no"), {}, ["failed"]),
        (Retry(defer=1), {"retry_jobs": False}, ["failed"]),
        (Retry(defer=1), {}, [*["retried"] * 4, "exhausted"]),
    ],
)
def test_what_a_job_raises_decides_how_often_it_is_tried(deliveries, error, options, statuses):
    found = deliveries(lambda attempt: error, **options)

    assert [d.status for d in found] == statuses
    assert type(found[0].error) is type(error)
    if options.get("max_tries"):
        assert (found[0].wait, found[1].record.due_at) == (timedelta(0), None)


def test_the_retries_of_a_function_go_before_those_of_the_worker(open_over, settings, client, run):
    flaky = func(raising(lambda attempt: Retry(defer=1)), name="flaky", max_tries=2)
    with open_over(settings(flaky, max_tries=9)) as jobs:
        run(client.enqueue_job("flaky"))

        assert jobs.drain(raise_errors=False) == {"retried": 1, "exhausted": 1}


def test_the_error_of_the_last_attempt_is_raised(open_over, settings, client, run):
    flaky = func(raising(lambda attempt: Retry(defer=attempt)), name="flaky", max_tries=2)
    with open_over(settings(flaky)) as jobs:
        job = run(client.enqueue_job("flaky"))

        with pytest.raises(Retry, match=r"<Retry defer 2\.00s>"):
            jobs.drain()
        with pytest.raises(Exception, match="max 2 retries exceeded"):
            run(job.result())


def test_a_chain_of_retries_that_is_longer_than_a_day_expires(deliveries):
    """The key of a job keeps its first time to live, so a retry after that finds nothing."""
    found = deliveries(lambda attempt: Retry(defer=timedelta(hours=10)), max_tries=9)

    assert [d.status for d in found] == ["retried", "retried", "retried", "failed"]
    assert str(found[-1].error) == "job expired"


def test_a_job_can_be_performed_as_another_attempt(open_over, settings, client, run):
    tries = []

    async def look(ctx):
        tries.append(ctx["job_try"])

    with open_over(settings(func(look, name="look"))) as jobs:
        run(client.enqueue_job("look"))
        jobs.perform(jobs.pending[0], attempt=3)

    assert tries == [3]


async def asks(ctx):
    raise Retry(defer=10)


def test_the_timeline_of_a_job_that_raises_retry_says_that_its_body_did_not_run(
    open_over, settings
):
    with open_over(settings(asks)) as jobs:
        timeline = jobs.simulate_retries(asks, raising=ValueError("down"))

    assert timeline.headline == "asks: not decided, since its body asks for retries and did not run"
    assert "asks for its retries itself by Retry" in timeline.undecided


def test_an_error_that_asks_for_a_retry_decides_in_the_place_of_the_body(open_over, settings):
    with open_over(settings(asks, max_tries=3)) as jobs:
        timeline = jobs.simulate_retries(asks, raising=Retry(defer=10))

    assert (timeline.status, timeline.wait_seconds) == ("exhausted", [10, 10])
    assert timeline.headline.startswith("asks: exhausted after 3 attempts")
    assert timeline.undecided == ""
