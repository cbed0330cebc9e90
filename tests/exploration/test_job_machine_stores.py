"""What the jobs of a machine write to stores that no world makes, which each example would add to."""

import contextlib
import sqlite3
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant

from pytest_jobs import JobMachine
from pytest_jobs.errors import CriterionError, ExplorationError

app = SimpleNamespace(sent=None, place=None, db=None)


def world():
    app.sent = []
    with tempfile.TemporaryDirectory() as folder:
        app.folder = Path(folder)
        yield lambda: list(app.sent)


def to_a_database(number):
    app.sent.append(number)
    with contextlib.closing(sqlite3.connect(app.place)) as db:
        db.execute("create table if not exists log (line)")
        db.execute("insert into log values (?)", (number,))
        db.commit()


def to_a_file(number):
    app.sent.append(number)
    with app.place.open("a") as file:
        file.write("sent\n")


def to_a_connection_from_before(number):
    app.sent.append(number)
    app.db.execute("insert into log values (?)", (number,))
    app.db.commit()


def to_the_folder_of_the_world(number):
    app.sent.append(number)
    (app.folder / "sent.txt").write_text("sent\n")


def fails_the_second_time(number):
    with contextlib.closing(sqlite3.connect(app.place)) as db:
        db.execute("create table if not exists log (line primary key)")
        db.execute("insert into log values (?)", (number,))
        db.commit()


def machine(job, **members):
    class Shop(JobMachine):
        @invariant()
        def nothing_else_is_sent(self):
            assert set(self.state) <= {1}

    Shop.world = staticmethod(world)
    Shop.jobs = {job: {"number": 1}}
    for name, value in members.items():
        setattr(Shop, name, value)
    return Shop


def run_script(job, **members):
    with machine(job, **members)() as state:
        state.enqueue(job.__name__, 1)
        state.perform(f"{job.__name__}#1")


@pytest.fixture(autouse=True)
def _place(tmp_path):
    app.place = tmp_path / "audit"
    with contextlib.closing(sqlite3.connect(":memory:", check_same_thread=False)) as app.db:
        app.db.execute("create table log (line)")
        yield


@pytest.mark.parametrize(
    ("job", "item"),
    [
        (to_a_database, "table log of "),
        (to_a_file, "file "),
        (to_a_connection_from_before, "table log of :memory:"),
    ],
)
def test_a_store_that_no_world_makes_is_refused(job, item):
    with pytest.raises(ExplorationError) as refused:
        run_script(job)

    assert str(refused.value).startswith(f"The job writes to {item}")
    assert ", which the world neither makes nor binds, so that each history adds" in str(
        refused.value
    )


@pytest.mark.parametrize(
    ("job", "name"),
    [
        (to_a_database, "audit"),
        (to_a_file, "audi*"),
        (to_a_connection_from_before, ":memory:"),
    ],
)
def test_it_is_left_out_by_its_name(job, name):
    run_script(job, ignore={name})


def test_what_the_world_makes_is_not_refused():
    run_script(to_the_folder_of_the_world)


def test_it_is_refused_although_a_job_fails_because_of_it():
    for _ in range(2):
        with pytest.raises(ExplorationError, match=r"table log of .* neither makes nor binds"):
            run_script(fails_the_second_time)


def test_a_name_that_leaves_nothing_out_is_an_error():
    shop = machine(to_the_folder_of_the_world, ignore={"ledger"})
    shop.TestCase.settings = settings(
        max_examples=3, stateful_step_count=4, derandomize=True, database=None, deadline=None
    )

    with pytest.raises(ExplorationError, match=r"ignore=\{'ledger'\} names nothing that the job"):
        shop.TestCase().runTest()


def test_names_must_be_a_collection():
    with pytest.raises(CriterionError, match="ignore='ledger' must be a collection of names"):
        machine(to_a_file, ignore="ledger")()
