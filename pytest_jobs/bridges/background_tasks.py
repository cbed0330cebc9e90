"""The bridge to the background tasks of Starlette and FastAPI: what a response runs once it has been sent.

They have no queue. So the application goes on performing them by itself, in the request, and each is recorded with
its delivery. One that the test keeps, by `mode="record"` or `jobs.holding`, waits for a verb instead.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeVar
from uuid import uuid4

from starlette.applications import Starlette
from starlette.background import BackgroundTask, BackgroundTasks

from ..harness.open_harness import OpenHarness, open_harnesses
from ..harness.records.record import PENDING, TAKEN
from .call_capture import kept
from .toolkit import (
    AT_MOST_ONCE,
    FIRST,
    Attempt,
    Delivery,
    DeliverySemantics,
    FunctionJobs,
    JobRecord,
    Message,
    Origin,
    Probe,
    Seam,
    Sink,
    ThisThread,
    path_of,
    without_object,
)

_PROBE: Final = Probe(
    "starlette",
    "starlette.applications:Starlette.__call__(_, _, _, _)",
    "starlette.background:BackgroundTask(_)",
    "starlette.background:BackgroundTask.__call__(_)",
    "starlette.background:BackgroundTasks.__call__(_)",
    tested=((0, 37), (1, 10)),
)
#: Each test has a bridge, and looking the version up reads files.
_VERSION: Final = version("starlette")

V = TypeVar("V")


def bridge(applications: Sequence[Any]) -> BackgroundTasksBridge:
    """Return a new bridge to the background tasks of all applications.

    Args:
        applications: of no meaning here.
    """
    return BackgroundTasksBridge()


class Series:
    """What one response runs once it has been sent: a task, or a group of them, which may have groups in it."""

    def __init__(self, root: BackgroundTask, sink: Sink) -> None:
        self._root = root
        # A harness may close while a server of the test still answers.
        self._sink = sink
        #: Each task with its record, in the order in which they are to be called.
        self.given: list[tuple[BackgroundTask, JobRecord]] = []
        #: Those that were not called yet.
        self.waiting: list[tuple[BackgroundTask, JobRecord]] = []

        # A response may have thousands, so they are gone through again only when a group has grown.
        self._seen: dict[int, BackgroundTask] = {}
        self._sizes: list[tuple[BackgroundTasks, int]] = []

    def has(self, task: BackgroundTask) -> bool:
        return id(task) in self._seen or any(task is each for each in _within(self._root))

    def new(self) -> list[BackgroundTask]:
        """Return the tasks without a record: all at first, then those that a task has added."""
        if self._seen and all(len(group.tasks) == size for group, size in self._sizes):
            return []
        known, found = self._seen, list(_within(self._root))
        groups = [each for each in found if isinstance(each, BackgroundTasks)]
        self._seen = {id(each): each for each in found}
        self._sizes = [(each, len(each.tasks)) for each in groups]
        return [
            each
            for each in found
            if id(each) not in known and not isinstance(each, BackgroundTasks)
        ]

    def add(self, task: BackgroundTask, record: JobRecord) -> None:
        self.given.append((task, record))
        self.waiting.append((task, record))

    def take(self, task: BackgroundTask) -> JobRecord:
        """Return the record of a task that is called."""
        place = next(place for place, (each, _) in enumerate(self.waiting) if each is task)
        return self.waiting.pop(place)[1]

    def after(self, record: JobRecord) -> list[JobRecord]:
        """Return the records that come to nothing when a task fails: a group of the project decides itself."""
        groups = [each for each in _within(self._root) if isinstance(each, BackgroundTasks)]
        records = [each for _, each in self.given]
        return records[records.index(record) + 1 :] if all(map(_is_plain, groups)) else []

    def lose(self, records: list[JobRecord]) -> None:
        """Withdraw tasks that nobody calls any more, since another has failed."""
        for record in records:
            record.state = PENDING
            self._sink.removed(record)


class GivenTask(Message):
    """A task that was given to a response."""

    __slots__ = ("_written", "call", "given", "harness", "series", "task")

    def __init__(self, task: BackgroundTask, series: Series, now_ns: int) -> None:
        self.task = task
        self.series = series
        #: What the task calls, without the arguments of a partial.
        self.call: Callable[..., Any] = task.func
        args, kwargs = tuple(task.args), dict(task.kwargs)
        while isinstance(self.call, partial):
            args, kwargs = (*self.call.args, *args), {**self.call.keywords, **kwargs}
            self.call = self.call.func
        request = _request.get()
        super().__init__(
            _name_of(self.function),
            uuid4().hex,
            now_ns,
            headers=None if request is None else {"request": request},
        )
        #: The arguments themselves, which another task of the response may change.
        self.given = args, kwargs
        self._written = kept(self.given)
        #: Gets the delivery that the application makes, in the request; None for what a verb performs.
        self.harness: OpenHarness | None = None

    @property
    def function(self) -> Any:
        """What a test names: the function, without the object of a method."""
        return without_object(self.call)

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments; containers are as they were when the response was sent."""
        args, kwargs = kept(self._written)
        return args, kwargs


