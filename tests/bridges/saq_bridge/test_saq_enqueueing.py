"""Every way to enqueue with SAQ is recorded, and nothing connects."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("saq")

from saq import CronJob, Job, Queue, Status
from saq.queue.redis import RedisQueue

from pytest_jobs import assert_enqueued
from pytest_jobs.bridges.saq.bridge import SaqBridge
from pytest_jobs.errors import ApplicationError, CriterionError, DeclarationError

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


async def add(ctx, *, a, b=0):
    return a + b


async def subtract(ctx, *, a, b=0):
    return a - b


@pytest.fixture
def jobs(open_over):
    with open_over(add) as jobs:
        yield jobs


async def _refreshed(queue):
    await queue.connect()
    await Job("add", kwargs={"a": 1, "b": 2}).enqueue(queue)
    await queue.disconnect()


@pytest.mark.parametrize(
    "send",
    [
        lambda queue: queue.enqueue("add", a=1, b=2),
        lambda queue: queue.enqueue(Job("add", kwargs={"a": 1, "b": 2})),
        _refreshed,
    ],
    ids=["name", "job", "enqueue of the job"],
)
def test_it_is_recorded(jobs, queue, run, send):
    run(_awaited(send(queue)))

    record = assert_enqueued(add, params={"a": 1, "b": 2}, queue="mail")
    assert record.due_at is None


async def _awaited(awaitable):
    return await awaitable


def test_a_function_has_its_name_or_the_one_that_it_was_given(open_over, queue, run):
    with open_over(("sum", add), subtract) as jobs:
        run(queue.enqueue("sum", a=1))
        run(queue.enqueue("subtract", a=1))

        assert assert_enqueued(add).name == "sum"
        assert assert_enqueued("subtract").job is assert_enqueued(subtract).job is subtract
        assert jobs.drain() == {"performed": 2}


@pytest.mark.parametrize("url", ["postgresql://localhost:1/mail", "http://localhost:1"])
def test_whatever_the_server_is(open_over, run, url):
    pytest.importorskip("psycopg_pool" if url.startswith("postgresql") else "aiohttp")

    async def send():
        queue = Queue.from_url(url, name="mail")
        await queue.connect()
        await queue.enqueue("add", a=1, priority=3)
        await queue.disconnect()

    with open_over(add) as jobs:
        run(send())

        assert jobs.enqueued[0].priority == 3
        assert jobs.drain() == {"performed": 1}


def test_a_queue_class_of_a_project_that_adds_something_is_run(jobs, run):
    class Tenant(RedisQueue):
        async def _enqueue(self, job):
            job.meta["tenant"] = "a"
            return await super()._enqueue(job)

    run(Tenant.from_url("redis://localhost:1", name="mail").enqueue("add", a=1))

    assert jobs.enqueued[0].headers == {"tenant": "a"}


def test_a_callback_before_the_enqueue_decides_when_a_job_is_due(jobs, queue, run):
    async def decide(job):
        job.scheduled = NEW_YEAR.timestamp()

    queue.register_before_enqueue(decide)
    run(queue.enqueue("add", a=1))

    assert jobs.enqueued[0].due_at == NEW_YEAR


def test_a_key_that_is_taken_keeps_a_second_job_out(jobs, queue, run):
    assert run(queue.enqueue("add", a=1, key="one")) is not None
    assert run(queue.enqueue("add", a=2, key="one")) is None
    jobs.drain()
    assert run(queue.enqueue("add", a=3, key="one")) is not None

    assert [each.kwargs for each in jobs.enqueued] == [{"a": 1}, {"a": 3}]


def test_an_aborted_job_is_not_performed(jobs, queue, run):
    async def send():
        job = await queue.enqueue("add", a=1)
        await job.abort("never mind")
        return await queue.job(job.key)

    aborted = run(send())

    assert (aborted.status, aborted.error) == (Status.ABORTED, "never mind")
    assert jobs.drain() == {}


def test_a_batch_that_fails_aborts_its_jobs(jobs, queue, run):
    async def send():
        async with queue.batch():
            await queue.enqueue("add", a=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(send())

    assert jobs.drain() == {}


def test_what_waits_can_be_counted_and_listed(jobs, queue, run):
    async def look():
        counts = [await queue.count(kind) for kind in ("queued", "active", "incomplete")]
        found = [job.key async for job in queue.iter_jobs()]
        return counts, found, await queue.info(jobs=True)

    run(queue.enqueue("add", a=1, key="now"))
    run(queue.enqueue("add", a=1, key="later", scheduled=NEW_YEAR.timestamp()))
    counts, found, info = run(look())

    assert counts == [1, 0, 2]
    assert found == ["now", "later"]
    assert (info["queued"], info["scheduled"], len(info["jobs"])) == (1, 1, 2)
    jobs.drain()
    assert run(look())[0] == [0, 0, 0]


def test_a_cron_job_comes_while_time_passes(open_over, run):
    runs = []

    async def tidy(ctx, *, room):
        runs.append(room)

    cron = CronJob(tidy, cron="*/20 * * * *", kwargs={"room": "attic"}, timeout=5)
    with open_over(add, cron_jobs=[cron]) as jobs:
        jobs.clock.move_to(NEW_YEAR)
        jobs.run_for(timedelta(hours=1), only=tidy)

        assert [each.record.enqueued_at.minute for each in jobs.performed] == [20, 40, 0]
    assert runs == ["attic"] * 3


def test_a_worker_inside_of_the_application_gets_nothing(jobs, queue, run):
    async def wait():
        await queue.enqueue("add", a=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.dequeue(), 0.01)
        return await queue.schedule(), await queue.sweep()

    assert run(wait()) == ([], [])


def test_a_name_that_no_worker_has_is_recorded_and_has_no_function(jobs, queue, run):
    run(queue.enqueue("of another service", a=1))

    assert assert_enqueued("of another service").job == "of another service"
    with pytest.raises(DeclarationError, match="no settings of a worker"):
        jobs.harness.bridges[-1].resolve("of another service")


def test_a_function_that_no_worker_has_is_an_error(jobs):
    with pytest.raises(CriterionError, match="is not a job"):
        assert_enqueued(test_a_function_that_no_worker_has_is_an_error)


def test_what_is_no_queue_cannot_be_named():
    with pytest.raises(ApplicationError, match="is not a queue of SAQ"):
        SaqBridge([object()])
