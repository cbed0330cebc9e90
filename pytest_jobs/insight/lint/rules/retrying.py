"""JOB4xx: errors, and what follows from them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from ...source.jobs import DeclaredJob, keywords
from ..basis.rule import Context, Example, Fault, rule

_BROAD: Final = ("Exception", "BaseException")
_TASK: Final = (
    'from celery import Celery\n\napp = Celery("shop", broker="memory://")\n\n\n@app.task'
)
_HUEY: Final = "from huey import MemoryHuey\n\nhuey = MemoryHuey()\n\n\n@huey.task"
_PUSH: Final = "def push(self, id):\n    try:\n        send(id)\n    except OSError as error:\n"


@rule(
    "JOB401",
    "retry-without-a-wait",
    "A job is tried again at once.",
    "Attempts that follow each other at once are used up before an outage of a minute ends, and keep the other "
    "side down meanwhile.",
    Example(
        _HUEY + "(retries=3)\ndef push(id): ...\n",
        _HUEY + "(retries=3, retry_delay=10, retry_backoff=2)\ndef push(id): ...\n",
    ),
    Example(
        _TASK + "(autoretry_for=(OSError,), default_retry_delay=0)\ndef push(id): ...\n",
        _TASK + "(autoretry_for=(OSError,), retry_backoff=True)\ndef push(id): ...\n",
    ),
)
def no_wait(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        waits = context.facts_of(job).waits
        if waits and not any(waits):
            yield Fault(
                job.module,
                job.body,
                f"{job.short} is tried again without a wait: an outage of a minute uses up all attempts. Wait "
                "longer each time.",
            )


@rule(
    "JOB402",
    "retry-for-ever",
    "A job is tried again without a limit.",
    "A mistake in the code does not pass. The job runs again and again, fills the queue, and is never "
    "listed as failed.",
    Example(
        _TASK
        + "(autoretry_for=(Exception,), retry_backoff=True, max_retries=None)\ndef push(id): ...\n",
        _TASK
        + "(autoretry_for=(Exception,), retry_backoff=True, max_retries=8)\ndef push(id): ...\n",
    ),
)
def for_ever(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        facts = context.facts_of(job)
        # A task of Celery that asks for its retries itself has no schedule, and the same limit.
        is_open = facts.options.get("max_retries", 0) is None and any(
            "max_retries" not in keywords(call) for call in _retry_calls(job)
        )
        if facts.attempts is None or is_open:
            yield Fault(
                job.module,
                job.body,
                f"{job.short} is tried again for ever, also after a mistake in the code: it never fails, "
                "and nobody sees it. Give it a limit.",
            )


def _retry_calls(job: DeclaredJob) -> list[ast.Call]:
    return [
        call
        for call in (job.calls() if job.library == "celery" else ())
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "retry"
        and ast.unparse(call.func.value) in ("self", job.short)
    ]


@rule(
    "JOB403",
    "backoff-without-effect",
    "`retry_backoff` has no effect.",
    "Celery uses `retry_backoff` for `autoretry_for` only. "
    "`self.retry()` waits `default_retry_delay`, three minutes each time where nobody sets it.",
    Example(
        _TASK
        + "(bind=True, retry_backoff=True)\n"
        + _PUSH
        + "        raise self.retry(exc=error)\n",
        _TASK
        + "(bind=True)\n"
        + _PUSH
        + "        raise self.retry(exc=error, countdown=2**self.request.retries)\n",
    ),
    Example(
        _TASK + "(bind=True, autoretry_for=(OSError,), retry_backoff=True)\n"
        "def push(self, id):\n    if not send(id):\n        raise self.retry()\n",
        _TASK
        + "(bind=True, retry_backoff=3)\n"
        + _PUSH
        + "        raise self.retry(countdown=self.retry_backoff * 2**self.request.retries)\n",
    ),
)
def backoff_without_effect(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("celery"):
        facts, calls = context.facts_of(job), _retry_calls(job)
        # One that the body reads has the effect that the body gives it.
        if not facts.options.get("retry_backoff") or ".retry_backoff" in ast.unparse(job.body):
            continue
        for call in calls:
            if not {"countdown", "eta"} & keywords(call).keys():
                yield Fault(
                    job.module,
                    call,
                    "self.retry() does not know retry_backoff: it waits default_retry_delay, "
                    f"{facts.options['default_retry_delay']} s each time. Pass countdown, or raise the error and "
                    "leave it to autoretry_for.",
                )
        if not calls and not facts.waits:
            yield Fault(
                job.module,
                job.body,
                f"retry_backoff of {job.short} has no effect without autoretry_for: nothing retries the task. Add "
                "autoretry_for.",
            )


@rule(
    "JOB404",
    "retry-swallowed",
    "A task swallows its own retry.",
    "`self.retry()` sends the message and raises `Retry`. An `except Exception` around it takes that "
    "for an error: the task is recorded as successful, and runs again nevertheless.",
    Example(
        _TASK + "(bind=True)\ndef push(self, id):\n    try:\n        if busy():\n"
        "            self.retry(countdown=60)\n        send(id)\n    except Exception:\n        give_up(id)\n",
        _TASK
        + "(bind=True)\ndef push(self, id):\n    if busy():\n        self.retry(countdown=60)\n"
        "    try:\n        send(id)\n    except Exception:\n        give_up(id)\n",
    ),
)
def retry_swallowed(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("celery"):
        calls = _retry_calls(job)
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
                    yield Fault(
                        job.module,
                        call,
                        "self.retry() raises Retry, and the `except Exception` around it swallows "
                        "that: the task ends as successful, and the retry runs as well. Call it in an "
                        "`except` block.",
                    )


def _takes_retry(handler: ast.ExceptHandler) -> bool:
    text = "" if handler.type is None else ast.unparse(handler.type)
    return text in (*_BROAD, "") or "Retry" in text
