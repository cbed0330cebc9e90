"""A library that pytest-jobs cannot capture is refused while a harness is open: with each library itself."""

import asyncio
import contextlib

import pytest
from unbridged import WakaQ, without_bridge

from pytest_jobs import assert_not_enqueued, assert_not_performed, open_jobs
from pytest_jobs.bridges.libraries.known import LIBRARIES
from pytest_jobs.errors import RefusedEnqueueError


def work(number):
    """Do nothing."""


def streaq():
    worker = pytest.importorskip("streaq").Worker(redis_url="redis://localhost:1")

    @worker.task
    async def send(number: int):
        """Do nothing."""

    async def enqueue():
        await send.enqueue(7)

    asyncio.run(enqueue())


def pgqueuer():
    queries = pytest.importorskip("pgqueuer.queries")

    async def send():
        # Those of no connection.
        await queries.Queries.__new__(queries.Queries).enqueue("work", b"7")

    asyncio.run(send())


def chancy():
    chancy = pytest.importorskip("chancy")

    async def send():
        job = chancy.job()(work).job
        await chancy.Chancy("postgresql://localhost:1/mail").push(job.with_kwargs(number=7))

    asyncio.run(send())


def spinach():
    spinach = pytest.importorskip("spinach")
    engine = spinach.Engine(spinach.MemoryBroker())
    engine.task(name="work")(work)
    engine.schedule("work", 7)


def wakaq():
    wakaq = pytest.importorskip("wakaq")
    queue = wakaq.WakaQ(queues=[wakaq.Queue("mail", priority=1)], host="localhost", port=1)
    queue.task(work).delay(7)


def tasktiger():
    tasktiger, redis = pytest.importorskip("tasktiger"), pytest.importorskip("redis")
    connection = redis.Redis(port=1, decode_responses=True)
    tasktiger.TaskTiger(connection=connection, setup_structlog=False).delay(work, args=(7,))


def dbos():
    # Of no database.
    client = pytest.importorskip("dbos").DBOSClient
    client.__new__(client).enqueue({"workflow_name": "work", "queue_name": "mail"}, 7)


def dbos_workflow():
    # Of no instance.
    pytest.importorskip("dbos").DBOS.start_workflow(work, 7)


def dbos_workflow_later():
    asyncio.run(pytest.importorskip("dbos").DBOS.start_workflow_async(work, 7))


def hatchet():
    admin = pytest.importorskip("hatchet_sdk.clients.admin").AdminClient
    admin.__new__(admin).run_workflow("work", {})


def inngest():
    inngest = pytest.importorskip("inngest")
    inngest.Inngest(app_id="mail", is_production=False).send_sync(inngest.Event(name="work"))


def repid():
    app = pytest.importorskip("repid").Repid()
    asyncio.run(app.send_message(channel="mail", payload=b"7"))


def rearq():
    app = pytest.importorskip("rearq").ReArq()

    @app.task()
    async def send(number):
        """Do nothing."""

    asyncio.run(send.delay(7))


def configure_django():
    settings = pytest.importorskip("django.conf").settings
    if not settings.configured:
        settings.configure(
            SECRET_KEY="secret",
            INSTALLED_APPS=[
                "django.contrib.contenttypes",
                "django.contrib.auth",
                "background_task",
            ],
            Q_CLUSTER={"redis": {"port": 1}, "name": "mail", "timeout": 60, "retry": 120},
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            USE_TZ=True,
        )
        import django

        django.setup()


def django_background_tasks():
    pytest.importorskip("background_task")
    configure_django()
    from background_task import background

    background(schedule=3)(work)(7)


ENQUEUES = {
    streaq: "streaq",
    pgqueuer: "pgqueuer",
    chancy: "chancy",
    spinach: "spinach",
    wakaq: "wakaq",
    tasktiger: "tasktiger",
    dbos: "dbos",
    dbos_workflow: "dbos",
    dbos_workflow_later: "dbos",
    hatchet: "hatchet_sdk",
    inngest: "inngest",
    repid: "repid",
    rearq: "rearq",
    django_background_tasks: "background_task",
}


@pytest.mark.parametrize("enqueue", ENQUEUES, ids=lambda enqueue: enqueue.__name__)
def test_an_enqueue_is_refused_with_the_way_out(enqueue):
    library = LIBRARIES[ENQUEUES[enqueue]]

    with open_jobs(), pytest.raises(RefusedEnqueueError) as refused:
        enqueue()

    text = str(refused.value)
    assert " was refused: the job would go to the real queue, where no assertion sees it. " in text
    assert (
        f" pytest-jobs has no bridge to {library.title}. Replace the call in this test, or " in text
    )
    assert text.endswith(
        f"or say jobs_ignore = {library.name} to let {library.title} through unseen."
    )


def test_every_library_without_a_bridge_is_refused_in_a_test():
    without = {name for name, library in LIBRARIES.items() if not library.is_bridged}

    assert set(ENQUEUES.values()) == without


def test_the_fourth_apscheduler_is_refused_by_its_version():
    """Another library by the same name; its first versions are out."""
    apscheduler = pytest.importorskip("apscheduler")
    if not hasattr(apscheduler, "AsyncScheduler"):
        pytest.skip("of APScheduler 4")

    with open_jobs(), pytest.raises(RefusedEnqueueError) as refused:
        asyncio.run(apscheduler.AsyncScheduler().add_job(work, args=(7,)))

    assert " pytest-jobs needs apscheduler<4,>=3.8, and 4." in str(refused.value)


def test_nothing_can_be_claimed_after_an_enqueue_was_refused():
    """The application may have caught the error, so that the test would not know."""
    with without_bridge() as queue, open_jobs() as jobs:
        with contextlib.suppress(RefusedEnqueueError):
            queue._enqueue_at_end("work", 7)

        for claim in (assert_not_enqueued, assert_not_performed, jobs.drain, jobs.perform_due):
            with pytest.raises(
                RefusedEnqueueError,
                match=r"but an enqueue was refused before\. WakaQ\._enqueue_at_end\(",
            ):
                claim()


@pytest.mark.parametrize("ignore", [(), ("wakaq",)], ids=["no harness", "ignored"])
def test_a_library_is_let_through_where_nobody_captures(ignore):
    """The redis at port 1 cannot be reached: the library itself says so."""
    harness = open_jobs(ignore=ignore) if ignore else contextlib.nullcontext()

    with without_bridge() as queue, harness, pytest.raises(ConnectionError):
        queue._enqueue_at_end("work", 7)


def test_the_library_is_restored_after_the_harness():
    before = dict(vars(WakaQ))
    with without_bridge(), open_jobs():
        assert dict(vars(WakaQ)) != before

    assert dict(vars(WakaQ)) == before
