"""Where the queue of each library is: whether a rollback of the application takes back what was enqueued.

Each row is found out by enqueueing in a transaction that is rolled back. `support_table.py` writes the table.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from pytest_jobs import open_jobs
from pytest_jobs.errors import EnqueuedInTransactionWarning


class No(Exception):
    """Rolls a transaction back."""


class Queue(NamedTuple):
    """A queue of a library that has queues of several kinds."""

    library: str
    words: str
    #: Enqueues one job in a transaction that is rolled back.
    enqueue: Callable[[], object]
    needs: tuple[str, ...]


def note(value: int = 1) -> None:
    """Be enqueued."""


@contextmanager
def refused() -> Iterator[None]:
    """Enqueue in a block of Django that is rolled back."""
    from django.db import transaction

    with suppress(No), transaction.atomic():
        yield
        raise No


def in_a_block(enqueue: Callable[[], Awaitable[object] | None]) -> None:
    async def awaited(coroutine: Awaitable[object]) -> None:
        await coroutine

    with refused():
        coroutine = enqueue()
        if isinstance(coroutine, Awaitable):
            asyncio.run(awaited(coroutine))


def of_django(backend: str, *apps: str) -> None:
    import django
    from django.test import modify_settings, override_settings

    package = import_module("django.tasks" if django.VERSION >= (6,) else "django_tasks")
    path = backend.format(package=package.__name__)
    with (
        modify_settings(INSTALLED_APPS={"append": apps}),
        override_settings(TASKS={"default": {"BACKEND": path}}),
        refused(),
    ):
        package.task(note).enqueue()


def of_django_q(**broker: object) -> None:
    from unittest.mock import patch

    with refused():
        from django_q.conf import Conf
        from django_q.tasks import async_task

        with patch.multiple(Conf, **broker):
            async_task("rolled_back.note")


def of_procrastinate(connector: Callable[[], Any]) -> None:
    import procrastinate

    app = procrastinate.App(connector=connector())
    in_a_block(app.task(note).defer)


def django_connector() -> Any:
    from procrastinate.contrib.django.django_connector import DjangoConnector

    return DjangoConnector()


def psycopg_connector() -> Any:
    import procrastinate

    return procrastinate.PsycopgConnector(conninfo="host=127.0.0.1 port=1")


def of_a_connection() -> None:
    import procrastinate
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session

    app = procrastinate.App(connector=psycopg_connector())
    # One of psycopg needs a server, and is in `test_procrastinate_transactions.py`.
    with Session(create_engine("sqlite://")) as session:
        app.task(note).configure(connection=session).defer()
        session.rollback()


def of_oban(*, is_given: bool) -> None:
    from oban import Oban, worker
    from psycopg_pool import AsyncConnectionPool
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    class Note:
        async def process(self, job: object) -> None: ...

    async def enqueue() -> None:
        engine = create_async_engine("sqlite+aiosqlite://")
        oban = Oban(
            pool=AsyncConnectionPool("postgresql://localhost:1/jobs", open=False),
            name="rolled back",
        )
        async with AsyncSession(engine) as session:
            await oban.enqueue(worker()(Note).new(), conn=session if is_given else None)
            await session.rollback()
        await engine.dispose()

    asyncio.run(enqueue())


DUMMY = "{package}.backends.dummy.DummyBackend"
QUEUES = (
    Queue(
        "Django tasks",
        "`DatabaseBackend`",
        lambda: of_django("django_tasks_db.DatabaseBackend", "django_tasks_db"),
        ("django_tasks_db",),
    ),
    Queue("Django tasks", "any other backend", lambda: of_django(DUMMY), ("django_tasks",)),
    Queue("Django-Q2", "the ORM broker", lambda: of_django_q(ORM="default"), ("django_q",)),
    Queue("Django-Q2", "any other broker", lambda: of_django_q(ORM=None), ("django_q",)),
    Queue(
        "Procrastinate",
        "the connector of `procrastinate.contrib.django`",
        lambda: of_procrastinate(django_connector),
        ("procrastinate", "django"),
    ),
    Queue(
        "Procrastinate",
        "with `connection=`",
        of_a_connection,
        ("procrastinate", "psycopg", "sqlalchemy"),
    ),
    Queue(
        "Procrastinate",
        "any other connector, without it",
        lambda: of_procrastinate(psycopg_connector),
        ("procrastinate", "psycopg", "django"),
    ),
    Queue("Oban", "with `conn=`", lambda: of_oban(is_given=True), ("oban", "aiosqlite")),
    Queue("Oban", "without it", lambda: of_oban(is_given=False), ("oban", "aiosqlite")),
)


def is_installed(queue: Queue) -> bool:
    return all(map(find_spec, queue.needs))


def is_taken_back(enqueue: Callable[[], object]) -> bool:
    """Return whether a rollback takes back what was enqueued."""
    if find_spec("django"):
        from django_project import configure

        configure()
    with open_jobs(mode="record") as jobs, warnings.catch_warnings():
        # The core warns of such a job.
        warnings.simplefilter("ignore", EnqueuedInTransactionWarning)
        enqueue()
        (_,) = jobs.harness.ledger.records
        return not jobs.enqueued
