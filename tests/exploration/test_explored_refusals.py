"""What shows nothing is an error, and never a pass."""

import asyncio
import contextlib
import sqlite3

import explored_jobs
import pytest
from explored_worlds import Gateway, shop
from tables import each_row

from pytest_jobs import check_idempotent, fake, sqlite_world
from pytest_jobs.errors import CriterionError, ExplorationError, PartialExploration
from pytest_jobs.exploration.engine.world import TimeLimit


def refused(job, world=shop, **options):
    with pytest.raises(ExplorationError) as refusal:
        check_idempotent(job, args=(1,), world=world, **options)
    return str(refusal.value)


def test_a_job_whose_changes_nobody_can_see():
    def count(number):
        db = sqlite3.connect(":memory:")
        db.execute("create table scratch (number)")
        db.close()

    def blind():
        yield lambda: {"charges": []}

    assert refused(count, blind) == (
        "One clean run of the job does sqlite: create table scratch (number), and the state that "
        "the world yields is the same as before, so nobody would see that it is done twice: let the state show "
        "what the job changes, and begin as it is before the job."
    )


def test_a_world_that_is_not_fresh():
    calls = []

    def stale():
        with fake(explored_jobs, "gateway", Gateway()):
            calls.append(len(calls))
            yield lambda: {"calls": len(calls)}

    assert "The world is not fresh: calls is 1 when" in refused(explored_jobs.charge_always, stale)


def test_a_job_that_is_not_deterministic():
    answers = iter(range(10_000))

    def draw(number):
        explored_jobs.gateway.charge(next(answers))

    refusal = refused(draw)
    assert "The first run did gateway: charge(0), and the second did" in refusal
    assert "the job keeps something from one run to the next" in refusal


def test_the_object_of_a_method_keeps_what_a_world_does_not_build():
    class Service:
        def __init__(self):
            self.charged = 0

        def charge(self, number):
            self.charged += 1
            explored_jobs.gateway.charge(self.charged)

    assert "Build in the world what the job keeps (its Service is one for all runs), or" in refused(
        Service().charge
    )


def test_time_that_does_not_suffice_can_be_accepted(monkeypatch):
    monkeypatch.setattr(TimeLimit, "__call__", lambda limit: False)
    with pytest.warns(PartialExploration, match="histories, for want of time"):
        explored = check_idempotent(
            explored_jobs.charge_with_key, args=(1,), world=shop, allow_partial=True
        )

    assert explored.histories == 0
    assert "Explored 0 of" in str(explored)


def test_what_cannot_be_faked_or_bound():
    with pytest.raises(ExplorationError, match="has no 'nothing' to be faked"):
        fake(explored_jobs, "nothing", Gateway()).__enter__()
    with pytest.raises(ExplorationError, match="has no 'nothing' to be bound"):
        sqlite_world("", bind=(explored_jobs, "nothing")).__enter__()


ARGS = "args={0!r} are not arguments: write them in a tuple, as in args=({0!r},)."


@each_row(
    "job, options, error, text",
    [
        (7, {}, CriterionError, "7 is not a job or a function"),
        (explored_jobs.overwrite, {"histories": ["thrice"]}, CriterionError, "got 'thrice'"),
        (explored_jobs.overwrite, {"histories": []}, CriterionError, "No history is named"),
        (
            explored_jobs.overwrite,
            {"histories": ["out_of_order"]},
            CriterionError,
            "out_of_order needs others=",
        ),
        (explored_jobs.overwrite, {"trace": 7}, ExplorationError, "trace= names 7"),
        *(
            (explored_jobs.overwrite, {"args": args}, ExplorationError, ARGS.format(args))
            for args in (7, "7", b"7")
        ),
        (
            explored_jobs.overwrite,
            {"args": (), "kwargs": [1]},
            ExplorationError,
            "as in kwargs={'user_id': 7}",
        ),
        (
            explored_jobs.charge_with_key,
            {"time_limit": 0.0},
            ExplorationError,
            "0 s did not suffice for the clean runs of the job alone. Raise time_limit=",
        ),
        (
            explored_jobs.do_nothing,
            {},
            ExplorationError,
            (
                "One clean run of the job changes nothing that the world shows, and does nothing that is heard "
                "of: the state that the world yields has to show its work."
            ),
        ),
        (
            explored_jobs.always_fail,
            {},
            ExplorationError,
            "One clean run of the job ends with ValueError: broken",
        ),
    ],
)
def test_a_call_that_cannot_be_meant_or_shows_nothing(job, options, error, text):
    with pytest.raises(error) as found:
        check_idempotent(job, **{"args": (1,), "world": shop, **options})

    assert text in str(found.value)


def test_nothing_is_left_behind():
    import sqlite3
    import sys

    before = sqlite3.connect, sys.gettrace(), explored_jobs.gateway, explored_jobs.connect
    for job in (explored_jobs.charge_with_key, explored_jobs.charge_then_mark):
        with contextlib.suppress(AssertionError):
            check_idempotent(job, args=(1,), world=shop)

    assert (sqlite3.connect, sys.gettrace(), explored_jobs.gateway, explored_jobs.connect) == before
    if sys.version_info >= (3, 12):
        assert sys.monitoring.get_tool(4) is None


def test_no_exception_of_a_dead_delivery_is_left_in_the_thread():
    import sys

    def careful(number):
        try:
            explored_jobs.gateway.charge(number, key=number)
        except TimeoutError:
            explored_jobs.gateway.charge(number, key=number)
        finally:
            explored_jobs.gateway.charge(number, key=number)

    for job in (careful, explored_jobs.give_up_on_error, explored_jobs.done_in_spite_of_error):
        with contextlib.suppress(AssertionError):
            check_idempotent(job, args=(1,), world=shop, histories="all")

        assert sys.exc_info() == (None, None, None)


def test_a_connection_to_somewhere():
    def caught(number):
        try:
            explored_jobs.connect_somewhere(number)
        except BaseException:
            raise ValueError("the service is down") from None

    for job in (explored_jobs.connect_somewhere, caught):
        assert refused(job).startswith(
            "The job called socket.connect(('127.0.0.1', 1)), which reaches outside"
        )


def test_the_error_of_a_refused_job_is_what_it_did_and_it_leaves_no_lock_file(tmp_path):
    lock = tmp_path / "job.lock"

    def look_up_under_a_lock(number):
        if lock.exists():
            return
        lock.touch()
        try:
            explored_jobs.connect_somewhere(number)
        finally:
            lock.unlink()

    for _ in range(2):
        assert refused(look_up_under_a_lock).startswith("The job called socket.connect(")
        assert not lock.exists()


def test_the_error_of_a_refused_coroutine_is_what_it_did_and_its_cleanup_may_wait():
    released = []

    async def connect_under_a_lock(number):
        try:
            explored_jobs.connect_somewhere(number)
        finally:
            await asyncio.sleep(0)
            released.append(number)

    assert refused(connect_under_a_lock).startswith("The job called socket.connect(")
    assert released == [1]


# `socket.create_connection` closes its socket only after an OSError, and a refusal is none.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_error_of_a_refused_task_of_a_group_is_what_it_did():
    async def connect(number):
        explored_jobs.connect_somewhere(number)

    async def connect_in_a_group(number):
        async with asyncio.TaskGroup() as group:
            group.create_task(connect(number))

    assert refused(connect_in_a_group).startswith("The job called socket.connect(")