class TaskAttempt(Attempt[GivenTask]):
    """One delivery of a task."""

    #: What the function returned, which Starlette drops.
    result: object = None

    def task(self) -> Any:
        """Return the task with the body inside `around`."""
        message, around = self.message, self.around
        task: Any = copy(message.task)
        call = message.call

        async def awaited(*args: Any, **kwargs: Any) -> None:
            self.result = await around(partial(call, *args, **kwargs))

        def called(*args: Any, **kwargs: Any) -> None:
            self.result = around(partial(call, *args, **kwargs))

        task.func = awaited if task.is_async else called
        passed = message.given if message.harness is not None else message.arguments()
        task.args, task.kwargs = passed
        return task


class BackgroundTasksBridge(FunctionJobs[GivenTask, None]):
    """Brings background tasks into the harness."""

    name = "background_tasks"
    capabilities = frozenset(("async",))
    attempt_class = TaskAttempt
    another = "BackgroundTasksBridge()"

    def __init__(self) -> None:
        """Prepare a bridge.

        Raises:
            UnknownVersionError: when the installed Starlette lacks what the bridge relies on.
        """
        self.version = _VERSION
        _PROBE.check(self.version)
        super().__init__()
        #: The functions that were given in this harness, those inside of functions too.
        self._functions: list[Any] = []

    def described(self) -> str:
        return "of Starlette, performed in the request unless a test keeps them"

    # Where a response calls a task or a group

    def patch(self, seam: Seam) -> None:
        seam.wrap(Starlette, "__call__", BackgroundTasksBridge._answer)
        seam.wrap(BackgroundTask, "__call__", BackgroundTasksBridge._call)
        # Groups, those of FastAPI included, and what projects derive.
        seam.wrap_below(BackgroundTask, "__call__", BackgroundTasksBridge._call)

    async def _answer(self, original: Any, app: Starlette, scope: Any, *rest: Any) -> None:
        request = None
        if scope["type"] == "http":
            request = f"{scope['method']} {scope['path']}"
        with _set(_request, request):
            await original(scope, *rest)

    async def _call(self, original: Callable[[], Awaitable[None]], task: BackgroundTask) -> None:
        series = _series.get()
        if any(task is each for each in _called.get()):
            # An override calls `super().__call__()`, or this is the end of a delivery.
            await original()
        elif series is None or not series.has(task):
            await self._begin(Series(task, self.sink), original, task)
        elif isinstance(task, BackgroundTasks):
            with _set(_called, (*_called.get(), task)):
                await original()
        else:
            if all(task is not each for each, _ in series.waiting):
                # A group calls it once more.
                self._give(task, series)
            await self._let(series.take(task))

    async def _begin(
        self, series: Series, original: Callable[[], Awaitable[None]], task: BackgroundTask
    ) -> None:
        """Run all that a response was given."""
        self._give_new(series)
        try:
            with _set(_series, series):
                await self._call(original, task)
        except BaseException:
            series.lose([record for _, record in series.waiting])
            raise

    def _give_new(self, series: Series) -> None:
        for task in series.new():
            self._give(task, series)

    def _give(self, task: BackgroundTask, series: Series) -> None:
        """Report a task, which the application performs unless the test keeps it."""
        message = GivenTask(task, series, self.sink.now_ns())
        # None in a check or a simulation, which performs by itself what is enqueued, or leaves it.
        message.harness = open_harnesses.of_ledger(self.sink)
        record = self.report(message, FIRST)
        if message.harness is not None and not message.harness.lets_through(record):
            message.harness = None
        series.add(task, record)

    def new_record(self, message: GivenTask, origin: Origin | None = None) -> JobRecord:
        record = super().new_record(message, origin)
        if message.harness is not None:
            # Inline mode leaves it alone.
            record.state = TAKEN
        return record

    async def _let(self, record: JobRecord) -> None:
        """Let the application perform a task that the test does not keep."""
        message = self.message_of(record)
        if message.harness is None:
            return
        try:
            delivery = await message.harness.apass(record)
        finally:
            message.harness = None
        if delivery.error is not None:
            raise delivery.error

    # Functions and tasks

    def report(self, message: GivenTask, origin: Origin | None = None) -> JobRecord:
        if message.function not in self._functions:
            self._functions.append(message.function)
        return super().report(message, origin)

    def find(self, job: object) -> Callable[..., Any] | None:
        """Return a function that was given, or that a module has."""
        meant = without_object(job)
        given: Callable[..., Any]
        for given in self._functions:
            if given == meant or (isinstance(job, str) and _name_of(given) == job):
                return given
        return super().find(job)

    def name_of(self, task: Callable[..., Any]) -> str:
        return _name_of(task)

    def task_of(self, message: GivenTask) -> Callable[..., Any]:
        function: Callable[..., Any] = message.function
        return function

    def decoded(self, message: GivenTask) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return message.arguments()

    def send(
        self, task: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        """Report a task without a request."""
        series = Series(BackgroundTask(task, *args, **kwargs), self.sink)
        for given in series.new():
            series.add(given, self.report(GivenTask(given, series, self.sink.now_ns())))

    def semantics_of(self, task: Callable[..., Any]) -> DeliverySemantics:
        """Return that a task is performed at most once: only the process that answers knows of it."""
        return AT_MOST_ONCE

    # Performing

    def is_coroutine(self, record: JobRecord) -> bool:
        message = self.message_of(record)
        is_passing = message.harness is not None
        return is_passing or message.task.is_async or not _is_plain(message.task)

    def deliver(self, attempt: TaskAttempt) -> Delivery | Awaitable[Delivery]:
        """Make one delivery: in the request as the application does, and elsewhere in the thread of the test."""
        if self.is_coroutine(attempt.record):
            return self._awaited(attempt)
        task = attempt.task()
        try:
            ThisThread().submit(task.func, *task.args, **task.kwargs).result()
        except Exception as error:
            return self._ended(attempt, error)
        return self._ended(attempt)

    async def _awaited(self, attempt: TaskAttempt) -> Delivery:
        task = attempt.task()
        try:
            with _set(_called, (*_called.get(), task)):
                await task()
        except Exception as error:
            return self._ended(attempt, error)
        return self._ended(attempt)

    def _ended(self, attempt: TaskAttempt, error: Exception | None = None) -> Delivery:
        message = attempt.message
        self._give_new(message.series)
        if error is None:
            return attempt.performed(attempt.result)
        if message.harness is None:
            after = message.series.after(attempt.record)
            message.series.lose([record for record in after if record.state is PENDING])
        return attempt.failed(error)


def _within(task: BackgroundTask) -> Iterator[BackgroundTask]:
    """Yield a task or group, and all that is in it, in the order in which they are called."""
    yield task
    for each in task.tasks if isinstance(task, BackgroundTasks) else ():
        yield from _within(each)


def _is_plain(task: BackgroundTask) -> bool:
    """Say whether a task or group is of the libraries, and not of a class that a project derives."""
    return type(task).__module__.partition(".")[0] in ("starlette", "fastapi")


def _name_of(function: Any) -> str:
    """Return the path of a function, or of the class of another object that is called."""
    return path_of(function if hasattr(function, "__qualname__") else type(function))


#: The request that is being answered in this context.
_request: ContextVar[str | None] = ContextVar("pytest_jobs_request", default=None)
#: What the response runs that is being sent in this context.
_series: ContextVar[Series | None] = ContextVar("pytest_jobs_series", default=None)
#: The tasks and groups that are being called in this context.
_called: ContextVar[tuple[BackgroundTask, ...]] = ContextVar("pytest_jobs_called", default=())


@contextmanager
def _set(variable: ContextVar[V], value: V) -> Generator[None, None, None]:
    """Give a variable a value for a block."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
