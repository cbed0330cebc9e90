"""`perform_all_later` asks a real redis-server once, however many jobs there are.

What is counted are packets: redis-py writes one for a command and one for a pipeline, and waits for its answer.
"""

import importlib
import json

import pytest
import redis
from engine_jobs import Say
from servers import patient

from pytest_jobs import (
    CeleryAdapter,
    Job,
    RedisStore,
    RqAdapter,
    before_enqueue,
    configure,
    limits_concurrency,
    perform_all_later,
    unique,
)
from pytest_jobs.errors import DeclarationError

MANY = 100


@unique(key="said")
class SayOnce(Say): ...


@limits_concurrency(to=2, key=lambda said: "all")
class SayTwoAtOnce(Say): ...


class SayChecked(Job):
    @before_enqueue
    def check(self):
        pass

    def perform(self, said): ...


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(patient(f"{redis_url}/5")) as client:
        client.flushdb()
        yield client


@pytest.fixture
def packets(monkeypatch):
    """The packets that were written to servers."""
    written = []
    connection = importlib.import_module("redis.connection").Connection
    write = connection.send_packed_command

    def counting(self, command, *args, **kwargs):
        written.append(command)
        return write(self, command, *args, **kwargs)

    monkeypatch.setattr(connection, "send_packed_command", counting)
    return written


@pytest.fixture
def on_rq(client):
    pytest.importorskip("rq")
    with configure(adapter=RqAdapter(client), store=RedisStore(client)):
        Say.perform_later("the first, for which the version of the server is asked")
        client.flushdb()
        yield


@pytest.fixture
def on_celery(redis_url, client):
    celery = pytest.importorskip("celery")
    app = celery.Celery("engine", broker=f"{redis_url}/5", backend=None, set_as_current=False)
    with configure(adapter=CeleryAdapter(app), store=RedisStore(client)):
        Say.perform_later("the first, which opens a connection and declares the queue")
        client.delete("celery")
        yield app
    app.close()


def alone(scheduled):
    """Return how many round trips of their own scheduled jobs are: RQ 2 writes the time of each by itself."""
    return scheduled if importlib.import_module("rq").VERSION.startswith("2.") else 0


def texts(client):
    """Return what the jobs of Celery say, in the order in which they are taken."""
    messages = [json.loads(each) for each in reversed(client.lrange("celery", 0, -1))]
    bodies = [json.loads(importlib.import_module("base64").b64decode(m["body"])) for m in messages]
    return [body[0][0]["arguments"][0][0] for body in bodies]


@pytest.mark.usefixtures("on_rq")
def test_jobs_on_rq_are_one_round_trip(client, packets):
    jobs = perform_all_later([Say.new(f"{number}") for number in range(MANY)])

    assert len(packets) == 1
    assert [job.enqueued for job in jobs] == [True] * MANY
    assert [each.decode() for each in client.lrange("rq:queue:default", 0, -1)] == [
        job.job_id for job in jobs
    ]


@pytest.mark.usefixtures("on_rq")
def test_so_are_jobs_of_several_queues_and_those_that_are_due_later(client, packets):
    perform_all_later(
        [Say.new("now"), Say.set(queue="low").new("low"), Say.set(wait=60).new("later")]
    )

    assert len(packets) == 1 + alone(1)
    assert client.zcard("rq:scheduled:default") == 1
    assert client.llen("rq:queue:low") == 1


@pytest.mark.usefixtures("on_celery")
def test_jobs_on_celery_are_one_round_trip(client, packets):
    jobs = perform_all_later([Say.new(f"{number}") for number in range(MANY)])

    assert len(packets) == 1
    assert all(job.enqueued for job in jobs)
    assert texts(client) == [f"{number}" for number in range(MANY)]


@pytest.mark.usefixtures("on_celery")
def test_a_connection_of_the_pool_sends_single_jobs_afterwards_as_before(client):
    perform_all_later([Say.new("a"), Say.new("b")])
    Say.perform_later("c")

    assert texts(client) == ["a", "b", "c"]


@pytest.mark.usefixtures("on_rq")
@pytest.mark.parametrize("kind", [SayOnce, SayTwoAtOnce])
def test_the_locks_and_places_of_all_of_them_are_one_more(client, packets, kind):
    jobs = perform_all_later([kind.new(f"{number}") for number in range(MANY)])

    ready = 2 if kind is SayTwoAtOnce else MANY
    assert len(packets) == 2 + alone(MANY - ready)
    assert [job.enqueued for job in jobs] == [True] * MANY
    assert client.llen("rq:queue:default") == ready
    # The others are due when the first place expires.
    assert client.zcard("rq:scheduled:default") == MANY - ready


@pytest.mark.usefixtures("on_rq")
def test_of_two_with_the_same_key_the_second_is_kept_out(client):
    first, _, second = perform_all_later(
        [SayOnce.new("same"), SayOnce.new("other"), SayOnce.new("same")]
    )

    assert (second.enqueued, second.dropped_for) == (False, first.job_id)
    assert client.llen("rq:queue:default") == 2


@pytest.mark.usefixtures("on_rq")
def test_a_job_with_callbacks_goes_alone_and_the_order_stays(client, packets):
    jobs = perform_all_later(
        [Say.new("a"), Say.new("b"), SayChecked.new("c"), Say.new("d"), Say.new("e")]
    )

    assert len(packets) > 3
    assert [each.decode() for each in client.lrange("rq:queue:default", 0, -1)] == [
        job.job_id for job in jobs
    ]


@pytest.mark.usefixtures("on_rq")
def test_of_many_none_is_sent_when_the_queue_has_no_place_for_one_and_no_lock_stays(client):
    with pytest.raises(DeclarationError, match="has the priority 5"):
        perform_all_later([SayOnce.new("a"), SayOnce.set(priority=5).new("b")])

    assert client.llen("rq:queue:default") == 0
    assert RedisStore(client).held(0) == ()
