"""JOB5xx: what recurs, and which worker takes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from ....bridges.libraries.known import ONLY_MADE
from ...source.jobs import DeclaredJob, constant, keywords, lacks
from ...source.workers import Recurring
from ..basis.rule import Context, Example, Fault, Rule

_STORES: Final = re.compile(
    r"\b(?:SQLAlchemy|Redis|MongoDB|Django|RethinkDB|ZooKeeper|Etcd)JobStore\b"
)
_NO_QUEUE: Final = ("default", "celery", "*")
#: The option by which a job says its queue, and an enqueue another one.
_QUEUE: Final = ("queue", "queue_name", "_queue_name")


def _gone(context: Context) -> Iterator[Fault]:
    project = context.project
    tops = {module.name.partition(".")[0] for module in project.modules}
    names = {
        name
        for job in project.jobs_of("celery")
        for name in (job.name, constant(job.options.get("name")))
        if isinstance(name, str)
    }
    for task in context.workers.recurring:
        if task.runs.partition(".")[0] not in tops or "." not in task.runs:
            continue
        if task.runs in names or _named(task, context) or project.resolve(_place(task.runs)):
            continue
        nearest = get_close_matches(task.runs, [*names, *(job.name for job in project.jobs)], n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        yield _at(
            task,
            f"The recurring task {task.key!r} runs {task.runs}, which is not in the project: each time "
            f"that it is due, the worker refuses it.{hint}",
        )


def _place(runs: str) -> str:
    """Return the dotted name at the beginning of a command such as `shop.models.Report.make(1)`."""
    return re.split(r"[(\s]", runs, maxsplit=1)[0].replace(":", ".")


def _named(task: Recurring, context: Context) -> DeclaredJob | None:
    return context.project.job_named(task.runs)


def _needs_arguments(context: Context) -> Iterator[Fault]:
    for task in context.workers.recurring:
        job = _named(task, context)
        if job is None or task.has_arguments:
            continue
        needed = _required(job)
        if needed:
            yield _at(
                task,
                f"The recurring task {task.key!r} passes no arguments, and {job.short} needs "
                f"{needed[0]!r}: each time that it is due, it fails.",
            )
    for job in context.project.jobs_of("huey"):
        decorator = job.declared
        if (
            isinstance(decorator, ast.Call)
            and "periodic" in ast.unparse(decorator.func)
            and _required(job)
        ):
            yield Fault(
                job.module,
                job.body,
                f"{job.short} is periodic and needs {_required(job)[0]!r}: the scheduler passes no "
                "arguments. Give it a default.",
            )


def _required(job: DeclaredJob) -> list[str]:
    arguments = job.body.args
    names = [one.arg for one in job.parameters]
    return names[: len(names) - len(arguments.defaults)] if arguments.defaults else names


def _chains_for_ever(context: Context) -> Iterator[Fault]:
    bodies = {id(job.body): job for job in context.project.jobs}
    for enqueue in context.project.enqueues:
        job = bodies.get(id(enqueue.function))
        if job is None or enqueue.job is not job or enqueue.verb in ONLY_MADE:
            continue
        conditional = any(
            isinstance(
                one,
                ast.If
                | ast.IfExp
                | ast.BoolOp
                | ast.ExceptHandler
                | ast.For
                | ast.Match
                | ast.Return
                | ast.Raise,
            )
            for one in ast.walk(job.body)
        )
        if not conditional:
            yield Fault(
                enqueue.module,
                enqueue.call,
                f"{job.short} enqueues itself each time that it runs, and nothing ends the chain: each "
                "start, and each redelivery, adds a chain that runs for ever. Return at the end of the "
                "data, or use a recurring task.",
            )


def _every_minute(context: Context) -> Iterator[Fault]:
    for module in context.project.modules:
        for call in module.calls:
            origin = module.origin(call.func)
            if not re.fullmatch(
                r"(?:celery\.schedules|huey|huey\.api|huey\.contrib\.djhuey)\.crontab", origin
            ):
                continue
            named = keywords(call)
            if (
                not call.args
                and "minute" not in named
                and named.keys()
                & {
                    "hour",
                    "day",
                    "day_of_week",
                    "day_of_month",
                    "month_of_year",
                    "month",
                }
            ):
                yield Fault(
                    module,
                    call,
                    f"{ast.unparse(call)} is due in every minute of that time, since minute is '*' where "
                    "nothing is said. Add minute=0.",
                )


def _started_with_the_web(context: Context) -> Iterator[Fault]:
    for module in context.project.modules:
        for call in module.calls:
            if not isinstance(call.func, ast.Attribute) or call.func.attr != "start":
                continue
            made = context.project.type_of(module, call.func.value)
            if not made.startswith("apscheduler.") or "Blocking" in made:
                continue
            outer = list(module.around(call))
            function = module.function_around(call)
            is_guarded = any(isinstance(one, ast.If) for one in outer)
            if (function is None or function.name == "ready") and not is_guarded:
                yield Fault(
                    module,
                    call,
                    "The scheduler starts wherever this module is imported: each process of the web "
                    "server has one, and each runs every job. Start it in a process of its own.",
                )


def _added_again(context: Context) -> Iterator[Fault]:
    if not _STORES.search(context.project.text):
        return
    for enqueue in context.project.enqueues:
        if enqueue.library != "apscheduler" or enqueue.verb != "add_job":
            continue
        options = enqueue.options
        is_replaced = constant(options.get("replace_existing")) is not False
        if lacks(options, "id") or lacks(options, "replace_existing") or not is_replaced:
            yield Fault(
                enqueue.module,
                enqueue.call,
                "The job store keeps the job, and each start of the program adds it once more. Pass "
                "id=... and replace_existing=True.",
            )


def _unserved_queue(context: Context) -> Iterator[Fault]:
    served = context.workers.queues
    for job in context.project.jobs:
        fault = _unserved(job.library, job.options, served)
        if fault:
            yield Fault(job.module, job.declared, f"{job.short} goes to {fault}")
    for enqueue in context.project.enqueues:
        fault = _unserved(enqueue.library, enqueue.options, served)
        if fault:
            yield Fault(enqueue.module, enqueue.call, f"The job goes to {fault}")


def _unserved(library: str, options: dict[str, ast.expr], served: dict[str, set[str]]) -> str:
    known = served.get(library, set())
    name = next((constant(options[one]) for one in _QUEUE if one in options), None)
    if not known or "*" in known or not isinstance(name, str) or name in known or name in _NO_QUEUE:
        return ""
    names = ", ".join(sorted(known))
    return (
        f"the queue {name!r}, which no worker serves: it waits there for ever. The workers serve {names}. "
        "Add the queue to a worker, or correct the name."
    )


def _at(task: Recurring, message: str) -> Fault:
    if task.module is not None and task.node is not None:
        return Fault(task.module, task.node, message)
    return Fault(task.shown, task.line, message)


_APP: Final = (
    "from celery import Celery\nfrom celery.schedules import crontab\n\napp = Celery('shop')\n\n\n"
)
_TASK: Final = "@app.task\ndef report(): ...\n\n\n"
_SCHEDULER: Final = "from apscheduler.schedulers.background import BackgroundScheduler\n\n"
_SETTINGS: Final = (
    "from django.tasks import DEFAULT_TASK_BACKEND_ALIAS\n\n"
    "TASKS = {'default': {'BACKEND': 'x.Backend', 'QUEUES': ['default', 'reports']}}\n"
)

RULES: Final = (
    Rule(
        "JOB501",
        "recurring-task-is-gone",
        "A recurring task runs something that is not there.",
        "A schedule names tasks as text. After a function is renamed, the scheduler goes on to send the "
        "old name, and the worker refuses it, which only a log shows.",
        (
            Example(
                _APP
                + _TASK
                + "app.conf.beat_schedule = {'report': {'task': 'app.reports', 'schedule': 3600}}\n",
                _APP
                + _TASK
                + "app.conf.beat_schedule = {'report': {'task': 'app.report', 'schedule': 3600}}\n",
            ),
            Example(
                "from pytest_jobs import Job\n\n\nclass Reports(Job):\n    def perform(self) -> None: ...\n",
                "from pytest_jobs import Job\n\n\nclass Report(Job):\n    def perform(self) -> None: ...\n",
                (
                    (
                        "config/recurring.yml",
                        "production:\n  daily:\n    class: app.Report\n    schedule: every day at 6am\n",
                    ),
                ),
            ),
        ),
        _gone,
    ),
    Rule(
        "JOB502",
        "recurring-task-without-arguments",
        "A recurring task does not pass what the job needs.",
        "The scheduler passes what its entry says and nothing else. The job fails each time that it is due.",
        (
            Example(
                _APP + "@app.task\ndef report(kind): ...\n\n\n"
                "app.conf.beat_schedule = {'report': {'task': 'app.report', 'schedule': 3600}}\n",
                _APP + "@app.task\ndef report(kind): ...\n\n\n"
                "app.conf.beat_schedule = {'report': {'task': 'app.report', 'schedule': 3600, "
                "'args': ('daily',)}}\n",
            ),
            Example(
                "from huey import RedisHuey, crontab\n\nhuey = RedisHuey()\n\n\n"
                "@huey.periodic_task(crontab(minute='0', hour='3'))\ndef report(kind): ...\n",
                "from huey import RedisHuey, crontab\n\nhuey = RedisHuey()\n\n\n"
                "@huey.periodic_task(crontab(minute='0', hour='3'))\ndef report(kind='daily'): ...\n",
            ),
        ),
        _needs_arguments,
    ),
    Rule(
        "JOB503",
        "chains-for-ever",
        "A job enqueues itself, and nothing ends that.",
        "A chain of jobs ends when its data ends. Without an end each start, each deployment and each "
        "redelivery adds one more chain.",
        (
            Example(
                "from pytest_jobs import job\n\n\n@job\ndef poll(site: str) -> None:\n    look(site)\n"
                "    poll.set(wait=60).perform_later(site)\n",
                "from pytest_jobs import job\n\n\n@job\ndef poll(site: str, left: int) -> None:\n    "
                "look(site)\n"
                "    if left:\n        poll.set(wait=60).perform_later(site, left - 1)\n",
            ),
            Example(
                "import dramatiq\n\n\n@dramatiq.actor\ndef poll(site):\n    look(site)\n"
                "    poll.send_with_options(args=(site,), delay=60_000)\n",
                "import dramatiq\n\n\n@dramatiq.actor\ndef poll(site, left):\n    look(site)\n    if left:\n"
                "        poll.send_with_options(args=(site, left - 1), delay=60_000)\n",
            ),
        ),
        _chains_for_ever,
    ),
    Rule(
        "JOB504",
        "every-minute",
        "A crontab names an hour or a day, and no minute.",
        "`crontab(hour=3)` means every minute from 03:00 to 03:59: sixty reports instead of one.",
        (
            Example(
                _APP
                + _TASK
                + "app.conf.beat_schedule = {'report': {'task': 'app.report', 'schedule': "
                "crontab(hour=3)}}\n",
                _APP
                + _TASK
                + "app.conf.beat_schedule = {'report': {'task': 'app.report', 'schedule': "
                "crontab(hour=3, minute=0)}}\n",
            ),
            Example(
                "from huey import RedisHuey, crontab\n\nhuey = RedisHuey()\n\n\n"
                "@huey.periodic_task(crontab(hour='3'))\ndef report(): ...\n",
                "from huey import RedisHuey, crontab\n\nhuey = RedisHuey()\n\n\n"
                "@huey.periodic_task(crontab(minute='0', hour='3'))\ndef report(): ...\n",
            ),
        ),
        _every_minute,
    ),
    Rule(
        "JOB505",
        "scheduler-in-the-web-server",
        "A scheduler starts where a module is imported.",
        "A web server has several processes, and each imports the application. Each has a scheduler then, "
        "and each runs every job.",
        (
            Example(
                _SCHEDULER + "scheduler = BackgroundScheduler()\nscheduler.start()\n",
                _SCHEDULER
                + "scheduler = BackgroundScheduler()\n\n\nif __name__ == '__main__':\n    "
                "scheduler.start()\n",
            ),
        ),
        _started_with_the_web,
    ),
    Rule(
        "JOB506",
        "added-at-each-start",
        "A job is added to a persistent store at each start.",
        "APScheduler finds the jobs of the last start in its store. A job without an id is added beside "
        "them: after ten deployments it runs ten times.",
        (
            Example(
                _SCHEDULER
                + "from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore\n\n\ndef report(): "
                "...\n\n\n"
                "scheduler = BackgroundScheduler(jobstores={'default': "
                "SQLAlchemyJobStore('sqlite:///jobs.db')})\n"
                "scheduler.add_job(report, 'interval', hours=1)\n",
                _SCHEDULER
                + "from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore\n\n\ndef report(): "
                "...\n\n\n"
                "scheduler = BackgroundScheduler(jobstores={'default': "
                "SQLAlchemyJobStore('sqlite:///jobs.db')})\n"
                "scheduler.add_job(report, 'interval', hours=1, id='report', replace_existing=True)\n",
            ),
        ),
        _added_again,
    ),
    Rule(
        "JOB507",
        "queue-that-nobody-serves",
        "A job goes to a queue that no worker serves.",
        "Brokers take messages for any queue. In one that no worker serves they wait for ever, and "
        "nothing fails. The queues are read in Procfile, compose files, units, `config/queue.yml`, "
        "`RQ_QUEUES` and `TASKS`.",
        (
            Example(
                _APP + "@app.task(queue='repots')\ndef report(): ...\n",
                _APP + "@app.task(queue='reports')\ndef report(): ...\n",
                (("Procfile", "worker: celery -A app worker -l info -Q default,reports\n"),),
            ),
            Example(
                "from django.tasks import task\n\n\n@task(queue_name='repots')\ndef report(): ...\n",
                "from django.tasks import task\n\n\n@task(queue_name='reports')\ndef report(): ...\n",
                (
                    (
                        "settings.py",
                        _SETTINGS,
                    ),
                ),
            ),
            Example(
                "from rq.decorators import job\n\n\n@job(queue='repots', connection=None)\ndef report(): "
                "...\n",
                "from rq.decorators import job\n\n\n@job(queue='reports', connection=None)\ndef "
                "report(): ...\n",
                (
                    (
                        "docker-compose.yml",
                        "services:\n  worker:\n    command: rq worker reports default\n",
                    ),
                ),
            ),
        ),
        _unserved_queue,
    ),
)
