"""Stores of locks and places: one suite over memory, a fake redis and a real one."""

import fakeredis
import pytest
import redis
import redis.asyncio
from servers import patient, redis_url  # noqa: F401 - a fixture

from pytest_jobs import (
    Job,
    MemoryStore,
    RedisStore,
    TestAdapter,
    configure,
    limits_concurrency,
    unique,
)
from pytest_jobs.core.foundation.protocols import Held, Waiting
from pytest_jobs.errors import DeclarationError, EnqueueError, NoStoreError, StoreError

SECOND = 1_000_000_000
NOON = 1_767_268_800 * SECOND


def acquire(store, owner, key="k", now=0, ttl=60, **options):
    ttl_ns = None if ttl is None else ttl * SECOND
    return store.acquire(key, owner, now_ns=NOON + now * SECOND, ttl_ns=ttl_ns, **options)


def release(store, owner, key="k", now=0, ttl=60):
    return store.release(key, owner, now_ns=NOON + now * SECOND, ttl_ns=ttl * SECOND)


def owners(store, now=0):
    return [held.owner for held in store.held(NOON + now * SECOND)]


def test_a_place_that_is_taken_says_who_has_it_and_until_when(store):
    assert acquire(store, "a") is None
    assert acquire(store, "b") == Held("k", "a", NOON + 60 * SECOND)
    assert release(store, "a") is None
    assert acquire(store, "b", ttl=None) is None
    assert acquire(store, "c", now=10**9) == Held("k", "b", None)

    assert acquire(store, "a", key='unique:x.Y:["*"]') is None
    assert acquire(store, "b", key='unique:x.Y:["?"]') is None


def test_an_owner_keeps_its_place_as_it_is_or_renews_it(store):
    acquire(store, "a", ttl=60)
    assert acquire(store, "a", now=30, ttl=60) is None
    assert store.held(NOON) == (Held("k", "a", NOON + 60 * SECOND),)
    assert acquire(store, "b", now=30, renew=True) == Held("k", "a", NOON + 60 * SECOND)

    assert acquire(store, "a", now=30, ttl=60, renew=True) is None
    assert store.held(NOON) == (Held("k", "a", NOON + 90 * SECOND),)
    assert acquire(store, "b", now=60) == Held("k", "a", NOON + 90 * SECOND)


def test_a_place_expires_at_its_time_and_cannot_be_given_back_for_another(store):
    acquire(store, "a", ttl=60)

    assert acquire(store, "b", now=59) is not None
    assert owners(store, now=59) == ["a"]
    assert owners(store, now=60) == []
    assert acquire(store, "b", now=60) is None
    acquire(store, "c", now=61, rank=0)
    assert release(store, "a", now=62) is None
    assert owners(store, now=62) == ["b"]


def test_a_place_ends_at_a_whole_microsecond(store):
    store.acquire("k", "a", now_ns=NOON + 1_999, ttl_ns=SECOND)

    assert store.held(NOON) == (Held("k", "a", NOON + SECOND + 1_000),)
    assert store.acquire("k", "b", now_ns=NOON + SECOND + 1_000) is None


def test_v12_there_are_as_many_places_as_the_limit_says_and_giving_back_twice_makes_none(store):
    taken = [acquire(store, owner, limit=2) for owner in "abx"]
    assert [held is None for held in taken] == [True, True, False]
    for owner in ("a", "a", "never had one"):
        release(store, owner)

    taken = [acquire(store, owner, limit=2) for owner in "cd"]
    assert [held is None for held in taken] == [True, False]


def test_of_several_places_the_one_is_named_that_ends_first(store):
    acquire(store, "a", limit=2, ttl=90)
    acquire(store, "b", limit=2, ttl=30)

    assert acquire(store, "c", limit=2) == Held("k", "b", NOON + 30 * SECOND)


def test_the_first_by_rank_and_then_by_order_gets_the_place(store):
    acquire(store, "a")
    for owner, rank in [("b", 5), ("c", 0), ("d", 5), ("e", -1)]:
        acquire(store, owner, rank=rank)
    assert store.waiting() == tuple(Waiting("k", owner) for owner in "ecbd")

    following = [release(store, owner) for owner in "aecbd"]
    assert following == ["e", "c", "b", "d", None]
    assert (store.waiting(), owners(store)) == ((), [])


def test_who_waits_already_keeps_its_turn_and_giving_up_gives_no_place_back(store):
    acquire(store, "a")
    for owner in ("b", "c", "d", "b"):
        acquire(store, owner, rank=0)
    assert release(store, "c") is None
    assert owners(store) == ["a"]

    assert release(store, "a") == "b"
    assert acquire(store, "b") is None
    assert store.waiting() == (Waiting("k", "d"),)


