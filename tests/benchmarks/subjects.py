"""Jobs and worlds whose checks are measured: each function returns one subject, in a process of its own."""

from __future__ import annotations

import importlib
import random
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_jobs import fake, redis_world, sqlite_world


@dataclass(frozen=True)
class Subject:
    """A job, and the world in which it is checked."""

    job: Any
    world: Callable[[], Any]
    args: tuple[Any, ...] = (1,)
    #: Runs the job once, as its library does.
    run: Callable[..., object] | None = None
    #: Further arguments of `check_idempotent`.
    options: dict[str, Any] = field(default_factory=dict)


class Gateway:
    def charge(self, number: int, key: object = None) -> int:
        return number


def module(source: str) -> Any:
    """Return the module of some source, which counts as code of the project."""
    folder = Path(tempfile.mkdtemp(prefix="bench"))
    name = f"bench_{folder.name}"
    (folder / f"{name}.py").write_text(textwrap.dedent(source), "utf-8")
    sys.path.insert(0, str(folder))
    return importlib.import_module(name)


def _in_memory(shop: Any) -> Callable[[], Any]:
    def world() -> Iterator[Callable[[], object]]:
        shop.done = set()
        with fake(shop, "gateway", Gateway(), key="key") as gateway:
            yield lambda: {"charges": gateway.calls, "done": sorted(shop.done)}

    return contextmanager(world)


_CHARGE = """
    gateway = None
    done = set()

    def charge(number):
        if number in done:
            return
        gateway.charge(number, key={key})
        done.add(number)
"""


def four_lines() -> Subject:
    shop = module(_CHARGE.format(key="number"))
    return Subject(shop.charge, _in_memory(shop))


def four_lines_charged_twice() -> Subject:
    shop = module(_CHARGE.format(key="None"))
    return Subject(shop.charge, _in_memory(shop))


def sqlite() -> Subject:
    shop = module(
        """
        gateway = None
        connect = None

        def charge(number):
            db = connect()
            status, = db.execute("select status from payments where id = ?", (number,)).fetchone()
            if status != "done":
                gateway.charge(number, key=number)
                db.execute("update payments set status = 'done' where id = ?", (number,))
                db.commit()
        """
    )
    schema = "create table payments (id integer primary key, status); insert into payments values (1, 'open')"

    @contextmanager
    def world() -> Iterator[Callable[[], object]]:
        with (
            sqlite_world(schema, bind=(shop, "connect")) as rows,
            fake(shop, "gateway", Gateway(), key="key") as gateway,
        ):
            yield lambda: {"payments": rows("payments"), "charges": gateway.calls}

    return Subject(shop.charge, world)


def untouched_text() -> Subject:
    """A job of four lines beside a row of two megabytes, in which nobody writes."""
    shop = module(
        """
        connect = None

        def mark(number):
            db = connect()
            db.execute("update payments set status = 'done' where id = ?", (number,))
            db.commit()
        """
    )
    drawn = random.Random(1)
    words = " ".join(drawn.choice(["apple", "bears", "cloud", "river"]) for _ in range(350_000))
    schema = (
        "create table payments (id integer primary key, status); insert into payments values (1, 'open');"
        f"create table documents (text); insert into documents values ('{words}')"
    )

    @contextmanager
    def world() -> Iterator[Callable[[], object]]:
        with sqlite_world(schema, bind=(shop, "connect")) as rows:
            yield lambda: {"payments": rows("payments"), "documents": rows("documents")}

    return Subject(shop.mark, world)


def sqlalchemy() -> Subject:
    from pytest_jobs import sqlalchemy_world

    shop = module(
        """
        from sqlalchemy import create_engine
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

        class Base(DeclarativeBase):
            pass

        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)
            status: Mapped[str] = mapped_column(default="open")
            total: Mapped[int] = mapped_column(default=0)

        class Line(Base):
            __tablename__ = "lines"
            id: Mapped[int] = mapped_column(primary_key=True)
            amount: Mapped[int] = mapped_column(default=1)

        engine = create_engine("sqlite://")
        Session = sessionmaker(engine)

        def settle(number):
            with Session() as session:
                order = session.get(Order, number)
                if order.status == "paid":
                    return
                total = 0
                for line in session.query(Line).order_by(Line.id):
                    amount = line.amount
                    if amount < 0:
                        continue
                    total += amount
                fee = total // 10
                tax = total // 5
                order.total = total + fee + tax
                order.status = "paid"
                session.commit()
        """
    )

    @contextmanager
    def world() -> Iterator[Callable[[], object]]:
        rows = [shop.Order(id=1), *(shop.Line(id=number) for number in (1, 2))]
        with sqlalchemy_world(shop.Base, bind=(shop, "engine"), rows=rows) as db:
            shop.Session.configure(bind=shop.engine)
            yield db.snapshot

    return Subject(shop.settle, world)


