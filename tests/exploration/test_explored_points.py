"""Where deliveries are interrupted, and when they come again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import explored_jobs
import pytest
from explored_worlds import Gateway

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect
from pytest_jobs.exploration.engine.lines import LineTracer


def gateway():
    with fake(explored_jobs, "gateway", Gateway(), key="key", reads={"charged"}) as made:
        yield lambda: {"charges": made.calls}


def _points(job, **options):
    explored = check_idempotent(job, args=(1,), world=gateway, **options)
    return [str(point) for point in explored.explorations[0].points]


def test_a_job_is_stopped_at_each_line_and_around_each_effect():
    def charge_twice(number):
        first = number
        explored_jobs.gateway.charge(first, key=first)
        explored_jobs.gateway.charge(first + 1, key=first + 1)

    points = _points(charge_twice)

    assert [point.partition(" of ")[0].rpartition(" ")[0] for point in points[:1]] == [
        "before line"
    ]
    assert [point for point in points if " line" not in point] == [
        "before gateway: charge(1, key=1)",
        "after gateway: charge(1, key=1)",
        "before gateway: charge(2, key=2)",
        "after gateway: charge(2, key=2)",
    ]
    assert len(points) == 3 + 4 + 1
    assert points[-1].startswith("after the last line, line ")


class Whole:
    """A number of which a line makes an integer when it is read, as the fields of some models do."""

    def __set_name__(self, owner, name):
        self.name = f"_{name}"

    def __get__(self, instance, owner=None):
        return 0 if instance is None else int(vars(instance)[self.name])

    def __set__(self, instance, value):
        vars(instance)[self.name] = value


@dataclass
class Amount:
    cents: int = Whole()


def test_lines_that_run_while_the_end_is_compared_are_none_of_the_delivery():
    def charge(number):
        amount = Amount(number)
        explored_jobs.gateway.charge(amount, key=number)

    explored = check_idempotent(charge, args=(1,), world=gateway, histories=["crash"])

    assert any(str(point).startswith("after the last") for point in explored.explorations[0].points)


def test_a_function_of_one_line_has_a_point_before_it_and_one_after_it():
    points = _points(lambda number: explored_jobs.gateway.charge(number, key=number))

    assert [point.partition(" line ")[0].partition(" gateway:")[0] for point in points] == [
        "before",
        "before",
        "after",
        "after the last line,",
    ]


def test_no_point_lies_where_a_block_is_entered_or_left():
    def charge_in_blocks(number):
        for each in (number,):
            with contextlib.suppress(KeyError), contextlib.nullcontext(
                each
            ) as order:  # fmt: skip
                try:
                    explored_jobs.gateway.charge(order, key=order)
                finally:
                    number = 0
                continue
        with contextlib.nullcontext():
            return

    points = [point.partition(": ")[2] for point in _points(charge_in_blocks) if "line" in point]

    assert points == [
        "for each in (number,):",
        "explored_jobs.gateway.charge(order, key=order)",
        "number = 0",
        "for each in (number,):",
        "with contextlib.nullcontext():",
    ]


def test_each_await_has_two_points():
    async def wait_and_charge(number):
        await asyncio.sleep(1)
        explored_jobs.gateway.charge(number, key=number)

    points = _points(wait_and_charge)

    assert len([point for point in points if point.startswith("while it awaited, on line")]) == 1
    assert (
        len([point for point in points if point.startswith("before it had the answer, on line")])
        == 1
    )
    assert all("await asyncio.sleep(1)" in point for point in points if " on line " in point)


def test_a_delivery_that_comes_first_at_an_await_is_found():
    async def look_wait_and_charge(number):
        known = number in explored_jobs.gateway.charged()
        await asyncio.sleep(1)
        if not known:
            explored_jobs.gateway.charge(number)

    with pytest.raises(DuplicateEffect, match=r"\[overlap"):
        _points(look_wait_and_charge, histories=["twice", "overlap"])


def test_late_deliveries_come_after_an_hour_a_day_and_forty_days():
    times = []

    def note(number):
        times.append(datetime.now(UTC))
        explored_jobs.gateway.charge(number, key=number)

    check_idempotent(note, args=(1,), world=gateway, histories=["late"], atomic=[note])

    gaps = {later - earlier for earlier, later in itertools.pairwise(times) if later > earlier}
    assert {timedelta(hours=1), timedelta(hours=25), timedelta(days=40)} <= gaps


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="of Python 3.11")
def test_below_an_effect_only_what_the_job_calls_is_traced():
    traced = set()

    def note(what):
        traced.add((what, isinstance(getattr(sys.gettrace(), "__self__", None), LineTracer)))

    class Order:
        def __repr__(self):
            note("the text of an argument")
            return "an order"

    class Service:
        def send(self, order, key):
            note("the service")

    shop = SimpleNamespace(service=None)

    def send():
        shop.service.send(Order(), key=1)
        note("the next line")

    def world():
        with fake(shop, "service", Service(), key="key") as service:
            yield lambda: len(service.calls)

    check_idempotent(send, world=world, histories=["twice"], every_line=True)

    assert ("the service", True) in traced
    assert ("the next line", True) in traced
    assert ("the text of an argument", True) not in traced