def test_the_place_that_was_waited_for_has_a_time_of_its_own(store):
    acquire(store, "a", ttl=60)
    acquire(store, "b", rank=0)
    release(store, "a", now=50, ttl=60)
    assert store.held(NOON) == (Held("k", "b", NOON + 110 * SECOND),)

    acquire(store, "c", rank=0)
    assert acquire(store, "c", now=110, rank=0) is None
    assert store.waiting() == ()


def test_redis_forgets_a_place_by_itself_an_hour_after_its_end(redis_url):  # noqa: F811
    with redis.Redis.from_url(patient(redis_url), decode_responses=True) as client:
        store = RedisStore(client, prefix="ending:")
        acquire(store, "a", ttl=60, limit=2)
        assert 3_600 < client.ttl("ending:places:k") <= 3_660

        acquire(store, "b", ttl=None, limit=2)
        assert client.ttl("ending:places:k") == -1


@unique()
class Sync(Job):
    def perform(self): ...


@limits_concurrency()
class Materialize(Job):
    def perform(self): ...


@pytest.fixture
def down():
    """A store whose redis does not answer."""
    server = fakeredis.FakeServer()
    store = RedisStore(fakeredis.FakeRedis(server=server))
    store.server = server
    server.connected = False
    return store


@pytest.mark.parametrize("job", [Sync, Materialize])
def test_v14_a_store_that_is_down_is_an_error_and_nothing_is_enqueued(job, down):
    adapter = TestAdapter()
    waiting = job.new()

    with configure(adapter=adapter, store=down), pytest.raises(StoreError) as caught:
        waiting.enqueue()

    kind = "unique" if job is Sync else "limit"
    assert str(caught.value).startswith(
        f"Could not take {kind}:{__name__}.{job.__name__}:[]: redis answers with ConnectionError: "
    )
    assert str(caught.value).endswith(
        ". Jobs that need the store are neither enqueued nor begun until it is back."
    )
    assert ".." not in str(caught.value)
    assert isinstance(caught.value.__cause__, redis.ConnectionError)
    assert (adapter.enqueued, waiting.enqueued) == ([], False)


class KeepsNothing:
    """An adapter whose database is down."""

    def now_ns(self):
        return 10**18

    def enqueue(self, payload):
        try:
            raise OSError("connection refused")
        except OSError as error:
            raise EnqueueError("the database is down") from error


def test_v14_an_enqueue_error_has_that_of_the_database_as_its_cause():
    store = MemoryStore()
    with configure(adapter=KeepsNothing(), store=store):
        refused = Materialize.perform_later()

    assert not refused.enqueued
    assert type(refused.enqueue_error) is EnqueueError
    assert repr(refused.enqueue_error.__cause__) == "OSError('connection refused')"
    assert store.held(10**18) == ()


def test_a_store_that_goes_down_while_a_job_runs_is_logged(down, caplog):
    adapter = TestAdapter()
    down.server.connected = True
    with configure(adapter=adapter, store=down):
        job = Sync.perform_later()
        down.server.connected = False
        (execution,) = adapter.perform_due()

    assert execution.status == "performed"
    (line,) = caplog.messages
    assert line.startswith(
        f"{__name__}.Sync (job {job.job_id}) has run, and what it held stays until its time is over: Could not "
        f"give unique:{__name__}.Sync:[] back: "
    )


def test_a_job_that_may_not_begin_for_want_of_its_store_fails_by_rule(down):
    adapter = TestAdapter()
    down.server.connected = True
    with configure(adapter=adapter, store=down):
        Materialize.set(wait=60).perform_later()
        down.server.connected = False
        execution = adapter.perform(adapter.pending[0])

    assert (execution.status, type(execution.error)) == ("failed", StoreError)


@pytest.mark.parametrize("job", [Sync, Materialize])
def test_without_a_store_such_jobs_are_refused(job):
    with configure(adapter=TestAdapter()), pytest.raises(NoStoreError) as caught:
        job.perform_later()

    assert str(caught.value) == (
        "No store is configured, so nothing knows which jobs are unique, limited or in a batch.\n\n"
        "Write `pytest_jobs.configure(adapter=..., store=...)`: with `RedisStore` when several processes\n"
        "enqueue or perform, with `MemoryStore` in one process. In a test the harness brings one."
    )


_AWAITED = (
    "of redis.asyncio, and a store asks without awaiting, for jobs are enqueued in plain functions too: give it a "
    "redis.Redis."
)
_NONE = "no client of redis: write RedisStore(redis.Redis.from_url('redis://localhost', socket_timeout=5))."


@pytest.mark.parametrize("client", ["redis://localhost", None, redis.asyncio.Redis()])
def test_what_is_no_client_of_redis_is_refused(client):
    with pytest.raises(DeclarationError) as caught:
        RedisStore(client)

    text = f"a client {_AWAITED}" if isinstance(client, redis.asyncio.Redis) else _NONE
    assert str(caught.value) == f"RedisStore({client!r}) is given {text}"
