"""The bridge to Django-Q2: its worker and its monitor perform what brokers and schedules send."""

from __future__ import annotations

import pickle
import pydoc
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from importlib.metadata import version
from inspect import iscoroutine
from multiprocessing.reduction import ForkingPickler
from types import SimpleNamespace
from typing import Any, Final

from django.apps import apps
from django.db import connections
from django.utils import timezone
from django_q import tasks
from django_q.brokers import Broker, get_broker
from django_q.conf import Conf
from django_q.exceptions import TimeoutException
from django_q.signing import SignedPackage

from ...errors import DeserializationError, UnknownJobError
from ...harness.time.waiting import off_the_loop
from ..rows import is_readable
from ..toolkit import (
    Attempt,
    Delivery,
    DeliverySemantics,
    FunctionJobs,
    JobRecord,
    Message,
    OpenTransaction,
    Patches,
    Probe,
    Seam,
    path_of,
    time_limit,
    to_ns,
    transaction_on,
)

_PROBE: Final = Probe(
    "django-q2",
    "django_q.brokers:Broker.enqueue(_, _)",
    "django_q.brokers:get_broker(_)",
    "django_q.conf:Conf.ACK_FAILURES",
    "django_q.conf:Conf.CATCH_UP",
    "django_q.conf:Conf.CLUSTER_NAME",
    "django_q.conf:Conf.PREFIX",
    "django_q.conf:Conf.SCHEDULER",
    "django_q.signing:SignedPackage.loads(_)",
    "django_q.tasks:_sync(_)",
    "django_q.tasks:async_task(_)",
    tested=((1, 10), (1, 11)),
)
#: Each test has a bridge, and looking the version up reads files.
_VERSION: Final = version("django-q2")
#: The broker that forgets a task when it hands it over.
_POPS: Final = "django_q.brokers.redis_broker"
#: The broker whose queue is a table.
_OF_ROWS: Final = "django_q.brokers.orm"


def bridge(applications: Sequence[Any]) -> DjangoQBridge:
    """Return a new bridge; Django-Q2 has one cluster, which the settings describe."""
    return DjangoQBridge()


class SentTask(Message):
    """A task as a broker sends it: a signed pickle."""

    __slots__ = ("broker", "pack")

    def __init__(self, broker: Broker, pack: str, now_ns: int) -> None:
        task = SignedPackage.loads(pack)
        function = task["func"]
        name = function if isinstance(function, str) else path_of(function)
        # The broker of redis has the name of the cluster in the middle of a key.
        queue = str(broker.list_key).removeprefix("django_q:").removesuffix(":q")
        super().__init__(name, task["id"], now_ns, queue=queue)
        self.broker = broker
        self.pack = pack


class TaskAttempt(Attempt[SentTask]):
    """A delivery while it is made, with what is noted of it."""

    #: The error of a time limit, which derives from SystemExit.
    timed_out: BaseException | None = None


