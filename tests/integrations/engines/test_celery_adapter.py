"""What the adapter of Celery does with jobs, and what it refuses."""

import datetime as dt
import importlib
import sys

import celery
import pytest
from engine_jobs import Replaced, Say, Sync

import pytest_jobs
from pytest_jobs import CeleryAdapter, MemoryStore, configure
from pytest_jobs.errors import (
    DeclarationError,
    EnqueueError,
    NoAdapterError,
    StoreError,
    UnknownVersionError,
    WaitError,
)

SECOND = 1_000_000_000
NOWHERE = "redis://127.0.0.1:1/0"


def make_app(broker, **settings):
    app = celery.Celery("engine", broker=broker, backend=None, set_as_current=False)
    app.conf.update(settings)
    return app


@pytest.fixture
def sent(monkeypatch):
    """What is published, as the options of each message."""
    published = []

    def publish(producer, name, message, **options):
        published.append({**message.headers, **options, "body": message.body})

    # The module that an application will find: runs inside a test may have imported another meanwhile.
    amqp = importlib.import_module("celery.app.amqp")
    monkeypatch.setattr(amqp.AMQP, "send_task_message", property(lambda _: publish))
    return published


@pytest.fixture
def app():
    return make_app("memory://")


@pytest.fixture
def configured(app):
    with configure(adapter=CeleryAdapter(app), store=MemoryStore()):
        yield


@pytest.mark.usefixtures("configured")
def test_a_message_says_what_it_is_and_carries_the_payload(sent):
    job = Say.perform_later("hello")

    (message,) = sent
    assert (message["id"], message["task"]) == (job.job_id, "pytest_jobs.perform")
    assert (message["shadow"], message["eta"]) == ("engine_jobs.Say", None)
    assert message["body"][0] == (job.payload.to_dict(),)


@pytest.mark.usefixtures("configured")
def test_the_default_queue_of_the_core_is_that_of_the_application(sent, app):
    app.conf.task_default_queue = "shop"
    Say.perform_later("x")
    Say.set(queue="mail").perform_later("x")

    assert [message["queue"].name for message in sent] == ["shop", "mail"]


def test_its_task_survives_its_worker_whatever_the_application_says():
    app = make_app(
        "memory://",
        task_acks_late=False,
        task_acks_on_failure_or_timeout=False,
        task_reject_on_worker_lost=False,
        task_serializer="pickle",
    )
    CeleryAdapter(app)
    task = app.tasks["pytest_jobs.perform"]

    assert task.acks_late
    assert task.acks_on_failure_or_timeout
    assert task.reject_on_worker_lost
    assert (task.retry_on_worker_lost, task.max_retries, task.default_retry_delay) == (True, 10, 0)
    assert task.serializer == "json"


def test_timeout_is_what_celery_ends_each_job_after(app, sent):
    with configure(adapter=CeleryAdapter(app, timeout=dt.timedelta(seconds=90))):
        Say.perform_later("x")

    assert sent[0]["timelimit"] == [None, 90]


def test_a_timeout_that_is_none_is_refused(app):
    with pytest.raises(WaitError):
        CeleryAdapter(app, timeout=-1)


def eta_of(message):
    return dt.datetime.fromisoformat(message["eta"])


@pytest.mark.usefixtures("configured")
def test_a_scheduled_job_is_due_at_its_time_and_never_before(sent):
    job = Say.set(wait=90).perform_later("later")

    early = eta_of(sent[0]) - dt.datetime.fromtimestamp(0, dt.UTC)
    assert 0 <= early // dt.timedelta(microseconds=1) * 1_000 - job.payload.due_ns < 1_000


@pytest.mark.parametrize(("timeout", "held"), [(None, 900), (600, 300), (86_400, 900)])
def test_no_worker_holds_a_message_longer_than_the_broker_lets_it(sent, timeout, held):
    options = {} if timeout is None else {"visibility_timeout": timeout}
    app = make_app("memory://", broker_transport_options=options)
    with configure(adapter=CeleryAdapter(app)):
        job = Say.set(wait=dt.timedelta(days=3)).perform_later("later")

    wait = eta_of(sent[0]).timestamp() - job.payload.enqueued_ns / SECOND
    assert held <= wait < held + 60


@pytest.mark.usefixtures("configured")
def test_what_a_worker_sees_before_it_is_due_is_sent_again(sent, app):
    job = Say.set(wait=dt.timedelta(days=3)).perform_later("later")
    app.tasks["pytest_jobs.perform"].apply(args=(job.payload.to_dict(),), task_id=job.job_id)

    assert [message["id"] for message in sent] == [job.job_id] * 2
    assert sent[0]["body"][0] == sent[1]["body"][0]


