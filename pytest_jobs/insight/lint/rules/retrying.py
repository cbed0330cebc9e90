"""JOB4xx: errors, and what follows from them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from ...source.jobs import DeclaredJob, keywords
from .rule import Context, Wrong, of_jobs

_BROAD: Final = ("Exception", "BaseException")


@of_jobs("JOB401")
def retry_without_a_wait(job: DeclaredJob, context: Context) -> Iterator[Wrong]:
    waits = context.facts_of(job).waits
    if waits and not any(waits):
        yield Wrong(
            job.body,
            f"{job.short} is tried again without a wait: an outage of a minute uses up all attempts. Wait "
            "longer each time.",
        )


@of_jobs("JOB402")
def retry_for_ever(job: DeclaredJob, context: Context) -> Iterator[Wrong]:
    facts = context.facts_of(job)
    # A task of Celery that asks for its retries itself has no schedule, and the same limit.
    is_open = facts.options.get("max_retries", 0) is None and any(
        "max_retries" not in keywords(call) for call in job.retry_calls()
    )
    if facts.attempts is None or is_open:
        yield Wrong(
            job.body,
            f"{job.short} is tried again for ever, also after a mistake in the code: it never fails, "
            "and nobody sees it. Give it a limit.",
        )


@of_jobs("JOB403", "celery")
def backoff_without_effect(job: DeclaredJob, context: Context) -> Iterator[Wrong]:
    facts, calls = context.facts_of(job), job.retry_calls()
    # One that the body reads has the effect that the body gives it.
    if not facts.options.get("retry_backoff") or ".retry_backoff" in ast.unparse(job.body):
        return
    for call in calls:
        if not {"countdown", "eta"} & keywords(call).keys():
            yield Wrong(
                call,
                "self.retry() does not know retry_backoff: it waits default_retry_delay, "
                f"{facts.options['default_retry_delay']} s each time. Pass countdown, or raise the error and "
                "leave it to autoretry_for.",
            )
    if not calls and not facts.waits:
        yield Wrong(
            job.body,
            f"retry_backoff of {job.short} has no effect without autoretry_for: nothing retries the task. Add "
            "autoretry_for.",
        )


@of_jobs("JOB404", "celery")
def retry_swallowed(job: DeclaredJob, _: Context) -> Iterator[Wrong]:
    calls = job.retry_calls()
    for call in calls:
        for outer in job.module.around(call):
            if not isinstance(outer, ast.Try) or not any(
                call is node for one in outer.body for node in ast.walk(one)
            ):
                continue
            # The first handler that fits is the one that runs.
            handler = next((one for one in outer.handlers if _takes_retry(one)), None)
            if handler is None or "Retry" in ast.unparse(handler.type or ast.Name("")):
                continue
            if not any(isinstance(one, ast.Raise) or one in calls for one in ast.walk(handler)):
                yield Wrong(
                    call,
                    "self.retry() raises Retry, and the `except Exception` around it swallows "
                    "that: the task ends as successful, and the retry runs as well. Call it in an "
                    "`except` block.",
                )


def _takes_retry(handler: ast.ExceptHandler) -> bool:
    text = "" if handler.type is None else ast.unparse(handler.type)
    return text in (*_BROAD, "") or "Retry" in text
