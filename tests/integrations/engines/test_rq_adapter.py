"""What the adapter of RQ does with jobs, and what it refuses."""

import fakeredis
import pytest
import redis
import redis.asyncio
import rq
from engine_jobs import Import, Replaced, Say, Sync
from rq.job import Job as RqJob

import pytest_jobs
from pytest_jobs import RedisStore, RqAdapter, configure
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import (
    DeclarationError,
    EnqueueError,
    NoAdapterError,
    StoreError,
    UnknownVersionError,
    WaitError,
)
from pytest_jobs.integrations import rq_worker

SECOND = 1_000_000_000


@pytest.fixture
def server():
    return fakeredis.FakeServer()


@pytest.fixture
def client(server):
    return fakeredis.FakeRedis(server=server)


@pytest.fixture
def adapter(client):
    adapter = RqAdapter(client)
    with configure(adapter=adapter, store=RedisStore(client)):
        yield adapter


@pytest.fixture
def queue(client, adapter):
    return rq.Queue("default", connection=client)


def test_a_job_of_rq_says_what_it_is_and_carries_the_payload(queue):
    job = Say.set(queue="default").perform_later("hello")

    (waiting,) = queue.jobs
    assert (waiting.id, waiting.description) == (job.job_id, "engine_jobs.Say")
    assert waiting.args == (job.payload.to_dict(),)
    assert (waiting.timeout, waiting.retries_left) == (180, 10)


def test_timeout_is_what_rq_ends_each_job_after(client):
    with configure(adapter=RqAdapter(client, timeout=0.5)):
        job = Say.perform_later("hello")

    assert RqJob.fetch(job.job_id, connection=client).timeout == 1


@pytest.mark.parametrize("timeout", [0, -1, "soon"])
def test_a_timeout_that_is_none_is_refused(client, timeout):
    with pytest.raises(WaitError) as caught:
        RqAdapter(client, timeout=timeout)

    assert "timeout" in str(caught.value)


@pytest.mark.parametrize("connection", ["redis://localhost", redis.asyncio.Redis()])
def test_what_is_no_connection_is_refused(connection):
    with pytest.raises(DeclarationError, match=r"^RqAdapter\(.*\) is given (no|a) client of redis"):
        RqAdapter(connection)


def test_a_scheduled_job_is_in_the_registry_of_its_queue_for_the_next_whole_second(queue):
    job = Say.set(wait=90.5).perform_later("later")

    at = queue.scheduled_job_registry.get_scheduled_time(job.job_id).timestamp()
    assert 0 <= at - job.payload.due_ns / SECOND < 1
    assert queue.job_ids == []


def test_a_negative_priority_is_the_front_of_the_queue(queue):
    jobs = [Say.set(priority=priority).perform_later("x") for priority in (None, 0, -1)]

    assert queue.job_ids == [jobs[2].job_id, jobs[0].job_id, jobs[1].job_id]


def test_a_priority_behind_the_others_is_refused(client, queue):
    with pytest.raises(DeclarationError) as caught:
        Say.set(priority=5).perform_later("x")

    assert str(caught.value) == (
        "engine_jobs.Say has the priority 5, and RQ knows the front of a queue only, which is what a negative "
        "priority asks for: give jobs that may wait a queue of their own."
    )
    assert client.keys() == []


def test_a_replaced_job_is_out_of_the_queue_and_gone(client, queue):
    first = Replaced.perform_later(7, "old")
    second = Replaced.perform_later(7, "new")

    assert queue.job_ids == [second.job_id]
    assert not RqJob.exists(first.job_id, connection=client)


def test_a_replaced_job_is_out_of_the_registry_of_scheduled_ones(queue):
    Replaced.set(wait=60).perform_later(7, "old")
    second = Replaced.perform_later(7, "new")

    assert (queue.job_ids, queue.scheduled_job_registry.count) == ([second.job_id], 0)


@pytest.mark.parametrize("job_id", ["unknown", "popped"])
def test_what_does_not_wait_cannot_be_withdrawn(queue, adapter, job_id):
    job = Say.perform_later("x")
    queue.pop_job_id()

    assert adapter.withdraw(job.job_id if job_id == "popped" else job_id) is None


def test_a_blocked_job_is_scheduled_for_when_the_place_expires_and_moved_when_it_is_free(queue):
    first, second = (Import.perform_later("acme", each) for each in "ab")
    assert (queue.job_ids, queue.scheduled_job_registry.get_job_ids()) == (
        [first.job_id],
        [second.job_id],
    )
    store = settings.store
    (held,) = store.held(0)

    following = store.release(held.key, first.job_id, now_ns=0)
    settings.adapter.unblock(following)
    settings.adapter.unblock(following)
    settings.adapter.unblock("unknown")
    assert (queue.job_ids, queue.scheduled_job_registry.count) == (
        [first.job_id, second.job_id],
        0,
    )


def test_a_redis_that_is_down_is_an_error_that_the_job_keeps(server, adapter):
    server.connected = False
    job = Say.perform_later("x")

    assert not job.enqueued
    assert isinstance(job.enqueue_error, EnqueueError)
    assert str(job.enqueue_error).startswith(
        f"Could not enqueue engine_jobs.Say (job {job.job_id}) on RQ: redis answers with ConnectionError: "
    )


def test_when_only_the_redis_of_rq_is_down_the_lock_is_given_back():
    down = fakeredis.FakeServer()
    down.connected = False
    store = RedisStore(fakeredis.FakeRedis())
    with configure(adapter=RqAdapter(fakeredis.FakeRedis(server=down)), store=store):
        job = Sync.perform_later(7)

    assert isinstance(job.enqueue_error, EnqueueError)
    assert store.held(0) == ()


@pytest.mark.parametrize("ask", ["withdraw", "unblock"])
def test_a_redis_that_is_down_is_an_error_of_whoever_asks(server, adapter, ask):
    server.connected = False
    with pytest.raises(StoreError) as caught:
        getattr(adapter, ask)("7")

    what = {"withdraw": "take job 7 back", "unblock": "unblock job 7"}[ask]
    assert str(caught.value).startswith(f"Could not {what}: redis answers with ConnectionError: ")


def test_a_version_without_a_seam_is_refused(monkeypatch):
    monkeypatch.setattr(rq, "__version__", "2.6.0")
    monkeypatch.setattr(rq.Queue, "schedule_job", lambda self, job, datetime, pipeline=None: None)
    with pytest.raises(UnknownVersionError) as caught:
        RqAdapter(redis.Redis())

    assert str(caught.value).startswith(
        "rq 2.6.0 does not take the call rq.Queue.schedule_job(_, _, _, unique=) "
    )


def test_without_rq_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rq", None)
    with pytest.raises(NoAdapterError) as caught:
        pytest_jobs.RqAdapter(redis.Redis())

    assert str(caught.value) == (
        'RqAdapter needs RQ, which is not installed: pip install "pytest-jobs[rq]".'
    )


def test_what_workers_call_is_for_them():
    with pytest.raises(DeclarationError) as caught:
        rq_worker.perform({})

    assert str(caught.value) == (
        "pytest_jobs.integrations.rq_worker.perform is called by a worker of RQ, and by nobody else: perform a "
        "job with `perform_now`."
    )
