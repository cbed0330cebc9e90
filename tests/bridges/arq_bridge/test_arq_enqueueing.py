"""Every way to enqueue a job of arq ends in a record, and nothing else."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("arq")

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import JobStatus, serialize_job
from arq.utils import timestamp_ms
from redis.exceptions import ResponseError

from pytest_jobs.errors import BridgeError

DAY = timedelta(days=1)


async def add(ctx, a, b=0):
    return a + b


@pytest.fixture
def jobs(open_over, settings):
    with open_over(settings(add)) as jobs:
        yield jobs


def test_a_job_makes_a_record(jobs, client, run):
    job = run(client.enqueue_job("add", 1, b=2))

    (record,) = jobs.enqueued
    assert (record.bridge, record.name, record.job) == ("arq", "add", add)
    assert (record.args, record.kwargs, record.params) == ((1,), {"b": 2}, {"a": 1, "b": 2})
    assert (record.job_id, record.attempt, record.due_at) == (job.job_id, 1, None)
    assert (record.queue, record.priority, record.headers) == ("arq:queue", None, {})


def test_the_options_of_a_job_are_in_its_record(jobs, client, run):
    options = {"_job_id": "mine", "_queue_name": "slow", "_job_try": 3, "_expires": 90}
    run(client.enqueue_job("add", 1, _defer_by=60, **options))

    (record,) = jobs.enqueued
    assert (record.job_id, record.queue, record.attempt) == ("mine", "slow", 3)
    assert record.wait == timedelta(seconds=60)
    assert abs(record.expires_at - record.enqueued_at - timedelta(seconds=90)) < timedelta(
        seconds=1
    )


@pytest.mark.parametrize("defer", [60, 0.5, timedelta(hours=2), DAY])
def test_a_job_is_due_when_it_is_deferred_to_and_expires_a_day_later(jobs, client, run, defer):
    run(client.enqueue_job("add", 1, _defer_by=defer))

    (record,) = jobs.enqueued
    assert record.wait == (defer if isinstance(defer, timedelta) else timedelta(seconds=defer))
    assert abs(record.expires_at - record.due_at - DAY) < timedelta(seconds=1)


def test_a_job_may_be_deferred_until_a_time_and_is_due_now_if_that_is_past(jobs, client, run):
    at = datetime(2099, 1, 1, tzinfo=UTC)
    for until in (at, datetime.now(UTC) - timedelta(hours=1)):
        run(client.enqueue_job("add", 1, _defer_until=until))

    assert [record.due_at for record in jobs.enqueued] == [at, None]


def test_a_job_that_was_deferred_until_before_yesterday_is_refused_as_by_redis(jobs, client, run):
    with pytest.raises(ResponseError, match="invalid expire time"):
        run(client.enqueue_job("add", 1, _defer_until=datetime.now(UTC) - 2 * DAY))

    assert jobs.enqueued == []


# Of a redis-py that is newer than arq wants.
@pytest.mark.filterwarnings("ignore:Call to '__init__' function with deprecated:DeprecationWarning")
def test_a_pool_is_made_without_a_server(jobs, run):
    async def start():
        pool = await create_pool(RedisSettings(port=1, conn_retries=0))
        await pool.enqueue_job("add", 1)
        await pool.aclose()

    run(start())

    assert jobs.enqueued[0].args == (1,)


def test_jobs_that_are_enqueued_together_are_all_recorded(jobs, client):
    async def send():
        await asyncio.gather(*(client.enqueue_job("add", n) for n in range(20)))

    asyncio.run(send())

    assert sorted(record.args[0] for record in jobs.enqueued) == list(range(20))


def test_a_job_with_the_id_of_another_is_kept_out(jobs, client, run):
    run(client.enqueue_job("add", 1, _job_id="one"))

    assert run(client.enqueue_job("add", 2, _job_id="one")) is None
    assert [record.args for record in jobs.enqueued] == [(1,)]
    (kept_out,) = jobs.kept_out
    assert (kept_out.args, kept_out.dropped_for) == ((2,), "one")
    assert kept_out.kept_out_by is jobs.enqueued[0]


def test_an_id_is_taken_as_long_as_the_result_of_its_job_is_kept(open_over, settings, client, run):
    with open_over(settings(add, keep_result=60)) as jobs:
        run(client.enqueue_job("add", 1, _job_id="one"))
        jobs.drain()

        assert run(client.enqueue_job("add", 2, _job_id="one")) is None
        jobs.run_for(61)
        assert run(client.enqueue_job("add", 3, _job_id="one")) is not None


def test_the_queue_can_be_looked_at(jobs, client, run):
    async def look():
        job = await client.enqueue_job("add", 1, b=2, _defer_by=60)
        other = await client.enqueue_job("add", 3)
        queued = await client.queued_jobs()
        return await job.status(), await other.status(), await job.info(), queued

    deferred, at_once, info, queued = run(look())

    assert (deferred, at_once) == (JobStatus.deferred, JobStatus.queued)
    assert (info.function, info.args, info.kwargs) == ("add", (1,), {"b": 2})
    assert [each.args for each in queued] == [(3,), (1,)]


def test_a_job_is_recorded_whatever_command_puts_it_there(jobs, client, run):
    data = serialize_job("add", (1,), {}, None, timestamp_ms())

    async def put():
        async with client.pipeline() as pipeline:
            pipeline.psetex("arq:job:mine", 60_000, data)
            pipeline.zadd("slow", {"mine": timestamp_ms()})
            await pipeline.execute()

    run(put())

    (record,) = jobs.enqueued
    assert (record.job, record.args, record.queue, record.job_id) == (add, (1,), "slow", "mine")
    assert jobs.drain() == {"performed": 1}


@pytest.mark.parametrize("command", [("ZREM", "arq:queue", "mine"), ("DEL", "arq:queue")])
def test_a_job_that_is_taken_out_of_its_queue_is_withdrawn(jobs, client, run, command):
    run(client.enqueue_job("add", 1, _job_id="mine"))
    run(client.enqueue_job("add", 2, _queue_name="slow"))

    run(client.execute_command(*command))

    assert [record.args for record in jobs.pending] == [(2,)]


def test_a_job_that_is_put_off_is_due_later(jobs, client, run):
    run(client.enqueue_job("add", 1, _job_id="mine"))

    run(client.zadd("arq:queue", {"mine": timestamp_ms() + 60_000}))

    (record,) = jobs.pending
    assert len(jobs.enqueued) == 1
    assert timedelta(seconds=59) < record.wait <= timedelta(seconds=61)


def test_other_commands_of_redis_are_refused(jobs, client, run):
    async def use(command):
        await command

    with pytest.raises(BridgeError) as refused:
        run(use(client.hset("hash", "key", 1)))
    with pytest.raises(BridgeError, match="sends PUBSUB through its ArqRedis"):
        client.pubsub()

    assert str(refused.value) == (
        "The application sends HSET through its ArqRedis. No Redis server is contacted in a harness, and the "
        "stand-in of pytest-jobs knows the commands of arq itself: use a redis.asyncio.Redis of your own for "
        "other data."
    )
