"""The stand-in for the Redis server answers as a real one does."""

import asyncio
from time import time_ns

import pytest

pytest.importorskip("arq")

from arq.connections import ArqRedis
from redis.exceptions import RedisError, WatchError
from servers import patient


def connected(url, call):
    """Call something with a client of a real server, and return what its awaitable comes to."""

    async def with_client():
        client = ArqRedis.from_url(patient(url))
        try:
            return await call(client)
        finally:
            await client.aclose()

    return asyncio.run(with_client())


async def texts(client):
    yield await client.ping()
    yield await client.set("text", "a")
    yield await client.set("text", "b", nx=True)
    yield await client.set("other", "b", xx=True)
    yield await client.get("text")
    yield await client.get("other")
    yield await client.psetex("brief", 60_000, b"c")
    yield await client.set("second", 7, ex=60)
    yield await client.exists("text", "brief", "second", "other")
    yield sorted(await client.keys("s*"))
    yield await client.incr("counter")
    yield await client.incr("counter", 4)
    yield await client.expire("counter", 60)
    yield await client.expire("other", 60)
    yield await client.pexpire("counter", 60_000)
    yield await client.delete("text", "other")
    yield await client.get("text")


async def scores(client):
    yield await client.zadd("set", {"a": 3, "b": 1, "c": 2})
    yield await client.zadd("set", {"a": 4, "d": 2})
    yield await client.zcard("set")
    yield await client.zscore("set", "a")
    yield await client.zscore("set", "x")
    yield await client.zincrby("set", 2.5, "a")
    yield await client.zincrby("set", 1, "e")
    yield await client.zrange("set", 0, -1)
    yield await client.zrange("set", 1, 2, withscores=True)
    yield await client.zrem("set", "a", "x")
    yield await client.zremrangebyscore("set", "-inf", 1)
    yield await client.zrange("set", 0, -1, withscores=True)
    yield await client.zrem("set", "c", "d")
    yield await client.exists("set")


async def pipelines(client):
    async with client.pipeline(transaction=True) as pipe:
        pipe.set("text", "a")
        pipe.get("text")
        yield await pipe.execute()
    async with client.pipeline(transaction=True) as pipe:
        await pipe.watch("text")
        yield await pipe.exists("text")
        pipe.multi()
        pipe.set("text", "b")
        yield await pipe.execute()
    yield await client.get("text")


async def errors(client):
    await client.zadd("set", {"a": 1})
    yield await client.set("text", "a")
    yield await refusal(client.get("set"))
    yield await refusal(client.set("text", "a", px=-5))
    async with client.pipeline(transaction=True) as pipe:
        await pipe.watch("text")
        await client.set("text", "b")
        pipe.multi()
        pipe.get("text")
        yield await refusal(pipe.execute())


async def refusal(awaitable):
    try:
        return await awaitable
    except WatchError:
        return WatchError
    except RedisError as error:
        return type(error)


CASES = [texts, scores, pipelines, errors]


async def answers(case, client):
    return [answer async for answer in case(client)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_answers_are_those_of_a_real_server(case, redis_url, open_over, client, run):
    connected(redis_url, ArqRedis.flushdb)
    real = connected(redis_url, lambda real: answers(case, real))

    with open_over():
        assert run(answers(case, client)) == real


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_stand_in_answers(case, open_over, client, run):
    """The same without a server, which not every machine has."""
    with open_over():
        assert run(answers(case, client))


def test_a_key_expires_with_the_clock_of_the_harness(open_over, client, run):
    with open_over() as jobs:
        jobs.clock.freeze()
        run(client.psetex("brief", 1000, "a"))
        jobs.run_for(0.999)
        assert run(client.get("brief")) == b"a"
        jobs.run_for(0.001)

        assert run(client.get("brief")) is None


def test_a_server_has_a_clock_of_its_own_after_the_harness():
    """`on_shutdown` may come then."""
    from pytest_jobs.bridges.arq.server import Server

    server = Server(time_ns, lambda *changes: None)
    server.do("SETEX", "key", 60, "a")

    assert server.do("GET", b"key") == b"a"
