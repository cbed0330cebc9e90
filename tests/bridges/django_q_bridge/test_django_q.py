"""Tasks of Django-Q2 are recorded, whatever the broker, and go through the worker and the monitor of a cluster."""

from threading import Thread

import pytest

pytest.importorskip("django_q")

import q_tasks
from django_project import configure
from q_tasks import fails, greet

from pytest_jobs.errors import DeserializationError, UnknownJobError

configure()


def async_task(*args, **kwargs):
    from django_q import tasks

    return tasks.async_task(*args, **kwargs)


def in_an_object():
    from django_q.tasks import AsyncTask

    AsyncTask(greet, "Ann", greeting="Hi").run()


def in_a_thread():
    thread = Thread(target=async_task, args=(greet, "Ann"), kwargs={"greeting": "Hi"})
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    "enqueue",
    [
        lambda: async_task(greet, "Ann", greeting="Hi"),
        lambda: async_task("q_tasks.greet", "Ann", greeting="Hi"),
        lambda: async_task(greet, "Ann", greeting="Hi", sync=True),
        lambda: async_task(greet, "Ann", greeting="Hi", q_options={"group": "all"}),
        in_an_object,
        in_a_thread,
    ],
)
def test_what_is_enqueued_is_recorded_and_performed(jobs, enqueue):
    enqueue()

    (record,) = jobs.enqueued
    assert (record.job, record.name, record.queue) == (greet, "q_tasks.greet", "default")
    assert (record.args, record.kwargs) == (("Ann",), {"greeting": "Hi"})
    jobs.drain()
    assert [delivery.result for delivery in jobs.performed] == ["Hi, Ann!"]


def test_the_id_is_that_of_the_task_and_the_queue_the_cluster_or_the_broker(jobs):
    from django_q.brokers import Broker

    class Own(Broker):
        def enqueue(self, task):
            raise ConnectionError

    task_id = async_task(greet, "Ann", cluster="mail")
    async_task(greet, "Ann", broker=Own("own"))

    assert task_id == jobs.enqueued[0].job_id
    assert [record.queue for record in jobs.enqueued] == ["mail", "own"]


@pytest.mark.parametrize(
    ("options", "cluster"), [({}, "default"), ({"cluster": "mail"}, "mail"), ({"sync": True}, None)]
)
def test_a_saved_task_has_the_cluster_that_took_it(jobs, tables, options, cluster):
    from django_q.models import Task

    async_task(greet, "Ann", **options)
    jobs.drain()

    assert Task.objects.get().cluster == cluster


def test_a_task_at_once_is_saved_as_without_a_harness(tables):
    from django_q.models import Task

    async_task(greet, "Ann", sync=True)

    assert Task.objects.get().cluster is None


def test_a_chain_enqueues_one_task_after_the_other(jobs, tables):
    from django_q.tasks import async_chain

    async_chain([(greet, ("Ann",)), (greet, ("Bob",))])
    assert len(jobs.enqueued) == 1

    jobs.drain()

    first, second = jobs.enqueued
    assert (second.args, second.parent) == (("Bob",), first.sequence)


def test_the_result_and_the_hook_are_where_the_project_looks(jobs, tables):
    from django_q.tasks import fetch, result

    task_id = async_task(greet, "Ann", hook="q_tasks.hooked")

    jobs.drain()

    assert result(task_id) == "Hello, Ann!"
    assert fetch(task_id).func == "q_tasks.greet"
    assert q_tasks.HOOKED.pop() == "Hello, Ann!"


def test_a_task_that_fails_raises_its_error_and_is_saved_as_a_failure(jobs, tables):
    from django_q.models import Failure

    async_task(fails)

    with pytest.raises(ValueError, match="no such customer"):
        jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["failed"]
    assert Failure.objects.get().func == "q_tasks.fails"