@pytest.mark.parametrize(
    ("broker", "sent_as"),
    [(NOWHERE, [0, 3, 9]), ("amqp://127.0.0.1:1//", [9, 6, 0])],
    ids=["redis", "rabbitmq"],
)
def test_the_lowest_priority_goes_first_on_every_broker(sent, broker, sent_as):
    with configure(adapter=CeleryAdapter(make_app(broker))):
        for priority in (0, 3, 9):
            Say.set(priority=priority).perform_later("x")

    assert [message["priority"] for message in sent] == sent_as


@pytest.mark.parametrize("priority", [-1, 10])
def test_a_priority_that_celery_does_not_have_is_refused(sent, priority):
    with (
        configure(adapter=CeleryAdapter(make_app(NOWHERE))),
        pytest.raises(DeclarationError) as caught,
    ):
        Say.set(priority=priority).perform_later("x")

    assert str(caught.value) == (
        f"engine_jobs.Say has the priority {priority}, and Celery has those from 0, which goes first, to 9."
    )
    assert sent == []


@pytest.mark.usefixtures("configured")
def test_a_priority_on_a_broker_without_any_is_refused(sent):
    with pytest.raises(DeclarationError) as caught:
        Say.set(priority=5).perform_later("x")

    assert str(caught.value) == (
        "engine_jobs.Say has the priority 5, and the transport 'memory' of Celery has none: give jobs that may "
        "wait a queue of their own."
    )
    assert sent == []


@pytest.mark.parametrize("ignored", [False, True])
def test_results_are_stored_if_the_application_stores_them_and_nobody_waits_for_one(sent, ignored):
    app = make_app("memory://", result_backend=NOWHERE, task_ignore_result=ignored)
    with configure(adapter=CeleryAdapter(app)):
        Say.perform_later("x")

    assert sent[0]["headers"] == {"ignore_result": ignored}


def test_an_eager_application_is_refused(sent):
    app = make_app("memory://", task_always_eager=True)
    with configure(adapter=CeleryAdapter(app)), pytest.raises(DeclarationError) as caught:
        Say.perform_later("x")

    assert str(caught.value) == (
        "<CeleryAdapter engine> sends messages, and task_always_eager has its application send none: in a test "
        "ask for the `jobs` fixture instead, and elsewhere configure an `InlineAdapter`."
    )


@pytest.fixture(params=[None, NOWHERE], ids=["no backend", "redis"])
def down(request):
    """An application whose broker does not answer."""
    at_once = {"max_retries": 1, "interval_start": 0}
    return make_app(
        NOWHERE,
        task_publish_retry=False,
        broker_transport_options=at_once,
        result_backend=request.param,
    )


def test_a_broker_that_is_down_is_an_error_that_the_job_keeps_and_the_lock_is_given_back(down):
    store = MemoryStore()
    with configure(adapter=CeleryAdapter(down), store=store):
        job = Sync.perform_later(7)

    assert not job.enqueued
    assert isinstance(job.enqueue_error, EnqueueError)
    assert str(job.enqueue_error).startswith(
        f"Could not enqueue engine_jobs.Sync (job {job.job_id}) on Celery: the broker answers with "
        "OperationalError: "
    )
    assert store.held(0) == ()


def test_a_broker_that_is_down_is_an_error_of_who_replaces_a_job(app, down, sent):
    store = MemoryStore()
    with configure(adapter=CeleryAdapter(app), store=store):
        first = Replaced.perform_later(7, "old")
    with configure(adapter=CeleryAdapter(down), store=store), pytest.raises(StoreError) as caught:
        Replaced.perform_later(7, "new")

    assert str(caught.value).startswith(
        f"Could not take job {first.job_id} back: the broker answers with OperationalError: "
    )
    assert len(sent) == 1


def test_a_version_without_a_seam_is_refused(monkeypatch, app):
    monkeypatch.setattr(celery, "__version__", "5.8.0")
    monkeypatch.delattr("celery.app.control.Control.revoke")
    with pytest.raises(UnknownVersionError) as caught:
        CeleryAdapter(app)

    assert str(caught.value).startswith("celery 5.8.0 has no celery.app.control.Control.revoke, ")


def test_without_celery_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(NoAdapterError) as caught:
        pytest_jobs.CeleryAdapter(None)

    assert str(caught.value) == (
        'CeleryAdapter needs Celery, which is not installed: pip install "pytest-jobs[celery]".'
    )


@pytest.mark.parametrize("given", ["shop", None, celery.Celery], ids=["text", "none", "the class"])
def test_what_is_no_application_is_refused(given):
    with pytest.raises(DeclarationError) as caught:
        CeleryAdapter(given)

    assert str(caught.value) == (
        f"CeleryAdapter({given!r}) is given no application of Celery: write CeleryAdapter(app), with "
        "app = Celery('shop', broker=...)."
    )
