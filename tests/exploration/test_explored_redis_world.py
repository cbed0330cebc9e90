"""The redis of a world: what is bound, what is shown of it, and what time passes there."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

pytest.importorskip("redis")
pytest.importorskip("fakeredis")
pytest.importorskip("lupa")

import explored_redis as jobs
import redis
import redis.asyncio
from dying_workers import dying_workers, needs_fork
from servers import patient, redis_url  # noqa: F401 - a fixture

from pytest_jobs import check_idempotent, open_jobs, redis_world
from pytest_jobs.errors import DivergedState, ExplorationError


@pytest.fixture(params=["fakeredis", pytest.param("redis-server", marks=pytest.mark.slow)])
def server(request):
    if request.param == "fakeredis":
        return None
    return patient(f"{request.getfixturevalue('redis_url')}/9")


# What is bound


def test_a_client_stays_the_object_that_it_is(server):
    imported_elsewhere = jobs.client

    with redis_world(bind=(jobs, "client"), server=server) as world:
        imported_elsewhere.set("views", 1)

        assert world.dump() == {"views": 1}
        assert imported_elsewhere.get("views") == "1"


def test_a_client_that_returns_bytes_still_does(server):
    module = SimpleNamespace(client=redis.Redis())

    with redis_world(bind=(module, "client"), server=server):
        module.client.set("views", 1)

        assert module.client.get("views") == b"1"


def test_a_function_that_makes_a_client(server):
    with redis_world(bind=(jobs, "connect"), server=server) as world:
        jobs.connect().set("views", 1)

        assert world.dump() == {"views": 1}


def test_a_connection_pool(server):
    with redis_world(bind=(jobs, "pool"), server=server) as world:
        redis.Redis(connection_pool=jobs.pool).set("views", 1)

        assert world.dump() == {"views": 1}


def test_a_client_is_found_that_is_made_and_whose_library_is_imported_in_the_job(server):
    def world(name):
        def made():
            with redis_world(bind=(jobs, name), server=server) as found:
                yield lambda: {"redis": found.dump()}

        return made

    for name, job in (("pool", jobs.import_late), ("connect", jobs.count_by_a_client_of_its_own)):
        with pytest.raises(DivergedState):
            check_idempotent(job, args=(1,), world=world(name), histories=["crash"])


def test_each_world_is_new(server):
    for _ in range(2):
        with redis_world(bind=(jobs, "client"), server=server) as world:
            assert world.dump() == {}
            jobs.client.set("views", 1)


def test_what_is_there_at_first(server):
    with redis_world(bind=(jobs, "client"), server=server) as world:
        world.client.set("stock", 3)

        assert jobs.client.get("stock") == "3"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "'client' of"),
        (7, "is 7, which is not a client of redis"),
        (lambda: "text", "returned is 'text', which is not a client of redis"),
    ],
)
def test_what_is_no_client_is_refused(found, text):
    module = SimpleNamespace(client=found)

    with pytest.raises(ExplorationError) as refusal, redis_world(bind=(module, "client")):
        module.client()

    assert text in str(refusal.value)
    assert module.client is found


def test_a_name_that_is_not_there_is_refused():
    with (
        pytest.raises(ExplorationError, match="has no 'cleint' to be bound"),
        redis_world(bind=(jobs, "cleint")),
    ):
        pass


def test_a_server_without_a_database_of_its_own_is_refused():
    with (
        pytest.raises(ExplorationError, match=r"names no database.*such as redis://localhost/9"),
        redis_world(server="redis://localhost"),
    ):
        pass


# What is shown


def test_everything_is_shown_in_order(server):
    with redis_world(bind=(jobs, "client"), server=server) as world:
        client = jobs.client
        client.set("text", "one")
        client.set("number", 2)
        client.set("share", 0.5)
        client.set("zeros", "007")
        client.rpush("list", "b", "a", 1)
        client.sadd("set", "b", "a")
        client.hset("hash", mapping={"name": "ann", "age": 7})
        client.zadd("scores", {"b": 2, "a": 1})
        client.xadd("stream", {"kind": "paid"})
        client.xadd("numbered", {"kind": "paid"}, id="1-1")
        client.set("for an hour", 1, ex=3600)
        world.client.connection_pool.disconnect()

        assert list(world.dump().items()) == [
            ("for an hour", (1, "expires")),
            ("hash", {"name": "ann", "age": 7}),
            ("list", ["b", "a", 1]),
            ("number", 2),
            ("numbered", [("1-1", {"kind": "paid"})]),
            ("scores", [("a", 1.0), ("b", 2.0)]),
            ("set", {"a", "b"}),
            ("share", 0.5),
            ("stream", [{"kind": "paid"}]),
            ("text", "one"),
            ("zeros", "007"),
        ]


def test_what_a_group_has_not_acknowledged_is_shown(server):
    with redis_world(bind=(jobs, "client"), server=server) as world:
        jobs.client.xgroup_create("stream", "workers", id="0", mkstream=True)
        number = jobs.client.xadd("stream", {"kind": "paid"})
        jobs.client.xreadgroup("workers", "ann", {"stream": ">"})
        before = world.dump()["stream"]
        jobs.client.xack("stream", "workers", number)

        assert before == {"entries": [{"kind": "paid"}], "pending": {"workers": 1}}
        assert world.dump()["stream"]["pending"] == {"workers": 0}


def test_bytes_that_are_no_text_are_shown_as_they_are(server):
    with redis_world(bind=(jobs, "client"), server=server) as world:
        jobs.client.set("bytes", b"\xff\x00")

        assert world.dump() == {"bytes": b"\xff\x00"}


def test_patterns_of_keys_are_left_out(server):
    with redis_world(bind=(jobs, "client"), server=server) as world:
        jobs.client.mset({"lock:1": 1, "cache:1": 1, "views": 1})

        assert world.dump(ignore="lock:*").keys() == {"cache:1", "views"}
        assert world.dump(ignore=["lock:*", "cache:*"]).keys() == {"views"}


# What time passes


@pytest.fixture
def clock():
    with open_jobs() as harness:
        harness.clock.freeze()
        yield harness.clock


def test_keys_expire_on_the_virtual_clock(server, clock):
    with redis_world(bind=(jobs, "client"), server=server) as world:
        jobs.client.set("for an hour", 1, ex=3600)
        jobs.client.set("for a day", 1, ex=86_400)
        clock.advance(timedelta(minutes=59))
        before = world.dump().keys()
        clock.advance(timedelta(minutes=2))

        assert before == {"for an hour", "for a day"}
        assert jobs.client.get("for an hour") is None
        assert world.dump() == {"for a day": (1, "expires")}
        assert 82_000 < jobs.client.ttl("for a day") < 83_000


def test_keys_expire_at_a_time_of_the_virtual_clock(server, clock):
    clock.advance(timedelta(days=400))
    with redis_world(bind=(jobs, "client"), server=server) as world:
        later = int(time.time()) + 3600
        jobs.client.set("a", 1, exat=later)
        jobs.client.set("b", 1)
        jobs.client.expireat("b", later)
        jobs.client.set("c", 1, pxat=later * 1000)
        with jobs.client.pipeline() as transaction:
            transaction.set("d", 1).pexpireat("d", later * 1000).execute()
        left = [jobs.client.ttl(key) for key in "abcd"]
        clock.advance(timedelta(hours=2))

        assert all(3_500 < seconds <= 3_601 for seconds in left)
        assert world.dump() == {}


async def _set_for_an_hour():
    await jobs.awaited.set("for an hour", 1, ex=3600)
    await jobs.awaited.aclose()


async def _get_what_was_for_an_hour():
    found = await jobs.awaited.get("for an hour")
    await jobs.awaited.aclose()
    return found


def test_keys_expire_for_clients_that_are_awaited(server, clock):
    import asyncio

    with redis_world(bind=(jobs, "awaited"), server=server):
        asyncio.run(_set_for_an_hour())
        before = asyncio.run(_get_what_was_for_an_hour())
        clock.advance(timedelta(hours=2))
        after = asyncio.run(_get_what_was_for_an_hour())

    assert (before, after) == ("1", None)


def test_fields_of_a_hash_expire_on_the_virtual_clock(server, clock):
    with redis_world(bind=(jobs, "client"), server=server) as world:
        jobs.client.hset("hash", mapping={"short": 1, "long": 1})
        try:
            jobs.client.hexpire("hash", 3600, "short")
        except redis.ResponseError:
            pytest.skip("fields of a hash expire from redis 7.4 on")
        clock.advance(timedelta(hours=2))

        assert world.dump() == {"hash": {"long": 1}}


def test_the_clock_of_a_real_server_is_not_to_be_asked(redis_url):  # noqa: F811 - the fixture
    with (
        redis_world(bind=(jobs, "client"), server=patient(f"{redis_url}/9")),
        pytest.raises(ExplorationError, match="TIME asks for the clock of the server"),
    ):
        jobs.client.time()


# Workers that really die


def _world_on(server):
    def world():
        with redis_world(bind=(jobs, "client"), server=server) as made:
            yield lambda: {"redis": made.dump()}

    return world


@needs_fork
def test_a_worker_that_really_dies_leaves_the_same_as_one_that_seems_to(redis_url):  # noqa: F811 - the fixture
    world = _world_on(patient(f"{redis_url}/9"))

    with dying_workers():
        check_idempotent(
            jobs.count_in_a_transaction,
            args=(1,),
            world=world,
            histories=["crash"],
            time_limit=600.0,
        )
        with pytest.raises(DivergedState, match=r"DIVERGED redis \[crash"):
            check_idempotent(
                jobs.count_and_remember,
                args=(1,),
                world=world,
                histories=["crash"],
                time_limit=600.0,
            )
