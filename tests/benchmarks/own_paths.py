"""One job of each library: how a project enqueues it, and the library's own way, with a broker in memory.

The own way is what production runs, but for the server: the library's storage or a server of fakeredis, its
serialisation, and its worker.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from multiprocessing import Value
from queue import SimpleQueue
from threading import Event
from typing import Any, NamedTuple

from measure import loop

#: The settings of the worker of SAQ, which the bridge looks for at the top of modules.
SAQ_SETTINGS: dict[str, Any] = {}


class Workload(NamedTuple):
    #: The name of the library in `jobs_apps`.
    library: str
    #: Its name in the table.
    title: str
    applications: list[Any]
    #: Enqueues so many jobs.
    enqueue: Callable[[int], object]
    #: Enqueues so many jobs and performs them in the library's own way. Returns seconds of CPU.
    alone: Callable[[int], float]
    calls: int = 1_000


def work(number: int) -> int:
    return number


def django_work(number: int) -> int:
    """Do nothing; a task once Django is set up."""
    return number


async def work_later(_: object, number: int = 0) -> int:
    """Do nothing, with the context that workers of arq and SAQ pass first."""
    return number


def timed(*steps: Callable[[], object]) -> float:
    start = time.process_time()
    for step in steps:
        step()
    return time.process_time() - start


async def timed_async(*steps: Callable[[], Any]) -> float:
    start = time.process_time()
    for step in steps:
        await step()
    return time.process_time() - start


def repeat(function: Callable[..., object], *args: Any, **kwargs: Any) -> Callable[[int], None]:
    """Return what makes so many calls."""

    def enqueue(calls: int) -> None:
        for _ in range(calls):
            function(*args, **kwargs)

    return enqueue


def celery() -> Workload:
    from celery import Celery
    from celery.concurrency.solo import TaskPool
    from celery.worker.request import Request

    app = Celery("bench", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/1")
    memory = Celery("memory", broker="memory://", backend="cache+memory://")
    task, in_memory = (each.task(shared=False)(work) for each in (app, memory))

    def alone(calls: int) -> float:
        """Publish to a broker in memory, fetch each message, and perform it as a solo worker does."""
        pool = TaskPool(1, app=memory)
        performed = 0
        with memory.connection_for_read() as connection:
            queue = memory.amqp.queues[memory.conf.task_default_queue].bind(
                connection.default_channel
            )
            queue.declare()
            queue.purge()
            memory.set_current()
            start = time.process_time()
            for _ in range(calls):
                in_memory.delay(7)
            while (message := queue.get(no_ack=True)) is not None:
                Request(message, app=memory, task=in_memory).execute_using_pool(pool)
                performed += 1
            seconds = time.process_time() - start
        assert performed == calls
        return seconds

    return Workload("celery", "celery", [app], repeat(task.delay, 7), alone)


def django() -> Workload:
    """Return the tasks of Django: the built-in ones, or those of the backport."""
    package = "django.tasks" if find_spec("django.tasks") else "django_tasks"
    configure_django(package)
    # A worker imports the task from where its function is.
    globals()["django_work"] = task = importlib.import_module(package).task(django_work)
    return Workload("django", package, ["django"], repeat(task.enqueue, 7), loop(task.enqueue, 7))


def configure_django(package: str) -> None:
    import django
    from django.conf import settings

    settings.configure(
        USE_TZ=True,
        INSTALLED_APPS=[
            "django_q",
            *(["django_tasks"] if package == "django_tasks" else []),
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        Q_CLUSTER={"name": "bench", "orm": "default", "timeout": 60, "retry": 120},
        SECRET_KEY="bench",
        TASKS={"default": {"BACKEND": f"{package}.backends.immediate.ImmediateBackend"}},
    )
    django.setup()


def taskiq() -> Workload:
    from taskiq import InMemoryBroker

    broker = InMemoryBroker(await_inplace=True)
    task = broker.task(work)

    async def enqueue(calls: int) -> None:
        for _ in range(calls):
            await task.kiq(7)

    def alone(calls: int) -> float:
        return asyncio.run(timed_async(lambda: enqueue(calls)))

    return Workload("taskiq", "taskiq", [broker], lambda calls: asyncio.run(enqueue(calls)), alone)


def procrastinate() -> Workload:
    import procrastinate
    from procrastinate.testing import InMemoryConnector

    app = procrastinate.App(connector=InMemoryConnector())

    @app.task(name="bench")
    async def task(number: int) -> int:
        return number

    def alone(calls: int) -> float:
        async def defer() -> None:
            for _ in range(calls):
                await task.defer_async(number=7)

        def worker() -> Any:
            return app.run_worker_async(
                wait=False, install_signal_handlers=False, listen_notify=False
            )

        with app.replace_connector(InMemoryConnector()):
            return asyncio.run(timed_async(defer, worker))

    # Its connector looks at every job for each one.
    enqueue = repeat(task.defer, number=7)
    return Workload("procrastinate", "procrastinate", [app], enqueue, alone, calls=100)


def rq() -> Workload:
    from fakeredis import FakeServer, FakeStrictRedis
    from redis import Redis
    from rq import Queue, SimpleWorker

    queue = Queue("bench", connection=Redis(port=1))

    def alone(calls: int) -> float:
        """Enqueue on a server of fakeredis, and let a worker that does not fork empty its queue."""
        own = Queue("bench", connection=FakeStrictRedis(server=FakeServer()))
        worker = SimpleWorker([own], connection=own.connection)
        seconds = timed(
            lambda: repeat(own.enqueue, work, 7)(calls), lambda: worker.work(burst=True)
        )
        assert own.finished_job_registry.count == calls
        return seconds

    return Workload("rq", "rq", [queue], repeat(queue.enqueue, work, 7), alone, calls=200)


def huey() -> Workload:
    from huey import MemoryHuey, RedisHuey
    from huey.consumer import Worker

    application, memory = RedisHuey("bench", port=1), MemoryHuey("memory", utc=True)
    task, in_memory = (each.task()(work) for each in (application, memory))

    def alone(calls: int) -> float:
        """Enqueue into its storage in memory, and let a worker of the consumer take each task."""
        worker = Worker(memory, Event(), 0.1, 10, 1.15)

        def empty() -> None:
            for _ in range(calls):
                worker.loop()

        seconds = timed(lambda: repeat(in_memory, 7)(calls), empty)
        assert len(memory.all_results()) == calls
        memory.flush()
        return seconds

    return Workload("huey", "huey", [application], repeat(task, 7), alone)


def dramatiq() -> Workload:
    from dramatiq import Worker, actor
    from dramatiq.brokers.redis import RedisBroker
    from dramatiq.brokers.stub import StubBroker

    broker, memory = RedisBroker(url="redis://127.0.0.1:1"), StubBroker()
    task, in_memory = (
        actor(work, broker=each, actor_name=name)
        for each, name in ((broker, "bench"), (memory, "memory"))
    )

    def alone(calls: int) -> float:
        """Enqueue into its broker in memory, and let a worker with one thread empty the queue."""
        worker = Worker(memory, worker_threads=1)

        def empty() -> None:
            worker.start()
            memory.join(in_memory.queue_name)

        seconds = timed(lambda: repeat(in_memory.send, 7)(calls), empty)
        worker.stop()
        return seconds

    return Workload("dramatiq", "dramatiq", [broker], repeat(task.send, 7), alone)


def saq() -> Workload:
    from fakeredis import FakeAsyncRedis, FakeServer
    from redis.asyncio import Redis
    from saq import Worker
    from saq.queue.redis import RedisQueue

    queue = RedisQueue(Redis(port=1), name="bench")
    SAQ_SETTINGS.update(queue=queue, functions=[work_later])

    async def enqueue(own: Any, calls: int) -> None:
        for _ in range(calls):
            await own.enqueue("work_later", number=7)

    def alone(calls: int) -> float:
        """Enqueue on a server of fakeredis, and let a worker process each job."""

        async def both() -> float:
            own = RedisQueue(FakeAsyncRedis(server=FakeServer()), name="bench")
            worker = Worker(own, [work_later])

            async def empty() -> None:
                for _ in range(calls):
                    assert await worker.process()

            return await timed_async(lambda: enqueue(own, calls), empty)

        return asyncio.run(both())

    return Workload(
        "saq", "saq", [queue], lambda calls: asyncio.run(enqueue(queue, calls)), alone, calls=200
    )


def arq() -> Workload:
    import arq.worker
    from arq.connections import ArqRedis
    from arq.worker import Worker
    from fakeredis import FakeAsyncRedis, FakeServer

    class WorkerSettings:
        functions = (work_later,)

    async def nothing(*_: object) -> None:
        """Do not ask the server for its version, which fakeredis does not have, for the log of a worker."""

    arq.worker.log_redis_info = nothing

    async def enqueue(own: Any, calls: int) -> None:
        for _ in range(calls):
            await own.enqueue_job("work_later", 7)

    def alone(calls: int) -> float:
        """Enqueue on a server of fakeredis, and let a worker empty its queue."""

        async def both() -> float:
            own = ArqRedis(pool_or_conn=FakeAsyncRedis(server=FakeServer()).connection_pool)
            worker = Worker(
                [work_later], redis_pool=own, burst=True, handle_signals=False, max_jobs=calls
            )
            seconds = await timed_async(lambda: enqueue(own, calls), worker.main)
            assert worker.jobs_complete == calls
            return seconds

        return asyncio.run(both())

    return Workload(
        "arq",
        "arq",
        [WorkerSettings],
        lambda calls: asyncio.run(enqueue(ArqRedis(port=1), calls)),
        alone,
        calls=200,
    )


def apscheduler() -> Workload:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler()

    def enqueue(calls: int) -> None:
        if not scheduler.running:
            scheduler.start()
        repeat(scheduler.add_job, work, args=(7,))(calls)

    def alone(calls: int) -> float:
        """Add jobs to a store in memory, and let a scheduler with one thread run them."""
        own = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)})
        done: list[int] = []
        own.start(paused=True)

        def empty() -> None:
            own.resume()
            while len(done) < calls:
                time.sleep(0.001)

        seconds = timed(lambda: repeat(own.add_job, done.append, args=(7,))(calls), empty)
        own.shutdown()
        return seconds

    return Workload("apscheduler", "apscheduler", [scheduler], enqueue, alone)


def django_q() -> Workload:
    """Return the tasks of Django-Q2, for which `configure_django` has prepared Django."""
    from django.core.management import call_command
    from django_q import tasks
    from django_q.brokers import Broker
    from django_q.monitor import monitor
    from django_q.pusher import pusher
    from django_q.worker import worker

    class MemoryBroker(Broker):
        def __init__(self) -> None:
            super().__init__()
            self.packs: list[tuple[int, str]] = []

        def enqueue(self, task: str) -> None:
            self.packs.append((len(self.packs), task))

        def dequeue(self) -> list[tuple[int, str]]:
            return self.packs

    call_command("migrate", verbosity=0)

    def alone(calls: int) -> float:
        """Enqueue into a broker in memory, and let the parts of a cluster run in turn, on a database in memory."""
        broker, stop = MemoryBroker(), Event()
        stop.set()
        waiting: SimpleQueue[Any] = SimpleQueue()
        done: SimpleQueue[Any] = SimpleQueue()

        def cluster() -> None:
            pusher(waiting, stop, broker)
            waiting.put("STOP")
            worker(waiting, done, Value("f", -1))
            done.put("STOP")
            monitor(done, broker)

        enqueue = repeat(tasks.async_task, work, 7, broker=broker)
        seconds = timed(lambda: enqueue(calls), cluster)
        assert done.empty()
        return seconds

    enqueue = repeat(tasks.async_task, work, 7)
    return Workload("django_q", "django-q2", ["django_q"], enqueue, alone, calls=100)


def workloads() -> Iterator[Workload]:
    """Yield one of each library. arq, which wants an older redis than the others, comes where it is installed."""
    yield celery()
    yield django()
    yield taskiq()
    yield procrastinate()
    yield rq()
    yield huey()
    yield dramatiq()
    yield saq()
    if find_spec("arq"):
        yield arq()
    yield apscheduler()
    yield django_q()
