"""Every way to enqueue a job with RQ is recorded, and nothing connects."""

import sys
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pytest
import rq_tasks
from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer
from rq_tasks import greet, queue, receipt

from pytest_jobs import assert_enqueued
from pytest_jobs.errors import BridgeError


def the_only(jobs):
    (record,) = jobs.enqueued
    return record


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    "enqueue",
    [
        lambda: queue.enqueue(greet, "Ann", greeting="Hi"),
        lambda: queue.enqueue("rq_tasks.greet", "Ann", greeting="Hi"),
        lambda: queue.enqueue_call(greet, args=("Ann",), kwargs={"greeting": "Hi"}),
        lambda: queue.enqueue_job(
            Job.create(greet, ("Ann",), {"greeting": "Hi"}, connection=rq_tasks.redis)
        ),
        lambda: queue.enqueue_many([Queue.prepare_data(greet, ("Ann",), {"greeting": "Hi"})]),
        lambda: Queue("mail", connection=rq_tasks.redis, is_async=False).enqueue(
            greet, "Ann", greeting="Hi"
        ),
        lambda: Queue("mail", connection=rq_tasks.redis, serializer=JSONSerializer).enqueue(
            greet, "Ann", greeting="Hi"
        ),
        lambda: Queue("mail", connection=Redis.from_url("redis://127.0.0.1:1/3")).enqueue(
            greet, "Ann", greeting="Hi"
        ),
    ],
)
def test_what_is_enqueued_is_recorded_and_performed(jobs, enqueue):
    enqueue()

    record = the_only(jobs)
    assert (record.job, record.name, record.queue) == (greet, "rq_tasks.greet", "mail")
    assert (record.args, record.kwargs, record.due_at) == (("Ann",), {"greeting": "Hi"}, None)
    jobs.drain()
    assert [delivery.result for delivery in jobs.performed] == ["Hi, Ann!"]


@pytest.mark.parametrize(
    "enqueue",
    [
        lambda: queue.enqueue_in(MINUTE, greet, "Ann"),
        lambda: queue.enqueue_at(datetime.now(UTC) + MINUTE, greet, "Ann"),
        lambda: queue.enqueue_at(datetime.now() + MINUTE, greet, "Ann"),  # noqa: DTZ005 - local
        lambda: queue.schedule_job(queue.create_job(greet, ("Ann",)), datetime.now(UTC) + MINUTE),
    ],
)
def test_a_job_for_later_is_due_then(jobs, enqueue):
    enqueue()

    assert the_only(jobs).wait == MINUTE
    assert jobs.perform_due().total == 0
    jobs.drain()
    assert len(jobs.performed) == 1


def test_a_job_under_the_decorator_has_what_that_says(jobs):
    receipt.delay(7)
    receipt.enqueue(8)

    assert [(record.job, record.queue) for record in jobs.enqueued] == [(receipt, "receipts")] * 2


def test_options_are_recorded_and_the_front_of_a_queue_goes_first(jobs):
    queue.enqueue(greet, "Bob")
    queue.enqueue(greet, "Ann", meta={"tenant": "a"}, at_front=True, ttl=60, job_id="the-first")

    record = jobs.enqueued[1]
    assert (record.headers, record.priority, record.job_id) == ({"tenant": "a"}, -1, "the-first")
    assert record.expires_at == record.enqueued_at + MINUTE
    jobs.drain()
    assert [delivery.record.args for delivery in jobs.performed] == [("Ann",), ("Bob",)]


def test_a_method_is_a_job_with_its_object(jobs):
    queue.enqueue(rq_tasks.Mailer("shop").send, "Ann")

    record = the_only(jobs)
    assert (record.name, record.job) == ("rq_tasks.Mailer.send", rq_tasks.Mailer.send)
    assert record.params == {"name": "Ann"}
    jobs.drain()
    assert jobs.performed[0].result == "shop to Ann"


def test_a_class_method_is_a_job_of_the_class_that_it_was_taken_from(jobs):
    queue.enqueue(rq_tasks.Charge.handle, 1)
    queue.enqueue(rq_tasks.Runner.handle, number=2)

    assert [(record.name, record.job, record.params) for record in jobs.enqueued] == [
        ("rq_tasks.Charge.handle", rq_tasks.Charge.handle, {"number": 1}),
        ("rq_tasks.Runner.handle", rq_tasks.Runner.handle, {"number": 2}),
    ]
    assert_enqueued(rq_tasks.Charge.handle, params={"number": 1})
    jobs.drain()
    assert [each.result for each in jobs.performed] == [("Charge", 1), ("Runner", 2)]


