"""Queues that lie where the application keeps its data: in its PostgreSQL, its Django, its redis."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

import psycopg
from servers import postgresql_url, redis_url  # noqa: F401 - fixtures
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pytest_jobs import check_handoff, fake, here, open_jobs, sqlalchemy_world
from pytest_jobs.errors import ExplorationError, LostEffect

#: The commit of the call, and no other history.
OPTIONS = {"args": (7,), "histories": ["dies", "commit_unknown"]}
pytestmark = pytest.mark.slow


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)


class Mailer:
    def send(self, number): ...


engine = create_engine("postgresql+psycopg://nowhere")
async_engine = create_async_engine("postgresql+psycopg://nowhere")
mailer = Mailer()


def shop_at(url, name):
    def shop():
        this = sys.modules[__name__]
        with (
            sqlalchemy_world(Base, bind=(this, name), url=url) as database,
            fake(this, "mailer", Mailer()) as mails,
        ):
            yield lambda: {**database.snapshot(), "mails": mails.calls}

    return shop


def test_a_row_on_a_connection_of_psycopg(postgresql_url):  # noqa: F811
    procrastinate = pytest.importorskip("procrastinate")
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

    @app.task(name="confirm")
    def confirm(number):
        mailer.send(number)

    def place(number, *, apart=False):
        url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO orders VALUES (%s)", [number])
            if not apart:
                confirm.configure(connection=connection).defer(number=number)
        if apart:
            confirm.defer(number=number)

    def locked():
        with (
            contextmanager(shop_at(postgresql_url, "engine"))() as snapshot,
            engine.connect() as other,
        ):
            other.execute(text("LOCK TABLE orders IN EXCLUSIVE MODE"))
            yield snapshot

    with open_jobs():
        check_handoff(place, world=shop_at(postgresql_url, "engine"), **OPTIONS)
        with pytest.raises(ExplorationError, match=r"One clean run .* ends with LockNotAvailable"):
            check_handoff(place, world=locked, **OPTIONS)
        with pytest.raises(LostEffect, match=r"LOST mailer.send \[dies"):
            check_handoff(
                place,
                kwargs={"apart": True},
                world=shop_at(postgresql_url, "engine"),
                **OPTIONS,
            )


def test_a_row_in_a_session_of_sqlalchemy(postgresql_url):  # noqa: F811
    oban = pytest.importorskip("oban")
    from psycopg_pool import AsyncConnectionPool

    instance = oban.Oban(pool=AsyncConnectionPool("postgresql://localhost:1/jobs", open=False))

    @oban.worker()
    class Confirm:
        async def process(self, job):
            mailer.send(job.args["number"])

    async def place(number):
        async with async_sessionmaker(async_engine)() as session:
            session.add(Order(id=number))
            await instance.enqueue(Confirm.new({"number": number}), conn=session)
            await session.commit()

    with open_jobs():
        check_handoff(place, world=shop_at(postgresql_url, "async_engine"), **OPTIONS)


@pytest.fixture
def server(postgresql_url, monkeypatch):  # noqa: F811
    """Have a test database of Django behind the alias `server`, and let Django-Q2 keep its queue there."""
    pytest.importorskip("django_q")
    from django.db import connections
    from django_project import configure

    configure()
    from django_q.conf import Conf

    parts = urlsplit(postgresql_url)
    connections.settings["server"] = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": parts.username,
        "HOST": parse_qs(parts.query)["host"][0],
    }
    monkeypatch.setattr(Conf, "ORM", "server")
    connections["server"].creation.create_test_db(verbosity=0)
    yield "server"
    connections["server"].creation.destroy_test_db("postgres", verbosity=0)


def test_a_row_on_a_connection_of_django(server):
    from django.db import connections, models, transaction
    from django_q.tasks import async_task

    from pytest_jobs import django_world

    class Placed(models.Model):
        class Meta:
            app_label = "handoffs_to_queues"

    with connections[server].schema_editor() as editor:
        editor.create_model(Placed)

    def shop():
        with (
            django_world([Placed], using=server) as database,
            fake(sys.modules[__name__], "mailer", Mailer()) as mails,
        ):
            yield lambda: {**database.snapshot(), "mails": mails.calls}

    def place(number):
        with transaction.atomic(using=server):
            Placed.objects.using(server).create(pk=number)
            async_task(confirm, number, save=False)

    with open_jobs():
        check_handoff(place, world=shop, **OPTIONS)


def confirm(number):
    mailer.send(number)


client = None


def report(number):
    client.rpush("mails", number)
    client.delete(f"lock:{number}")


def test_a_redis_of_the_test_is_copied_without_the_messages_of_the_library(redis_url, monkeypatch):  # noqa: F811
    rq = pytest.importorskip("rq")
    pytest.importorskip("lupa")
    from redis import Redis

    client = Redis.from_url(f"{redis_url}/3")
    client.set("orders", 1)
    queue = rq.Queue(connection=client)
    monkeypatch.setattr(sys.modules[__name__], "client", client)

    def request_report(number):
        if client.set(f"lock:{number}", "1", nx=True):
            queue.enqueue(report, number)

    def world():
        with here() as state:
            yield lambda: {**state()}

    for own in (None, world):
        with (
            open_jobs(),
            pytest.raises(LostEffect, match=r"LOST redis \[dies, 1 of 2 failing") as found,
        ):
            check_handoff(request_report, args=(7,), world=own)
        assert "passed: early" in str(found.value)
        assert "rq:" not in str(found.value)
    assert client.keys("*") == [b"orders"]


CONFTEST = """
    from django.conf import settings

    def pytest_configure(config):
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            INSTALLED_APPS=["django.contrib.contenttypes", "django_q", "shop"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            Q_CLUSTER={"name": "shop", "orm": "default", "timeout": 60, "retry": 120},
            SECRET_KEY="tests",
            USE_TZ=True,
        )
