"""The points that are tried stand for all: the full search finds the same kinds of failing histories."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from generated_jobs import Gateway, Generated, OnDatabase, generated, generated_on_database
from hypothesis import HealthCheck, given, settings

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import LostEffect, NotIdempotent
from pytest_jobs.exploration.histories import equivalent_points, explorer

_SETTINGS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(autouse=True, scope="module")
def all_that_fails():
    """Let a report tell all that fails, however many histories that are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorer, "_MOST_OF_THE_REST", 1_000)
        yield


def _check_alike(job: Generated) -> None:
    assert job.failing(every_line=False) == job.failing(every_line=True), job.source


@settings(_SETTINGS, max_examples=4)
@given(generated())
def test_the_points_that_stand_for_others_find_what_all_points_find(job):
    _check_alike(job)


@pytest.mark.slow
@settings(_SETTINGS, max_examples=8)
@given(generated())
def test_the_points_that_stand_for_others_find_what_all_points_find_in_many_jobs(job):
    _check_alike(job)


_CHARGED_THEN_MARKED = Generated(
    "def job():\n    if memory.x > 0: return\n    gateway.charge(1)\n    memory.x = 1\n", ()
)
_TORN = Generated(
    "def job():\n    a = memory.x\n    b = memory.y\n    memory.x = 1\n    memory.y = 1\n"
    "    gateway.charge(a - b, key=1)\n",
    (),
)


@pytest.mark.parametrize("job", [_CHARGED_THEN_MARKED, _TORN])
def test_memory_that_the_world_does_not_show_counts(job):
    _check_alike(job)


_MARKED = Generated("def job():\n    gateway.charge(1, key=1)\n    memory.x = 1\n", ())
_PAID_BY_ROUND = Generated(
    "def job():\n    for item in range(40):\n        gateway.charge(item or None, key=item)\n", ()
)


def test_of_a_loop_the_first_rounds_and_the_last_are_tried_and_what_is_of_another_kind():
    with _PAID_BY_ROUND.ready() as (job, world):
        explored = check_idempotent(job, world=world, histories=["effect_fails"])
        every = check_idempotent(job, world=world, histories=["effect_fails"], every_line=True)

    assert explored.histories == 4
    assert every.histories == 40
    assert "points (two rounds and the last of each loop stand for all)." in str(explored)
    assert "stand for all" not in str(every)


@pytest.mark.parametrize(
    ("histories", "said"),
    [
        (["crash"], " points (a crash at 3 stands for all)."),
        (["late"], " points (a crash at 3 stands for all)."),
        (["overlap"], " points (an overlap at 4 stands for all)."),
        (["crash", "lease_expires"], " points (a crash at 3 and an overlap at 4 stand for all)."),
        (["twice", "effect_fails"], " points."),
    ],
)
def test_only_the_points_of_histories_that_were_tried_are_counted(histories, said):
    with _MARKED.ready() as (job, world):
        explored = check_idempotent(job, world=world, histories=histories)

    assert f"at 5{said}" in str(explored)


def test_a_helper_that_many_lines_call_is_no_loop():
    calls = "".join(f"    pay({number})\n" for number in range(12))
    source = f"def pay(number):\n    gateway.charge(number, key=number)\n\ndef job():\n{calls}"
    with Generated(source, ()).ready() as (job, world):
        explored = check_idempotent(job, world=world, histories=["effect_fails"])

    assert explored.histories == 12


class Phrases:
    """A book of phrases that looks for any name, and has none."""

    def __getattribute__(self, name):
        return None


class Shop:
    phrases = (Phrases(),)
    gateway = None


def charge():
    number = 1
    number += 1
    Shop.gateway.charge(number, key=1)


@contextmanager
def charging():
    with fake(Shop, "gateway", Gateway(), key="key") as gateway:
        yield lambda: {"charges": gateway.calls}


def test_no_object_of_the_project_is_asked_what_it_consists_of():
    explored = check_idempotent(charge, world=charging, histories=["crash"])

    assert "at 6 points (a crash at 2 stands for all)" in str(explored)


@dataclass
class Order:
    number: int = 7

    def __repr__(self):
        number = self.number
        return f"order {number}"


