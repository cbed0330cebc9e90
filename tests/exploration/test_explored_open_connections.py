"""Connections of sqlite that were open before the check: what a job writes by them is compared or refused."""

import gc
import sqlite3
import threading
from collections import deque
from contextlib import closing
from functools import partial
from types import SimpleNamespace
from weakref import ref

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent

app = SimpleNamespace(db=None, cursor=None, mail=None)


@pytest.fixture(params=[":memory:", pytest.param("shop.db", marks=pytest.mark.wide)])
def place(request, tmp_path):
    return ":memory:" if request.param == ":memory:" else str(tmp_path / request.param)


@pytest.fixture
def db(place):
    """A connection with a table, which a fixture or a module has opened."""
    with closing(sqlite3.connect(place, check_same_thread=False)) as connection:
        connection.execute("create table sent (number)")
        connection.execute("create table log (line)")
        app.db, app.cursor = connection, connection.cursor()
        yield connection


def mails():
    with fake(app, "mail", lambda number, key: None, key="key") as sent:
        yield lambda: {"mails": sent.calls}


def mail_and(write):
    def job(number):
        write(number)
        app.mail(number, key=number)

    return job


def by_connection(number):
    app.db.execute("insert into sent values (?)", (number,))
    app.db.commit()


def by_cursor(number):
    app.cursor.executemany("insert into sent values (?)", [(number,), (number,)])
    app.db.commit()


def by_block(number):
    with app.db as block:
        block.execute("insert into sent values (?)", (number,))


def by_script(number):
    app.db.executescript(f"insert into sent values ({number});")


class Repository:
    """Keeps a connection, as an object that a fixture has made."""

    __slots__ = ("_pool",)

    def __init__(self, connection):
        self._pool = deque([(connection,)])

    def add(self, number):
        (connection,) = self._pool[0]
        connection.execute("insert into sent select ?", (number,))
        connection.commit()


def checked(job, world, **options):
    return check_idempotent(job, args=(7,), world=world, **options)


def refusal(job, world, **options):
    with pytest.raises(ExplorationError) as refused:
        checked(job, world, **options)
    return str(refused.value)


# A store that no world makes


@pytest.mark.parametrize("write", [by_connection, by_cursor, by_block, by_script])
@pytest.mark.usefixtures("db")
def test_what_a_job_writes_is_refused(write):
    error = refusal(mail_and(write), mails)

    assert "(insert into sent), which the world neither makes nor binds" in error


def test_the_error_names_three_ways_out(db, place):
    shown = ":memory:" if place == ":memory:" else place
    short = ":memory:" if place == ":memory:" else "shop.db"
    way_in = "Let the world make it or bind it, and show what the job writes there"
    if place == ":memory:":
        way_in = (
            "Close it before the check, so that the job opens its own connection to a file in `tmp_path`; or let "
            f"{way_in.removeprefix('Let ')}"
        )

    assert refusal(mail_and(by_connection), mails) == (
        f"The job writes to table sent of {shown} (insert into sent), which the world neither makes nor binds, so "
        f"that each history adds to what the one before it left. {way_in}; put a fake in its place; or leave it "
        f"out by ignore={{{short!r}}}."
    )
    assert db.execute("select * from sent").fetchall() == []
    assert "Not compared: table sent" in str(
        checked(mail_and(by_connection), mails, ignore={short})
    )


def test_what_a_job_writes_to_a_connection_and_then_closes_is_refused():
    opened = [sqlite3.connect(":memory:") for _ in range(60)]
    for connection in opened:
        connection.execute("create table sent (number)")

    def write_and_close(number):
        app.db = opened.pop()
        by_connection(number)
        app.db.close()

    every = list(opened)
    assert "table sent of :memory:" in refusal(mail_and(write_and_close), mails)
    for connection in every:
        connection.close()


def test_a_connection_in_an_object_and_one_that_a_partial_holds_are_refused(db):
    add = Repository(db).add

    assert "table sent" in refusal(add, mails)
    assert "table sent" in refusal(mail_and(partial(Repository.add, Repository(db))), mails)


def test_a_connection_that_was_taken_out_of_an_engine_is_refused():
    sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy is not installed")
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    app.db = engine.raw_connection()
    app.db.execute("create table sent (number)")

    assert "table sent of :memory:" in refusal(mail_and(by_connection), mails)
    app.db.close()
    engine.dispose()


@pytest.mark.usefixtures("db")
def test_reads_are_none_of_that():
    def read_and_mail(number):
        assert not app.db.execute("select * from sent").fetchall()
        app.mail(number, key=number)

    assert "Compared unasked" not in str(checked(read_and_mail, mails))


@pytest.mark.usefixtures("db")
def test_a_connection_that_is_opened_after_another_check_is_refused(place):
    checked(lambda number: app.mail(number, key=number), mails)
    with closing(sqlite3.connect(place)) as app.db:
        app.db.execute("create table if not exists sent (number)")

        assert "table sent" in refusal(mail_and(by_connection), mails)


