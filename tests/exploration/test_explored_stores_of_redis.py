"""Keys of redis that the world does not show are compared, and those of another redis are refused."""

from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, redis_world
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError, NotIdempotent

fakeredis = pytest.importorskip("fakeredis")
redis = pytest.importorskip("redis")
redis_asyncio = pytest.importorskip("redis.asyncio")

app = SimpleNamespace(redis=redis.Redis(), async_redis=redis_asyncio.Redis())


@contextmanager
def blind():
    """Show one key, which no job writes."""
    with redis_world(bind=(app, "redis")) as made:
        yield lambda: {"paid": made.client.get("paid")}


@contextmanager
def blind_to_async():
    with redis_world(bind=(app, "async_redis")) as made:
        yield lambda: {"paid": made.client.get("paid")}


def count(number):
    app.redis.incrby("points", 5)


def add(number):
    app.redis.sadd("customers", number)


def checked(job, world=blind, **options):
    return check_idempotent(job, args=(7,), world=world, **options)


def failure(job, world=blind, **options):
    with pytest.raises(NotIdempotent) as failed:
        checked(job, world, **options)
    return failed.value


def test_a_key_that_the_world_does_not_show_is_compared():
    error = failure(count)

    assert isinstance(error, DivergedState)
    assert error.report.effect == "key points (not shown)"
    assert "key points (not shown)\n  once: 5\n  now:  10\n" in str(error)


def test_a_key_that_is_written_once_passes_and_is_named():
    assert " Compared unasked: key customers." in str(checked(add))


def test_the_keys_of_a_pipeline_are_compared():
    def push(number):
        with app.redis.pipeline() as pipeline:
            pipeline.sadd("customers", number)
            pipeline.rpush("feed", number)
            pipeline.execute()

    assert isinstance(failure(push), DuplicateEffect)


def test_the_keys_of_an_awaited_client_are_compared():
    async def count_async(number):
        await app.async_redis.incrby("points", 5)

    assert failure(count_async, blind_to_async).report.effect == "key points (not shown)"


def test_the_keys_of_a_script_are_compared():
    def count_by_script(number):
        app.redis.eval("return redis.call('INCR', KEYS[1])", 1, "points")

    assert failure(count_by_script).report.effect == "key points (not shown)"


@pytest.mark.parametrize("pattern", ["po*", "*"])
def test_a_snapshot_that_looks_for_keys_shows_those_that_it_finds(pattern):
    @contextmanager
    def by_pattern():
        with redis_world(bind=(app, "redis")) as made:
            yield lambda: {"keys": sorted(made.client.scan_iter(match=pattern))}

    assert "Compared unasked" not in str(checked(count, by_pattern))


def test_a_dump_shows_also_what_it_ignores():
    @contextmanager
    def dumped():
        with redis_world(bind=(app, "redis")) as made:
            yield lambda: made.dump(ignore="points")

    def count_and_add(number):
        count(number)
        add(number)

    assert "Compared unasked" not in str(checked(count_and_add, dumped))


def test_a_key_that_expires_is_not_compared_and_is_named():
    def cache(number):
        add(number)
        app.redis.set("cached", app.redis.incr("tries"), ex=60)
        app.redis.delete("tries")

    assert " Not compared: key cached (expires)." in str(checked(cache))


def test_a_lock_that_was_released_is_not_compared():
    def add_under_a_lock(number):
        with app.redis.lock("lock:7", timeout=60):
            add(number)

    assert "lock:7" not in str(checked(add_under_a_lock, histories=["twice", "restart", "overlap"]))


def test_a_redis_that_every_history_uses_is_refused():
    shared = fakeredis.FakeRedis()

    def count_there(number):
        shared.incrby("points", 5)

    with pytest.raises(
        ExplorationError, match=r"writes to key points .*\(INCRBY points 5\), which the world"
    ):
        checked(count_there, histories=["twice"])


def test_a_redis_that_is_away_is_refused_like_one_that_answers():
    def work(number):
        with suppress(redis.ConnectionError):
            redis.Redis(port=1).set("seen", number)
        count(number)

    with pytest.raises(ExplorationError) as refused:
        checked(work)
    assert "The job writes to key seen of localhost:1/0 (SET seen 7), which" in str(refused.value)


def test_a_redis_that_the_world_makes_is_its_own():
    @contextmanager
    def made_by_hand():
        app.own = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        yield lambda: {"answer": 42}

    def count_there(number):
        app.own.incrby("points", 5)

    assert failure(count_there, made_by_hand).report.effect == "key points (not shown)"


def test_keys_are_ignored_by_their_patterns():
    def count_and_add(number):
        app.redis.incr(f"metrics:{number}")
        add(number)

    explored = checked(count_and_add, ignore={"metrics:*"})

    assert " Not compared: key metrics:7 (by ignore=)." in str(explored)


@pytest.mark.parametrize("make", [fakeredis.FakeRedis, fakeredis.FakeStrictRedis])
def test_a_client_of_fakeredis_that_names_no_server(make):
    def world():
        app.own = make()
        yield lambda: {"paid": app.own.get("paid")}

    def count_in_own(number):
        app.own.incr("points")

    def add_to_own(number):
        app.own.sadd("customers", number)

    assert failure(count_in_own, world).report.effect == "key points (not shown)"
    assert " Compared unasked: key customers." in str(checked(add_to_own, world))
