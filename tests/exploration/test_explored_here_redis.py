"""`check_idempotent` without a world in a test that has a redis: each history gets a copy of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from servers import redis_url  # noqa: F401 - a fixture

from pytest_jobs import check_idempotent, fake, here, redis_world
from pytest_jobs.errors import DivergedState, ExplorationError, NotIdempotent

fakeredis = pytest.importorskip("fakeredis")
redis = pytest.importorskip("redis")


@pytest.fixture
def server():
    """A server with one key of each kind, two of which expire."""
    made = fakeredis.FakeServer()
    fill(fakeredis.FakeRedis(server=made))
    return made


def fill(client):
    client.set("seen", 0)
    client.set("lease", "mine", ex=900)
    client.rpush("list", "a", "b")
    client.sadd("set", "a", "b")
    client.hset("hash", "a", 1)
    client.zadd("scores", {"a": 1.5})
    client.xadd("stream", {"a": 1}, id="1-1")
    client.set(b"\xff", b"\xfe")


def contents(client):
    kinds = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    return {key: kinds[client.type(key)](key) for key in client.keys("*")}


def jobs_of(client):
    def count():
        client.incr("seen")

    def count_once():
        if client.get("lease") == b"mine" and client.setnx("done", 1):
            client.lpop("list")
            client.setnx("sent", 1)

    def mark():
        client.set("done", 1)
        client.sadd("set", "c")

    def in_a_pipeline():
        with client.pipeline() as pipeline:
            pipeline.watch("seen")
            pipeline.multi()
            pipeline.incr("seen")
            pipeline.execute()

    def in_a_minute():
        with client.pipeline() as pipeline:
            pipeline.incr("in a minute").expire("in a minute", 60).execute()

    def by_a_script():
        client.register_script("return redis.call('INCR', KEYS[1])")(keys=["seen"])

    def under_a_lock():
        with client.lock("a lock", timeout=10):
            if not client.exists("done"):
                client.incr("seen")
                client.set("done", 1)

    return {
        job.__name__: job for job in list(locals().values()) if callable(job) and job is not client
    }


@pytest.mark.parametrize(
    ("name", "finds"),
    [
        ("count", "twice"),
        ("count_once", "crash"),
        ("mark", ""),
        ("in_a_minute", ""),
        ("in_a_pipeline", "twice"),
        ("by_a_script", "twice"),
        ("under_a_lock", "crash"),
    ],
)
def test_each_history_has_the_keys_of_the_test(server, name, finds):
    client = fakeredis.FakeRedis(server=server)
    before = contents(client)

    if finds:
        with pytest.raises(NotIdempotent, match=f" redis \\[{finds}[],]"):
            check_idempotent(jobs_of(client)[name])
    else:
        assert "here (redis: 8 keys)" in str(check_idempotent(jobs_of(client)[name]))

    assert contents(client) == before
    assert 800 < client.ttl("lease") <= 900


def test_an_awaited_client(server):
    client = fakeredis.FakeAsyncRedis(server=server, decode_responses=True)

    async def count():
        await client.incr("seen")

    async def mark():
        assert await client.get("lease") == "mine"
        await client.set("done", 1)

    with pytest.raises(DivergedState, match=r"DIVERGED redis \[twice\]"):
        check_idempotent(count)
    check_idempotent(mark)

    assert not fakeredis.FakeRedis(server=server).exists("done")


def test_each_client_of_a_server_finds_the_same_copy(server):
    first, second = fakeredis.FakeRedis(server=server), fakeredis.FakeRedis(server=server)

    def copy():
        first.set("total", 1)
        second.set("copy", second.get("total"))

    check_idempotent(copy)

    assert second.get("copy") is None


def test_another_database_has_a_copy_of_its_own(server):
    first, second = fakeredis.FakeRedis(server=server), fakeredis.FakeRedis(server=server, db=3)

    def count_in_the_second():
        first.set("done", 1)
        second.incr("seen")

    with pytest.raises(DivergedState, match=r"DIVERGED redis 2 \[twice\]"):
        check_idempotent(count_in_the_second)
    assert second.get("seen") is None


def test_what_expires_in_the_test_is_left_as_long_in_each_history():
    # It makes a server by itself.
    client = fakeredis.FakeRedis()
    client.set("open", 1, ex=600)

    def close():
        if client.exists("open"):
            client.set("closed", 1)

    check_idempotent(close)

    assert client.keys() == [b"open"]


def test_what_expires_soon_is_still_there_for_a_search_in_the_evening(jobs):
    # A search waits until no day ends within some hours.
    jobs.clock.move_to(datetime(2100, 1, 1, 22, 30, tzinfo=UTC))
    client = fakeredis.FakeRedis()
    client.set("open", 1, ex=600)

    def close():
        if client.exists("open"):
            client.set("closed", 1)

    check_idempotent(close)


def test_a_client_with_a_single_connection(server):
    client = fakeredis.FakeRedis(server=server, single_connection_client=True)

    def count():
        client.incr("seen")

    with pytest.raises(DivergedState):
        check_idempotent(count)
    assert client.get("seen") == b"0"


def test_keys_are_left_out_by_their_names(server):
    client = fakeredis.FakeRedis(server=server)

    def count_and_mark():
        client.incr("seen")
        client.set("done", 1)

    check_idempotent(count_and_mark, ignore={"se*"})


def test_copies_beside_other_things_of_a_world(server):
    client = fakeredis.FakeRedis(server=server)
    app = type("App", (), {"mail": None, "own": fakeredis.FakeRedis(server=server)})

    def world():
        with (
            here() as state,
            redis_world(bind=(app, "own")) as own,
            fake(app, "mail", lambda: None) as mails,
        ):
            yield lambda: {**state(), "own": own.dump(), "mails": mails.calls}

    def count():
        app.own.set("done", 1)
        client.incr("seen")

    with pytest.raises(DivergedState, match=r"DIVERGED redis \[twice\]"):
        check_idempotent(count, world=world)


def test_a_server_that_the_world_makes_is_the_worlds_own():
    app = type("App", (), {})

    def world():
        with here() as state:
            app.client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
            yield lambda: {**state(), "seen": app.client.get("seen")}

    def count():
        app.client.incr("seen")

    with pytest.raises(DivergedState, match=r"DIVERGED seen \[twice\]"):
        check_idempotent(count, world=world)


def test_without_fakeredis_there_is_no_copy(server, monkeypatch):
    client = fakeredis.FakeRedis(server=server)
    monkeypatch.setitem(sys.modules, "fakeredis", None)

    with pytest.raises(ExplorationError, match=r"not installed\. Install `pytest-jobs\[redis\]`"):
        check_idempotent(lambda: client.incr("seen"))


def test_a_real_server_is_copied_to_fakeredis(redis_url):  # noqa: F811
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    fill(client)
    before = contents(client)

    with pytest.raises(DivergedState, match=r"DIVERGED redis \[twice\]"):
        check_idempotent(jobs_of(client)["count"])
    check_idempotent(jobs_of(client)["mark"])

    assert contents(client) == before


def test_a_stream_with_a_group_on_a_real_server_is_refused(redis_url):  # noqa: F811
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    client.xgroup_create("stream", "workers", mkstream=True)

    with pytest.raises(ExplorationError, match=r"the key 'stream' of the test cannot be copied"):
        check_idempotent(jobs_of(client)["count"])


def test_a_real_server_beside_here_is_copied_unless_the_world_uses_it_itself(redis_url):  # noqa: F811
    client, own = redis.Redis.from_url(redis_url), redis.Redis.from_url(redis_url)
    client.flushall()

    def copied():
        with here() as state:
            yield lambda: {**state()}

    def shown():
        with here() as state:
            own.delete("seen")
            yield lambda: {**state(), "seen": own.get("seen")}

    def count():
        client.incr("seen")

    with pytest.raises(DivergedState, match=r"DIVERGED redis \[twice\]"):
        check_idempotent(count, world=copied)
    assert client.get("seen") is None
    with pytest.raises(DivergedState, match=r"DIVERGED seen \[twice\]"):
        check_idempotent(count, world=shown)