def celery() -> Subject:
    from celery import Celery

    shop = module(_CHARGE.format(key="number"))
    app = Celery("bench", broker="memory://", set_as_current=False)
    task = app.task(shop.charge, name="charge", shared=False)
    return Subject(task, _in_memory(shop), run=shop.charge)


def redis_with_a_lock() -> Subject:
    shop = module(
        """
        import redis

        client = redis.Redis(decode_responses=True)

        def count_view_once(event):
            with client.lock(f"lock:{event}", timeout=30):
                if client.get(f"seen:{event}"):
                    return
                with client.pipeline() as transaction:
                    transaction.incr("views")
                    transaction.set(f"seen:{event}", 1)
                    transaction.execute()
        """
    )

    @contextmanager
    def world() -> Iterator[Callable[[], object]]:
        with redis_world(bind=(shop, "client")) as redis:
            yield lambda: {"redis": redis.dump(ignore="lock:*")}

    return Subject(shop.count_view_once, world)


def _long(lines: int, effects: int = 10, *, of_each: int = 0) -> Subject:
    """Return a job of so many lines, with effects spread evenly over them.

    Args:
        lines: how many.
        effects: how many of them have an effect.
        of_each: how many lines each function has; 0 for one function of all lines.
    """
    every = lines // effects
    body = [
        f"    gateway.charge({number}, key={number})"
        if number % every == every - 1
        else f"    total = (total + {number}) % 97"
        for number in range(lines)
    ]
    source = ["gateway = None"]
    for begin in range(0, lines, of_each or lines):
        source += [f"def step_{begin}(total):", *body[begin : begin + (of_each or lines)]]
        source.append("    return total")
    source.append("def work(total):")
    source += [f"    total = step_{begin}(total)" for begin in range(0, lines, of_each or lines)]
    shop = module("\n".join(source))

    @contextmanager
    def world() -> Iterator[Callable[[], object]]:
        with fake(shop, "gateway", Gateway(), key="key") as gateway:
            yield lambda: {"charges": gateway.calls}

    return Subject(shop.work, world, options={"time_limit": 60.0})


def hundred_lines() -> Subject:
    return _long(100)


def four_hundred_lines() -> Subject:
    return _long(400)


def two_thousand_lines() -> Subject:
    return _long(2_000, of_each=40)


def thousand_rounds() -> Subject:
    shop = module(
        """
        gateway = None

        def work(number):
            for item in range(1000):
                gateway.charge(item, key=item)
        """
    )

    @contextmanager
    def world() -> Iterator[Callable[[], object]]:
        with fake(shop, "gateway", Gateway(), key="key") as gateway:
            yield lambda: {"charges": gateway.calls}

    return Subject(shop.work, world, options={"time_limit": 60.0})


def django() -> Subject:
    import django as library
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SECRET_KEY="bench",
    )
    library.setup()
    from pytest_jobs import django_world

    update = (
        "        Entry.objects.filter(pk={number}).update(amount=number)\n        total += {number}"
    )
    source = textwrap.dedent(
        """
        from django.db import models, transaction

        class Entry(models.Model):
            amount = models.IntegerField(default=0)

            class Meta:
                app_label = "bench"

        def settle(number):
            total = 0
            with transaction.atomic():
                if Entry.objects.get(pk=number).amount:
                    return
        """
    )
    updates = "\n".join(update.format(number=number) for number in range(1, 14))
    shop = module(f"{source}{updates}\n        total += 1\n")

    @contextmanager
    def world() -> Iterator[Callable[[], object]]:
        rows = [shop.Entry(pk=number) for number in range(1, 14)]
        with django_world([shop.Entry], rows=rows) as database:
            yield database.snapshot

    return Subject(shop.settle, world, options={"time_limit": 60.0})
