"""The settings of workers, and one delivery by a worker of SAQ."""

from __future__ import annotations

import inspect
import sys
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from copy import copy
from functools import partial
from typing import Any, NamedTuple

from saq import Job, Queue, Status, Worker
from saq.worker import ensure_coroutine_function_many

from ...harness.records.attributes import variables_of_modules
from ...harness.running.direct_calls import given_context
from ..toolkit import Attempt, Delivery, ThisThread, duration_ns, out_of_task, waited_for
from .messages import SaqMessage


class Registered(NamedTuple):
    """A function, as a worker knows it."""

    name: str
    function: Callable[..., Any]
    worker: HarnessWorker


class SaqAttempt(Attempt[SaqMessage]):
    """One delivery of a job, with what is noted of it while it runs."""

    #: The job that the worker takes from the queue; None once it has.
    waiting: Job | None = None
    #: How the worker ended the job; None while it has not.
    ended_as: Status | None = None
    result: object = None
    #: The longest that jitter could have made the wait, in seconds; None without jitter.
    longest: float | None = None
    #: An error that ends a worker.
    ending: BaseException | None = None

    def body(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that calls another one by `around`."""
        ran: list[bool] = []

        def noted(*args: Any, **kwargs: Any) -> Any:
            ran.append(True)
            return function(*args, **kwargs)

        def called(ctx: Any, **kwargs: Any) -> Any:
            try:
                body = partial(self.around, partial(noted, ctx, **kwargs))
                result = waited_for(ctx["job"].timeout, self.bridge.sink.now_ns, body)
                if ran or not inspect.iscoroutine(result):
                    return result
                # Of a simulated success, which takes every body for a coroutine.
                return result.close()
            except (Exception, CancelledError):
                raise
            except BaseException as error:
                self.ending = error
                raise out_of_task(error) from None

        async def awaited(ctx: Any, **kwargs: Any) -> Any:
            try:
                return await self.around(partial(function, ctx, **kwargs))
            except (Exception, CancelledError):
                raise
            except BaseException as error:
                self.ending = error
                raise out_of_task(error) from None

        return awaited if inspect.iscoroutinefunction(function) else called

    def outcome(self) -> Delivery | None:
        """Return what the delivery came to; None when the worker did nothing."""
        if self.again is not None:
            bounds_ns = None if self.longest is None else (0, duration_ns(self.longest))
            return self.retried(self.error, bounds_ns=bounds_ns, is_exact=bounds_ns is None)
        if self.ended_as == Status.COMPLETE:
            return self.performed(self.result)
        if self.ended_as == Status.ABORTED:
            return Delivery(self.record, self.now_ns, "cancelled", error=self.error)
        if self.error is None:
            return None
        return self.failed(self.error, "exhausted" if self.message.attempt > 1 else "failed")


class HarnessWorker(Worker):  # type: ignore[misc]  # pyright: ignore[reportMissingTypeArgument]
    """A worker that performs one job at a time, in the thread of the test."""

    def __init__(self, settings: Mapping[str, Any], context: Mapping[str, Any] | None) -> None:
        """Prepare a worker.

        Args:
            settings: the arguments of the worker of the application.
            context: what jobs get in place of what `startup` puts into the context; None for `startup` itself.
        """
        super().__init__(**settings)
        self.functions: dict[str, Callable[..., Any]]
        # SAQ names a pool of threads, and calls nothing of it but what each executor has.
        pool: Any = ThisThread()
        self.pool = pool
        #: The functions that are called when the worker starts, and when it ends.
        self.hooks = [
            ensure_coroutine_function_many(found, pool) if found and context is None else ()
            for found in (settings.get("startup"), settings.get("shutdown"))
        ]
        self.context.update(context or {})
        #: The functions of the application, by their names.
        self.registered = dict(self.functions)

    async def life(self) -> AsyncGenerator[HarnessWorker, None]:
        """Yield a worker that has started, and shut it down when the event loop closes."""
        worker = copy(self)
        given = given_context.get()
        worker.context = {**self.context, **(given or {}), "worker": worker}
        startup, shutdown = self.hooks if given is None else ((), ())
        for hook in startup:
            await hook(worker.context)
        try:
            yield worker
        finally:
            for hook in shutdown:
                await hook(worker.context)

    async def perform(self, attempt: SaqAttempt, job: Job) -> None:
        """Perform one job as `process` does, with the function of this attempt.

        Raises:
            BaseException: an error of the job that ends a worker.
        """
        attempt.waiting = job
        self.functions = {job.function: attempt.body(self.registered[job.function])}
        self._attempt = attempt
        try:
            await self.process()
        except BaseException:
            # Out of the task in which asyncio runs the function a KeyboardInterrupt would end the loop.
            if attempt.ending is None:
                raise
        if attempt.ending is not None:
            raise attempt.ending

    async def _after_process(self, ctx: Any) -> None:
        if self._attempt.ending is None:
            self._attempt.error = ctx.get("exception")
            await super()._after_process(ctx)


class Workers:
    """The workers of the process: those that a test names, and the settings at the top of modules."""

    def __init__(self, named: Iterable[Any], context: Mapping[str, Any] | None) -> None:
        """Begin with those that are named.

        Args:
            named: settings of workers, as the command `saq` takes them.
            context: what jobs get in place of what `startup` puts there; None for `startup` itself.
        """
        self._named = list(named)
        self._context = context
        self._made: dict[int, tuple[Any, HarnessWorker]] = {}
        #: How many modules there were, and the settings in them.
        self._in_modules: tuple[int, list[Mapping[str, Any]]] = 0, []

    def every(self) -> Iterator[HarnessWorker]:
        """Yield a worker for each of the settings, the named ones first."""
        if self._in_modules[0] != len(sys.modules):
            dictionaries = variables_of_modules(lambda kind: kind is dict)
            found = {id(value): value for *_, value in dictionaries if _is_settings(value)}
            self._in_modules = len(sys.modules), [*found.values()]
        for settings in (*self._named, *self._in_modules[1]):
            if id(settings) not in self._made:
                self._made[id(settings)] = settings, HarnessWorker(settings, self._context)
            yield self._made[id(settings)][1]

    def far(self, worker: HarnessWorker) -> list[Any]:
        """Return the settings of a worker in a list if no test has named them; else nothing."""
        named = {id(settings) for settings in self._named}
        made = self._made.values()
        return [given for given, each in made if each is worker and id(given) not in named]

    def named(self, name: str, queue: Queue | None = None) -> Registered | None:
        """Return the function of a name, from a worker of a queue if there is one."""
        found = [each for each in self.every() if name in each.registered]
        of_queue = [each for each in found if queue is None or each.queue.name == queue.name]
        worker = next(iter((*of_queue, *found)), None)
        return None if worker is None else Registered(name, worker.registered[name], worker)

    def of(self, function: Callable[..., Any]) -> Registered | None:
        """Return what a worker knows of a function."""
        for worker in self.every():
            for name, known in worker.registered.items():
                if known is function:
                    return Registered(name, known, worker)
        return None


def _is_settings(found: dict[Any, Any]) -> bool:
    """Say whether a variable of a module is what the command `saq` is given."""
    return "functions" in found and isinstance(found.get("queue"), Queue)