def test_a_sleep_that_passes_the_timeout_ends_the_task_at_that_moment(jobs, tables):
    from django_q.exceptions import TimeoutException
    from django_q.models import Failure

    async_task(q_tasks.waits, 9, timeout=10)
    jobs.drain()
    assert jobs.performed[0].result == 9

    async_task(q_tasks.waits, 3600, timeout=10)
    begin = jobs.clock.freeze()
    with pytest.raises(TimeoutException, match="maximum timeout value \\(10 seconds\\)"):
        jobs.drain()

    assert (jobs.clock.now() - begin).total_seconds() == 10
    assert [delivery.status for delivery in jobs.deliveries] == ["performed", "failed"]
    assert "maximum timeout value" in Failure.objects.get().result
    jobs.drain()


@pytest.mark.parametrize(
    ("function", "args", "error"),
    [
        (q_tasks.greets_later, ("Ann",), "cannot pickle 'coroutine' object"),
        (q_tasks.returns_a_lock, (), r"cannot pickle '_thread\.lock' object"),
        (q_tasks.returns_what_cannot_be_read, (), "invalid literal for int"),
        (q_tasks.spoils, ([],), r"cannot pickle '_thread\.lock' object"),
    ],
)
def test_what_cannot_be_pickled_never_comes_to_the_monitor(jobs, tables, function, args, error):
    from django_q.models import Task
    from django_q.tasks import async_chain

    async_chain([(function, args), (greet, ("Ann",))])

    with pytest.raises((TypeError, ValueError), match=error):
        jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["failed"]
    assert len(jobs.enqueued) == 1
    assert not Task.objects.filter(id=jobs.enqueued[0].job_id).exists()


def test_a_coroutine_function_and_one_that_no_worker_finds_fail_and_say_what_to_enqueue(jobs):
    async_task(q_tasks.greets_later, "Ann")

    with pytest.raises(TypeError) as caught:
        jobs.drain()

    (note,) = caught.value.__notes__
    assert note == (
        "The body of greets_later('Ann') never ran: its function returned a coroutine that nobody awaits: "
        "django_q calls it as a plain function, in a worker too. Write `def`, and begin inside what has to run, "
        "as in `asyncio.run(...)`."
    )
    async_task("nowhere.at_all")
    with pytest.raises(UnknownJobError) as unknown:
        jobs.drain()
    assert str(unknown.value) == (
        "A worker of Django-Q2 imports the function from 'nowhere.at_all' and cannot. Enqueue a function at the "
        "top of a module, or its full path."
    )


def test_a_package_that_was_changed_is_not_read(jobs):
    async_task(greet, "Ann")
    record = jobs.pending[0]
    record.envelope.pack = "changed"

    error = jobs.perform(record).error

    assert isinstance(error, DeserializationError)
    assert "the cluster drops it" in str(error)


class Killed(BaseException):
    """What ends a process."""


def test_a_task_whose_worker_was_killed_is_delivered_again(jobs):
    async_task(greet, "Ann")
    jobs.fail(greet, raising=Killed(), times=1)

    with pytest.raises(Killed):
        jobs.drain()

    jobs.drain()
    assert [delivery.result for delivery in jobs.deliveries] == ["Hello, Ann!"]


def test_the_broker_of_redis_forgets_what_it_hands_over_and_another_keeps_it(bridge, monkeypatch):
    from django_q.conf import Conf

    semantics = bridge.delivery_semantics(greet)
    assert (semantics.acknowledged, semantics.redelivered_on_kill) == ("before", False)

    monkeypatch.setattr(Conf, "ORM", "default")
    for acknowledges_failures in (True, False):
        monkeypatch.setattr(Conf, "ACK_FAILURES", acknowledges_failures)
        semantics = bridge.delivery_semantics(greet)

        assert semantics.acknowledged == "after"
        assert semantics.redelivered_on_kill
        assert semantics.redelivered_on_raise is not acknowledges_failures


def test_tasks_are_performed_at_once_again_without_a_harness(bridge):
    from django_q import tasks

    from pytest_jobs.harness.jobs import Jobs

    genuine = tasks._sync
    with Jobs([bridge]):
        assert tasks._sync is not genuine

    assert tasks._sync is genuine
