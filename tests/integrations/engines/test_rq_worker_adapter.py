"""What a worker of RQ does with a job of the core, in this process."""

import json

import engine_jobs
import fakeredis
import pytest
import rq
from engine_jobs import Broken, Fragile, Import, Moving, Say, Sync
from rq.job import Job as RqJob
from rq.timeouts import TimerDeathPenalty

from pytest_jobs import Job, RedisStore, RqAdapter, configure, hookimpl, hooks, retry_on
from pytest_jobs.core.foundation.settings import settings


class Worker(rq.SimpleWorker):
    death_penalty_class = TimerDeathPenalty


@pytest.fixture
def client(monkeypatch):
    client = fakeredis.FakeRedis()
    monkeypatch.setattr(engine_jobs, "redis", client)
    return client


@pytest.fixture
def configured(client):
    with configure(adapter=RqAdapter(client, timeout=60), store=RedisStore(client)):
        yield


@pytest.fixture
def work(client):
    """Perform what is in some queues, and return what was told."""

    def work(*queues):
        Worker(list(queues or ("default",)), connection=client).work(burst=True)
        told = [json.loads(raw)["said"] for raw in client.lrange("told", 0, -1)]
        client.delete("told")
        return told

    return work


def found(client, job_id):
    return RqJob.fetch(job_id, connection=client)


@pytest.mark.usefixtures("configured")
def test_what_a_delivery_came_to_is_its_result(client, work):
    performed, discarded = Say.perform_later("hello"), Fragile.perform_later(1, gone=True)

    assert work() == ["hello", "attempt 1"]
    results = [found(client, job.job_id).return_value() for job in (performed, discarded)]
    assert results == ["performed", "discarded"]


@pytest.mark.usefixtures("configured")
def test_an_error_is_a_failure_at_once(client, work):
    job = Broken.perform_later()

    assert work() == ["broken"]
    assert found(client, job.job_id).is_failed
    assert "ValueError: no rule knows this" in found(client, job.job_id).latest_result().exc_string


@pytest.mark.usefixtures("configured")
def test_a_retry_is_the_same_job_of_rq_scheduled_and_never_early(client, work):
    job = Fragile.perform_later(1)
    work()

    again = found(client, job.job_id)
    (payload,) = again.args
    at = rq.Queue("default", connection=client).scheduled_job_registry.get_scheduled_time(again)
    assert (payload["attempt"], again.retries_left, again.timeout) == (2, 10, 60)
    assert 0 <= at.timestamp() - payload["due_ns"] / 1_000_000_000 < 2


class Busy(Exception): ...


@retry_on(Busy, wait=0, attempts=3, priority=-1)
class Hurrying(Job):
    """Goes to the front of its queue when it is retried."""

    def perform(self):
        engine_jobs.tell(self, f"attempt {self.payload.attempt}")
        if self.payload.attempt < 3:
            raise Busy


@pytest.mark.usefixtures("configured")
def test_a_retry_may_go_to_the_front(work):
    Hurrying.perform_later()
    Say.perform_later("last")

    # RQ itself puts what is retried at the end of its queue before version 3.
    at_once = ["attempt 1", "attempt 2", "attempt 3", "last"]
    behind = ["attempt 1", "last", "attempt 2", "attempt 3"]
    assert work() == (behind if rq.__version__.startswith("2.") else at_once)


@pytest.mark.usefixtures("configured")
def test_a_retry_in_another_queue_is_a_job_of_its_own_and_sent_once(client, work):
    job = Moving.perform_later(1)
    first = found(client, job.job_id)

    assert work() == ["attempt 1 in default"]
    rq.Queue("default", connection=client).enqueue_job(first)
    assert work() == ["attempt 1 in default"]
    assert work("low") == ["attempt 2 in low"]
    assert found(client, f"{job.job_id}-2").return_value() == "performed"


@pytest.mark.usefixtures("configured")
def test_a_blocked_job_goes_on_when_the_other_has_ended(client, work):
    for each in "ab":
        client.rpush(f"go on {each}", "1")
        Import.perform_later("acme", each)

    assert work() == ["a", "b"]


@pytest.mark.usefixtures("configured")
def test_a_job_that_finds_no_place_is_put_off_under_its_id(client, work):
    first, second = (Import.perform_later("acme", each) for each in "ab")
    queue = rq.Queue("default", connection=client)
    queue.remove(first.job_id)
    settings.adapter.unblock(second.job_id)

    assert work() == []
    (payload,) = found(client, second.job_id).args
    assert (payload["attempt"], payload["headers"]["snoozed"]) == (1, 1)
    assert queue.scheduled_job_registry.get_job_ids() == [second.job_id]


@pytest.mark.usefixtures("configured")
def test_a_job_that_goes_on_although_it_failed_is_performed_again_and_logged(work, caplog):
    class Breaking:
        @hookimpl
        def job_enqueued(self, job, payload):
            if payload.attempt == 2:
                raise ZeroDivisionError

    job = Moving.set(queue="low").perform_later(1)
    plugin = Breaking()
    hooks.register(plugin)
    try:
        told = work("low")
    finally:
        hooks.unregister(plugin)

    assert told == ["attempt 1 in low", "attempt 2 in low"]
    (line,) = [record for record in caplog.records if record.name == "pytest_jobs"]
    assert line.message == f"engine_jobs.Moving (job {job.job_id}) failed, and goes on nevertheless"
    assert line.exc_info[0] is ZeroDivisionError


def test_a_worker_without_an_adapter_sends_retries_where_they_came_from(client, work):
    with configure(adapter=RqAdapter(client, timeout=60)):
        moving, waiting = Moving.perform_later(1), Fragile.perform_later(1)
    assert work() == ["attempt 1 in default", "attempt 1"]

    assert found(client, f"{moving.job_id}-2").timeout == 60
    assert found(client, waiting.job_id).is_scheduled
    assert work("low") == ["attempt 2 in low"]


def test_a_worker_without_a_store_fails_a_unique_job_and_says_why(client, work):
    with configure(adapter=RqAdapter(client), store=RedisStore(client)):
        sync, limited = Sync.perform_later(7), Import.perform_later("acme", "x")
    assert work() == []

    for job in (sync, limited):
        assert found(client, job.job_id).is_failed
        assert "NoStoreError: No store is configured" in (
            found(client, job.job_id).latest_result().exc_string
        )


@pytest.mark.usefixtures("configured")
def test_a_payload_of_another_layout_is_a_failed_job_with_its_payload(client, work):
    queue = rq.Queue("default", connection=client)
    job = queue.enqueue("pytest_jobs.integrations.rq_worker.perform", {"format": 9})

    assert work() == []
    assert found(client, job.id).is_failed
    assert found(client, job.id).args == ({"format": 9},)
