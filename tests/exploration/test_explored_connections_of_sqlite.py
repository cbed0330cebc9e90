"""The connections that a sqlite world gives are those that the application opens, but to its own database."""

import sqlite3
import threading
from _sqlite3 import connect as open_by_another_name
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake, sqlite_world
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect, NotIdempotent

SCHEMA = """
create table payments (id integer primary key, status text);
create table postings (payment integer references payments);
insert into payments values (7, 'open');
"""

connect = sqlite3.connect
database = SimpleNamespace()


@pytest.fixture
def opened_by(tmp_path):
    """Let the application open its connections by a function, which takes the path of a file."""
    path = tmp_path / "real.db"

    def opened_by(function):
        database.connect = lambda *args, **kwargs: function(path, *args, **kwargs)
        return world

    yield opened_by
    assert not Path(path).exists()


def world():
    with sqlite_world(SCHEMA, bind=(database, "connect")) as rows:
        yield lambda: {"payments": rows("payments"), "postings": rows("postings")}


def post(number):
    db = database.connect()
    (status,) = db.execute("select status from payments where id = ?", (number,)).fetchone()
    if status == "open":
        db.execute("update payments set status = 'done' where id = ?", (number,))


def post_by_name(number):
    db = database.connect()
    row = db.execute("select * from payments where id = ?", (number,)).fetchone()
    if row["status"] == "open":
        db.execute("update payments set status = 'done' where id = ?", (number,))
        db.commit()


def post_for_nobody(number):
    db = database.connect()
    with db:
        db.execute("insert or ignore into postings values (?)", (number,))


def test_a_statement_is_committed_at_once_where_the_application_says_so(opened_by):
    where = opened_by(lambda path: sqlite3.connect(path, isolation_level=None))

    explored = check_idempotent(post, args=(7,), world=where, histories="all")

    assert explored.histories > 8


def test_rows_are_those_of_the_application(opened_by):
    def open_with_rows(path):
        db = sqlite3.connect(path)
        db.row_factory = sqlite3.Row
        return db

    check_idempotent(post_by_name, args=(7,), world=opened_by(open_with_rows))


def test_the_pragmas_of_the_application_hold(opened_by):
    def open_strictly(path):
        db = sqlite3.connect(database=path)
        db.execute("pragma foreign_keys = on")
        return db

    with pytest.raises(ExplorationError, match="FOREIGN KEY constraint failed"):
        check_idempotent(post_for_nobody, args=(8,), world=opened_by(open_strictly))


def test_the_function_takes_its_arguments_and_is_no_point_of_the_job(opened_by):
    seen = []

    def open_for(*, reading):
        seen.append(reading)
        return sqlite3.connect("nowhere.db", isolation_level=None)

    def post_once(number):
        db = database.connect(reading=False)
        db.execute("insert into postings select ? where not exists (select * from postings)", (7,))

    opened_by(open_for)
    database.connect = open_for
    explored = check_idempotent(post_once, args=(7,), world=world)

    assert set(seen) == {False}
    assert "at 5 points" in str(explored)


def payments(connection):
    with closing(connection):
        return connection.execute("select * from payments").fetchall()


@pytest.mark.parametrize("outcome", [NotImplementedError("the world binds it"), None])
def test_a_function_that_opens_nothing_is_a_placeholder(opened_by, outcome):
    def placeholder(path):
        if outcome is not None:
            raise outcome

    with sqlite_world(SCHEMA, bind=(database, "connect")) if opened_by(placeholder) else None:
        rows = payments(database.connect())

    assert rows == [(7, "open")]


def test_a_name_without_a_function_is_one_too():
    nothing = SimpleNamespace(connect=None)
    with sqlite_world(SCHEMA, bind=(nothing, "connect")):
        rows = payments(nothing.connect())

    assert rows == [(7, "open")]
    assert nothing.connect is None


def test_sqlites_own_function_can_be_bound():
    module = SimpleNamespace(connect=sqlite3.connect)
    with sqlite_world(SCHEMA, bind=(module, "connect")):
        db = module.connect("nowhere.db", isolation_level=None)

        assert (db.isolation_level, payments(db)) == (None, [(7, "open")])
    assert not Path("nowhere.db").exists()


def test_what_the_application_raises_is_raised(opened_by):
    def fails(path):
        sqlite3.connect(path).close()
        raise PermissionError("not for you")

    opened_by(fails)
    with (
        sqlite_world(SCHEMA, bind=(database, "connect")),
        pytest.raises(PermissionError, match="not for you"),
    ):
        database.connect()

    assert sqlite3.connect is connect


