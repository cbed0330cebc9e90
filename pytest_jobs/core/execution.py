"""One delivery of a payload: the job is built, performed, and its error dealt with by rule."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from ..errors import DeclarationError, Halt, RunningLoopError
from .arguments.encoding import decode, may_name_records
from .arguments.records import RecordReference, RecordWork
from .batches.ends import end_in_batch, end_in_batch_or_log
from .enqueueing.context import arestore, current_classes, enter, leave, performed, restore
from .enqueueing.enqueue import payload_of, send_retry
from .foundation.callbacks import arun_chain, run_chain
from .foundation.hooks import hooks
from .foundation.options import duration_ns
from .foundation.payload import BATCH, Execution, Payload
from .foundation.rules import DiscardRule, RescueRule, RetryRule, Then, find_rule
from .foundation.settings import settings

if TYPE_CHECKING:
    from .job import Job

Around: TypeAlias = Callable[[Callable[[], Any]], Any]

PERFORMED: Final = "performed"


def perform(
    payload: Payload, around: Around | None = None
) -> Execution | Coroutine[Any, Any, Execution]:
    """Perform a payload once.

    Args:
        payload: what an adapter kept.
        around: called with the bound body, instead of which it runs; for test tools.

    Returns:
        The execution, or for a coroutine job a coroutine that returns it. Errors of the job are in
        it, and why its class cannot be found; only those that are no `Exception` are raised.
    """
    try:
        cls: type[Job] = payload.job
    except Exception as error:  # Importing its module may raise anything.
        if payload.headers is not None and BATCH in payload.headers:
            end_in_batch_or_log(payload, "failed")
        return Execution("failed", error=error, handled=False)
    job = cls.__new__(cls)
    job.payload = payload
    job.enqueued = True
    if not may_name_records(payload.arguments) and payload.headers is None:
        return _perform_delivery(job, payload, around)
    if cls._is_coroutine:
        return _perform_coroutine_with_records(job, payload, around)
    return _perform_with_records(job, payload, around)


def _perform_with_records(job: Job, payload: Payload, around: Around | None) -> Execution:
    with RecordWork() as work:
        job._record_work = work
        return cast(Execution, _perform_delivery(job, payload, around))


async def _perform_coroutine_with_records(
    job: Job, payload: Payload, around: Around | None
) -> Execution:
    async with RecordWork() as work:
        job._record_work = work
        return await cast("Awaitable[Execution]", _perform_delivery(job, payload, around))


def _perform_delivery(
    job: Job, payload: Payload, around: Around | None
) -> Execution | Coroutine[Any, Any, Execution]:
    cls = type(job)
    if current_classes.any or payload.headers is not None or performed.get() is not None:
        if cls._is_coroutine:
            return _perform_coroutine_in_context(job, payload, around)
        return _perform_in_context(job, payload, around)
    if cls._is_coroutine:
        return _perform_coroutine(job, payload, around)
    return _perform(job, payload, around)


def _perform_in_context(job: Job, payload: Payload, around: Around | None) -> Execution:
    before = enter(payload)
    try:
        return _perform(job, payload, around)
    finally:
        leave(before)


async def _perform_coroutine_in_context(
    job: Job, payload: Payload, around: Around | None
) -> Execution:
    before = enter(payload)
    try:
        return await _perform_coroutine(job, payload, around)
    finally:
        leave(before)


def _perform(job: Job, payload: Payload, around: Around | None) -> Execution:
    try:
        if type(job)._exclusion is not None and (refused := _refused(job, payload)) is not None:
            return _finished(job, refused)
        action = _begin(job, payload, around)
        callbacks = type(job)._perform_callbacks
        if callbacks:
            result = run_chain(callbacks, job, lambda: _no_coroutine(job, action()))
        else:
            result = _no_coroutine(job, action())
        if job._record_work is not None:
            job._record_work.commit()
        _end_performed(job, payload)
    except Exception as error:
        return _conclude(job, payload, error)
    return _finished(job, _retried_itself(job, result) or Execution(PERFORMED, result))


def _no_coroutine(job: Job, result: Any) -> Any:
    if type(result) is CoroutineType:
        result.close()
        raise DeclarationError(
            f"{type(job).__qualname__}.perform returned a coroutine that nothing awaits: declare it "
            "`async def perform`."
        )
    return result


async def _perform_coroutine(job: Job, payload: Payload, around: Around | None) -> Execution:
    try:
        if type(job)._exclusion is not None and (refused := _refused(job, payload)) is not None:
            return _finished(job, refused)
        if job._record_work is None:
            action = _begin(job, payload, around)
        else:
            action = await _abegin(job, payload, job._record_work, around)
        callbacks = type(job)._perform_callbacks
        if callbacks:
            result = await arun_chain(callbacks, job, action)
        else:
            result = await cast("Awaitable[Any]", action())
        if job._record_work is not None:
            await job._record_work.acommit()
        _end_performed(job, payload)
    except Exception as error:
        return await _aconclude(job, payload, error)
    return _finished(job, _retried_itself(job, result) or Execution(PERFORMED, result))


def _refused(job: Job, payload: Payload) -> Execution | None:
    exclusion = type(job)._exclusion
    refusal = None if exclusion is None else exclusion.enter(payload)
    if refusal is None:
        return None
    return Execution(refusal.status, error=refusal.error, wait_ns=refusal.wait_ns)


def _begin(job: Job, payload: Payload, around: Around | None) -> Callable[[], Any]:
    find = RecordReference if job._record_work is None else job._record_work.find
    if payload.headers is not None:
        job._ambient = restore(payload.headers, find)
    return _started(job, decode(payload.arguments, type(job)._argument_types, find=find), around)


async def _abegin(
    job: Job, payload: Payload, work: RecordWork, around: Around | None
) -> Callable[[], Any]:
    from .arguments.found_records import FoundRecords

    records, types = FoundRecords(work), type(job)._argument_types
    if payload.headers is not None:
        job._ambient = await arestore(payload.headers, records)
    await records.look_up_arguments(payload.arguments, types)
    return _started(job, decode(payload.arguments, types, find=records.find), around)


def _started(
    job: Job, arguments: tuple[tuple[Any, ...], dict[str, Any]], around: Around | None
) -> Callable[[], Any]:
    job.args, job.kwargs = args, kwargs = arguments
    job._running = True
    if hooks.job_started is not None:
        hooks.job_started(job=job)
    body = partial(job.perform, *args, **kwargs)
    return body if around is None else partial(around, body)


def _end_performed(job: Job, payload: Payload) -> None:
    """Let the batch of a job know that it was performed, unless it is to be tried again."""
    if job._retry_wait_ns is None and payload.headers and BATCH in payload.headers:
        end_in_batch(payload, PERFORMED)


def _finished(job: Job, execution: Execution) -> Execution:
    payload, job._running = job.payload, False
    succeeded = execution.status == PERFORMED and execution.error is None
    if not succeeded and payload is not None and payload.headers and BATCH in payload.headers:
        end_in_batch_or_log(payload, execution.status)
    exclusion = type(job)._exclusion
    if exclusion is not None and payload is not None:
        exclusion.leave(payload, execution.status, execution.wait_ns)
    if hooks.job_finished is not None:
        hooks.job_finished(job=job, execution=execution)
    return execution


def _conclude(job: Job, payload: Payload, error: Exception) -> Execution:
    work = job._record_work
    try:
        if work is not None:
            work.roll_back(error)
        execution = _apply_rule(job, payload, error)
        if work is not None:
            work.commit()
    except Exception as raised:
        execution = Execution("failed", error=raised, handled=False)
    execution.aftermath = job._aftermath
    return _finished(job, execution)


async def _aconclude(job: Job, payload: Payload, error: Exception) -> Execution:
    work = job._record_work
    if work is None:
        return _conclude(job, payload, error)
    try:
        await work.aroll_back(error)
        execution = _apply_rule(job, payload, error)
        await work.acommit()
    except Exception as raised:
        execution = Execution("failed", error=raised, handled=False)
    execution.aftermath = job._aftermath
    return _finished(job, execution)


def _apply_rule(job: Job, payload: Payload, error: Exception) -> Execution:
    if isinstance(error, Halt):
        return _retried_itself(job) or Execution("halted", error=error)
    execution = _retried_itself(job, None, error) or _by_rule(job, payload, error)
    return _retried_itself(job, execution.result, error) or execution


def _by_rule(job: Job, payload: Payload, error: Exception) -> Execution:
    found = find_rule(type(job), error)
    if found is None:
        _give_up(job, None, error)
        return Execution("failed", error=error, handled=False)
    rule, matched = found
    if isinstance(rule, RetryRule):
        return _retry_or_exhaust(job, payload, rule, matched, error)
    if isinstance(rule, DiscardRule):
        _give_up(job, rule.then, matched)
        return Execution("discarded", error=error)
    return Execution(PERFORMED, getattr(job, cast(RescueRule, rule).name)(matched), error)


def _retried_itself(
    job: Job, result: object = None, error: Exception | None = None
) -> Execution | None:
    """Return what a delivery came to whose job asked for its next attempt; None of any other."""
    if job._retry_wait_ns is None:
        return None
    return Execution("retried", result, error, wait_ns=job._retry_wait_ns)


def _retry_or_exhaust(
    job: Job, payload: Payload, rule: RetryRule, matched: BaseException, error: Exception
) -> Execution:
    before = payload.failures or {}
    failures = before.get(rule.key, 0) + 1
    if rule.attempts is not None and failures >= rule.attempts:
        _give_up(job, rule.then, matched)
        return Execution("exhausted", error=error, handled=rule.then is not None)
    delay = rule.wait.delay(failures, matched, rule.jitter, settings.draw())
    wait_ns = duration_ns(delay.seconds)
    adapter = settings.adapter
    now_ns = adapter.now_ns()
    counters = {**before, rule.key: failures}
    send_retry(job, payload, adapter, now_ns, now_ns + wait_ns, rule.queue, rule.priority, counters)
    bounds_ns = (duration_ns(delay.low), duration_ns(delay.high))
    return Execution("retried", error=error, wait_ns=wait_ns, wait_bounds_ns=bounds_ns)


def _give_up(job: Job, then: Then | None, error: BaseException) -> None:
    if then is not None:
        job._aftermath += (getattr(then, "__name__", repr(then)),)
        then(job, error)
        if job._retry_wait_ns is not None:
            return
    last: Exception | None = None
    for name in type(job)._after_discard_methods():
        job._aftermath += (name,)
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


def perform_now(job: Job) -> Any:
    """Perform a job that was not enqueued; see `Job.perform_now`."""
    return _result_or_error(perform_to_end(payload_of(job, time.time_ns())))


async def aperform_now(job: Job) -> Any:
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