"""
MODELS = """
    from django.db import models

    class Order(models.Model):
        status = models.CharField(max_length=9, default="NEW")
"""
JOBS = """
    from django.db import transaction
    from django_q.models import Schedule
    from django_q.tasks import async_task
    from shop.models import Order

    def confirm(number):
        Order.objects.filter(pk=number, status="NEW").update(status="SENT")

    def sweep():
        for number in Order.objects.filter(status="NEW").values_list("pk", flat=True):
            async_task("shop.jobs.confirm", number)

    def place():
        async_task("shop.jobs.confirm", Order.objects.create().pk)

    def place_at_once():
        with transaction.atomic():
            place()

    def remind_every_day(number):
        Order.objects.filter(pk=number).update(status="DUE")
        Schedule.objects.create(func="shop.jobs.confirm", args=f"({number},)", schedule_type="D")
"""


def test_what_a_library_writes_for_itself_is_no_work_and_what_a_job_writes_to_its_tables_is(
    pytester,
):
    pytest.importorskip("django_q")
    pytest.importorskip("pytest_django", reason="this test runs pytest-django in a subprocess")
    pytester.makeconftest(CONFTEST)
    pytester.mkpydir("shop")
    pytester.makepyfile(**{"shop/models": MODELS, "shop/jobs": JOBS})
    pytester.makepyfile(
        """
        import pytest
        from shop import jobs as shop
        from shop.models import Order
        from pytest_jobs import check_handoff, check_idempotent
        from pytest_jobs.errors import DuplicateEffect, LostEffect

        pytestmark = pytest.mark.django_db

        def test_handoffs():
            check_handoff(shop.place_at_once)
            check_handoff(shop.place, recover=shop.sweep)
            with pytest.raises(LostEffect, match=r"LOST Order .dies, 1 of 2"):
                check_handoff(shop.place)

        def test_jobs(jobs):
            with pytest.raises(DuplicateEffect, match=r"DUPLICATE Schedule .twice"):
                check_idempotent(shop.remind_every_day, args=(Order.objects.create().pk,))
        """
    )

    run = pytester.runpytest_subprocess("-p", "django", "-p", "no:randomly")

    run.assert_outcomes(passed=2)
