"""The base class of every bridge, and all that a bridge to another job library needs.

A bridge of your own imports from this module and from `pytest_jobs.errors` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from types import FunctionType, MethodType
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar, cast

from ..core.foundation.protocols import CommitWait, OpenTransaction
from ..core.foundation.registry import nearest_name
from ..core.foundation.signature import Binder
from ..errors import (
    BridgeError,
    CriterionError,
    NoHarnessError,
    NotPerformedError,
)
from ..harness.commits.callables import PASSING_ON, calling_line
from ..harness.records.bridge import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    Around,
    BodiesAsk,
    Bridge,
    Canvas,
    CountsAttempts,
    DeliverySemantics,
    Due,
    FiresTasks,
    HoldsLocks,
    NamesSenders,
    RetryPolicy,
    Sink,
    Steps,
    TakesFunctions,
)
from ..harness.records.delivery import Delivery, Status
from ..harness.records.instants import duration_ns, to_datetime, to_ns
from ..harness.records.patches import Patches
from ..harness.records.probing import Probe
from ..harness.records.record import FIRST, REDELIVERY, RETRY, Envelope, JobRecord, Origin, Rollback
from ..harness.time.limits import time_limit, waited_for
from ..harness.time.waiting import off_the_loop
from .asking import word_asked_by
from .columns import as_jsonb, check_json_text
from .libraries.known import packages_of
from .libraries.redis_servers import (
    Member,
    RedisServers,
    check_fakeredis,
    is_stand_in,
    reporting_afterwards,
)
from .seam import Seam
from .transactions import transaction_on

__all__ = [
    "AT_LEAST_ONCE",
    "AT_MOST_ONCE",
    "FIRST",
    "JOB_ERRORS",
    "REDELIVERY",
    "RETRY",
    "Around",
    "Attempt",
    "Binder",
    "BodiesAsk",
    "Bridge",
    "Canvas",
    "CountedAttempts",
    "CountsAttempts",
    "Delivery",
    "DeliverySemantics",
    "Drawn",
    "Due",
    "Envelope",
    "FiresTasks",
    "FunctionJobs",
    "HoldsLocks",
    "JobRecord",
    "LibraryBridge",
    "Member",
    "Message",
    "NamesSenders",
    "OpenTransaction",
    "Origin",
    "Patches",
    "PinnedRandom",
    "Probe",
    "RedisServers",
    "RetryPolicy",
    "Rollback",
    "Seam",
    "Sink",
    "Status",
    "Steps",
    "TakesFunctions",
    "ThisThread",
    "as_jsonb",
    "check_fakeredis",
    "check_json_text",
    "current_attempt",
    "duration_ns",
    "function_at",
    "is_stand_in",
    "minutes_between",
    "out_of_task",
    "path_of",
    "reporting_afterwards",
    "time_limit",
    "times_between",
    "to_datetime",
    "to_ns",
    "transaction_on",
    "waited_for",
]

_MINUTE_NS: Final = 60_000_000_000
#: The packages between an application and a bridge whose queue is a table in its database.
_PASSING_ON: Final = PASSING_ON | {"asgiref", "django", "django_tasks_db"}
#: What a worker that catches everything takes for an error of a job. `sys.exit()` ends nothing there. Any other
#: error stands for a worker that is killed, which catches nothing.
JOB_ERRORS: Final = (Exception, SystemExit)

#: A task, as an application holds it.
T = TypeVar("T")
#: A message, as the library sends it; it is the envelope of its record.
M = TypeVar("M", bound=Envelope)
#: What a function returns.
R = TypeVar("R")
#: What a server would keep: results, for example.
S = TypeVar("S")


class Message:
    """One message of a library: all that is known of a job before its arguments are read.

    Derive from it and add what the library sends, such as the serialised arguments. Times are nanoseconds since
    the epoch.
    """

    #: Whether the application chose the id, so that the library does not enqueue a second job that has it.
    has_own_id = False

    __slots__ = (
        "_headers",
        "attempt",
        "due_ns",
        "enqueued_ns",
        "expires_ns",
        "job_id",
        "name",
        "priority",
        "queue",
    )

    def __init__(
        self,
        name: str,
        job_id: str,
        enqueued_ns: int,
        *,
        queue: str | None = None,
        priority: int | None = None,
        headers: Mapping[str, object] | None = None,
        attempt: int = 1,
        due_ns: int | None = None,
        expires_ns: int | None = None,
    ) -> None:
        """Describe a message.

        Args:
            name: the name of the task.
            job_id: the library's id, which retries and redeliveries keep.
            enqueued_ns: when it was enqueued, by `sink.now_ns()`.
            queue: the name of the queue.
            priority: the priority, in the library's own sense.
            headers: what travels beside the arguments.
            attempt: the number of the run that the message asks for, counted from 1.
            due_ns: when it is due; None for at once.
            expires_ns: when it is not worth performing any more; None for never.
        """
        self.name = name
        self.job_id = job_id
        self.enqueued_ns = enqueued_ns
        self.queue = queue
        self.priority = priority
        self._headers: Any = headers
        self.attempt = attempt
        self.due_ns = due_ns
        self.expires_ns = expires_ns

    @property
    def headers(self) -> Mapping[str, object] | None:
        """What travels beside the arguments. A derived class may read it from the message each time."""
        headers: Mapping[str, object] | None = self._headers
        return headers

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.job_id}>"


class Drawn(NamedTuple):
    """What a library drew at random, and the lowest and the highest that it could have drawn."""

    lowest: float
    value: float
    highest: float


class Attempt(Generic[M]):
    """One delivery while it is made, with what the bridge notes of it."""

    def __init__(
        self,
        bridge: LibraryBridge[Any, Any, Any],
        record: JobRecord,
        message: M,
        now_ns: int,
        around: Around,
    ) -> None:
        self.bridge = bridge
        self.record = record
        self.message = message
        #: The time of the harness's clock when the delivery began.
        self.now_ns = now_ns
        #: Runs the body. Takes a callable that calls it, and returns or raises what that does.
        self.around = around
        #: The record of the next attempt, once the library has sent the job again.
        self.again: JobRecord | None = None
        #: What the body raised. A bridge sets it when the library catches the error.
        self.error: BaseException | None = None
        #: What the library drew for the jitter of a wait; set by `PinnedRandom`.
        self.drawn: Drawn | None = None

    def performed(self, result: object = None) -> Delivery:
        """Return the delivery of a job that succeeded."""
        return Delivery(self.record, self.now_ns, "performed", result)

    def failed(self, error: BaseException, status: Status = "failed") -> Delivery:
        """Return the delivery of a job that failed and will not run again, so that a verb raises its error."""
        return Delivery(self.record, self.now_ns, status, error=error, handled=False)

    def retried(
        self,
        error: BaseException | None,
        *,
        bounds_ns: tuple[int, int] | None = None,
        is_exact: bool = False,
        status: Status = "retried",
    ) -> Delivery:
        """Return the delivery of a job that the library has sent again.

        Args:
            error: what the job raised.
            bounds_ns: the shortest and the longest that jitter could have made the wait.
            is_exact: whether nothing was drawn for it, so that both are the wait itself.
            status: `snoozed` for a job that asked to run again and has not failed.
        """
        if self.again is None:
            raise BridgeError(f"{self.record!r} was not sent again, so it is not {status}.")
        envelope = self.again.envelope
        due_ns = envelope.enqueued_ns if envelope.due_ns is None else envelope.due_ns
        wait_ns = due_ns - envelope.enqueued_ns
        return Delivery(
            self.record,
            self.now_ns,
            status,
            error=error,
            wait_ns=wait_ns,
            wait_bounds_ns=(wait_ns, wait_ns) if is_exact else bounds_ns,
        )


def times_between(
    following: Callable[[datetime], datetime | None], after_ns: int, until_ns: int
) -> Iterator[int]:
    """Yield the times of a schedule in a span, for `firings_between`.

    Args:
        following: returns the first time of the schedule after another, in UTC; None when there is none.
        after_ns: the span begins after this time.
        until_ns: it ends with this time.
    """
    while (found := following(to_datetime(after_ns))) is not None:
        found_ns = to_ns(found, "the time of a schedule")
        if not after_ns < found_ns <= until_ns:
            return
        yield found_ns
        after_ns = found_ns


def minutes_between(after_ns: int, until_ns: int) -> Iterator[int]:
    """Yield the full minutes in a span, for a library that compares each with its crontab lines."""
    yield from range((after_ns // _MINUTE_NS + 1) * _MINUTE_NS, until_ns + 1, _MINUTE_NS)


#: The delivery that is being made in this context.
current_attempt: ContextVar[Attempt[Any] | None] = ContextVar("pytest_jobs_attempt", default=None)


class PinnedRandom:
    """Stands in for `random` where a library draws the jitter of a wait.

    During a delivery `jobs_jitter` decides what is drawn, and the attempt notes it. At other times chance decides.
    """

    def __init__(self, real: Any) -> None:
        """Stand in for something.

        Args:
            real: the module `random`, or a `random.Random`.
        """
        self._real = real

    def random(self) -> float:
        """Draw a number from 0 up to 1."""
        return self.uniform(0.0, 1.0)

    def uniform(self, a: float, b: float) -> float:
        """Draw a number between two others."""
        attempt = current_attempt.get()
        if attempt is None:
            return float(self._real.uniform(a, b))
        value = a + attempt.bridge.draw() * (b - a)
        attempt.drawn = Drawn(a, value, b)
        return value

    def randrange(self, stop: int) -> int:
        """Draw a whole number that is not negative and less than another."""
        attempt = current_attempt.get()
        if attempt is None:
            return int(self._real.randrange(stop))
        value = int(attempt.bridge.draw() * stop)
        attempt.drawn = Drawn(0, value, stop - 1)
        return value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class ThisThread(Executor):
    """Runs the function of a synchronous task in the thread of the test.

    So the task sees the database connection of the test, and its sleeps move the clock. As in the thread
    of a worker, no event loop runs there, and the task may call `asyncio.run`.
    """

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        future: Future[R] = Future()
        try:
            with off_the_loop():
                result = fn(*args, **kwargs)
        except StopIteration as error:
            refused = RuntimeError(
                "The task raised StopIteration, which asyncio does not carry out of a thread: on some versions of "
                "Python the worker waits for it for ever. Raise another error."
            )
            refused.__cause__ = error
            future.set_exception(refused)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        return future


def out_of_task(error: BaseException) -> BaseException:
    """Return what ends the task of a function in the place of an error that would end the event loop.

    Not a `GeneratorExit`, which closes the coroutines that wait for the task, and they may wait for more.
    """
    return BaseExceptionGroup("a job ends its worker", (error,))


def not_written(bridge: object, method: str) -> NotImplementedError:
    """Return the error for a bridge without a method that only the library can tell."""
    return NotImplementedError(
        f"{type(bridge).__name__} does not define `{method}`, which is different for each library: "
        "docs/how-to/bridge-your-own.md says what it returns."
    )


class LibraryBridge(Generic[T, M, S]):
    """A bridge to one job library.

    A bridge of your own derives from it and has a `name` and `capabilities`. It must write the methods of the
    first part. It writes one of the second part when the default is wrong for the library. The third part is the
    same for every library.
    """

    #: The name of the library.
    name: str
    #: Which of eta, priority, headers, retry, discard, async, serialise, unique, cron, chains it has.
    capabilities: frozenset[str]
    #: The installed version of the library; empty when the bridge does not know it.
    version: str = ""
    #: Whether all that a job reads or changes by its library's clients asks for the store. Then a search need not
    #: take what the library itself writes there, such as a result, for what a line may have written.
    tells_when_asked: ClassVar[bool] = False
    #: The class of what `deliver` is given. A library with more to note has a derived class.
    attempt_class: ClassVar[type[Attempt[Any]]] = Attempt
    #: Whether a message has the name of each argument, also of one that a caller passes by its place.
    names_arguments: ClassVar[bool] = False
    #: What a body has for asking for a retry itself: classes such as `Retry`, and methods such as `Task.retry`.
    asks_by: ClassVar[tuple[Any, ...]] = ()
    #: 1 when the lowest priority is performed first, -1 for the highest, 0 when priorities have no order.
    order: ClassVar[int] = 0
    #: Whether the worker is a coroutine, so that functions which are not run on its event loop too.
    in_loop: ClassVar[bool] = False
    #: What an error advises to make for a second harness.
    another: ClassVar[str] = "one"
    #: Where the library is intercepted. Each class that writes `patch` gets its own.
    seam: ClassVar[Seam]

    # First part: to be written

    def patch(self, seam: Seam) -> None:
        """Replace the methods of the library by which messages leave the process.

        Only the first bridge that is installed is asked; what it replaces serves the later ones as well. So pass
        functions of the class, as in `seam.replace(Queue, "put", MyBridge.put)`: the seam chooses the bridge.
        """
        raise not_written(self, "patch")

    def find(self, job: object) -> T | None:
        """Return the task that a test means: the task itself, or its name. None for anything else.

        Raises:
            AmbiguousJobError: when it is a name, and two applications that are asked together have tasks of it.
        """
        raise not_written(self, "find")

    def name_of(self, task: T) -> str:
        """Return the name of a task, which its messages have too."""
        raise not_written(self, "name_of")

    def body_of(self, task: T) -> Callable[..., Any]:
        """Return the function of a task, which runs inside the library's retry handling."""
        raise not_written(self, "body_of")

    def decoded(self, message: M) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments of a message anew."""
        raise not_written(self, "decoded")

    def send(self, task: T, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Enqueue a task as an application does; return what is to be awaited, if anything."""
        raise not_written(self, "send")

    def deliver(self, attempt: Any) -> Delivery | Awaitable[Delivery]:
        """Make one delivery through the path that a worker of the library takes.

        Args:
            attempt: an `Attempt`. Call its `around` where the library would call the body.

        Returns:
            The delivery, or an awaitable of it for a coroutine job. An error of the job belongs into the delivery;
            an error that does not derive from Exception may pass through.

        Raises:
            UnknownJobError: when a worker would not find the task.
        """
        raise not_written(self, "deliver")

    def semantics_of(self, task: T) -> DeliverySemantics:
        """Return what the library does with a job whose worker fails."""
        raise not_written(self, "semantics_of")

    # Second part: to be written where the default is wrong

    def new_store(self) -> S:
        """Return an empty `store`: each harness and each sandbox has its own. Default: None."""
        return cast(S, None)

    def prepare(self) -> None:
        """Patch what belongs to this bridge alone, through `self.patches`. Default: nothing."""

    def takes(self, application: object) -> bool:
        """Say whether this bridge records the messages of an application. Default: of every application."""
        return True

    def task_of(self, message: M) -> T | None:
        """Return the task of a message; None when it is not known here. Default: `find` by name."""
        return self.find(message.name)

    def is_of(self, message: M, task: T) -> bool:
        """Say whether a message that has the name of a task is of this very task. Default: by its function."""
        found = self.task_of(message)
        # A class method is another object each time.
        return found is None or self.body_of(found) == self.body_of(task)

    def binder_of(self, task: T) -> Binder:
        """Return what binds the arguments that a caller passes. Default: all parameters of the function."""
        return Binder(self.body_of(task), label=self.name_of(task))

    def policy_of(self, task: T) -> RetryPolicy | None:
        """Return the declared retry schedule. Default: None, for one that only running the job shows."""
        return None

    def rank(self, priority: int | None) -> int:
        """Return a number for a priority; the lowest is performed first. Default: see `order`."""
        return self.order * (priority or 0)

    def is_coroutine(self, record: JobRecord) -> bool:
        """Say whether performing a record needs an event loop. Default: `in_loop`."""
        return self.in_loop

    def follow_ups(self, record: JobRecord) -> Collection[str]:
        """Return the names of the jobs that the library enqueues after a record. Default: none."""
        return ()

    def transaction_of(self, record: JobRecord) -> OpenTransaction | None:
        """Return the open transaction of the application in which a new job is a row: see `transaction_on`.

        Default: None, for a queue that is elsewhere and has the job at once.
        """
        return None

    def forget(self, message: M, store: S) -> None:
        """Remove from a store the row of a job, which a rollback has taken back. Default: nothing is kept."""

    def known_names(self) -> Collection[str]:
        """Return the names of the tasks that are known here, to suggest the nearest. Default: none."""
        return ()

    def queue_of(self, task: T) -> str | None:
        """Return the queue into which a plain enqueue of a task goes. Default: None, where no task says that."""
        return None

    def nearest(self, name: str) -> str:
        """Return the end of an error about a name that is not known: the nearest one; empty when none is near."""
        near = nearest_name(name, self.known_names())
        return f" The nearest name is {near!r}." if near else ""

    def payload_of(self, message: M) -> object:
        """Return the `payload` of a record. Default: the message."""
        return message

    def message_of(self, record: JobRecord) -> M:
        """Return the message behind a record."""
        return cast(M, record.envelope)

    def unknown(self, job: object) -> Exception:
        """Return the error for a job that `find` does not find."""
        return CriterionError(f"{job!r} is not a task of {self}.")

    def described(self) -> str:
        """Return what the header line of a run says after the version: what is captured. Default: nothing."""
        return ""

    def title(self) -> str:
        """What errors call the bridge."""
        return f"The bridge to {self}"

    def __str__(self) -> str:
        """Return what errors call the applications. Default: the name of the library."""
        return self.name

    # Third part: the same for every library

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "patch" in vars(cls):
            cls.seam = Seam()

    @staticmethod
    def when_asked() -> None:
        """Hear that somebody asks for the store of a bridge, as a job does that asks its server."""

    def __init__(self) -> None:
        #: What is restored when the bridge is uninstalled.
        self.patches = Patches()
        self._store: S
        #: Returns where in its range of jitter a wait lies, from 0 up to 1. Set by `install`.
        self.draw: Callable[[], float]
        self._sink: Sink | None = None
        self._binders: dict[tuple[str, Callable[..., Any]], Binder] = {}

    @property
    def store(self) -> S:
        """What a server would keep. Set by `install`, and in a sandbox another one."""
        LibraryBridge.when_asked()
        return self._store

    @store.setter
    def store(self, store: S) -> None:
        self._store = store

    @property
    def sink(self) -> Sink:
        """Where enqueues are reported.

        Raises:
            NoHarnessError: when the bridge is not installed.
        """
        if self._sink is None:
            raise NoHarnessError
        return self._sink

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        """Keep messages from the server, and report them to a sink.

        Raises:
            BridgeError: when the bridge is installed already.
        """
        if self._sink is not None:
            raise BridgeError(
                f"{self.title()} is installed already: a bridge is in one harness at a time. Make a second "
                f"{self.another} for the second harness."
            )
        self._sink, self.draw, self.store = sink, draw, self.new_store()
        try:
            self.seam.enter(self)
            self.prepare()
        except BaseException:
            self.uninstall()
            raise

    def uninstall(self) -> None:
        """Restore everything that `install` has changed."""
        self._sink = None
        self.seam.leave(self)
        self.patches.restore()

    @contextmanager
    def sandbox(self, sink: Sink) -> Generator[None, None, None]:
        """Report to another sink for a block, with an empty store."""
        before = self.sink, self._store
        self._sink, self.store = sink, self.new_store()
        try:
            yield
        finally:
            self._sink, self.store = before

    @property
    def served(self) -> object:
        """What a server would keep now. A search looks at it to find out whether a line has changed it."""
        return self._store

    def report(self, message: M, origin: Origin | None = None) -> JobRecord:
        """Report a message as enqueued, and return its record.

        Args:
            message: what the library sent.
            origin: FIRST, RETRY or REDELIVERY. By default a message is a retry when it has the id of the job that
                is being performed, and a first enqueue otherwise.
        """
        record = self.new_record(message, origin)
        transaction = self.transaction_of(record) if record.origin is FIRST else None
        if transaction is not None:
            # First, since the delivery that enqueues may be killed at that.
            row = _Row(record, self.sink, partial(self.forget, message, self.store))
            record.commit = CommitWait(row, transaction, self.name)
            transaction.when_ended(record.commit)
        self.sink.added(record)
        return record

    def new_record(self, message: M, origin: Origin | None = None) -> JobRecord:
        """Return the record of a message, which `sink.added` is to be given; see `report`."""
        attempt = current_attempt.get()
        # Another library may number its jobs alike.
        is_own = (
            attempt is not None
            and attempt.bridge is self
            and attempt.message.job_id == message.job_id
        )
        if origin is None:
            origin = RETRY if is_own else FIRST
        record = JobRecord(self, message, self.payload_of(message), origin)
        if attempt is not None and is_own and origin is RETRY:
            attempt.again = record
        return record

    def refused(self, why: str) -> None:
        """Note that an enqueue raised, although a message may have been sent: see `Seam.replace_sending`."""
        self.sink.refused(why)

    def identify(self, job: object) -> str | None:
        """Return the name of a task; None for anything else."""
        task = self.find(job)
        return None if task is None else self.name_of(task)

    def known(self, job: object) -> T:
        """Return the task that a test names.

        Raises:
            JobsError: when the library has none; see `unknown`.
        """
        task = self.find(job)
        if task is None:
            raise self.unknown(job)
        return task

    def matcher(self, job: object) -> Callable[[JobRecord], bool]:
        """Return a function that says whether a record is of this very task."""
        if isinstance(job, str):
            return lambda record: True
        task = self.known(job)
        return lambda record: self.is_of(self.message_of(record), task)

    def job_of(self, record: JobRecord) -> object:
        """Return the task of a record, or its name when the task is not known here."""
        task = self.task_of(self.message_of(record))
        return record.name if task is None else task

    def arguments_of(self, record: JobRecord) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Decode the arguments of a record anew."""
        return self.decoded(self.message_of(record))

    def signature(self, job: object) -> Binder:
        """Return what binds arguments to the parameters of a task."""
        task = self.known(job)
        key = self.name_of(task), self.body_of(task)
        binder = self._binders.get(key)
        if binder is None:
            binder = self._binders[key] = self.binder_of(task)
        return binder

    def resolve(self, job: object) -> Callable[..., Any]:
        """Return the function of a task."""
        return self.body_of(self.known(job))

    def asks_for_retries(self, job: object) -> str:
        """Return the name by which the body of a job asks for a retry itself; empty if it never does."""
        task = self.find(job) if self.asks_by else None
        return "" if task is None else word_asked_by(self.body_of(task), self.asks_by)

    def is_asking(self, error: type[BaseException]) -> bool:
        """Say whether an error of a class asks for a retry."""
        return issubclass(error, tuple(each for each in self.asks_by if isinstance(each, type)))

    def delivery_semantics(self, job: object) -> DeliverySemantics:
        """Return what the library does with a task whose worker fails."""
        return self.semantics_of(self.known(job))

    def retry_policy(self, job: object) -> RetryPolicy | None:
        """Return the declared retry schedule of a task; None when only running it can tell."""
        return self.policy_of(self.known(job))

    def enqueue(self, job: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Enqueue a task as an application does; return what is to be awaited, if anything."""
        return self.send(self.known(job), args, kwargs)

    def perform(
        self, record: JobRecord, *, now_ns: int, around: Around
    ) -> Delivery | Awaitable[Delivery]:
        """Make exactly one delivery."""
        attempt = self.attempt_class(self, record, self.message_of(record), now_ns, around)
        token = current_attempt.set(attempt)
        try:
            delivery = self.deliver(attempt)
        finally:
            current_attempt.reset(token)
        return delivery if isinstance(delivery, Delivery) else _awaited(attempt, delivery)

    def redeliver(self, record: JobRecord) -> JobRecord:
        """Report the same message again, as a server does that was told of no delivery."""
        return self.report(self.message_of(record), REDELIVERY)

    def result_of(self, record: JobRecord) -> object:
        """Return what the last delivery of the job returned."""
        return self.sink.result_of(record)

    def pending_with(self, job_id: str) -> JobRecord | None:
        """Return the oldest pending record with an id; None if the library has no such job waiting."""
        return self.sink.pending_with(self, job_id)

    def not_performed(self, job_id: str) -> NotPerformedError:
        """Return the error for a result that a test reads too early: the library would wait for it for ever."""
        pending = self.pending_with(job_id)
        if pending is not None:
            return NotPerformedError(
                f"{pending!r} has not been performed, so it has no result, and waiting for it would never end: "
                "drain first."
            )
        return NotPerformedError(
            f"No task with the id {job_id} has been performed here, so it has no result: drain first, in the "
            "test that enqueued it."
        )


