"""JOB4xx: errors, and what follows from them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from ...source.jobs import DeclaredJob, constant, is_true, keywords, lacks
from ..basis.rule import Context, Example, Fault, Rule

_BROAD: Final = ("Exception", "BaseException")
_BACKOFF: Final = ("retry_backoff", "retry_backoff_max", "retry_jitter")


def _retry_calls(job: DeclaredJob) -> list[ast.Call]:
    return [
        call
        for call in job.calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "retry"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("self", job.short)
    ]


def _no_wait(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        reason = _waits_nothing(job, context)
        if reason:
            yield Fault(
                job.module,
                job.declared,
                f"{reason}: an outage of a minute uses up all attempts of {job.short}, or all its jobs "
                "come back at the same moment. Wait longer each time.",
            )
    for module in context.project.modules:
        for call in module.calls:
            is_retry = module.origin(call.func) in ("rq.Retry", "rq.job.Retry")
            if is_retry and "interval" not in keywords(call) and len(call.args) < 2:
                yield Fault(
                    module,
                    call,
                    f"{ast.unparse(call)} tries again at once: an outage of a minute uses up all attempts. "
                    "Add interval=[10, 60, 300].",
                )
    for enqueue in context.project.enqueues:
        retries = constant(enqueue.options.get("retries"))
        waits = {"retry_delay", "retry_backoff"} & enqueue.options.keys()
        if enqueue.library == "saq" and isinstance(retries, int) and retries > 1 and not waits:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"retries={retries} without retry_delay tries again at once. Add retry_delay=10 and "
                "retry_backoff=True.",
            )


def _waits_nothing(job: DeclaredJob, context: Context) -> str:
    """Return how a job is tried again without a growing wait; empty when it waits or is not tried again."""
    options = job.options
    if job.library == "celery":
        is_plain = lacks(options, "retry_backoff", "default_retry_delay", "retry_kwargs")
        if "autoretry_for" in options and is_plain:
            return "autoretry_for without retry_backoff tries again every 180 s"
        if constant(options.get("default_retry_delay")) == 0:
            return "default_retry_delay=0 tries again at once"
    if job.library == "huey" and _is_positive(options.get("retries")):
        is_plain = lacks(options, "retry_delay", "retry_backoff")
        return "retries without retry_delay try again at once" if is_plain else ""
    if job.library == "procrastinate":
        retry = options.get("retry")
        if retry is not None and (_is_positive(retry) or is_true(retry)):
            return f"retry={ast.unparse(retry)} tries again at once"
    if job.library == "taskiq" and is_true(options.get("retry_on_error")):
        waits_by_middleware = "SmartRetryMiddleware" in context.project.text
        if not waits_by_middleware and lacks(options, "delay"):
            return "retry_on_error without a delay tries again at once"
    return ""


def _everything_for_ever(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs:
        for name in ("max_retries", "max_attempts"):
            node = job.options.get(name)
            if isinstance(node, ast.Constant) and node.value is None:
                yield _for_ever(job, job.declared, f"{name}=None")
        if job.library == "procrastinate" and is_true(job.options.get("retry")):
            yield _for_ever(job, job.declared, "retry=True")
        for call in _retry_calls(job):
            named = keywords(call)
            if (
                "max_retries" in named
                and constant(named["max_retries"]) is None
                and isinstance(named["max_retries"], ast.Constant)
            ):
                yield _for_ever(job, call, "max_retries=None")
        for decorator in job.cls.decorator_list if job.cls is not None else ():
            if (
                not isinstance(decorator, ast.Call)
                or job.module.origin(decorator.func) != "pytest_jobs.retry_on"
            ):
                continue
            attempts = keywords(decorator).get("attempts")
            is_broad = any(ast.unparse(one).rpartition(".")[2] in _BROAD for one in decorator.args)
            if is_broad and isinstance(attempts, ast.Constant) and attempts.value is None:
                yield _for_ever(job, decorator, "attempts=None")


def _for_ever(job: DeclaredJob, node: ast.AST, text: str) -> Fault:
    return Fault(
        job.module,
        node,
        f"{text} tries {job.short} again for ever, also after a mistake in the code: the job never fails, "
        "and nobody sees it. Give it a limit.",
    )


def _backoff_without_effect(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("celery"):
        named = [name for name in _BACKOFF if name in job.options]
        if not named:
            continue
        if "autoretry_for" not in job.options:
            what = (
                "self.retry() waits default_retry_delay"
                if _retry_calls(job)
                else "nothing retries the task"
            )
            yield Fault(
                job.module,
                job.declared,
                f"{named[0]} of {job.short} has no effect without autoretry_for: {what}. Add "
                "autoretry_for, or pass countdown to self.retry().",
            )
        else:
            for call in _retry_calls(job):
                if not {"countdown", "eta"} & keywords(call).keys():
                    yield Fault(
                        job.module,
                        call,
                        f"self.retry() does not know {named[0]}: it waits default_retry_delay, 180 s. Pass "
                        "countdown, or raise the error and leave it to autoretry_for.",
                    )


def _retry_swallowed(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("celery"):
        for call in _retry_calls(job):
            for outer in job.module.around(call):
                if not isinstance(outer, ast.Try):
                    continue
                inside = any(call is node for one in outer.body for node in ast.walk(one))
                for handler in outer.handlers if inside else ():
                    is_broad = handler.type is None or ast.unparse(handler.type) in _BROAD
                    if is_broad and not any(
                        isinstance(one, ast.Raise) for one in ast.walk(handler)
                    ):
                        if any(
                            call is not other and other in set(ast.walk(handler))
                            for other in _retry_calls(job)
                        ):
                            continue
                        yield Fault(
                            job.module,
                            call,
                            "self.retry() raises Retry, and the `except Exception` around it swallows "
                            "that: the task ends as successful, and the retry runs as well. Call it in an "
                            "`except` block.",
                        )


def _retry_of_an_unbound_task(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("celery"):
        if job.is_bound or job.cls is not None:
            continue
        for call in _retry_calls(job):
            if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self":
                yield Fault(
                    job.module,
                    call,
                    f"{job.short} has no `self`: the retry is a NameError. Write bind=True and take `self` "
                    "first.",
                )


def _retried_and_discarded(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("core"):
        decorators = [*(job.cls.decorator_list if job.cls is not None else job.body.decorator_list)]
        by_rule: dict[str, set[str]] = {"retry_on": set(), "discard_on": set()}
        for decorator in decorators:
            if not isinstance(decorator, ast.Call):
                continue
            rule = job.module.origin(decorator.func).removeprefix("pytest_jobs.")
            if rule not in by_rule:
                continue
            errors = {job.module.origin(one) for one in decorator.args} - {""}
            other = by_rule["discard_on" if rule == "retry_on" else "retry_on"]
            for error in sorted(errors & other):
                yield Fault(
                    job.module,
                    decorator,
                    f"{job.short} both retries and discards {error.rpartition('.')[2]}: the upper "
                    "decorator wins, and the lower one has no effect. Remove one.",
                )
            by_rule[rule] |= errors


def _plain_errors_of_arq(context: Context) -> Iterator[Fault]:
    for job in context.project.jobs_of("arq"):
        if "max_tries" in job.options and not re.search(r"\bRetry\b", ast.unparse(job.body)):
            yield Fault(
                job.module,
                job.body,
                f"arq retries {job.short} only when it raises arq.Retry, and it raises none: max_tries has "
                "no effect, and an error is final. Raise Retry(defer=...) from the errors that pass.",
            )


def _is_positive(node: ast.expr | None) -> bool:
    value = constant(node)
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_HEAD: Final = "from celery import shared_task\n\n\n"

RULES: Final = (
    Rule(
        "JOB401",
        "retry-without-backoff",
        "A job is tried again without a growing wait.",
        "Attempts that follow each other at once are used up before an outage ends. Attempts at a fixed "
        "distance come back together, and keep the other side down.",
        (
            Example(
                _HEAD
                + "@shared_task(autoretry_for=(OSError,), max_retries=5)\ndef push(id): ...\n",
                _HEAD
                + "@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=5)\ndef "
                "push(id): ...\n",
            ),
            Example(
                "from huey import RedisHuey\n\nhuey = RedisHuey()\n\n\n@huey.task(retries=3)\ndef "
                "push(id): ...\n",
                "from huey import RedisHuey\n\nhuey = RedisHuey()\n\n\n"
                "@huey.task(retries=3, retry_delay=10, retry_backoff=2)\ndef push(id): ...\n",
            ),
            Example(
                "from rq import Queue, Retry\n\n\ndef push(id): ...\n\n\nQueue().enqueue(push, 7, "
                "retry=Retry(max=3))\n",
                "from rq import Queue, Retry\n\n\ndef push(id): ...\n\n\n"
                "Queue().enqueue(push, 7, retry=Retry(max=3, interval=[10, 60, 300]))\n",
            ),
            Example(
                "from procrastinate import App\n\napp = App(connector=None)\n\n\n@app.task(retry=5)\ndef "
                "push(id): ...\n",
                "from procrastinate import App, RetryStrategy\n\napp = App(connector=None)\n\n\n"
                "@app.task(retry=RetryStrategy(max_attempts=5, exponential_wait=4))\ndef push(id): ...\n",
            ),
            Example(
                "from taskiq import InMemoryBroker, SimpleRetryMiddleware\n\n"
                "broker = InMemoryBroker().with_middlewares(SimpleRetryMiddleware())\n\n\n"
                "@broker.task(retry_on_error=True)\nasync def push(id): ...\n",
                "from taskiq import InMemoryBroker, SmartRetryMiddleware\n\n"
                "broker = InMemoryBroker().with_middlewares(SmartRetryMiddleware(use_delay_exponent=True))\n\n\n"
                "@broker.task(retry_on_error=True)\nasync def push(id): ...\n",
            ),
            Example(
                "from saq import Queue\n\nqueue = Queue.from_url('redis://localhost')\n\n\n"
                "async def later():\n    await queue.enqueue('push', id=7, retries=5)\n",
                "from saq import Queue\n\nqueue = Queue.from_url('redis://localhost')\n\n\n"
                "async def later():\n    await queue.enqueue('push', id=7, retries=5, retry_delay=10, "
                "retry_backoff=True)\n",
            ),
        ),
        _no_wait,
    ),
    Rule(
        "JOB402",
        "retry-for-ever",
        "A job is tried again without a limit.",
        "A mistake in the code does not pass. The job runs again and again, fills the queue, and is never "
        "listed as failed.",
        (
            Example(
                _HEAD
                + "@shared_task(autoretry_for=(Exception,), retry_backoff=True, max_retries=None)\ndef "
                "push(id): ...\n",
                _HEAD
                + "@shared_task(autoretry_for=(Exception,), retry_backoff=True, max_retries=8)\ndef "
                "push(id): ...\n",
            ),
            Example(
                "from pytest_jobs import Job, retry_on\n\n\n@retry_on(Exception, wait=60, attempts=None)\n"
                "class Push(Job):\n    def perform(self, id: int) -> None: ...\n",
                "from pytest_jobs import Job, retry_on\n\n\n@retry_on(Exception, wait=60, attempts=8)\n"
                "class Push(Job):\n    def perform(self, id: int) -> None: ...\n",
            ),
        ),
        _everything_for_ever,
    ),
    Rule(
        "JOB403",
        "backoff-without-effect",
        "`retry_backoff` has no effect.",
        "Celery uses `retry_backoff`, `retry_backoff_max` and `retry_jitter` for `autoretry_for` only. "
        "`self.retry()` waits `default_retry_delay`, three minutes each time, whatever they say.",
        (
            Example(
                _HEAD
                + "@shared_task(bind=True, retry_backoff=True)\ndef push(self, id):\n    try:\n        "
                "send(id)\n"
                "    except OSError as error:\n        raise self.retry(exc=error)\n",
                _HEAD + "@shared_task(bind=True)\ndef push(self, id):\n    try:\n        send(id)\n"
                "    except OSError as error:\n        raise self.retry(exc=error, "
                "countdown=2**self.request.retries)\n",
            ),
            Example(
                _HEAD
                + "@shared_task(bind=True, autoretry_for=(OSError,), retry_backoff=True)\ndef push(self, "
                "id):\n"
                "    if not send(id):\n        raise self.retry()\n",
                _HEAD
                + "@shared_task(autoretry_for=(OSError,), retry_backoff=True)\ndef push(id):\n"
                "    if not send(id):\n        raise OSError('not sent')\n",
            ),
        ),
        _backoff_without_effect,
    ),
    Rule(
        "JOB404",
        "retry-swallowed",
        "A task swallows its own retry.",
        "`self.retry()` sends the message and raises `Retry`. An `except Exception` around it takes that "
        "for an error: the task is recorded as successful, and runs again nevertheless.",
        (
            Example(
                _HEAD
                + "@shared_task(bind=True)\ndef push(self, id):\n    try:\n        if busy():\n"
                "            self.retry(countdown=60)\n        send(id)\n    except Exception:\n        "
                "give_up(id)\n",
                _HEAD + "@shared_task(bind=True)\ndef push(self, id):\n    if busy():\n        "
                "self.retry(countdown=60)\n"
                "    try:\n        send(id)\n    except Exception:\n        give_up(id)\n",
            ),
        ),
        _retry_swallowed,
    ),
    Rule(
        "JOB405",
        "retry-of-an-unbound-task",
        "A task that is not bound calls `self.retry()`.",
        "Without `bind=True` there is no `self`. The error appears only when the retry is needed.",
        (
            Example(
                _HEAD
                + "@shared_task\ndef push(id):\n    try:\n        send(id)\n    except OSError:\n"
                "        raise self.retry(countdown=60)\n",
                _HEAD
                + "@shared_task(bind=True)\ndef push(self, id):\n    try:\n        send(id)\n    except "
                "OSError:\n"
                "        raise self.retry(countdown=60)\n",
            ),
        ),
        _retry_of_an_unbound_task,
    ),
    Rule(
        "JOB406",
        "retried-and-discarded",
        "A job both retries and discards an error.",
        "Of two rules for one error the topmost decorator wins. The other one reads as if it did something.",
        (
            Example(
                "from pytest_jobs import Job, discard_on, retry_on\n\n\n@retry_on(TimeoutError, wait=60, "
                "attempts=5)\n"
                "@discard_on(TimeoutError)\nclass Push(Job):\n    def perform(self, id: int) -> None: ...\n",
                "from pytest_jobs import Job, discard_on, retry_on\n\n\n@retry_on(TimeoutError, wait=60, "
                "attempts=5)\n"
                "@discard_on(LookupError)\nclass Push(Job):\n    def perform(self, id: int) -> None: ...\n",
            ),
        ),
        _retried_and_discarded,
    ),
    Rule(
        "JOB407",
        "tries-that-arq-never-makes",
        "An arq job has tries, and raises no `Retry`.",
        "arq ends a job at its first error. It tries again only when the job raises `arq.Retry`, or when "
        "its worker was shut down.",
        (
            Example(
                "from arq.worker import func\n\n\nasync def push(ctx, id):\n    await send(id)\n\n\n"
                "class WorkerSettings:\n    functions = [func(push, max_tries=5)]\n",
                "from arq import Retry\nfrom arq.worker import func\n\n\nasync def push(ctx, id):\n    try:\n"
                "        await send(id)\n    except OSError as error:\n        raise "
                "Retry(defer=ctx['job_try'] * 10) from error\n\n\n"
                "class WorkerSettings:\n    functions = [func(push, max_tries=5)]\n",
            ),
        ),
        _plain_errors_of_arq,
    ),
)