def test_threads_may_open_connections_at_the_same_time(opened_by):
    second_is_inside, first_has_left = threading.Event(), threading.Event()

    def open_one_after_the_other(path, first):
        if first:
            assert second_is_inside.wait(60)
        else:
            second_is_inside.set()
            assert first_has_left.wait(60)
        return sqlite3.connect(path, check_same_thread=False)

    def first():
        payments(database.connect(first=True))
        first_has_left.set()

    opened_by(open_one_after_the_other)
    with (
        sqlite_world(SCHEMA, bind=(database, "connect")),
        ThreadPoolExecutor() as threads,
    ):
        ended = threads.submit(first)
        assert payments(database.connect(first=False)) == [(7, "open")]
        ended.result()

    assert sqlite3.connect is connect


def test_a_connection_that_is_opened_by_other_means_is_refused(opened_by):
    with closing(open_by_another_name(":memory:")) as another:
        opened_by(lambda path: another)
        with (
            sqlite_world(SCHEMA, bind=(database, "connect")),
            pytest.raises(ExplorationError) as caught,
        ):
            database.connect()

    assert str(caught.value) == (
        "connect() returned a Connection that it did not open by `sqlite3.connect`, so the world cannot lead "
        "it to its database: let it call `sqlite3.connect(...)`, or bind a function that does."
    )


def test_a_guard_fails_where_its_worker_is_killed_and_not_when_it_is_delivered_twice(opened_by):
    made = SimpleNamespace(gateway=SimpleNamespace(charge=print))

    def shop():
        with (
            sqlite_world(SCHEMA, bind=(database, "connect")) as rows,
            fake(made, "gateway", Gateway()) as gateway,
        ):
            yield lambda: {"payments": rows("payments"), "charges": gateway.calls}

    def charge(number):
        with closing(database.connect()) as db:
            (status,) = db.execute("select status from payments").fetchone()
            if status == "open":
                made.gateway.charge(number)
                db.execute("update payments set status = 'done' where id = ?", (number,))

    opened_by(lambda path: sqlite3.connect(path, isolation_level=None))
    with pytest.raises(DuplicateEffect, match=r"\[crash, 1"):
        check_idempotent(charge, args=(7,), world=shop)


class Gateway:
    def charge(self, number): ...


# Connections that the world opens itself

app = SimpleNamespace()


def opened_in_memory(_):
    return sqlite3.connect(":memory:")


def opened_by_keyword(_):
    return sqlite3.connect(database=":memory:", isolation_level="IMMEDIATE")


def opened_in_a_file(folder):
    return sqlite3.connect(folder / "shop.db", check_same_thread=False)


def world_of(opened, tmp_path):
    def world():
        (tmp_path / "shop.db").unlink(missing_ok=True)
        with closing(opened(tmp_path)) as app.db:
            app.db.row_factory = sqlite3.Row
            app.db.create_function("double", 1, lambda number: number * 2)
            app.db.execute("pragma foreign_keys = on")
            app.db.executescript(SCHEMA)
            # Not committed, as in many fixtures.
            app.db.execute("insert into payments values (8, 'open')")
            app.cursor = app.db.cursor()
            yield lambda: {
                name: [tuple(row) for row in app.db.execute(f"select * from {name}")]
                for name in ("payments", "postings")
            }

    return world


def is_open(number):
    (row,) = app.db.execute("select status from payments where id = ?", (number,))
    return row["status"] == "open"


def settle(number):
    if is_open(number):
        app.db.execute("update payments set status = 'done' where id = ?", (number,))
        app.db.execute("insert into postings values (?)", (number,))
        assert app.db.in_transaction
        app.db.commit()


def settle_in_a_block(number):
    with app.db as db:
        db.execute("begin immediate")
        if is_open(number):
            db.execute("update payments set status = 'done' where id = double(?) / 2", (number,))
            db.execute("insert into postings values (?)", (number,))


def settle_by_cursors(number):
    cursor = app.db.cursor()
    if is_open(number):
        cursor.executemany("update payments set status = 'done' where id = ?", [(number,)])
        cursor.execute("insert into postings values (?)", (number,))
        app.db.commit()


def settle_in_two_steps(number):
    if is_open(number):
        app.db.execute("update payments set status = 'done' where id = ?", (number,))
        app.db.commit()
        app.db.execute("insert into postings values (?)", (number,))
        app.db.commit()


