"""What the world does not show is compared all the same, and what it does not make is refused."""

import dbm.dumb
import gzip
import itertools
import logging
import os
import pickle
import queue
import re
import shelve
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake, sqlite_world
from pytest_jobs.errors import (
    CriterionError,
    DivergedState,
    DuplicateEffect,
    ExplorationError,
    LostEffect,
    NotIdempotent,
)

SCHEMA = """
create table orders (id, paid);
create table ledger (id integer, cents);
create table audit_log (line);
create view open_orders as select * from orders where paid = 0;
insert into orders values (7, 0);
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists open files")
app = SimpleNamespace(connect=lambda: sqlite3.connect("shop.db"), mailer=None, folder=None)


@contextmanager
def shop(*shown):
    """Show some of the tables only."""
    with sqlite_world(SCHEMA, bind=(app, "connect")) as rows:
        yield lambda: {name: rows(name) for name in shown}


def orders():
    return shop("orders")


@contextmanager
def folder():
    """Make a directory for the files of the application, and show nothing of it."""
    with tempfile.TemporaryDirectory() as made:
        app.folder = Path(made)
        yield lambda: {"answer": 42}


def pay(number):
    db = app.connect()
    db.execute("update orders set paid = 1 where id = ?", (number,))
    db.commit()


def pay_and_book(number):
    db = app.connect()
    db.execute("update orders set paid = 1 where id = ?", (number,))
    db.execute("insert into ledger values (?, 100)", (number,))
    db.commit()


def pay_and_book_once(number):
    db = app.connect()
    db.execute("begin immediate")
    db.execute("update orders set paid = 1 where id = ?", (number,))
    if not db.execute("select * from ledger where id = ?", (number,)).fetchone():
        db.execute("insert into ledger values (?, 100)", (number,))
    db.commit()


def pay_and_log(number):
    pay_and_book_once(number)
    db = app.connect()
    db.execute("insert into audit_log values ('paid')")
    db.commit()


def checked(job, world, **options):
    return check_idempotent(job, args=(7,), world=world, **options)


def failure(job, world, **options):
    with pytest.raises(NotIdempotent) as failed:
        checked(job, world, **options)
    return failed.value


def refusal(job, world, **options):
    with pytest.raises(ExplorationError) as refused:
        checked(job, world, **options)
    return str(refused.value)


# Tables


@pytest.mark.parametrize(
    ("others", "deleting"),
    [
        (0, "delete from orders where id = 7"),
        (1, "delete from orders where id = 7"),
        (2, "delete from orders"),
    ],
)
def test_a_row_that_is_still_there_is_no_duplicate(others, deleting):
    @contextmanager
    def world():
        with shop("ledger") as shown, closing(app.connect()) as db:
            db.executemany("insert into orders values (?, 0)", [(8 + n,) for n in range(others)])
            db.commit()
            yield shown

    def archive(number):
        with closing(app.connect()) as db:
            if db.execute("select * from ledger").fetchone():
                return
            db.execute("insert into ledger values (?, 100)", (number,))
            db.commit()
            db.execute(deleting)
            db.commit()

    error = failure(archive, world, histories=["crash"])

    assert str(error.report.failure.verdict) == "STUCK table orders (not shown)"


def test_a_table_that_the_world_does_not_show_is_compared():
    error = failure(pay_and_book, orders)

    assert isinstance(error, DuplicateEffect)
    assert error.report.effect == "table ledger (not shown)"
    assert (
        "table ledger (not shown)\n"
        "  once: {'cents': 100, 'id': 7}\n"
        "  now:  2 x {'cents': 100, 'id': 7}\n"
        "\n"
        "The world does not show table ledger; what the job writes there is compared all the same. Show it, or "
        "say ignore={'ledger'}.\n"
    ) in str(error)


def test_a_table_that_is_written_once_passes_and_is_named():
    assert " Compared unasked: table ledger." in str(checked(pay_and_book_once, orders))


def test_nothing_is_named_when_the_world_shows_everything():
    explored = str(checked(pay_and_book_once, lambda: shop("orders", "ledger")))

    assert "Compared unasked" not in explored
    assert "Not compared" not in explored


def test_a_table_of_which_the_world_shows_a_column_is_compared_as_the_world_shows_it():
    @contextmanager
    def ids():
        with sqlite_world(SCHEMA, bind=(app, "connect")) as rows:
            yield lambda: {
                "orders": rows("orders"),
                "booked": {number for number, _ in rows("ledger")},
            }

    assert "Compared unasked" not in str(checked(pay_and_book, ids))


def test_a_view_shows_the_tables_that_it_reads():
    assert "Compared unasked" not in str(checked(pay, lambda: shop("open_orders")))


def test_a_table_that_a_trigger_writes_is_compared():
    @contextmanager
    def with_trigger():
        trigger = (
            "create trigger booked after update on orders "
            "begin insert into ledger values (new.id, 100); end;"
        )
        with sqlite_world(SCHEMA + trigger, bind=(app, "connect")) as rows:
            yield lambda: {"orders": rows("orders")}

    assert failure(pay, with_trigger).report.effect == "table ledger (not shown)"


def test_a_statement_that_the_world_has_executed_before_is_noticed():
    statement = "insert into ledger values (?, 100)"

    def book(number):
        app.db.execute(statement, (number,))
        app.db.commit()

    @contextmanager
    def one_connection():
        app.db = sqlite3.connect(":memory:")
        app.db.execute("create table ledger (id, cents)")
        app.db.execute(statement, (1,))
        app.db.commit()
        yield lambda: {"answer": 42}
        app.db.close()

    assert failure(book, one_connection).report.effect == "table ledger (not shown)"


def test_a_table_that_only_a_later_delivery_writes_is_compared():
    def pay_or_complain(number):
        db = app.connect()
        if db.execute("select paid from orders where id = ?", (number,)).fetchone()[0]:
            db.execute("insert into audit_log values ('paid twice')")
        db.execute("update orders set paid = 1 where id = ?", (number,))
        db.commit()

    error = failure(pay_or_complain, orders)

    assert error.report.effect == "table audit_log (not shown)"
    assert "  once: nothing\n  now:  {'line': 'paid twice'}" in str(error)


def test_what_a_fake_keeps_for_itself_is_a_part_of_its_call():
    @contextmanager
    def with_a_fake_on_sqlite():
        with shop("orders") as rows:

            def send(number):
                db = app.connect()
                db.execute("insert into audit_log values (?)", (number,))
                db.commit()

            with fake(app, "mailer", send) as mailer:
                yield lambda: {**rows(), "mails": set(mailer.calls)}

    def pay_and_mail(number):
        app.mailer(number)
        pay(number)

    explored = checked(
        pay_and_mail, with_a_fake_on_sqlite, at_least_once={"mailer"}, histories=["crash"]
    )

    assert "Compared unasked" not in str(explored)


def test_a_table_that_is_attached_has_the_name_of_its_database():
    @contextmanager
    def two_files():
        with tempfile.TemporaryDirectory() as made:
            app.folder = Path(made)
            with sqlite3.connect(app.folder / "shop.db") as db:
                db.execute("create table orders (id)")
            with sqlite3.connect(app.folder / "audit.db") as other:
                other.execute("create table lines (id)")
            yield lambda: {"orders": db.execute("select * from orders").fetchall()}
            db.close()
            other.close()

    def write(number):
        db = sqlite3.connect(app.folder / "shop.db")
        db.execute("attach ? as audit", (str(app.folder / "audit.db"),))
        db.execute("insert into audit.lines values (?)", (number,))
        db.commit()

    assert failure(write, two_files).report.effect == "table lines of audit.db (not shown)"


def test_the_authorizer_of_the_application_stays_in_force():
    def deny(*asked):
        return sqlite3.SQLITE_DENY if asked[1] == "audit_log" else sqlite3.SQLITE_OK

    def pay_unless_denied(number):
        db = app.connect()
        db.set_authorizer(deny)
        with pytest.raises(sqlite3.DatabaseError, match="prohibited"):
            db.execute("select * from audit_log")
        db.execute("insert into ledger values (?, 100)", (number,))
        db.commit()

    error = failure(pay_unless_denied, orders, histories=["twice"])

    assert error.report.effect == "table ledger (not shown)"


def test_a_virtual_table_is_compared_without_what_it_keeps_for_itself():
    @contextmanager
    def searchable():
        with sqlite_world(
            "create virtual table words using fts5(word); create table orders (id);",
            bind=(app, "connect"),
        ) as rows:
            yield lambda: {"orders": rows("orders")}

    def index(number):
        db = app.connect()
        db.execute("begin immediate")
        db.execute("delete from words")
        db.execute("insert into words values ('paid')")
        db.commit()

    assert " Compared unasked: table words." in str(checked(index, searchable))


# Databases that the world does not make


def test_a_database_that_the_world_does_not_make_is_refused(tmp_path):
    def pay_and_audit(number):
        pay(number)
        audit = sqlite3.connect(tmp_path / "audit.db")
        audit.execute("create table if not exists log (line)")
        audit.execute("insert into log values ('paid')")
        audit.commit()

    assert refusal(pay_and_audit, orders) == (
        f"The job writes to table log of {tmp_path}/audit.db (insert into log), which the world neither makes nor "
        "binds, so that each history adds to what the one before it left. Let the world make it or bind it, and "
        "show what the job writes there; put a fake in its place; or leave it out by ignore={'audit.db'}."
    )
    assert " Not compared: table log of " in str(
        checked(pay_and_audit, orders, ignore={"audit.db"})
    )


def test_it_is_refused_although_the_job_fails_because_of_it(tmp_path):
    def fail_the_second_time(number):
        audit = sqlite3.connect(tmp_path / "audit.db")
        audit.execute("create table if not exists log (line primary key)")
        audit.execute("insert into log values ('paid')")
        audit.commit()

    refusal(fail_the_second_time, orders)

    assert "which the world neither makes nor binds" in refusal(fail_the_second_time, orders)


def test_a_database_that_only_a_later_delivery_writes_is_refused(tmp_path):
    def pay_or_complain(number):
        db = app.connect()
        if db.execute("select paid from orders where id = ?", (number,)).fetchone()[0]:
            audit = sqlite3.connect(tmp_path / "audit.db")
            audit.execute("create table if not exists log (line)")
            audit.execute("insert into log values ('twice')")
            audit.commit()
        pay(number)

    assert "table log of" in refusal(pay_or_complain, orders)


# Files


def append(number):
    with (app.folder / "sepa.csv").open("a") as file:
        file.write("DE..;100 EUR\n")


def rewrite(number):
    (app.folder / "sepa.csv").write_text("DE..;100 EUR\n")


def test_a_file_that_the_world_does_not_show_is_compared():
    error = failure(append, folder)

    assert isinstance(error, DuplicateEffect)
    assert error.report.effect == "file sepa.csv (not shown)"


def test_a_file_that_is_written_anew_passes_and_is_named():
    explored = checked(rewrite, folder, histories=["twice", "restart", "overlap"])

    assert " Compared unasked: file sepa.csv." in str(explored)


def test_a_file_that_is_torn_in_the_end_is_found():
    def write_unless_there(number):
        if not (app.folder / "sepa.csv").exists():
            with (app.folder / "sepa.csv").open("w") as file:
                file.write("DE..;100 EUR\n")
                file.write("end\n")

    assert isinstance(failure(write_unless_there, folder), LostEffect | DivergedState)


def test_a_file_in_a_directory_that_the_world_lists_is_shown():
    @contextmanager
    def listed():
        with folder():
            yield lambda: {"files": sorted(path.name for path in app.folder.iterdir())}

    assert "Compared unasked" not in str(checked(append, listed))


def test_a_file_that_the_world_does_not_make_is_refused(tmp_path):
    def append_there(number):
        with (tmp_path / "sepa.csv").open("a") as file:
            file.write("DE..;100 EUR\n")

    assert refusal(append_there, orders) == (
        f"The job writes to file {tmp_path}/sepa.csv (open('sepa.csv')), which the world neither makes nor binds, "
        "so that each history adds to what the one before it left. Let the world make it or bind it, and show "
        "what the job writes there; put a fake in its place; or leave it out by ignore={'sepa.csv'}."
    )


def test_a_file_that_the_world_removes_is_its_own(tmp_path):
    @contextmanager
    def cleaned():
        (tmp_path / "sepa.csv").unlink(missing_ok=True)
        yield lambda: {"answer": 42}

    def append_there(number):
        with (tmp_path / "sepa.csv").open("a") as file:
            file.write("DE..;100 EUR\n")

    assert failure(append_there, cleaned).report.effect.endswith("sepa.csv (not shown)")


def test_a_file_that_the_job_makes_and_removes_is_not_compared():
    def rewrite_at_once(number):
        new = app.folder / "sepa.tmp"
        new.write_text("DE..;100 EUR\n")
        new.replace(app.folder / "sepa.csv")

    assert " Compared unasked: file sepa.csv." in str(checked(rewrite_at_once, folder))


def test_times_in_a_file_may_differ():
    def stamp(number):
        now = datetime.now().astimezone()
        (app.folder / "sepa.csv").write_text(f"made {now:%Y-%m-%d %H:%M:%S} ({now.timestamp()})")

    checked(stamp, folder, histories=["twice", "restart"])


def test_the_log_of_a_job_is_not_compared(tmp_path):
    def pay_and_log(number):
        handler = logging.FileHandler(tmp_path / "job.log")
        logger = logging.getLogger("explored stores")
        logger.addHandler(handler)
        logger.warning("paid")
        logger.removeHandler(handler)
        handler.close()
        pay(number)

    assert "job.log" not in str(checked(pay_and_log, orders))


# Files that were open before


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists the open files")
class TestFilesThatWereOpenBefore:
    @pytest.mark.parametrize("mode", ["a", "w", "wb", "a+"])
    def test_what_is_added_is_compared_and_removed_again(self, tmp_path, mode):
        line = b"charge\n" if "b" in mode else "charge\n"
        with (tmp_path / "ledger.txt").open(mode) as ledger:
            ledger.write(line)

            def charge(number):
                ledger.write(line)

            error = failure(charge, folder)

        assert error.report.effect == f"open file {tmp_path}/ledger.txt (not shown)"
        assert "  once: 'charge'\n  now:  2 x 'charge'" in str(error)
        assert (tmp_path / "ledger.txt").read_text() == "charge\n"

    def test_a_file_has_the_name_that_it_has_by_now(self, tmp_path):
        def charge(number):
            ledger.write("charge\n")

        with (tmp_path / "ledger.txt").open("w") as ledger:
            failure(charge, folder)
            (tmp_path / "ledger.txt").rename(tmp_path / "book.txt")
            error = failure(charge, folder)

        assert error.report.effect == f"open file {tmp_path}/book.txt (not shown)"

    @pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_WRONLY | os.O_APPEND, os.O_RDWR])
    def test_so_is_what_is_written_by_the_number_of_a_file(self, tmp_path, flags):
        (tmp_path / "ledger.txt").write_text("")
        ledger = os.open(tmp_path / "ledger.txt", flags)

        def charge(number):
            os.write(ledger, b"charge\n")

        error = failure(charge, folder)
        os.close(ledger)

        assert error.report.effect == f"open file {tmp_path}/ledger.txt (not shown)"
        assert (tmp_path / "ledger.txt").read_text() == ""

    def test_a_lazy_object_of_the_program_is_not_built(self, tmp_path):
        class Lazy:
            @property
            def __class__(self):
                raise LookupError("built too early")

        lazy = [Lazy()]
        with (tmp_path / "ledger.txt").open("w") as ledger:

            def charge(number):
                ledger.write("charge")

            error = failure(charge, folder)

        assert "ledger.txt (not shown)" in error.report.effect
        assert lazy

    def test_a_file_without_a_name_is_compared(self):
        with tempfile.TemporaryFile("a+", buffering=1) as ledger:

            def charge(number):
                if not app.sent:
                    ledger.write("charge\n")
                    app.sent = True

            @contextmanager
            def memory():
                app.sent = False
                yield lambda: {"sent": app.sent}

            assert failure(charge, memory).report.history == "crash"

    def test_what_is_written_once_passes_and_is_named(self, tmp_path):
        with (tmp_path / "ledger.txt").open("a") as ledger:

            def charge(number):
                pay(number)
                if number == 7:
                    ledger.write("")

            assert "open file" not in str(checked(charge, orders))

    def test_it_is_left_out_by_its_name(self, tmp_path):
        with (tmp_path / "ledger.txt").open("a") as ledger:

            def charge(number):
                pay(number)
                ledger.write("charge\n")

            explored = checked(charge, orders, ignore={"ledger.txt"})

        assert f" Not compared: open file {tmp_path}/ledger.txt (by ignore=)." in str(explored)

    def test_a_file_that_the_world_reads_is_shown(self, tmp_path):
        @contextmanager
        def read():
            yield lambda: {"lines": len((tmp_path / "ledger.txt").read_text()) > 0}

        with (tmp_path / "ledger.txt").open("a", buffering=1) as ledger:

            def charge(number):
                ledger.write("charge\n")

            assert "Compared unasked" not in str(checked(charge, read))

    def test_the_log_of_another_process_is_not_compared_and_stays_whole(self, tmp_path):
        program = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)\n"
        with (
            (tmp_path / "server.log").open("w") as log,
            subprocess.Popen(
                [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=log, text=True
            ) as server,
        ):
            size = (tmp_path / "server.log").stat

            def ask(number):
                pay(number)
                before = size().st_size
                server.stdin.write("paid\n")
                server.stdin.flush()
                while size().st_size == before:
                    pass

            explored = checked(ask, orders, histories=["twice"], atomic=[ask])
            server.stdin.close()

        assert "server.log" not in str(explored)
        assert (tmp_path / "server.log").read_text().startswith("paid\npaid\n")

    def test_logs_are_not_compared(self, tmp_path):
        handler = logging.FileHandler(tmp_path / "job.log")
        logger = logging.getLogger("explored stores")
        logger.addHandler(handler)

        def pay_and_log(number):
            pay(number)
            logger.warning("paid")

        assert "job.log" not in str(checked(pay_and_log, orders))
        logger.removeHandler(handler)
        handler.close()


# Files with a form of their own


def in_zip(path, mode, number):
    with zipfile.ZipFile(path, mode) as archive:
        archive.writestr(f"{len(archive.namelist())}.txt", "paid")


def in_gzip(path, mode, number):
    with gzip.open(path, f"{mode}t") as file:
        file.write("paid\n")


def in_tar(path, mode, number):
    (path.parent / "paid.txt").write_text("paid")
    with tarfile.open(path, mode) as archive:
        archive.add(path.parent / "paid.txt", "paid.txt")


def in_tar_gz(path, mode, number):
    with tempfile.TemporaryDirectory() as made:
        in_tar(Path(made) / "tar", "w", number)
        # Not compressed, since the size would depend on the time, and two overlapping deliveries that write other
        # sizes do leave a broken file.
        with gzip.open(path, f"{mode}b", compresslevel=0) as file:
            file.write((Path(made) / "tar").read_bytes())


def in_pickle(path, mode, number):
    known = pickle.loads(path.read_bytes()) if mode == "a" and path.exists() else []
    path.write_bytes(pickle.dumps([*known, {"at": datetime.now(UTC), "words": {"a", "b", "c"}}]))


def in_dbm(path, mode, number):
    with dbm.dumb.open(str(path), "c") as store:
        before = store.get(b"lines", b"") if mode == "a" else b""
        store[b"lines"] = before + b"paid\n"


def in_shelf(path, mode, number):
    with dbm.dumb.open(str(path), "c") as store, shelve.Shelf(store) as shelf:
        shelf["lines"] = [*(shelf.get("lines", []) if mode == "a" else []), datetime.now(UTC)]


@pytest.mark.parametrize(
    "written", [in_zip, in_gzip, in_tar, in_tar_gz, in_pickle, in_dbm, in_shelf]
)
def test_files_are_compared_by_what_they_contain_without_times_and_places(written):
    def write(number, mode="w"):
        written(app.folder / "file", mode, number)

    def add(number):
        write(number, "a")

    assert " Compared unasked: " in str(checked(write, folder))
    assert "(not shown)" in failure(add, folder, histories=["twice"]).report.effect


def test_a_broken_archive_is_compared_as_it_is():
    def write(number):
        (app.folder / "file").write_bytes(b"PK\x03\x04" + bytes([len(list(app.folder.iterdir()))]))
        (app.folder / "other").touch()

    error = failure(write, folder, histories=["twice"])

    assert error.report.effect == "file file (not shown)"


def test_a_mode_that_a_file_has_already_is_no_effect():
    def write(number):
        path = app.folder / "file"
        path.write_text("paid")
        path.chmod(path.stat().st_mode & 0o777)
        os.chown(path, -1, path.stat().st_gid)

    checked(write, folder)


def test_a_temporary_file_in_a_directory_of_the_world_is_a_result_if_it_stays():
    def write(number):
        with tempfile.NamedTemporaryFile("w", dir=app.folder, suffix=".csv", delete=False) as file:
            file.write("paid")
        return file.name

    def write_and_rename(number):
        Path(write(number)).replace(app.folder / "paid.csv")

    assert failure(write, folder).report.effect == "file tmp<random>.csv (not shown)"
    checked(write_and_rename, folder)


def test_a_pool_that_the_world_fills_is_as_full_in_each_delivery():
    def world():
        with tempfile.TemporaryDirectory() as made:
            path = Path(made) / "shop.db"
            pooled = sqlite3.connect(path, check_same_thread=False)
            with closing(sqlite3.connect(path)) as own, closing(pooled):
                own.execute("create table orders (id)")
                app.pool = queue.Queue()
                app.pool.put(pooled)
                yield lambda: {"orders": own.execute("select * from orders").fetchall()}

    def add(number):
        connection = app.pool.get()
        try:
            connection.execute(
                "insert into orders select 7 where not exists (select 1 from orders)"
            )
            connection.commit()
        finally:
            app.pool.put(connection)

    # The pool of the first check is still there when the second one begins.
    checked(add, world, histories=["restart"])
    checked(add, world, histories=["restart"])


# Files that the world opens


def in_text(folder):
    return (Path(folder) / "ledger.txt").open("w")


def in_bytes(folder):
    return (Path(folder) / "ledger.txt").open("ab", buffering=0)


def without_a_name(folder):
    return tempfile.TemporaryFile("w+")


@linux
@pytest.mark.parametrize("opened", [in_text, in_bytes, without_a_name])
def test_what_a_job_writes_to_a_handle_of_the_world_is_compared(opened):
    @contextmanager
    def world():
        with shop("orders"), tempfile.TemporaryDirectory() as folder, opened(folder) as app.ledger:
            app.ledger.write("head" if opened is not in_bytes else b"head")
            yield lambda: {"paid": True}

    def write(number):
        app.ledger.write("charge" if opened is not in_bytes else b"charge")

    def write_once(number):
        app.ledger.seek(0)
        write(number)

    name = "temporary file 1" if opened is without_a_name else "ledger.txt"

    assert failure(write, world).report.effect == f"open file {name} (not shown)"
    if opened is not in_bytes:
        explored = checked(write_once, world, histories=["twice"])
        assert f" Compared unasked: open file {name}." in str(explored)


@linux
def test_a_handle_of_the_world_whose_file_the_state_shows_is_compared_as_shown():
    @contextmanager
    def world():
        with tempfile.TemporaryDirectory() as folder, in_text(folder) as app.ledger:
            yield lambda: {"ledger": Path(folder, "ledger.txt").read_text()[:4]}

    def write(number):
        app.ledger.write("paid\n")
        app.ledger.flush()

    assert "Compared unasked" not in str(checked(write, world))


# ignore=


def test_what_is_ignored_may_differ():
    explored = checked(pay_and_log, lambda: shop("orders", "ledger"), ignore={"audit_*"})

    assert " Not compared: table audit_log (by ignore=)." in str(explored)


def test_ignoring_one_thing_leaves_the_others_compared():
    assert failure(pay_and_book, orders, ignore={"audit_log"}).report.effect.startswith(
        "table ledger"
    )


def test_a_name_that_ignores_nothing_is_refused():
    assert refusal(pay_and_book_once, orders, ignore={"ledgers"}) == (
        "ignore={'ledgers'} names nothing that the job writes beside what the world shows. There is table ledger. "
        "Only that can be left out: the state is what the world chooses to yield."
    )


def test_a_name_that_the_world_shows_is_refused():
    assert "There is nothing." in refusal(
        pay_and_book_once, lambda: shop("orders", "ledger"), ignore={"ledger"}
    )


@pytest.mark.parametrize("ignore", ["ledger", {7}])
def test_what_is_no_collection_of_names_is_refused(ignore):
    with pytest.raises(
        CriterionError, match="must be a collection of names of tables, keys and files"
    ):
        checked(pay_and_book_once, orders, ignore=ignore)


def test_what_differs_in_each_clean_run_names_the_way_to_ignore_it():
    numbers = itertools.count()

    def count(number):
        pay(number)
        db = app.connect()
        db.execute("insert into audit_log values (?)", (next(numbers),))
        db.commit()

    assert re.search(
        r"table audit_log \(not shown\) is \(\{'line': 0\},\) after the first run, and \(\{'line': \d\},\) after "
        r"the second\. Build in the world what the job keeps, or leave what differs out by "
        r"ignore=\{'audit_log'\}\.",
        refusal(count, orders),
    )
