"""A public method of a library that puts a job into its store is recorded, also one that a new version brings.

Each public method is called twice, with arguments by the names of its parameters: without a harness, to find out
whether the store of the library has a job then, and with one.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, NamedTuple

import pytest

from pytest_jobs.harness.jobs import Jobs

# Most methods are called as nobody would call them.
pytestmark = pytest.mark.filterwarnings("ignore")


class World(NamedTuple):
    """An application with a store of its own."""

    objects: list[Any]
    #: Arguments, by the names of parameters; of `*args`, by a star and the name of the method.
    values: dict[str, Any]
    #: How many jobs wait in the real store.
    stored: Callable[[], int]


def work(number=1):
    """Do nothing."""


def rq_world():
    import fakeredis
    from rq import Queue

    real = fakeredis.FakeStrictRedis()
    queue = Queue("mail", connection=real)
    job = queue.create_job(work, (1,))
    job.save()
    queue.enqueue(work, depends_on=job)
    job.set_status("finished")
    soon = datetime.now(UTC) + timedelta(hours=1)
    values = {
        "connection": real,
        "datetime": soon,
        "f": work,
        "func": work,
        "job": job,
        "job_datas": [Queue.prepare_data(work)],
        "job_id": job.id,
        "job_ids": [job.id],
        "job_ids_by_queue_name": {"mail": [job.id]},
        "job_or_id": job,
        "queue": queue,
        "queue_key": queue.key,
        "queue_keys": [queue.key],
        "queues": [queue],
        "scheduled_datetime": soon,
        "time_delta": timedelta(hours=1),
        "timeout": None,
    }

    def stored():
        return real.llen("rq:queue:mail") + real.zcard("rq:scheduled:mail")

    return World([queue, job, queue.scheduled_job_registry], values, stored)


def saq_world():
    import fakeredis
    from saq import Job
    from saq.queue.redis import RedisQueue

    server = fakeredis.FakeServer()
    queue = RedisQueue(fakeredis.FakeAsyncRedis(server=server))
    look = fakeredis.FakeStrictRedis(server=server)
    values = {
        "error": "no",
        "iter_kwargs": [{"number": 1}],
        "job": Job("work", queue=queue, status="queued"),
        "job_key": "a",
        "job_keys": ["a"],
        "job_or_func": "work",
    }
    return World([queue], values, lambda: look.llen("saq:default:queued"))


def arq_world():
    import fakeredis
    from arq import ArqRedis

    server = fakeredis.FakeServer()
    client = ArqRedis(connection_pool=fakeredis.FakeAsyncRedis(server=server).connection_pool)
    look = fakeredis.FakeStrictRedis(server=server)
    return World([client], {"function": "work"}, lambda: look.zcard("arq:queue"))


def procrastinate_world():
    from procrastinate import App
    from procrastinate.jobs import Job
    from procrastinate.testing import InMemoryConnector

    connector = InMemoryConnector()
    app = App(connector=connector)
    task = app.task(work, name="work")
    job = Job(
        id=None,
        queue="default",
        lock=None,
        queueing_lock=None,
        task_name="work",
        task_kwargs={"timestamp": 0},
    )
    values = {"defer_timestamp": 0, "job": job, "jobs": [job], "periodic_id": ""}
    given = {"*batch_defer": ({"number": 1},), "*batch_defer_async": ({"number": 1},)}
    objects = [app.job_manager, task, task.configure(), app]
    return World(objects, {**values, **given}, lambda: len(connector.jobs))


def huey_world():
    from huey import MemoryHuey

    huey = MemoryHuey("shop")
    task = huey.task()(work)
    storage = vars(huey)["storage"]
    one = task.s(1)
    values = {"data": huey.serialize_task(one), "it": [(1,)], "task": one, "delay": 60}
    return World([huey, task], values, lambda: storage.queue_size() + storage.schedule_size())


def dramatiq_world():
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    broker = StubBroker()
    actor = dramatiq.actor(work, broker=broker)
    values = {"actor_name": "work", "message": actor.message(1), "queue_name": "default"}
    objects = [
        actor,
        broker,
        dramatiq.group([actor.message(1)], broker=broker),
        dramatiq.pipeline([actor.message(1)], broker=broker),
    ]
    return World(objects, values, lambda: sum(each.qsize() for each in broker.queues.values()))


def celery_world():
    from celery import Celery, chain, group
    from kombu.transport.memory import Channel

    Channel.queues.clear()
    app = Celery("shop", broker="memory://", set_as_current=False)
    # A task that is shared would be one of each application that later tests make.
    task = app.task(work, name="work", shared=False)
    values = {
        "callback": task.s(1),
        "errback": task.s(1),
        "it": [(1,)],
        "n": 1,
        "name": "work",
        "sig": task.s(1),
    }
    objects = [task, task.s(1), group([task.s(1), task.s(2)]), chain(task.si(1), task.si(2)), app]
    stored = lambda: sum(each.qsize() for each in Channel.queues.values())  # noqa: E731
    return World(objects, values, stored)


def taskiq_world():
    from taskiq import AsyncBroker, TaskiqMessage

    class Broker(AsyncBroker):
        sent = ()

        async def kick(self, message):
            self.sent = (*self.sent, message)

        async def listen(self):
            yield b""

    broker = Broker()
    task = broker.task("work")(work)
    sent = TaskiqMessage(task_id="1", task_name="work", labels={}, args=[1], kwargs={})
    values = {"message": broker.formatter.dumps(sent)}
    return World([task, task.kicker(), broker], values, lambda: len(broker.sent))


class Row(NamedTuple):
    """One library."""

    world: Callable[[], World]
    #: Methods that put a job into the store, among others.
    sends: set[str]
    #: Methods that are not called, with the reason.
    aside: dict[str, str]
    #: Parameters of methods that enqueue nothing, for which there is no value.
    lacks: set[str]


_RUNS = "runs a worker"
_WAITS = "waits for a worker"
LIBRARIES = {
    "rq": Row(
        rq_world,
        {
            *("enqueue", "enqueue_at", "enqueue_call", "enqueue_dependents", "enqueue_in"),
            *("enqueue_job", "enqueue_many", "push_job_id", "schedule", "schedule_job"),
        },
        {},
        {
            *("id", "default_ttl", "timestamp", "worker_name", "depends_on", "raw_data"),
            *("pipeline", "status", "entry", "ttl", "death_penalty_class", "result"),
        },
    ),
    "saq": Row(
        saq_world,
        {"apply", "enqueue", "map", "retry"},
        {},
        {
            *("kind", "payload", "status", "url", "job_id", "callback", "key", "worker_id"),
            *("queue_key", "info", "ttl"),
        },
    ),
    "arq": Row(arq_world, {"enqueue_job"}, {}, set()),
    "procrastinate": Row(
        procrastinate_world,
        {"batch_defer", "defer", "defer_async", "defer_job", "defer_periodic_job"},
        {"run_worker": _RUNS, "run_worker_async": _RUNS},
        {
            *("job_id", "nb_hours", "queues", "status", "delete_job", "on_notification"),
            *("seconds_since_heartbeat", "retry_at", "worker_id", "namespace", "exception"),
            *("task", "alias", "blueprint", "name", "dotted_path", "cron", "connector"),
        },
    ),
    "huey": Row(
        huey_world,
        {"add_schedule", "enqueue", "map", "schedule"},
        {},
        {
            *("exception", "obj", "key", "receiver", "lock_name", "validate_datetime", "name"),
            *("limit", "per", "timestamp", "task_class", "id", "func"),
        },
    ),
    "dramatiq": Row(
        dramatiq_world,
        {"enqueue", "run", "send", "send_with_options"},
        {"consume": _RUNS, "join": _WAITS},
        {"middleware", "actor", "signal"},
    ),
    "celery": Row(
        celery_world,
        {"apply_async", "delay", "send_task"},
        {"start": _RUNS, "worker_main": _RUNS, "replace": "ends the task that runs"},
        {
            *("key", "value", "d", "immutable", "visitor", "args", "kwargs", "fun", "schedule"),
            *("argv", "variable_name", "obj", "default_key", "module", "c", "task", "Class"),
            *("app", "attr", "around", "task_id", "retval", "status", "einfo", "exc", "type_"),
            *("options", "consumer", "self", "iterable", "default", "varies", "tasks"),
        },
    ),
    "taskiq": Row(
        taskiq_world,
        {"kick", "kiq"},
        {},
        {
            *("broker", "cron", "event", "formatter", "func", "handler", "interval", "new_ctx"),
            *("result_backend", "schedule_id", "serializer", "source", "task_id", "task_name"),
            *("task_id_generator", "time"),
        },
    ),
}


def public_methods(world):
    """Yield the place of an object and the name of each of its public methods that are of the library."""
    for place, each in enumerate(world.objects):
        bases = [base for base in type(each).__mro__ if base.__module__.split(".")[0] != "redis"]
        for name in sorted({name for base in bases for name in vars(base)}):
            found = inspect.getattr_static(type(each), name)
            if (
                not name.startswith("_")
                and not inspect.isclass(found)
                and callable(getattr(found, "__func__", found))
            ):
                yield place, name


def call(world, place, name):
    """Call a method with what its parameters are named after; return the parameters that have no value here."""
    missing = set()
    # The second time with those options too that have a value.
    for takes_options in (False, True):
        method, given, options = getattr(world.objects[place], name), [], {}
        for each in _parameters(method):
            if each.kind is each.VAR_POSITIONAL:
                given += world.values.get(f"*{name}", ())
            elif each.kind is each.VAR_KEYWORD or each.name not in world.values:
                is_needed = each.default is each.empty and each.kind is not each.VAR_KEYWORD
                missing.update([each.name] if is_needed else [])
            elif each.default is each.empty:
                given.append(world.values[each.name])
            elif takes_options:
                options[each.name] = world.values[each.name]
        if missing:
            break
        with suppress(Exception):
            returned = method(*given, **options)
            if inspect.isawaitable(returned):
                asyncio.run(_awaited(returned))
            break
    return missing


def _parameters(method):
    try:
        return inspect.signature(method).parameters.values()
    except ValueError:
        return ()  # A method of dict.


async def _awaited(returned):
    """Await something until it waits for what does not come."""
    task = asyncio.ensure_future(returned)
    for _ in range(1000):
        await asyncio.sleep(0)
        if task.done():
            await task
            return
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_puts_a_job_into_the_store_is_recorded(library, monkeypatch):
    pytest.importorskip(library)
    if library == "celery":
        # Tasks that other tests share may have the same name.
        monkeypatch.setattr("celery._state._on_app_finalizers", set())
    bridge = import_module(f"pytest_jobs.bridges.{library}").bridge
    row = LIBRARIES[library]
    sends, lost, leaked, missing = set(), set(), set(), set()
    for place, name in public_methods(row.world()):
        if name in row.aside:
            continue
        world = row.world()
        before = world.stored()
        missing |= call(world, place, name)
        if world.stored() <= before:
            continue
        sends.add(name)
        with Jobs([bridge(())]) as jobs:
            world = row.world()
            known = len(jobs.pending)
            call(world, place, name)
            if len(jobs.pending) <= known:
                lost.add(name)
            if world.stored():
                leaked.add(name)

    assert (lost, leaked) == (set(), set())
    assert row.sends - sends == set(), "the world of the library has lost its power"
    assert missing - row.lacks == set(), (
        "give them a value, since a method that needs them may enqueue"
    )