@pytest.mark.parametrize("opened", [opened_in_memory, opened_by_keyword, opened_in_a_file])
def test_a_connection_of_the_world_is_another_one_in_each_delivery(opened, tmp_path):
    world = world_of(opened, tmp_path)
    with pytest.raises(LostEffect, match=r"LOST postings \[crash"):
        check_idempotent(settle_in_two_steps, args=(8,), world=world)
    for job in (settle, settle_in_a_block, settle_by_cursors):
        check_idempotent(job, args=(8,), world=world, histories=["twice", "crash"])
    check_idempotent(settle_in_a_block, args=(8,), world=world)


def test_two_deliveries_on_connections_of_their_own_both_read_before_either_writes(tmp_path):
    with pytest.raises(NotIdempotent, match="overlap"):
        check_idempotent(
            settle,
            args=(8,),
            world=world_of(opened_in_memory, tmp_path),
            histories=["overlap"],
        )


def settle_by_the_cursor_of_the_world(number):
    app.cursor.execute("select status from payments where id = ?", (number,))
    if app.cursor.fetchone()["status"] == "open":
        app.cursor.execute("update payments set status = 'done' where id = ?", (number,))
        app.cursor.execute("insert into postings values (?)", (number,))
        app.db.commit()


def test_what_a_killed_delivery_has_not_committed_by_a_cursor_of_the_world_is_gone(tmp_path):
    check_idempotent(
        settle_by_the_cursor_of_the_world,
        args=(8,),
        world=world_of(opened_in_memory, tmp_path),
        histories=["twice", "crash"],
    )


def test_temporary_tables_of_the_world_are_there():
    def world():
        with closing(sqlite3.connect(":memory:")) as app.db:
            app.db.execute("create temp table payments (id)")
            yield lambda: {"payments": app.db.execute("select * from payments").fetchall()}

    def add(number):
        app.db.execute("insert into payments values (?)", (number,))

    with pytest.raises(DuplicateEffect):
        check_idempotent(add, args=(7,), world=world, histories=["twice"])


def test_a_database_that_the_world_loads_is_there():
    with closing(sqlite3.connect(":memory:")) as made:
        made.executescript(SCHEMA)
        content = made.serialize()

    def world():
        with closing(sqlite3.connect(":memory:")) as app.db:
            app.db.deserialize(content)
            yield lambda: {"postings": app.db.execute("select * from postings").fetchall()}

    def add(number):
        app.db.execute("insert into postings values (?)", (number,))

    with pytest.raises(DuplicateEffect):
        check_idempotent(add, args=(7,), world=world, histories=["twice"])


def test_the_connection_of_a_delivery_may_be_closed_and_counts_its_own_changes():
    def world():
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as app.db:
            app.db.execute("create table counts (changes)")
            yield lambda: {"counts": app.db.execute("select * from counts").fetchall()}

    def count(number):
        app.db.execute("insert or replace into counts (rowid, changes) values (1, 1)")
        app.db.execute("update counts set changes = ?", (app.db.total_changes,))
        app.db.rollback()
        app.db.close()

    check_idempotent(count, args=(7,), world=world, histories=["twice"])


def test_a_connection_that_is_closed_has_no_open_transaction():
    bank = SimpleNamespace(charge=None)

    def charge_beside_a_closed_connection(number):
        connection = database.connect()
        connection.execute("insert into postings values (7)")
        connection.close()
        bank.charge(number, key=number)

    def shop():
        with (
            sqlite_world(SCHEMA, bind=(database, "connect")) as rows,
            fake(bank, "charge", lambda number, key: None, key="key") as charges,
        ):
            yield lambda: {"postings": rows("postings"), "charges": charges.calls}

    database.connect = sqlite3.connect
    check_idempotent(charge_beside_a_closed_connection, args=(7,), world=shop)


def test_the_file_of_a_world_has_one_name_in_all_histories_and_another_one_beside_an_open_world():
    paths, beside = set(), set()

    def in_its_file(seen):
        with sqlite_world(SCHEMA, bind=(database, "connect")) as rows:
            seen.add(file_of(database.connect()))
            yield lambda: {"payments": rows("payments")}

    database.connect = lambda: sqlite3.connect(":memory:", isolation_level=None)
    with sqlite_world(SCHEMA, bind=(database, "connect")):
        beside.add(file_of(database.connect()))
        check_idempotent(post, args=(7,), world=lambda: in_its_file(paths))
    assert len(paths) == 1
    assert not paths & beside


def file_of(connection):
    with closing(connection):
        return connection.execute("pragma database_list").fetchone()[2]