class _Row:
    """A job in an open transaction of the application, which a rollback takes back: an `AwaitsCommit`."""

    def __init__(self, record: JobRecord, sink: Sink, forget: Callable[[], None]) -> None:
        self._record = record
        self._sink = sink
        self._forget = forget
        self._enqueued_by = calling_line(_PASSING_ON | packages_of(record.bridge))

    def one_committed(self) -> None:
        """Do nothing: the job is there already."""

    def drop(self, transaction: OpenTransaction, by: str) -> None:
        self._forget()
        self._sink.removed(self._record, Rollback(transaction.using, self._enqueued_by))


async def _awaited(attempt: Attempt[Any], delivery: Awaitable[Delivery]) -> Delivery:
    token = current_attempt.set(attempt)
    try:
        return await delivery
    finally:
        try:  # noqa: SIM105 - `suppress` would cost more than the rest
            current_attempt.reset(token)
        except ValueError:
            pass  # A coroutine that is thrown away ends in another context.


class CountedAttempts(LibraryBridge[T, M, S]):
    """A bridge whose messages carry the number of their attempt, which `jobs.perform(record, attempt=3)` needs."""

    def retried(self, message: M, attempt: int) -> M:
        """Return the message that the library sends for another attempt. Default: `as_attempt` of the message.

        Raises:
            CriterionError: when the job has not so many attempts.
        """
        made: Any = message
        if not hasattr(made, "as_attempt"):
            raise not_written(self, "retried")
        return cast(M, made.as_attempt(attempt))

    def as_attempt(self, record: JobRecord, attempt: int) -> JobRecord:
        """Return a record of another attempt, without reporting it."""
        message = self.retried(self.message_of(record), attempt)
        return JobRecord(self, message, self.payload_of(message), RETRY)