def charge_an_order():
    Shop.gateway.charge(Order(), key=1)


def test_an_object_that_is_shown_comes_to_no_point():
    explored = check_idempotent(charge_an_order, world=charging, histories=["crash"])

    # Before its line, around the call, and at the end.
    assert "at 4 points" in str(explored)


def test_a_stretch_that_is_merged_over_an_effect_is_noticed(monkeypatch):
    monkeypatch.setattr(
        equivalent_points.Surroundings,
        "is_same_world",
        lambda self, other: self.now_ns == other.now_ns,
    )

    with pytest.raises(AssertionError):
        _check_alike(_CHARGED_THEN_MARKED)


# Transactions


@pytest.mark.wide
@settings(_SETTINGS, max_examples=2)
@given(generated_on_database())
def test_the_points_of_transactions_find_what_all_points_find(job):
    _check_alike(job)


@pytest.mark.slow
@settings(_SETTINGS, max_examples=4)
@given(generated_on_database())
def test_the_points_of_transactions_find_what_all_points_find_in_many_jobs(job):
    _check_alike(job)


def _on_database(body: str, shown: tuple[str, ...], content: str = "value") -> OnDatabase:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return OnDatabase(f"import sqlite3\n\ndef job():\n{lines}", shown, content)


_MOVED = """
db = sqlite3.connect(path)
if db.execute("select value from x").fetchone()[0]: return
db.execute("update x set value = 1")
db.execute("update y set value = 2")
db.execute("update z set value = 3")
db.commit()
"""


_READ = """
for name in ("y", "z"):
    db.execute(f"select * from {name}").fetchall()
db.commit()
"""


@pytest.mark.parametrize("body", [_MOVED, _MOVED.replace("db.commit()", _READ)])
def test_what_happens_before_the_commit_is_no_effect_by_itself(body):
    with _on_database(body, ("x", "y", "z")).ready() as (job, world):
        explored = check_idempotent(job, world=world, histories=["crash", "overlap"])

    assert " points (a crash at 2 and an overlap at 7 stand for all)." in str(explored)


def _marked_then_charged(commit: str, begin: str = "db.execute('begin')") -> OnDatabase:
    return _on_database(
        f"""
db = sqlite3.connect(path, isolation_level=None)
if db.execute("select value from x").fetchone()[0]: return
{begin}
db.execute("update x set value = 1")
{commit}
{begin}
gateway.charge(1)
""",
        ("x",),
        "count(*)",
    )


@pytest.mark.parametrize(
    "job",
    [
        _marked_then_charged("db.commit()"),
        _marked_then_charged("db.execute('commit')"),
        _marked_then_charged("db.execute('end')"),
        _marked_then_charged("db.executescript('select 1')"),
        _marked_then_charged("db.execute('release one')", "db.execute('savepoint one')"),
        _marked_then_charged("pass", "pass"),
        pytest.param(
            _marked_then_charged("db.commit()", "db.autocommit = False"),
            marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12"),
        ),
    ],
)
def test_each_commit_is_an_effect_even_if_the_world_does_not_show_what_it_changes(job):
    with job.ready() as (call, world), pytest.raises(LostEffect, match=r"LOST gateway\.charge"):
        check_idempotent(call, world=world, histories=["crash"])


def _overlaps_that_fail(job, world, *, every_line):
    with pytest.raises(NotIdempotent) as failed:
        check_idempotent(job, world=world, histories=["overlap"], every_line=every_line)
    rest = failed.value.report.rest
    return {str(one.verdict) for one in rest.failures}


def test_a_transaction_of_another_file_keeps_nobody_out():
    body = """
db = sqlite3.connect(path, isolation_level=None)
db.execute("begin")
db.execute("create temp table seen (value)")
db.execute("insert into seen select value from x")
db.execute("update x set value = 1")
if not db.execute("select value from seen").fetchone()[0]: gateway.charge(1)
db.execute("commit")
"""
    with _on_database(body, ("x",)).ready() as (job, world):
        few, every = (_overlaps_that_fail(job, world, every_line=every) for every in (False, True))

    assert few == every