class DjangoQBridge(FunctionJobs[SentTask, None]):
    """Brings the tasks of Django-Q2 into the harness, instead of its brokers."""

    name = "django_q"
    capabilities = frozenset(("chains", "cron"))
    another = "DjangoQBridge()"
    attempt_class = TaskAttempt

    def __init__(self) -> None:
        self.version = _VERSION
        _PROBE.check(self.version)
        super().__init__()

    def title(self) -> str:
        return "This bridge to Django-Q2"

    # Instead of the brokers

    def patch(self, seam: Seam) -> None:
        seam.replace_sending(Broker, "enqueue", DjangoQBridge._sent)
        genuine = tasks._sync

        def not_at_once(pack: str) -> str:
            """Send a task that `sync=True` would perform at its enqueue."""
            found = seam.bridge_of(None)
            if found is None:
                at_once: str = genuine(pack)
                return at_once
            task = SignedPackage.loads(pack)
            found._sent(get_broker(task.get("cluster")), pack)
            task_id: str = task["id"]
            return task_id

        seam.set(tasks, "_sync", not_at_once)

    def _sent(self, broker: Broker, pack: str) -> str:
        message = SentTask(broker, pack, self.sink.now_ns())
        self.report(message)
        return message.job_id

    # Tasks and messages

    def payload_of(self, message: SentTask) -> object:
        return message.pack

    def task_of(self, message: SentTask) -> Callable[..., Any] | None:
        return self.find(message.name)

    def decoded(self, message: SentTask) -> tuple[tuple[Any, ...], dict[str, Any]]:
        task = _read(message)
        return tuple(task["args"]), dict(task["kwargs"])

    def send(
        self, task: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        tasks.async_task(task, *args, **kwargs)

    def semantics_of(self, task: Callable[..., Any]) -> DeliverySemantics:
        """Return what the broker of the settings does: that of redis forgets a task, all others keep it."""
        is_kept = type(get_broker()).__module__ != _POPS
        return DeliverySemantics(
            acknowledged="after" if is_kept else "before",
            redelivered_on_raise=is_kept and not Conf.ACK_FAILURES,
            redelivered_on_kill=is_kept,
            redelivered_on_outage=is_kept,
        )

    def firings_between(
        self, after_ns: int, until_ns: int
    ) -> Iterator[tuple[int, Callable[[], object]]]:
        """Yield when clusters send the tasks of the rows of `Schedule`: of the rows that are there now."""
        return firings_between(after_ns, until_ns)

    def transaction_of(self, record: JobRecord) -> OpenTransaction | None:
        """Return that of the database in which the ORM broker makes a row."""
        kinds = type(self.message_of(record).broker).__mro__
        is_row = any(kind.__module__ == _OF_ROWS for kind in kinds)
        return transaction_on(connections[Conf.ORM]) if is_row else None

    # Performing

    def deliver(self, attempt: TaskAttempt) -> Delivery:
        """Make one delivery through the worker and the monitor of the cluster."""
        message = attempt.message
        task = _read(message)
        named = task["func"]
        if not task.get("sync"):
            # The pusher of a cluster writes its name. A task that is performed at once meets none.
            task["cluster"] = task.get("cluster") or Conf.CLUSTER_NAME
        results = _Queue(())
        with _keeping_connections() as (worker, monitor):
            task["func"] = partial(_run, attempt, named)
            worker(_Queue((task, "STOP")), results, _Timer(), Conf.TIMEOUT)
            (done,) = results.items
            done["func"] = named
            try:
                done = pickle.loads(ForkingPickler.dumps(done))  # noqa: S301 - made here
            except Exception as error:
                # The monitor never gets it: no result is saved, no hook is called, and a chain ends.
                return attempt.failed(attempt.error or error)
            result = done["result"]
            monitor(_Queue((done, "STOP")), message.broker)
        failure = attempt.error or attempt.timed_out
        return attempt.performed(result) if failure is None else attempt.failed(failure)


def _run(attempt: TaskAttempt, named: Any, *args: Any, **kwargs: Any) -> Any:
    """Run the function of a task, where the worker does."""
    try:
        function: Any = named if callable(named) else pydoc.locate(named)
        if function is None:
            raise UnknownJobError(
                f"A worker of Django-Q2 imports the function from {named!r} and cannot. Enqueue a function at the "
                "top of a module, or its full path."
            )

        def call() -> Any:
            result = function(*args, **kwargs)
            if iscoroutine(result):
                # Nobody awaits it, here as there. Left open, Python warns of it when it is collected: in another
                # test, mostly.
                result.close()
            return result

        return attempt.around(call)
    except TimeoutException as error:
        attempt.timed_out = error
        raise
    except Exception as error:
        attempt.error = error
        raise


def _limit(seconds: int) -> AbstractContextManager[object]:
    """End a task by its sleeps in virtual time, where Django-Q2 sets an alarm in real seconds."""
    text = f"Task exceeded maximum timeout value ({seconds} seconds)"
    return time_limit(seconds, lambda: TimeoutException(text))


def _read(message: SentTask) -> dict[str, Any]:
    try:
        task: dict[str, Any] = SignedPackage.loads(message.pack)
    except Exception as error:
        raise DeserializationError(
            f"{message!r} cannot be read, so the cluster drops it: {error}."
        ) from error
    return task


@contextmanager
def _keeping_connections() -> Generator[tuple[Callable[..., Any], Callable[..., Any]], None, None]:
    """Return the worker and the monitor, which do not close the database connections of the test meanwhile."""
    # Importing them sets Django up, so they wait for the first delivery.
    worker, monitor = import_module("django_q.worker"), import_module("django_q.monitor")
    patches = Patches()
    try:
        for module in (worker, monitor):
            patches.set(module, "close_old_django_connections", lambda: None)
        patches.set(worker, "TimeoutHandler", _limit)
        yield worker.worker, monitor.monitor
    finally:
        patches.restore()


class _Queue:
    """Stands in for a queue between the processes of a cluster, without the pickling."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = list(items)

    def get(self) -> Any:
        return self.items.pop(0)

    def put(self, item: Any) -> None:
        self.items.append(item)


class _Timer:
    """Stands in for what a worker shares with the guard of its cluster."""

    value: float = -1

    def get_lock(self) -> nullcontext[None]:
        return nullcontext()


#: A cluster looks for rows that are due once in this time.
_ROUND_NS: Final = 30_000_000_000


def firings_between(after_ns: int, until_ns: int) -> Iterator[tuple[int, Callable[[], object]]]:
    """Yield when clusters send the tasks of the rows that are there now, and what sends them."""
    for row in _rows():
        send = partial(_send, row.cluster or Conf.PREFIX)
        at, left, earliest_ns = row.next_run, row.repeats, after_ns + 1
        while left and (at_ns := max(_ns(at), earliest_ns)) <= until_ns:
            yield at_ns, send
            if row.schedule_type == row.ONCE:
                break
            # What was missed comes once in each round of the cluster, or once in all.
            left, earliest_ns = left - 1, at_ns + _ROUND_NS
            at = _following(row, at)
            while not Conf.CATCH_UP and _ns(at) <= at_ns:
                at = _following(row, at)


def _rows() -> list[Any]:
    """Return the rows that clusters look at; none if the test may not use the database, or has no tables."""
    if not (Conf.SCHEDULER and apps.ready and apps.is_installed("django_q")):
        return []
    model = apps.get_model("django_q", "Schedule")
    # A test that is a coroutine waits meanwhile.
    with off_the_loop():
        return list(model.objects.exclude(repeats=0).order_by("pk")) if is_readable(model) else []


def _ns(at: datetime) -> int:
    return to_ns(timezone.make_aware(at) if timezone.is_naive(at) else at, "next_run")


def _following(row: Any, at: datetime) -> Any:
    """Return when a row is due after a time."""
    models = import_module("django_q.models")
    local, patches = models.localtime, Patches()
    try:
        # A crontab line goes on from the time of the process.
        patches.set(models, "localtime", lambda moment=None: local(moment or at))
        return row.calculate_next_run(at)
    finally:
        patches.restore()


def _send(cluster: str) -> None:
    """Let the scheduler of a cluster look for rows that are due."""
    scheduling, patches = import_module("django_q.scheduler"), Patches()
    try:
        patches.set(Conf, "CLUSTER_NAME", cluster)
        patches.set(scheduling, "close_old_django_connections", lambda: None)
        # The scheduler takes a row after its time, and not at it.
        just_after = timedelta(microseconds=1)
        now = SimpleNamespace(now=lambda: timezone.now() + just_after)
        patches.set(scheduling, "timezone", now)
        patches.set(scheduling, "logger", _Raising())
        with off_the_loop():
            scheduling.scheduler(get_broker(cluster))
    finally:
        patches.restore()


class _Raising:
    """Stands in for the logger of the scheduler: it raises an error that the scheduler would log."""

    def info(self, *args: object) -> None: ...

    def exception(self, *args: object) -> None:
        error = sys.exception()
        if error is not None:
            raise error