class FunctionJobs(LibraryBridge[Callable[..., Any], M, S]):
    """A bridge to a library that takes any function of a module as a job, and names it by its path.

    A function that was never enqueued is a job where only a job can be meant: in an assertion, a fault or a
    simulation. Elsewhere it stays a plain function, since a program imports libraries that it uses for others.
    """

    def marks(self, function: Callable[..., Any]) -> bool:
        """Say whether the library, or the project, has marked a function as a job."""
        return _given.get() == (self.name, function)

    def __init__(self) -> None:
        super().__init__()
        self._reported: set[str] = set()

    def install(self, sink: Sink, draw: Callable[[], float]) -> None:
        self._reported.clear()
        super().install(sink, draw)

    def new_record(self, message: M, origin: Origin | None = None) -> JobRecord:
        self._reported.add(message.name)
        return super().new_record(message, origin)

    def find(self, job: object) -> Callable[..., Any] | None:
        if isinstance(job, str):
            return function_at(job)
        function = without_object(job)
        return function if callable(function) and function_at(path_of(function)) else None

    def name_of(self, task: Callable[..., Any]) -> str:
        return path_of(task)

    def body_of(self, task: Callable[..., Any]) -> Callable[..., Any]:
        return task

    def binder_of(self, task: Callable[..., Any]) -> Binder:
        # The object of a method is part of the message, and no argument.
        is_method = isinstance(task, FunctionType) and "." in task.__qualname__
        return Binder(task, label=path_of(task), skip=1 if is_method else 0)

    def identify(self, job: object) -> str | None:
        if isinstance(job, str):
            return job if job in self._reported else None
        found = self.find(job)
        if found is None:
            return None
        name = self.name_of(found)
        return name if name in self._reported or self.marks(found) else None

    def adopt(self, job: object) -> str | None:
        """Return the path of a function at the top of a module that is imported, or in a class there."""
        found = self.find(job)
        return path_of(found) if isinstance(found, FunctionType | MethodType) else None

    def known_names(self) -> Collection[str]:
        return self._reported


