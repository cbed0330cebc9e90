"""Jobs that use MySQL by each of its drivers, on a real MariaDB server."""

from contextlib import closing, contextmanager, suppress
from functools import partial
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    ExplorationError,
    NotIdempotent,
)

pytest.importorskip("pymysql")
url_of = pytest.importorskip("sqlalchemy").make_url

app = SimpleNamespace(driver=None, place={}, gateway=None, kept=None)

TABLES = """
payments (id int primary key, status varchar(9), balance int default 0)
ledger (number int auto_increment primary key, payment int)
receipts (payment int primary key)
"""


class Gateway:
    def charge(self, number, key=None):
        pass


def driver_named(name):
    """Return the module of a driver, or what looks like it."""
    module_name, _, without_c = name.partition(" ")
    module = pytest.importorskip(module_name)
    if not without_c:
        return module
    return SimpleNamespace(connect=partial(module.connect, use_pure=True), Error=module.Error)


@pytest.fixture
def place(mysql_url):
    """Use PyMySQL, with a database of our own."""
    app.driver = driver_named("pymysql")
    # Without a context of TLS for each connection, whose certificates take time.
    app.place = {"unix_socket": url_of(mysql_url).query["unix_socket"], "ssl_disabled": True}
    with connect() as db:
        for name in ("shop", "other"):
            run(db, f"drop database if exists {name}")
            run(db, f"create database {name}")
        for table in TABLES.strip().splitlines():
            run(db, f"create table shop.{table}")
        run(db, "create table other.audit (id int)")
    app.place |= {"user": "jobs", "database": "shop"}
    yield
    app.kept = None


@pytest.fixture(params=["pymysql", "MySQLdb", "mysql.connector", "mysql.connector without C"])
def driver(request, place):
    app.driver = driver_named(request.param)
    if request.param == "MySQLdb":
        del app.place["ssl_disabled"]


def connect(**options):
    return closing(app.driver.connect(**app.place, **options))


def run(db, sql, *args):
    with closing(db.cursor()) as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall() if cursor.description else ()


@contextmanager
def shop(**options):
    with (
        connect(autocommit=True) as made,
        connect(**{"autocommit": True, **options}) as db,
        fake(app, "gateway", Gateway(), key="key") as gateway,
    ):
        for table in ("payments", "ledger", "receipts"):
            run(made, f"delete from {table}")
        run(made, "insert into payments (id, status) values (1, 'open')")
        yield lambda: {
            "payments": run(db, "select * from payments"),
            "charges": gateway.calls,
        }


def check(job, world=shop, args=(1,), **options):
    return check_idempotent(job, args=args, world=world, **options)


def is_done(db, number, locking=""):
    [[status]] = run(db, f"select status from payments where id = %s {locking}", number)
    return status == "done"


def mark(db, number):
    run(db, "update payments set status = 'done', balance = balance + 1 where id = %s", number)


def charge_then_mark(number):
    with connect() as db:
        if not is_done(db, number):
            app.gateway.charge(number)
            mark(db, number)
            db.commit()


def lock_then_charge_by_key(number):
    with connect() as db:
        if not is_done(db, number, "for update"):
            app.gateway.charge(number, key=number)
            mark(db, number)
            db.commit()


def look_then_mark(number):
    with connect() as db:
        if not is_done(db, number):
            mark(db, number)
            db.commit()


def mark_in_turn(number):
    with connect() as turn:
        [[has_turn]] = run(turn, "select get_lock(concat('turn ', %s), 10)", number)
        if not has_turn:
            raise TimeoutError
        look_then_mark(number)


def book(number):
    with connect() as db:
        run(db, "insert into ledger (payment) values (%s)", number)
        db.commit()


def insert_once(number):
    with connect() as db:
        if run_count(db, "insert ignore into receipts values (%s)", number):
            mark(db, number)
        run(db, "replace into receipts values (7)")
        run(db, "insert into receipts values (8) on duplicate key update payment = payment")
        db.commit()


def run_count(db, sql, *args):
    with closing(db.cursor()) as cursor:
        cursor.execute(sql, args)
        return cursor.rowcount


def roll_back_then_mark(number):
    with connect() as db:
        run(db, "insert into ledger (payment) values (%s)", number)
        db.rollback()
        run(db, "replace into receipts values (%s)", number)
        db.commit()


def define_in_between(number):
    with connect() as db:
        if not is_done(db, number, "for update"):
            run(db, "insert into ledger (payment) values (%s)", number)
            run(db, "create table if not exists log (id int)")
            mark(db, number)
            db.commit()


def take_a_lost_answer_for_a_failure(number):
    with connect(autocommit=True) as db:
        if is_done(db, number):
            return
        try:
            mark(db, number)
        except app.driver.Error:
            app.gateway.charge(-number, key=number)


def commit_by_autocommit(number):
    with connect() as db:
        if not is_done(db, number):
            mark(db, number)
            try:
                db.autocommit(True)
            except app.driver.Error:
                app.gateway.charge(-number, key=number)


def go_on_after_an_error(number):
    with connect() as db:
        if not is_done(db, number):
            with suppress(app.driver.Error):
                run(db, "replace into receipts values (%s)", number)
            mark(db, number)
            db.commit()


