"""JOB5xx: what recurs, what is named, and which worker takes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from ....bridges.libraries.known import ONLY_MADE
from ...source.enqueues import Enqueue
from ...source.jobs import constant, keywords, lacks
from ...source.module import Module
from .rule import Context, Fault, of_enqueues, rule

_STORES: Final = re.compile(
    r"\b(?:SQLAlchemy|Redis|MongoDB|Django|RethinkDB|ZooKeeper|Etcd)JobStore\b"
)
_CRONTAB: Final = re.compile(r"(?:celery\.schedules|huey|huey\.api|huey\.contrib\.djhuey)\.crontab")
#: Options of a crontab that name more than a minute.
_LONGER: Final = frozenset(("hour", "day", "day_of_week", "day_of_month", "month_of_year", "month"))
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
#: What may end a chain of jobs.
_ENDS: Final = (
    ast.If, ast.IfExp, ast.BoolOp, ast.ExceptHandler, ast.For, ast.Match, ast.Return, ast.Raise,
)  # fmt: skip
#: The option by which a job says its queue, and an enqueue another one.
_QUEUE: Final = ("queue", "queue_name", "_queue_name")


@rule("JOB501")
def recurring_task_is_gone(context: Context) -> Iterator[Fault]:
    project = context.project
    for task in context.workers.recurring:
        runs = re.split(r"[(\s]", task.runs, maxsplit=1)[0].replace(":", ".")
        is_ours = "." in runs and project.has(runs.partition(".")[0])
        if is_ours and not project.resolve(runs):
            yield Fault(task.shown, task.line, 1, _is_gone(task.key, runs, context))
    for one in sorted(context.running.named):
        if one.key and _names_nothing(one.name, context):
            yield from _at_the_name(one.name, _is_gone(one.key, one.name, context), context)


def _is_gone(key: str, name: str, context: Context) -> str:
    return (
        f"The recurring task {key!r} runs {name}, which is not in the project: each time that it is due, the "
        f"worker refuses it.{_nearest(name, context)}"
    )


def _names_nothing(name: str, context: Context) -> bool:
    """Say whether a name begins with a package of the project, and names no task and no function of it."""
    project = context.project
    is_declared = re.search(rf"name\s*=\s*[\"']{re.escape(name)}[\"']", project.text)
    is_ours = "." in name and name.partition(".")[0] in context.packages
    return (
        is_ours
        and name not in context.running.tasks
        and not is_declared
        and not project.resolve(name)
    )


def _nearest(name: str, context: Context) -> str:
    every = {*context.running.tasks, *(job.name for job in context.project.jobs)}
    found = get_close_matches(name, sorted(every), n=1)
    return f" Did you mean {found[0]}?" if found else ""


def _at_the_name(name: str, message: str, context: Context) -> Iterator[Fault]:
    """Yield a fault at each place where a name is written; the first file of the project has one that is made."""
    found = False
    for module in context.project.modules:
        for node in ast.walk(module.tree) if name in module.text else ():
            if constant(node) == name:
                found = True
                yield Fault.at(module, node, message)
    if not found and context.project.modules:
        yield Fault(context.project.modules[0].shown, 1, 1, message)


@rule("JOB502")
def recurring_task_without_arguments(context: Context) -> Iterator[Fault]:
    for one in sorted(context.running.named):
        if one.refusal:
            message = (
                f"The recurring task {one.key!r} runs {one.name}, and {one.refusal}: each time that it is "
                "due, it fails."
            )
            yield from _at_the_name(one.name, message, context)
    for job in context.project.jobs:
        decorators = " ".join(ast.unparse(one) for one in job.body.decorator_list)
        is_periodic = job.library == "huey" and "periodic_task(" in decorators
        refusal = context.facts_of(job).refusal(0, []) if is_periodic else ""
        if refusal:
            yield Fault.at(
                job.module,
                job.body,
                f"{job.short} is periodic, and {refusal}: the scheduler passes no arguments. Give it a default.",
            )


@of_enqueues("JOB503")
def chains_for_ever(enqueue: Enqueue, context: Context) -> Iterator[str]:
    job = context.bodies.get(id(enqueue.function))
    if job is None or enqueue.job is not job or enqueue.verb in ONLY_MADE:
        return
    if not any(isinstance(one, _ENDS) for one in ast.walk(job.body)):
        yield (
            f"{job.short} enqueues itself each time that it runs, and nothing ends the chain: each "
            "start, and each redelivery, adds a chain that runs for ever. Return at the end of the "
            "data, or use a recurring task."
        )


@rule("JOB504")
def every_minute(context: Context) -> Iterator[Fault]:
    for module, call in _crontabs(context):
        named = keywords(call)
        if not call.args and not {"minute", "**"} & named.keys() and named.keys() & _LONGER:
            yield Fault.at(
                module,
                call,
                f"{ast.unparse(call)} is due in every minute of that time, since minute is '*' where "
                "nothing is said. Add minute=0.",
            )


def _crontabs(context: Context) -> Iterator[tuple[Module, ast.Call]]:
    for module in context.project.modules:
        for call in module.calls:
            if _CRONTAB.fullmatch(module.origin(call.func)):
                yield module, call


@rule("JOB508")
def schedule_that_never_fires(context: Context) -> Iterator[Fault]:
    for module, call in _crontabs(context):
        named = keywords(call)
        days = _numbers(named.get("day_of_month", named.get("day")))
        months = _numbers(named.get("month_of_year", named.get("month")))
        if days and months and all(min(days) > _DAYS[(month - 1) % 12] for month in months):
            yield Fault.at(
                module,
                call,
                f"{ast.unparse(call)} never comes: no such month has {min(days)} days. Correct the "
                "day or the month.",
            )


def _numbers(node: ast.expr | None) -> list[int]:
    """Return the numbers of a field such as `31` and `"2,4"`; nothing for other fields."""
    text = str(constant(node))
    return [int(one) for one in text.split(",")] if re.fullmatch(r"\d+(,\d+)*", text) else []


@rule("JOB509")
def name_of_no_task(context: Context) -> Iterator[Fault]:
    for one in sorted(context.running.named):
        if not one.key and _names_nothing(one.name, context):
            nearest = _nearest(one.name, context)
            message = f"The route of {one.name} routes nothing: no task has this name.{nearest}"
            yield from _at_the_name(one.name, message, context)
    for module in context.project.modules if context.running.tasks else ():
        for call in module.calls:
            name = constant(call.args[0]) if call.args else None
            is_sent = isinstance(call.func, ast.Attribute) and call.func.attr == "send_task"
            if is_sent and isinstance(name, str) and _names_nothing(name, context):
                yield Fault.at(
                    module,
                    call,
                    f"{name} is not a task of the project: the worker refuses the message."
                    f"{_nearest(name, context)}",
                )


@rule("JOB505")
def scheduler_in_the_web_server(context: Context) -> Iterator[Fault]:
    for module in context.project.modules:
        for call in module.calls:
            if not isinstance(call.func, ast.Attribute) or call.func.attr != "start":
                continue
            made = context.project.type_of(module, call.func.value)
            function = module.function_around(call)
            is_guarded = any(isinstance(one, ast.If) for one in module.around(call))
            is_at_import = function is None or function.name == "ready"
            if (
                made.startswith("apscheduler.")
                and "Blocking" not in made
                and is_at_import
                and not is_guarded
            ):
                yield Fault.at(
                    module,
                    call,
                    "The scheduler starts wherever this module is imported: each process of the web "
                    "server has one, and each runs every job. Start it in a process of its own.",
                )


@of_enqueues("JOB506")
def added_at_each_start(enqueue: Enqueue, context: Context) -> Iterator[str]:
    options = enqueue.options
    is_kept = constant(options.get("replace_existing")) is False
    is_new = lacks(options, "id") or lacks(options, "replace_existing") or is_kept
    is_added = enqueue.library == "apscheduler" and enqueue.verb == "add_job"
    if is_added and is_new and _STORES.search(context.project.text):
        yield (
            "The job store keeps the job, and each start of the program adds it once more. Pass "
            "id=... and replace_existing=True."
        )


@rule("JOB507")
def queue_that_nobody_serves(context: Context) -> Iterator[Fault]:
    places = [(job.library, job.module, job.body, job.options) for job in context.project.jobs]
    given = [(one.library, one.module, one.call, one.options) for one in context.project.enqueues]
    for library, module, node, options in (*places, *given):
        served = context.workers.queues.get(library, set())
        name = next((constant(options[one]) for one in _QUEUE if one in options), None)
        near = get_close_matches(str(name), sorted(served), n=1, cutoff=0.8)
        if isinstance(name, str) and name not in served and near:
            yield Fault.at(
                module,
                node,
                f"The queue {name!r} is served by no worker: the job waits there for ever. Did you mean "
                f"{near[0]!r}?",
            )
