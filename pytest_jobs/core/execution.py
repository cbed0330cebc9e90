"""One delivery of a payload: the job is made, performed, and its error handled by rule."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import Any, TypeAlias, cast

from ..errors import DeclarationError, Halt, RunningLoopError
from .arguments.encoding import decode, look_up_records_of_arguments, may_name_records
from .arguments.records import Find, RecordReference, UnitOfWork, units
from .batches.ends import end_in_batch, end_in_batch_or_log
from .enqueueing.context import current_classes, enter, leave, performed, restore
from .enqueueing.enqueue import enqueue_retry, payload_of
from .foundation.base import JobBase
from .foundation.callbacks import arun_chain, run_chain, without_awaiting
from .foundation.hooks import hooks
from .foundation.options import Options, duration_ns
from .foundation.payload import BATCH, Execution, Payload
from .foundation.rules import DiscardRule, RescueRule, RetryRule, Then
from .foundation.settings import settings

Around: TypeAlias = Callable[[Callable[[], Any]], Any]


def perform(
    payload: Payload, around: Around | None = None
) -> Execution | Coroutine[Any, Any, Execution]:
    """Perform a payload once.

    Args:
        payload: the payload, as an adapter kept it.
        around: called with the bound body, in its place; for test tools.

    Returns:
        The execution, or for a coroutine job a coroutine that returns it. It has the error of the job,
        or the reason why its class cannot be found; only errors that are no `Exception` are raised.
    """
    try:
        job_class = payload.job
    except Exception as error:  # Importing its module may raise anything.
        if payload.headers is not None and BATCH in payload.headers:
            end_in_batch_or_log(payload, "failed")
        return Execution("failed", error=error, handled=False)
    run = Run(job_class, payload, around)
    carries = payload.headers is not None or may_name_records(payload.arguments)
    if carries or current_classes.any or performed.get() is not None:
        delivery = run.deliver_with_records()
    elif run.declaration.is_coroutine:
        delivery = run.deliver_with_records() if units.in_use else run.adeliver()
    else:
        return run.deliver_in_unit() if units.in_use else run.deliver()
    if run.declaration.is_coroutine:
        return delivery
    return without_awaiting(delivery, payload.name)


class Run:
    """One delivery of one job.

    The way of a plain job, `deliver`, awaits nothing. `adeliver` is the way of a coroutine job and of one
    with records; for a synchronous job it awaits nothing either, so `without_awaiting` runs it in one go.
    """

    __slots__ = (
        "_aftermath",
        "_around",
        "_job",
        "_payload",
        "declaration",
        "retry_wait_ns",
    )

    def __init__(self, job_class: type[JobBase], payload: Payload, around: Around | None) -> None:
        job = job_class.__new__(job_class)
        job.payload = payload
        job.enqueued = True
        self._job = job
        self._payload = payload
        self._around = around
        self.declaration = job_class.__declaration__
        #: The wait before the next attempt, once the job has called `retry`; None before.
        self.retry_wait_ns: int | None = None

    def retry(self, options: Options) -> None:
        """Enqueue the next attempt; see `Job.retry`."""
        payload, now_ns = self._payload, settings.adapter.now_ns()
        due_ns = options.due_ns(now_ns)
        enqueue_retry(
            self._job, payload, now_ns, due_ns, options.queue, options.priority, payload.failures
        )
        self.retry_wait_ns = 0 if due_ns is None else max(due_ns - now_ns, 0)

    def deliver(self, unit: UnitOfWork | None = None) -> Execution:
        """Perform a job that awaits nothing, and handle its error."""
        exclusion = self.declaration.exclusion
        try:
            execution = None if exclusion is None else exclusion.enter(self._payload)
            if execution is None:
                result = self._call(self._begin(RecordReference))
                if unit is not None:
                    unit.performed()
                execution = self._performed(result)
        except Exception as error:
            execution = self._failed(error) if unit is None else self._failed_in(unit, error)
        return self._ended(execution)

    def deliver_in_unit(self) -> Execution:
        """Perform the job, and decide about the jobs it enqueues that no transaction decides about."""
        unit = UnitOfWork(awaits=False)
        unit.begin()
        try:
            return self.deliver(unit)
        finally:
            unit.end()

    async def adeliver(self, unit: UnitOfWork | None = None) -> Execution:
        """Perform a coroutine job, or one with records, and handle its error."""
        exclusion, callbacks = self.declaration.exclusion, self.declaration.perform_callbacks
        try:
            execution = None if exclusion is None else exclusion.enter(self._payload)
            if execution is None:
                find = RecordReference if unit is None else await self._found_records(unit)
                body = self._begin(find)
                if not self.declaration.is_coroutine:
                    result = self._call(body)
                elif callbacks:
                    result = await arun_chain(callbacks, self._job, body)
                else:
                    result = await body()
                if unit is not None:
                    await unit.commit()
                execution = self._performed(result)
        except Exception as error:
            execution = self._failed(error) if unit is None else await self._afailed(error, unit)
        return self._ended(execution)

    async def deliver_with_records(self) -> Execution:
        """Deliver the job in a context of its own, and with the records that its payload names."""
        async with UnitOfWork(awaits=self.declaration.is_coroutine) as unit:
            before = enter(self._payload)
            try:
                return await self.adeliver(unit)
            finally:
                leave(before)

    async def _found_records(self, unit: UnitOfWork) -> Find:
        """Set the current attributes of the payload, look up its records, and return their finder."""
        payload = self._payload
        if payload.headers is not None:
            self._job.__context__ = await restore(payload.headers, unit)
        types = self.declaration.argument_types
        await look_up_records_of_arguments(payload.arguments, types, unit)
        return unit.find

    def _begin(self, find: Find) -> Callable[[], Any]:
        """Read the arguments, and return the body, bound to them."""
        job, payload = self._job, self._payload
        args, kwargs = decode(payload.arguments, self.declaration.argument_types, find=find)
        job.args, job.kwargs = args, kwargs
        # From here until the end the job may call `retry`.
        job.__run__ = self
        if hooks.job_started is not None:
            hooks.job_started(job=job)
        body = partial(job.perform, *args, **kwargs)
        return body if self._around is None else partial(self._around, body)

    def _call(self, body: Callable[[], Any]) -> Any:
        callbacks = self.declaration.perform_callbacks
        if callbacks:
            return run_chain(callbacks, self._job, lambda: self._checked(body()))
        return self._checked(body())

    def _checked(self, result: Any) -> Any:
        if type(result) is CoroutineType:
            result.close()
            raise DeclarationError(
                f"{type(self._job).__qualname__}.perform returned a coroutine that nothing awaits: declare it "
                "`async def perform`."
            )
        return result

    def _performed(self, result: object) -> Execution:
        if self.retry_wait_ns is not None:
            return Execution("retried", result, wait_ns=self.retry_wait_ns)
        headers = self._payload.headers
        if headers is not None and BATCH in headers:
            end_in_batch(self._payload, "performed")
        return Execution("performed", result)

    def _ended(self, execution: Execution) -> Execution:
        payload, exclusion = self._payload, self.declaration.exclusion
        # No cycle keeps the job and its arguments until the next collection of garbage.
        self._job.__run__ = None
        succeeded = execution.status == "performed" and execution.error is None
        if not succeeded and payload.headers is not None and BATCH in payload.headers:
            end_in_batch_or_log(payload, execution.status)
        if exclusion is not None:
            exclusion.leave(payload, execution.status, execution.wait_ns)
        if hooks.job_finished is not None:
            hooks.job_finished(job=self._job, execution=execution)
        return execution

    # Errors

    def _failed(self, error: Exception) -> Execution:
        """Handle the error of the job."""
        try:
            execution = self._outcome_of(error)
        except Exception as raised:
            execution = Execution("failed", error=raised, handled=False)
        execution.aftermath = self._aftermath
        return execution

    def _failed_in(self, unit: UnitOfWork, error: Exception) -> Execution:
        """Handle the error of the job, between what the job and what its rules enqueued."""
        unit.failed()
        execution = self._failed(error)
        try:
            unit.performed()
        except Exception as raised:
            execution = Execution("failed", error=raised, handled=False)
        return execution

    async def _afailed(self, error: Exception, unit: UnitOfWork) -> Execution:
        """Handle the error between a rollback of what the job did and a commit of what its rules do."""
        await unit.roll_back(error)
        try:
            execution = self._outcome_of(error)
            await unit.commit()
        except Exception as raised:
            execution = Execution("failed", error=raised, handled=False)
        execution.aftermath = self._aftermath
        return execution

    def _outcome_of(self, error: Exception) -> Execution:
        """Apply the rule for an error; a job that asks for its next attempt is retried, whatever the rule."""
        self._aftermath: tuple[str, ...] = ()
        if isinstance(error, Halt):
            return self._retried() or Execution("halted", error=error)
        execution = self._retried(error=error) or self._apply_rule(error)
        return self._retried(execution.result, error) or execution

    def _retried(self, result: object = None, error: Exception | None = None) -> Execution | None:
        if self.retry_wait_ns is None:
            return None
        return Execution("retried", result, error, wait_ns=self.retry_wait_ns)

    def _apply_rule(self, error: Exception) -> Execution:
        found = self.declaration.find_rule(error)
        if found is None:
            self._give_up(None, error)
            return Execution("failed", error=error, handled=False)
        rule, matched = found
        if isinstance(rule, RetryRule):
            return self._retry_or_exhaust(rule, matched, error)
        if isinstance(rule, DiscardRule):
            self._give_up(rule.then, matched)
            return Execution("discarded", error=error)
        rescue = getattr(self._job, cast(RescueRule, rule).name)
        return Execution("performed", rescue(matched), error)

    def _retry_or_exhaust(
        self, rule: RetryRule, matched: BaseException, error: Exception
    ) -> Execution:
        payload = self._payload
        before = payload.failures or {}
        failures = before.get(rule.key, 0) + 1
        if rule.attempts is not None and failures >= rule.attempts:
            self._give_up(rule.then, matched)
            return Execution("exhausted", error=error, handled=rule.then is not None)
        try:
            delay = rule.wait.delay(failures, matched, rule.jitter, settings.draw())
        except Exception as raised:
            # From here on this is the error of the delivery, and nobody would look for the one of the job.
            raised.add_note(
                f"The job had raised {type(error).__name__}: {error}. It has no next attempt, since its wait "
                "could not be computed."
            )
            raise
        wait_ns = duration_ns(delay.seconds)
        now_ns = settings.adapter.now_ns()
        counters = {**before, rule.key: failures}
        enqueue_retry(
            self._job, payload, now_ns, now_ns + wait_ns, rule.queue, rule.priority, counters
        )
        bounds_ns = (duration_ns(delay.low), duration_ns(delay.high))
        return Execution("retried", error=error, wait_ns=wait_ns, wait_bounds_ns=bounds_ns)

    def _give_up(self, then: Then | None, error: BaseException) -> None:
        """Call `then=` and the `after_discard` methods. Each of these runs, and the last error is raised."""
        job = self._job
        if then is not None:
            self._aftermath += (getattr(then, "__name__", repr(then)),)
            then(job, error)
            if self.retry_wait_ns is not None:
                return
        last: Exception | None = None
        for name in self.declaration.discard_methods:
            self._aftermath += (name,)
            try:
                getattr(job, name)(error)
            except Exception as raised:
                last = raised
        if last is not None:
            raise last


def perform_to_end(payload: Payload) -> Execution:
    """Perform a payload once, a coroutine job on an event loop of its own.

    Raises:
        RunningLoopError: for a coroutine job inside a running event loop.
    """
    execution = perform(payload)
    if isinstance(execution, Execution):
        return execution
    import asyncio

    if asyncio._get_running_loop() is not None:
        execution.close()
        raise RunningLoopError(
            f"{payload.name} is a coroutine job, and it was to be performed synchronously inside a running "
            "event loop: write `await ....aperform_now(...)`."
        )
    return asyncio.run(execution)


def perform_now(job: JobBase) -> Any:
    """Perform a job that was not enqueued; see `Job.perform_now`."""
    return _result_or_error(perform_to_end(payload_of(job, time.time_ns())))


async def aperform_now(job: JobBase) -> Any:
    """Perform a job that was not enqueued, on the running event loop."""
    execution = perform(payload_of(job, time.time_ns()))
    return _result_or_error(execution if isinstance(execution, Execution) else await execution)


def _result_or_error(execution: Execution) -> Any:
    error = execution.error
    if error is None or (execution.handled and execution.status != "retried"):
        return execution.result
    if execution.status == "retried":
        error.add_note("A retry of the job was enqueued.")
    raise error