def insert_many(number):
    with connect() as db, closing(db.cursor()) as cursor:
        cursor.executemany("insert into receipts values (%s)", [(number,), (number + 1,)])
        db.commit()


def write_elsewhere(number):
    with connect() as db:
        run(db, "insert into other.audit values (%s)", number)
        db.commit()


def use_elsewhere(number):
    with connect() as db:
        run(db, "use other")
        run(db, "insert into audit values (%s)", number)
        db.commit()


def use_a_kept_connection(number):
    mark(app.kept, number)


@pytest.mark.usefixtures("driver")
def test_a_charge_before_the_commit_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check(charge_then_mark)


@pytest.mark.usefixtures("driver")
def test_a_locked_row_and_a_key_make_it_safe():
    explored = check(lock_then_charge_by_key)

    assert explored.histories > 10


@pytest.mark.usefixtures("driver")
def test_a_table_that_the_world_does_not_show_is_compared():
    with pytest.raises(DuplicateEffect) as failed:
        check(book, histories=["twice"])

    assert failed.value.report.effect == "table ledger (not shown)"
    assert "  once: (1,)\n  now:  2 x (1,)" in str(failed.value)


@pytest.mark.usefixtures("driver")
def test_a_lock_with_a_name_keeps_deliveries_apart():
    check(mark_in_turn, histories=["overlap", "crash"])


@pytest.mark.usefixtures("driver")
def test_the_answer_of_a_statement_that_commits_itself_may_be_lost():
    with pytest.raises(NotIdempotent, match=r"\[reply_lost"):
        check(take_a_lost_answer_for_a_failure, histories=["twice", "reply_lost"])


@pytest.mark.usefixtures("place")
def test_a_connection_that_is_lost_stays_lost():
    check(go_on_after_an_error, histories=["effect_fails"])


@pytest.mark.usefixtures("place")
def test_to_turn_autocommit_on_is_a_commit():
    with pytest.raises(NotIdempotent, match=r"\[reply_lost"):
        check(commit_by_autocommit, histories=["twice", "reply_lost"])


@pytest.mark.usefixtures("place")
def test_the_lost_update_of_mysql_is_found():
    with pytest.raises(DivergedState, match=r"DIVERGED payments .*\[overlap"):
        check(look_then_mark)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("job", [insert_once, roll_back_then_mark])
def test_a_safe_job_is_safe_in_every_history(job):
    explored = check(job)

    assert "Compared unasked: table " in str(explored)


@pytest.mark.usefixtures("place")
def test_a_statement_that_defines_a_table_commits():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE table ledger .*\[crash"):
        check(define_in_between, histories=["twice", "crash"])


@pytest.mark.usefixtures("place")
def test_many_rows_are_one_effect():
    with pytest.raises(NotIdempotent) as failed:
        check(insert_many, histories=["twice"])

    assert "<- pymysql: insert into receipts values (%s)" in str(failed.value)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("job", [write_elsewhere, use_elsewhere])
def test_a_database_that_the_world_does_not_use_is_refused(job):
    with pytest.raises(ExplorationError, match=r"writes to table audit of .*/other \(insert into"):
        check(job)


@pytest.mark.usefixtures("place")
def test_a_connection_that_was_opened_before_is_refused():
    with (
        connect(autocommit=True) as app.kept,
        pytest.raises(ExplorationError, match=r"a connection to MySQL that was opened before"),
    ):
        check(use_a_kept_connection)


@pytest.mark.usefixtures("place")
def test_a_snapshot_in_a_transaction_sees_what_was_committed_since():
    with pytest.raises(DivergedState, match="payments"):
        check(mark_each_time, partial(shop, autocommit=False), histories=["twice"])


def mark_each_time(number):
    with connect(autocommit=True) as db:
        mark(db, number)


@pytest.mark.usefixtures("place")
def test_a_snapshot_in_a_transaction_from_before_is_refused():
    with connect() as old:

        def world():
            yield lambda: run(old, "select * from payments")

        with shop():
            pass
        with pytest.raises(ExplorationError, match=r"Connect with autocommit=True, or open"):
            check(mark_each_time, world)


@pytest.mark.usefixtures("place")
def test_a_world_that_does_not_commit_is_refused():
    @contextmanager
    def world():
        with shop(), connect() as db:
            run(db, "insert into receipts values (3)")
            yield lambda: run(db, "select * from receipts")

    with pytest.raises(ExplorationError, match=r"has not committed .* \(insert into receipts"):
        check(mark_each_time, world)


@pytest.mark.usefixtures("place")
def test_no_session_of_a_delivery_is_left():
    check(mark_in_turn, histories=["crash", "overlap"])

    with connect() as db:
        left = run(
            db,
            "select info, command from information_schema.processlist "
            "where id <> connection_id() and user = 'jobs' and command <> 'Sleep'",
        )
        assert not left
        [[is_free]] = run(db, "select is_free_lock('turn 1')")
    assert is_free


@pytest.mark.usefixtures("place")
def test_nothing_is_left_behind():
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

    def state():
        return [vars(Connection)[name] for name in ("__init__", "connect", "query", "commit")] + [
            vars(Cursor)[name] for name in ("execute", "executemany")
        ]

    before = state()
    check(lock_then_charge_by_key, histories=["twice"])

    assert state() == before
