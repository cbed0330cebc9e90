"""The APScheduler bridge does what every bridge must."""

from datetime import UTC, datetime
from types import MappingProxyType

import pytest

pytest.importorskip("apscheduler.schedulers.asyncio")

from apscheduler.jobstores.base import BaseJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers import base as triggers, interval

from pytest_jobs.bridges.apscheduler.bridge import APSchedulerBridge
from pytest_jobs.conformance import BridgeConformance, DeclaredJobs, bodies


def not_reached(*args):
    raise ConnectionError


class Database(BaseJobStore):
    """A job store that nobody can reach."""

    start = lookup_job = get_due_jobs = get_next_run_time = get_all_jobs = not_reached
    add_job = update_job = remove_job = remove_all_jobs = not_reached


scheduler = AsyncIOScheduler(timezone="UTC", jobstores={"default": Database()})


def parent(value):
    scheduler.add_job(bodies.note, args=(value,), executor="notes")


def hourly(value):
    return bodies.note(value)


def known(function, *args):
    scheduler.add_job(function, args=args, next_run_time=None)


for function in (bodies.note, bodies.fails, bodies.retries, bodies.coroutine):
    known(function, 7)
known(bodies.breaks)
known(bodies.asserts)
scheduler.add_job(hourly, "interval", hours=1, args=("hourly",))


class APSchedulerLibrary:
    survives_exit = True
    jobs = DeclaredJobs(
        bodies.note,
        bodies.fails,
        bodies.retries,
        parent,
        bodies.breaks,
        bodies.asserts,
        bodies.coroutine,
        hourly,
    )
    lacks = MappingProxyType(
        {
            "priority": "APScheduler runs a job when it is due",
            "headers": "a job has its arguments alone",
            "retry": "APScheduler does not try a failed job again",
            "unique": "the id of a job is unique, and what it does is not",
            "chains": "a job adds the next one itself",
        }
    )

    def bridge(self):
        return APSchedulerBridge([scheduler])

    def enqueue(self, job, args=(), kwargs=None, *, wait=None, queue=None, **options):
        when = {} if wait is None else {"run_date": datetime.now(UTC) + wait}
        executor = queue or ("notes" if job is bodies.note else "default")
        scheduler.add_job(job, "date", args=args, kwargs=kwargs or {}, executor=executor, **when)

    def patched(self):
        return [scheduler, BaseScheduler, AsyncIOScheduler, BackgroundScheduler, triggers, interval]


class TestAPScheduler(BridgeConformance):
    @pytest.fixture
    def library(self):
        return APSchedulerLibrary()
