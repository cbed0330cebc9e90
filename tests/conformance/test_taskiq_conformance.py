"""The Taskiq bridge does what every bridge must."""

from types import MappingProxyType

import pytest

pytest.importorskip("taskiq_redis")

from taskiq import AsyncBroker, SmartRetryMiddleware
from taskiq.kicker import AsyncKicker
from taskiq.middlewares import smart_retry_middleware
from taskiq.task import AsyncTaskiqTask
from taskiq_redis import ListQueueBroker

from pytest_jobs.bridges.taskiq.bridge import TaskiqBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies


class DelayingBroker(ListQueueBroker):
    """A broker that obeys the label `delay`, as those over RabbitMQ and SQS do."""

    async def kick(self, message):
        raise AssertionError(f"sent in {message.labels.get('delay')} s")


broker = DelayingBroker("redis://localhost:1").with_middlewares(
    SmartRetryMiddleware(default_delay=30, types_of_exceptions=(bodies.Flaky, AssertionError))
)

note = broker.register_task(bodies.note, task_name="note", queue_name="notes")
fails = broker.register_task(bodies.fails, task_name="fails")
retries = broker.register_task(
    bodies.retries, task_name="retries", retry_on_error=True, max_retries=3
)
breaks = broker.register_task(bodies.breaks, task_name="breaks")
asserts = broker.register_task(
    bodies.asserts, task_name="asserts", retry_on_error=True, max_retries=3
)
hourly = broker.register_task(bodies.note, task_name="hourly")
coroutine = broker.register_task(bodies.coroutine, task_name="coroutine")


@broker.task(task_name="parent")
async def parent(value):
    await note.kiq(value)


class TaskiqLibrary:
    survives_exit = True
    jobs = DeclaredJobs(note, fails, retries, parent, breaks, asserts, coroutine, hourly)

    @property
    def lacks(self):
        return MappingProxyType(
            {
                name: reason
                for name, reason in {
                    "chains": "taskiq-pipelines is a package of its own",
                    "discard": "a task cannot drop itself",
                    "unique": "Taskiq has no unique tasks",
                    "serialise": "?",
                }.items()
                if name not in self.bridge().capabilities
            }
        )

    def bridge(self):
        return TaskiqBridge([broker])

    def enqueue(self, job, args=(), kwargs=None, *, wait=None, headers=None, **options):
        labels = {"queue_name": options.get("queue"), "priority": options.get("priority")}
        if wait is not None:
            labels["delay"] = wait.total_seconds()
        given = {name: value for name, value in labels.items() if value is not None}
        return job.kicker().with_labels(**given, **(headers or {})).kiq(*args, **(kwargs or {}))

    def patched(self):
        classes = [type(broker), AsyncBroker, AsyncKicker, AsyncTaskiqTask]
        return [broker, smart_retry_middleware, *classes]


class TestTaskiq(BridgeConformance):
    @pytest.fixture
    def library(self, monkeypatch):
        # No longer than the test: the task would fire in every test of this process.
        schedule = [{"cron": "0 * * * *", "args": ["hourly"]}]
        monkeypatch.setitem(hourly.labels, "schedule", schedule)
        return TaskiqLibrary()