def test_every_check_finds_a_connection_and_none_keeps_it():
    class Own(sqlite3.Connection):
        """It can be weakly referenced."""

    app.db = sqlite3.connect(":memory:", factory=Own)
    app.db.execute("create table sent (number)")
    for _ in range(3):
        assert "table sent" in refusal(mail_and(by_connection), mails)
    known = ref(app.db)
    app.db.close()
    app.db = None
    gc.collect()

    assert known() is None
    checked(lambda number: app.mail(number, key=number), mails)


@pytest.mark.usefixtures("db")
def test_a_closed_connection_and_one_of_another_thread_are_left_alone():
    with closing(sqlite3.connect(":memory:")) as other:
        other.close()

        checked(lambda number: app.mail(number, key=number), mails)


# A store that the world empties


def emptied(*shown):
    """Return a world that uses the connection itself."""

    def world():
        app.db.execute("delete from sent")
        app.db.execute("delete from log")
        app.db.commit()
        yield lambda: {name: app.db.execute(f"select * from {name}").fetchall() for name in shown}

    return world


@pytest.mark.usefixtures("db")
def test_a_table_that_the_world_shows_is_compared_as_it_shows_it():
    with pytest.raises(DuplicateEffect) as failed:
        checked(by_connection, emptied("sent"))

    assert failed.value.report.effect == "sent"


@pytest.mark.wide
@pytest.mark.usefixtures("db")
def test_a_table_that_it_does_not_show_is_compared_unasked():
    def once(number):
        if not app.db.execute("select * from sent").fetchall():
            by_connection(number)

    def once_and_log(number):
        app.db.execute("insert into log values ('begun')")
        once(number)
        app.db.commit()

    with pytest.raises(NotIdempotent) as failed:
        checked(once_and_log, emptied("sent"), histories=["twice"])

    assert failed.value.report.effect.startswith("table log")
    assert "Compared unasked" not in str(checked(once, emptied("sent"), histories=["twice"]))


@pytest.mark.usefixtures("db")
def test_what_a_killed_delivery_has_not_committed_is_gone():
    def mark_and_mail(number):
        if app.db.execute("select * from sent").fetchall():
            return
        app.db.execute("insert into sent values (?)", (number,))
        app.mail(number, key=number)
        app.db.commit()

    def world():
        with fake(app, "mail", lambda number, key: None, key="key") as sent:
            state = next(emptied("sent")())
            yield lambda: {**state(), "mails": sent.calls}

    checked(mark_and_mail, world, histories=["crash"])


@pytest.mark.wide
@pytest.mark.usefixtures("db")
def test_two_deliveries_in_one_transaction_show_nothing():
    def write_and_commit(number):
        app.db.execute("delete from sent")
        app.db.execute("insert into sent values (?)", (number,))
        app.db.commit()

    assert "Two deliveries would use one connection" in refusal(
        write_and_commit, emptied("sent"), histories=["overlap"]
    )


def test_two_deliveries_without_a_transaction_overlap(db):
    db.isolation_level = None

    def write_if_none(number):
        if not app.db.execute("select * from sent").fetchall():
            app.db.execute("insert into sent values (?)", (number,))

    with pytest.raises(DuplicateEffect):
        checked(write_if_none, emptied("sent"), histories=["overlap"])


def test_a_connection_that_belongs_to_its_thread_is_refused_where_deliveries_have_threads():
    with closing(sqlite3.connect(":memory:")) as app.db:
        app.db.execute("create table sent (number)")

        def read_and_mail(number):
            with lock:
                assert not app.db.execute("select * from sent").fetchall()
            app.mail(number, key=number)

        lock = threading.Lock()

        assert refusal(read_and_mail, mails) == (
            "The job uses a connection of sqlite3 to :memory: that was opened before the check, and each delivery "
            "has a thread of its own, in which sqlite3 refuses that connection. Close it before the check "
            "(`db.close()` of peewee), so that the job opens its own; open it in the world; or let other threads "
            "use it: sqlite3.connect(..., check_same_thread=False)."
        )


# What the connection is afterwards


def test_the_callbacks_of_the_application_stay_in_force_and_come_back(db):
    asked, executed = [], []
    db.set_authorizer(lambda *parts: asked.append(parts) or sqlite3.SQLITE_OK)
    db.set_trace_callback(executed.append)

    with pytest.raises(DuplicateEffect):
        checked(by_connection, emptied("sent"), histories=["twice"])
    during = len(executed)
    db.execute("select 1")

    assert "insert into sent values (7)" in executed
    assert during > 0
    assert executed[-1] == "select 1"
    assert asked[-1][0] == sqlite3.SQLITE_SELECT
