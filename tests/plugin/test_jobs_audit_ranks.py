"""The findings of `--jobs-audit`: each cause once, by rank, with a place and without data of a test."""

from __future__ import annotations

import json
from itertools import chain

import pytest

pytest.importorskip("celery")

SHOP = """
import contextlib
import smtplib
import sqlite3
import urllib.request

from celery import Celery, signals

app = Celery("shop", broker="memory://")


class Gateway:
    def charge(self, number): ...


gateway = Gateway()


def connect():
    return sqlite3.connect("shop.db")


def execute(sql, *args):
    with contextlib.closing(connect()) as db:
        changed = db.execute(sql, args).rowcount
        db.commit()
        return changed


def note_visit(number):
    db = connect()
    db.execute("update orders set visits = visits + 1 where id = ?", (number,))
    db.commit()
    db.close()


@signals.task_postrun.connect
def count(sender, args, **kwargs):
    if sender.name.startswith("counted"):
        note_visit(args[0])


def task(name):
    @app.task(name=name)
    def task(number):
        execute("update orders set paid = 1 where id = ?", number)

    return task


counted = [task(f"counted_{number}") for number in range(5)]


@app.task
def pay(number):
    if execute("update orders set paid = 1 where id = ? and paid = 0", number):
        gateway.charge(number)


@app.task
def render(number):
    execute("update orders set status = 'busy' where id = ?", number)
    execute("update orders set status = 'done' where id = ?", number)


@app.task
def remind(name):
    with smtplib.SMTP("mail.example") as server:
        server.sendmail("shop@example.org", [f"{name}@example.org"], f"Subject: {name}\\n\\nHello")


@app.task
def push(name):
    request = urllib.request.Request(f"https://api.example/users/{name}", b"{}", method="POST")
    urllib.request.urlopen(request)
"""
CONFTEST = """
    import pytest
    import shop

    @pytest.fixture(autouse=True)
    def orders(tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        shop.execute("create table orders (id, paid, status, visits)")
        for number in (1, 2):
            shop.execute("insert into orders values (?, 0, 'open', 0)", number)
    """
#: Tests that reach the same jobs with other data: a number of an order, and a name.
SUITE = """
    from unittest import mock

    import pytest
    import shop
    from pytest_jobs import fake_http, fake_mail

    @pytest.mark.parametrize("job", shop.counted)
    def test_counting(job, jobs):
        job.delay({number})
        jobs.drain()

    def test_paying():
        with mock.patch.object(shop.gateway, "charge"):
            shop.pay({number})

    def test_rendering():
        shop.render({number})

    def test_reminding():
        with fake_mail():
            shop.remind("{name}")

    def test_pushing():
        with mock.patch("urllib.request.urlopen"):
            shop.push("{name}")
    """


@pytest.fixture
def audited(pytester):
    """Return a function that audits the tests, with the files that tell of it."""
    pytester.makepyfile(shop=SHOP)
    pytester.makeconftest(CONFTEST)

    def run(*arguments, number=1, name="ann"):
        pytester.makepyfile(test_shop=SUITE.format(number=number, name=name))
        files = ("--jobs-report=found.json", "--jobs-report=found.sarif")
        # Celery keeps what was declared and connected in a process.
        result = pytester.runpytest_subprocess("--jobs-audit", *files, *arguments)
        result.assert_outcomes(passed=9)
        found = json.loads((pytester.path / "found.json").read_text("utf-8"))
        sarif = json.loads((pytester.path / "found.sarif").read_text("utf-8"))
        return result, found["audit"]["findings"], sarif["runs"][0]["results"]

    return run


SECOND_RANK_AND_LATER = [
    "",
    "Further findings, which -v shows:",
    "  1  Another state when it is done twice",
    "  2  Repeated outside: without a key that the receiver knows, this may be by design",
]


def test_the_first_two_ranks_are_told_and_the_others_are_counted(audited):
    result, _, _ = audited()

    result.stdout.fnmatch_lines(
        [
            "9 jobs reached, 9 checked, 5 findings.",
            "Lost, stuck or half done when the worker is killed:",
            # Nothing brings it back, and so it is the first.
            "- HALF_DONE table orders of shop.db: status in render(1)",
            "  killed, and not delivered again, after sqlite: commit (shop.py:*)",
            "- LOST shop.gateway.charge in pay(1)",
            "  killed after sqlite: commit (shop.py:*)",
            "  also an effect fails: shop.gateway: charge (shop.py:*)",
            *SECOND_RANK_AND_LATER,
        ]
    )
    result.stdout.no_fnmatch_line("*Seen only through a double*")
    result.stdout.no_fnmatch_line("*counted_*")


def test_the_verbose_audit_tells_all_of_them_and_each_cause_once(audited):
    result, _, _ = audited("-v")

    result.stdout.fnmatch_lines(
        [
            "9 jobs reached, 9 checked, 5 findings.",
            "Another state when it is done twice:",
            "- DIVERGED table orders of shop.db: visits in counted_0(1)",
            "  delivered again after it was done, which repeats sqlite: update orders set visits = *",
            "  so are counted_1, counted_2, counted_3, counted_4",
            "Repeated outside: *",
        ]
    )
    result.stdout.no_fnmatch_line("*which -v shows*")


def test_other_tests_give_the_same_keys_and_each_finding_has_a_place(pytester, audited):
    flags = ("--jobs-baseline=accepted.json", "--jobs-update-baseline")
    seen = []
    for data in ({"number": 1, "name": "ann"}, {"number": 2, "name": "bob-37"}):
        _, findings, results = audited(*flags, **data)
        accepted = (pytester.path / "accepted.json").read_text("utf-8")
        seen.append((accepted, results, {(one["at"], one["replay"]) for one in findings}))
        (pytester.path / "accepted.json").unlink()

        assert all(one["line"] and one["file"] and one["source"] for one in findings)
        assert all("ann" not in one["verdict"] for one in findings)

    assert seen[0] == seen[1]
    verdicts = {one["verdict"] for one in json.loads(seen[0][0])["audit"]}
    assert verdicts == {
        "DIVERGED table orders of shop.db",
        "DUPLICATE mail",
        "DUPLICATE urllib.request.urlopen",
        "HALF_DONE table orders of shop.db",
        "LOST shop.gateway.charge",
    }
    locations = chain.from_iterable(one["locations"] for one in seen[0][1])
    assert all(each["physicalLocation"]["region"]["startLine"] > 1 for each in locations)