#: A function that is a job of a library, although nothing in the process was enqueued with it, and the library.
_given: ContextVar[tuple[str, Any]] = ContextVar("pytest_jobs_given", default=("", None))


@contextmanager
def given_to(library: str, function: object) -> Generator[None, None, None]:
    """Let a function be a job of a library in a block: it is given to the library elsewhere."""
    token = _given.set((library, without_object(function)))
    try:
        yield
    finally:
        _given.reset(token)


def without_object(function: Any) -> Any:
    """Return the function of a method whose object goes with each message."""
    return function if is_class_method(function) else getattr(function, "__func__", function)


def path_of(function: Any) -> str:
    """Return the path from which a worker imports a function, as "package.module.function".

    That of a class method begins with the class that it was taken from: it may do something else in each.
    """
    if is_class_method(function):
        return f"{path_of(function.__self__)}.{function.__name__}"
    return f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', function)}"


def is_class_method(function: object) -> bool:
    """Say whether a function is a class method, which is complete without an object."""
    return isinstance(function, MethodType) and isinstance(function.__self__, type)


def function_at(path: str) -> Callable[..., Any] | None:
    """Return what has a path; None when it is not there, or its module is not imported."""
    module, _, name = path.rpartition(".")
    attributes = [name]
    while module and module not in sys.modules:
        module, _, name = module.rpartition(".")
        attributes.insert(0, name)
    found: Any = sys.modules.get(module)
    for attribute in attributes:
        found = getattr(found, attribute, None)
    return found if callable(found) else None
