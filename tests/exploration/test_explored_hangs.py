"""A check always ends: a delivery that would not is interrupted, and the error shows where it stood."""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from types import SimpleNamespace

import explored_hangs
import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import ExplorationError, PartialExploration
from pytest_jobs.exploration import check
from pytest_jobs.exploration.engine import world as engine_world
from pytest_jobs.exploration.engine.ending import signs


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Take a delivery for one that hangs sooner than in earnest: these truly do."""
    monkeypatch.setattr(signs, "PATIENCE", 0.2)
    monkeypatch.setattr(signs, "TIMES_OUTSIDE", 2)


def refused(job, histories=("twice",)):
    with pytest.raises(ExplorationError) as refusal:
        check_idempotent(
            job, args=(1,), world=explored_hangs.world, histories=histories, time_limit=0.2
        )
    return str(refusal.value)


@pytest.mark.parametrize(
    ("job", "line"), explored_hangs.WAITING, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_first_delivery_that_waits(job, line):
    said = refused(job)

    assert said.startswith(
        "Delivery 1 of the job waits for something that does not come, so nothing was proved. It stands at:\n"
    )
    assert f": {line}\n" in said


@pytest.mark.parametrize("job", explored_hangs.COMPUTING)
def test_a_first_delivery_that_computes(job):
    said = refused(job)

    assert said.startswith(
        "Delivery 1 of the job has computed for more than 0.2 s, so nothing was proved."
    )
    assert "explored_hangs.py" in said


def test_the_whole_error():
    lines = explored_hangs.for_its_own_lock.__code__.co_firstlineno

    assert refused(explored_hangs.for_its_own_lock) == (
        "Delivery 1 of the job waits for something that does not come, so nothing was proved. It stands at:\n"
        f"  explored_hangs.py:{lines + 5}: with lock:\n"
        "Let the world or a fake answer at once, give the wait a timeout, or raise time_limit= if the job "
        "takes so long."
    )


def test_a_coroutine_that_waits_for_one_that_has_failed():
    said = refused(explored_hangs.wait_for_a_consumer, ["effect_fails"])

    assert ": await waiting.join()\n" in said


def test_a_check_inside_a_running_loop():
    async def check():
        return refused(explored_hangs.for_an_event)

    assert ": NEVER.wait()\n" in asyncio.run(check())


def test_nothing_of_the_watchdog_stays():
    before = [signal.getsignal(each) for each in signal.valid_signals()]
    refused(explored_hangs.for_an_event)

    assert [signal.getsignal(each) for each in signal.valid_signals()] == before
    assert "pytest-jobs-watchdog" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.wide
def test_a_delivery_that_waits_for_a_thread_that_works_is_let_go_on():
    check_idempotent(
        explored_hangs.let_a_thread_compute,
        args=(1,),
        world=explored_hangs.world,
        histories=["twice"],
    )


@pytest.fixture
def slow_server(monkeypatch):
    """A server that takes eleven seconds for each history, while the job computes nothing."""
    clock = SimpleNamespace(passed=0.0, now=lambda: clock.passed, computed=lambda: 0.0)
    monkeypatch.setattr(engine_world, "SYSTEM", clock)
    # In these tests the limit is a long one, since the machine may be busy.
    monkeypatch.setattr(check, "TimeLimit", engine_world.TimeLimit)

    def world():
        clock.passed += 11
        yield from explored_hangs.world()

    return world


def test_a_search_that_only_waits_ends_after_six_times_its_limit(slow_server):
    with pytest.raises(ExplorationError) as refusal:
        check_idempotent(
            explored_hangs.in_many_steps,
            args=(1,),
            world=slow_server,
            histories=["crash"],
            every_line=True,
        )

    assert re.match(
        r"10 s did not suffice: Explored 4 of \d+ histories at \d+ points\. Not explored: twice, restart, .* "
        "Raise time_limit=, .*make the world faster, or accept a part by allow_partial=True",
        str(refusal.value),
    )


def test_a_search_that_only_waits_names_what_it_left_out_where_a_part_is_enough(slow_server):
    with pytest.warns(PartialExploration, match="18 of 22 histories, for want of time"):
        check_idempotent(
            explored_hangs.in_many_steps,
            args=(1,),
            world=slow_server,
            histories=["crash"],
            every_line=True,
            allow_partial=True,
        )


def test_the_watchdog_is_no_thread_of_the_delivery():
    own = []

    def look(number):
        [watchdog] = [each for each in threading.enumerate() if each.name == "pytest-jobs-watchdog"]
        own.append("run" in vars(watchdog))
        explored_hangs.STATE["n"] = number

    check_idempotent(look, args=(1,), world=explored_hangs.world, histories=["twice"])

    assert own
    assert not any(own)


def test_a_delivery_that_hangs_ends_although_its_source_cannot_be_read(monkeypatch):
    def broken(*_):
        raise ValueError("the source has gone")

    monkeypatch.setattr(signs.linecache, "getline", broken)

    line = explored_hangs.for_an_event.__code__.co_firstlineno + 3
    assert f"explored_hangs.py:{line}: \n" in refused(explored_hangs.for_an_event)
