"""A job goes through arq's worker: hooks, context, timeouts, results."""

import asyncio
import json
from datetime import timedelta

import pytest

pytest.importorskip("arq")

from arq import func
from arq.connections import ArqRedis
from arq.jobs import JobStatus, ResultNotFound
from arq.worker import JobExecutionFailed

from pytest_jobs.errors import NotPerformedError, UnknownJobError


async def add(ctx, a, b=0):
    return a + b


async def fails(ctx):
    raise ValueError("it failed")


def as_bytes(value):
    return json.dumps(value).encode()


def test_a_job_is_written_and_read_by_the_serializers_of_the_application(open_over, settings, run):
    client = ArqRedis(port=1, job_serializer=as_bytes, job_deserializer=json.loads)
    serializers = {"job_serializer": staticmethod(as_bytes), "job_deserializer": json.loads}
    with open_over(settings(func(add, name="add"), **serializers)) as jobs:
        run(client.enqueue_job("add", 1, b=2))

        assert (jobs.enqueued[0].args, jobs.enqueued[0].kwargs) == ((1,), {"b": 2})
        assert jobs.drain() == {"performed": 1}
    assert jobs.performed[0].result == 3


def test_the_hooks_of_a_worker_run_around_each_job(open_over, settings, client, run):
    called = []

    async def work(ctx):
        called.append("work")

    def hook(name):
        async def hooked(ctx):
            called.append((name, ctx.get("job_try")))

        return staticmethod(hooked)

    names = ("on_job_start", "on_job_end", "after_job_end")
    with open_over(settings(work, **{name: hook(name) for name in names})) as jobs:
        run(client.enqueue_job(work.__qualname__))
        jobs.drain()

    assert called == [("on_job_start", 1), "work", ("on_job_end", 1), ("after_job_end", 1)]


def test_the_worker_starts_once_on_a_loop_and_is_shut_down_with_it(
    open_over, settings, client, run
):
    called = []

    async def look(ctx):
        called.append(ctx["opened"])

    async def on_startup(ctx):
        ctx["opened"] = "a pool"
        called.append("startup")

    async def on_shutdown(ctx):
        called.append("shutdown")
        await ctx["redis"].set("stopped", 1)

    hooks = {"on_startup": staticmethod(on_startup), "on_shutdown": staticmethod(on_shutdown)}
    with open_over(settings(func(look, name="look"), **hooks)) as jobs:
        for _ in range(2):
            run(client.enqueue_job("look"))
        jobs.drain()
        run(client.enqueue_job("look"))
        jobs.drain()
        assert called == ["startup", *["a pool"] * 3]

    assert called[4:] == ["shutdown"]


def test_the_context_says_what_is_known_of_the_run_and_that_of_the_settings_stays_as_it_is(
    open_over, settings, client, run
):
    contexts = []

    async def look(ctx):
        contexts.append(ctx)

    given = {"base": 7}
    with open_over(settings(func(look, name="look"), ctx=given)) as jobs:
        job = run(client.enqueue_job("look", _job_try=2))
        jobs.drain()

    (context,) = contexts
    assert (context["job_id"], context["job_try"], context["base"]) == (job.job_id, 2, 7)
    assert {"redis", "enqueue_time", "score"} <= set(context)
    assert given == {"base": 7}


def test_a_name_that_no_worker_has_is_recorded_and_is_an_error_when_it_is_performed(
    open_over, settings, client, run
):
    with open_over(settings(add)) as jobs:
        run(client.enqueue_job("ad", 1))

        assert (jobs.enqueued[0].job, jobs.enqueued[0].name) == ("ad", "ad")
        with pytest.raises(UnknownJobError) as caught:
            jobs.drain()

    assert str(caught.value) == (
        "No worker settings have a function named 'ad', so a worker fails the job: add the function to "
        "`functions`, and import the module of the settings. The nearest name is 'add'."
    )


def test_a_job_that_runs_too_long_fails_on_the_virtual_clock(open_over, settings, client, run):
    async def slow(ctx):
        await asyncio.sleep(3600)

    with open_over(settings(func(slow, name="slow", timeout=20))) as jobs:
        jobs.clock.freeze()
        run(client.enqueue_job("slow"))

        with pytest.raises(TimeoutError, match=r"slow ran longer than its timeout, 20 s\."):
            jobs.drain()
        assert jobs.deliveries[0].status == "failed"
        assert jobs.deliveries[0].ended_at - jobs.deliveries[0].at == timedelta(seconds=20)


def test_a_job_that_has_expired_is_not_run(open_over, settings, client, run):
    with open_over(settings(add)) as jobs:
        run(client.enqueue_job("add", 1, _defer_by=10, _expires=5))

        with pytest.raises(JobExecutionFailed, match="job expired"):
            jobs.drain()
        assert jobs.deliveries[0].status == "failed"


def test_a_job_that_the_worker_cannot_read_is_not_run(open_over, settings, client, run):
    def unreadable(data):
        raise ValueError(data)

    with open_over(settings(add, job_deserializer=staticmethod(unreadable))) as jobs:
        run(client.enqueue_job("add", 1))

        with pytest.raises(Exception, match="unable to deserialize job"):
            jobs.drain()


def test_the_result_of_a_job_can_be_read_when_it_was_performed(open_over, settings, client, run):
    functions = (add, fails, func(add, name="forgotten", keep_result=0))
    with open_over(settings(*functions)) as jobs:
        job = run(client.enqueue_job("add", 1, 2))
        failed = run(client.enqueue_job("fails"))
        forgotten = run(client.enqueue_job("forgotten", 1))
        with pytest.raises(NotPerformedError, match="drain first"):
            run(job.result())

        jobs.drain(raise_errors=False)

        assert (run(job.result()), run(job.status())) == (3, JobStatus.complete)
        info = run(job.result_info())
        assert (info.success, info.job_try, info.queue_name) == (True, 1, "arq:queue")
        assert {each.job_id for each in run(client.all_job_results())} == {
            *(job.job_id, failed.job_id)
        }
        with pytest.raises(ValueError, match="it failed"):
            run(failed.result())
        with pytest.raises(ResultNotFound):
            run(forgotten.result())


def test_the_worker_of_the_queue_performs_a_job(open_over, settings, client, run):
    def answering(answer):
        async def answer_it(ctx):
            return answer

        return func(answer_it, name="answer")

    first, second = settings(answering(1)), settings(answering(2), queue_name="second")
    with open_over(first, second) as jobs:
        run(client.enqueue_job("answer"))
        run(client.enqueue_job("answer", _queue_name="second"))
        jobs.drain()

        assert [delivery.result for delivery in jobs.performed] == [1, 2]


@pytest.mark.asyncio
async def test_a_verb_that_is_cancelled_ends(open_over, settings, client):
    """The worker would take the cancellation for one of the job, and put the job back."""
    started = asyncio.Event()

    async def wait(ctx):
        started.set()
        await asyncio.Event().wait()

    with open_over(settings(func(wait, name="wait"))) as jobs:
        await client.enqueue_job("wait")
        draining = asyncio.ensure_future(jobs.adrain())
        await started.wait()
        draining.cancel()

        with pytest.raises(asyncio.CancelledError):
            await draining
        assert len(jobs.pending) == 1
