"""Which points of a long job are tried first: the default number of them finds what all of them find."""

from __future__ import annotations

import random

import pytest
from pytest_jobs.integrations.ini_options import CRASH_POINTS

from pytest_jobs.exploration.effects.sql.basis.statements import act_of
from pytest_jobs.exploration.engine.acts import Act
from pytest_jobs.exploration.engine.points import Point
from pytest_jobs.exploration.live.worth import CrashPoint, by_worth


def statement(kind: str, text: str) -> Act:
    return act_of(kind, text, Exception, commits=text == "commit")


class LongJob:
    """The points of a job that somebody might write: lines, loops, transactions, and calls of services."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._lines = 0
        self.points: list[CrashPoint] = []
        #: The points at which a kill shows the defect.
        self.bad: set[CrashPoint] = set()

    def line(self, line: int | None = None) -> None:
        self._lines += 1
        self._add("line", line or self._lines, f"step_{line or self._lines}()", None)

    def act(self, kind: str, text: str, line: int | None = None) -> None:
        number = line or self._lines
        act = statement(kind, text) if kind == "sqlalchemy" else Act(kind, text)
        self._add("before", number, f"{kind}: {text}", act)
        self._add("after", number, f"{kind}: {text}", act)

    def transaction(self, line: int | None = None) -> None:
        for _ in range(self._chance.randint(1, 4)):
            self.line(line)
            self.act("sqlalchemy", f"UPDATE orders SET total = {self._chance.random()}", line)
        self.line(line)
        self.act("sqlalchemy", "commit", line)

    def loop(self) -> None:
        rounds = self._chance.randint(5, 60)
        first = self._lines + 1
        self._lines += 5
        for _ in range(rounds):
            for line in range(first, first + self._chance.randint(2, 5)):
                self.line(line)
            self.transaction(first + 4)

    def anything(self) -> None:
        kind = self._chance.randrange(4)
        if kind == 0:
            self.loop()
        elif kind == 1:
            self.transaction()
        elif kind == 2:
            self.act("http", f"POST /orders/{self._chance.random()}")
        else:
            for _ in range(self._chance.randint(1, 40)):
                self.line()

    def defect(self) -> None:
        """Charge, and commit a moment later that it was charged: every point between the two is bad."""
        self.line()
        self.act("http", "POST /charges")
        start = len(self.points) - 1
        for _ in range(self._chance.randint(0, 5)):
            self.line()
        self.act("sqlalchemy", "UPDATE orders SET charged = 1")
        self.act("sqlalchemy", "commit")
        self.bad = set(self.points[start:-1])

    def _add(self, kind, line, text, act) -> None:
        point = Point(kind, "pay", text, len(self.points) + 1, "shop.py", line)
        self.points.append(CrashPoint("shop.pay", 1, point, "pay(1)", act))


@pytest.mark.wide
def test_the_default_number_of_points_finds_a_defect_near_the_end_of_nearly_every_long_job():
    missed, lengths = [], []
    for seed in range(300):
        job = LongJob(seed)
        while len(job.points) < 200:
            job.anything()
        job.defect()
        for _ in range(3):
            job.line()
        lengths.append(len(job.points))
        if job.bad.isdisjoint(by_worth(job.points)[:CRASH_POINTS]):
            missed.append(seed)

    assert max(lengths) > 500
    assert len(missed) <= 3


def test_the_points_of_many_deliveries_of_one_job_are_spread_over_what_they_do_differently():
    points = []
    for delivery in range(1, 201):
        lines = [1, 2, 3, *([40] if delivery == 150 else [])]
        for line in lines:
            point = Point("line", "pay", f"step_{line}()", 1, "shop.py", line)
            points.append(CrashPoint("shop.pay", delivery, point, f"pay({delivery})"))

    assert any(point.point.line == 40 for point in by_worth(points)[:4])


@pytest.mark.parametrize("kind", ["sqlite", "asyncpg", "pymysql"])
def test_effects_come_before_lines_and_committed_ones_before_those_that_a_kill_takes_back(kind):
    update, commit = statement(kind, "update orders"), statement(kind, "commit")
    texts = [
        ("line", 1, "a", None),
        ("line", 2, "b", None),
        ("before", 3, f"{kind}: update orders", update),
        ("after", 3, f"{kind}: update orders", update),
        ("before", 4, f"{kind}: commit", commit),
        ("after", 4, f"{kind}: commit", commit),
    ]
    points = [
        CrashPoint("pay", 1, Point(kind, "pay", text, 1, "shop.py", line), "pay()", act)
        for kind, line, text, act in texts
    ]

    ranked = [str(point.point) for point in by_worth(points)]

    assert ranked[:4] == [
        f"after {kind}: commit",
        f"before {kind}: commit",
        f"before {kind}: update orders",
        f"after {kind}: update orders",
    ]
    assert sorted(ranked) == sorted(str(point.point) for point in points)
