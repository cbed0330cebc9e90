"""What the task of Celery does with a payload, in this process."""

import json

import celery
import engine_jobs
import pytest
from engine_jobs import Broken, Fragile, Import, Say

from pytest_jobs import CeleryAdapter, MemoryStore, configure
from pytest_jobs.core.foundation.settings import settings


class Told(list):
    """What jobs tell, in the place of redis."""

    def rpush(self, name, raw):
        self.append(json.loads(raw)["said"])


@pytest.fixture
def told(monkeypatch):
    told = Told()
    monkeypatch.setattr(engine_jobs, "redis", told)
    return told


@pytest.fixture
def app():
    return celery.Celery("engine", broker="memory://", set_as_current=False)


@pytest.fixture
def configured(app):
    with configure(adapter=CeleryAdapter(app), store=MemoryStore()):
        yield


@pytest.fixture
def perform(app):
    """Perform the payload of a job as a worker does."""

    def perform(job):
        data = json.loads(json.dumps(job.payload.to_dict()))
        return app.tasks["pytest_jobs.perform"].apply(args=(data,), task_id=job.job_id)

    return perform


@pytest.fixture
def sent(monkeypatch):
    """What is published, as the options of each message."""
    published = []

    def publish(producer, name, message, **options):
        published.append({**message.headers, **options, "body": message.body})

    monkeypatch.setattr("celery.app.amqp.AMQP.send_task_message", property(lambda _: publish))
    return published


@pytest.mark.usefixtures("configured", "sent")
def test_what_a_delivery_came_to_is_its_result(told, perform):
    performed = perform(Say.perform_later("hello"))
    discarded = perform(Fragile.perform_later(1, gone=True))

    assert [(each.state, each.result) for each in (performed, discarded)] == [
        ("SUCCESS", "performed"),
        ("SUCCESS", "discarded"),
    ]
    assert told == ["hello", "attempt 1"]


@pytest.mark.usefixtures("configured", "sent", "told")
def test_an_error_that_no_rule_knows_is_a_failure(perform):
    result = perform(Broken.perform_later())

    assert (result.state, repr(result.result)) == ("FAILURE", "ValueError('no rule knows this')")


@pytest.mark.usefixtures("configured", "told")
def test_a_retry_is_a_message_with_the_same_id_and_no_success(perform, sent):
    job = Fragile.perform_later(1)
    result = perform(job)

    first, second = sent
    assert (result.state, type(result.result.exc)) == ("RETRY", engine_jobs.Flaky)
    assert (first["id"], second["id"]) == (job.job_id, job.job_id)
    assert second["body"][0][0]["attempt"] == 2
    assert second["eta"] is not None


@pytest.mark.usefixtures("configured", "told")
def test_a_job_that_finds_no_place_is_put_off_and_no_success(perform, sent):
    first, second = (Import.perform_later("acme", each) for each in "ab")
    due_ns = second.payload.due_ns
    second.payload.due_ns = None
    result = perform(second)

    assert result.state == "RETRY"
    assert due_ns > first.payload.enqueued_ns
    (payload,) = sent[2]["body"][0]
    assert (payload["job_id"], payload["attempt"], payload["due_ns"]) == (second.job_id, 1, due_ns)


def test_a_worker_without_an_adapter_sends_retries_to_its_application(app, perform, sent, told):
    with configure(adapter=CeleryAdapter(app)):
        job = Fragile.perform_later(1)
    perform(job)

    assert told == ["attempt 1"]
    assert [message["id"] for message in sent] == [job.job_id] * 2
    assert not settings.has_adapter