def test_threads_that_are_the_first_to_enqueue_share_a_server(jobs):
    begin = Barrier(8)

    def enqueue(number):
        begin.wait()
        queue.enqueue(greet, number)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [Thread(target=enqueue, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)

    assert sorted(record.args[0] for record in jobs.enqueued) == list(range(8))
    assert len(queue) == 8


@pytest.mark.parametrize("executes", [True, False])
@pytest.mark.parametrize("client", ["ours", "real"])
def test_a_pipeline_enqueues_when_it_is_executed(jobs, client, executes):
    clients = {"ours": lambda: queue.connection, "real": lambda: rq_tasks.redis}
    with clients[client]().pipeline() as pipeline:
        queue.enqueue(greet, "Ann", pipeline=pipeline)
        queue.enqueue_many([Queue.prepare_data(greet, ("Bob",))], pipeline=pipeline)
        queue.enqueue_in(MINUTE, greet, "Cid", pipeline=pipeline)
        assert len(jobs.enqueued) == 0
        if executes:
            pipeline.execute()
    assert [record.args for record in jobs.enqueued] == [("Ann",), ("Bob",), ("Cid",)] * executes

    with clients[client]().pipeline() as pipeline:
        queue.enqueue(greet, "Dan", pipeline=pipeline)
        pipeline.execute()
    assert jobs.enqueued[-1].args == ("Dan",)
    assert len(jobs.enqueued) == 1 + 3 * executes


def test_a_second_job_of_an_id_is_refused_by_rq(jobs):
    queue.enqueue(greet, "Ann", job_id="once", unique=True)

    with pytest.raises(DuplicateJobError):
        queue.enqueue(greet, "Ann", job_id="once", unique=True)
    assert len(jobs.enqueued) == 1


def test_the_project_finds_its_jobs_where_it_looks(jobs):
    made = queue.enqueue(greet, "Ann")
    later = queue.enqueue_in(MINUTE, greet, "Bob")

    assert Job.fetch(made.id, connection=rq_tasks.redis).args == ("Ann",)
    assert [each.id for each in Job.fetch_many([made.id], rq_tasks.redis)] == [made.id]
    assert Job.exists(made.id, rq_tasks.redis)
    assert (len(queue), queue.job_ids) == (1, [made.id])
    assert Queue.all(rq_tasks.redis) == [queue]
    assert ScheduledJobRegistry(queue=queue).get_job_ids() == [later.id]
    queue.compact()
    assert (len(jobs.enqueued), len(jobs.pending)) == (2, 2)


def test_code_that_asks_for_the_address_of_a_queue_gets_that_of_its_settings(jobs):
    production = Redis(host="redis.example.org", db=3, password="secret")
    mail = Queue("mail", connection=production)
    mail.enqueue(greet, "Ann")
    jobs.drain()

    shown = mail.connection.connection_pool.connection_kwargs

    assert shown == production.connection_pool.connection_kwargs
    assert len(jobs.performed) == 1


@pytest.mark.parametrize(
    "withdraw",
    [
        lambda job: job.cancel(),
        lambda job: job.delete(),
        lambda job: queue.remove(job.id),
        lambda job: queue.empty(),
    ],
)
def test_a_job_that_is_withdrawn_is_not_performed(jobs, withdraw):
    withdraw(queue.enqueue(greet, "Ann"))

    assert len(jobs.pending) == 0


def test_a_scheduled_job_that_is_enqueued_as_well_runs_twice_unless_it_was_moved(jobs):
    job = queue.enqueue_in(MINUTE, greet, "Ann")
    queue.enqueue_job(job)
    queue.scheduled_job_registry.remove(job)
    assert [record.due_at for record in jobs.pending] == [None]

    queue.enqueue_job(queue.enqueue_in(MINUTE, greet, "Bob"))
    assert jobs.drain() == {"performed": 3}


def test_an_id_that_is_enqueued_again_runs_twice_and_one_that_is_scheduled_again_once_later(jobs):
    queue.enqueue(greet, "Ann", job_id="order-1")
    queue.enqueue(greet, "Bob", job_id="order-1")

    assert [record.args for record in jobs.enqueued] == [("Ann",), ("Bob",)]
    jobs.drain()
    assert [each.result for each in jobs.performed] == ["Hello, Bob!", "Hello, Bob!"]
    assert [each.record.args for each in jobs.performed] == [("Bob",), ("Bob",)]

    queue.enqueue_in(MINUTE, greet, "Ann", job_id="order-2")
    queue.enqueue_in(2 * MINUTE, greet, "Bob", job_id="order-2")
    assert [(record.args, record.wait) for record in jobs.pending] == [(("Bob",), 2 * MINUTE)]


def test_what_the_project_changes_in_a_job_that_waits_is_in_the_job_that_runs(jobs):
    job = queue.enqueue(rq_tasks.tells_its_tenant)
    job.meta["tenant"] = "a"
    job.save_meta()

    jobs.drain()

    assert jobs.performed[0].result == "a"


@pytest.mark.parametrize(
    "put",
    [
        lambda job: queue.push_job_id(job.id),
        lambda job: queue.connection.rpush(queue.key, job.id),
        lambda job: Redis(connection_pool=queue.connection.connection_pool).lpush(
            "rq:queue:letters", job.id
        ),
        lambda job: queue.scheduled_job_registry.schedule(job, datetime.now(UTC) + MINUTE),
    ],
)
def test_a_job_is_recorded_whatever_command_puts_it_there(jobs, put):
    job = queue.create_job(greet, ("Ann",))
    job.save()

    put(job)

    assert the_only(jobs).args == ("Ann",)
    jobs.drain()
    assert jobs.performed[0].result == "Hello, Ann!"


def test_an_id_that_comes_before_its_job_is_recorded_with_the_job(jobs):
    job = queue.create_job(greet, ("Ann",))
    queue.push_job_id(job.id)
    assert len(jobs.enqueued) == 0

    job.save()

    assert the_only(jobs).args == ("Ann",)


def test_a_function_that_was_never_enqueued_is_known_in_assertions_alone(jobs, bridge):
    from pytest_jobs.assertions.asserts import AssertEnqueued, AssertNotEnqueued

    AssertNotEnqueued(lambda: jobs)(rq_tasks.never_enqueued)
    AssertNotEnqueued(lambda: jobs)("rq_tasks.never_enqueued")
    with pytest.raises(AssertionError):
        AssertEnqueued(lambda: jobs)(rq_tasks.never_enqueued)
    assert bridge.identify(rq_tasks.never_enqueued) is None
    assert bridge.identify(receipt) == "rq_tasks.receipt"


def test_a_worker_of_the_project_does_not_work_under_the_harness(jobs):
    from rq import SimpleWorker

    with pytest.raises(BridgeError, match=r"SimpleWorker\.work\(\) was called .* jobs\.drain\(\)"):
        SimpleWorker([queue], connection=queue.connection).work(burst=True)
