"""Only one library can hold the time: who else does is named."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import freezegun
import pytest
import time_machine

from pytest_jobs import Job, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import ClockConflictError, NoAdapterError
from pytest_jobs.harness.open_harness import open_harnesses

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2031, 1, 1, tzinfo=UTC)

FREEZEGUN = (
    "A `freeze_time` of freezegun was opened over the clock of pytest-jobs after it had moved. Move the jobs' "
    "clock instead (`jobs.clock.move_to(...)`), or open the `freeze_time` before the clock first moves."
)
ENDED = (
    "The clock of pytest-jobs moved in the time of a `freeze_time` of freezegun, and that has ended. Move the "
    "clock inside the block, let `freeze_time` surround the whole test, or let the next block freeze a later time."
)
TRAVEL = (
    "The time is no longer what the clock of pytest-jobs set it to: a `time_machine.travel` block was opened "
    "over the clock after it had moved, or was closed before the clock was. Move the jobs' clock instead "
    "(`jobs.clock.move_to(...)`), or let the `travel` surround the whole test, as its decorator and marker do."
)


class Note(Job):
    def perform(self):
        pass


@retry_on(ValueError, wait=3)
class Flaky(Job):
    def perform(self):
        raise ValueError


@pytest.fixture
def time_is_real(sleepless):
    """Check that nothing of what a test did to the time, or to the core, is left."""
    before = time.time(), time.sleep, settings.draw
    opened = list(open_harnesses._open)
    yield
    assert 0 <= time.time() - before[0] < 86_400
    assert time.sleep is before[1]
    assert settings.draw is before[2]
    assert open_harnesses._open == opened


MOVES = {
    "advance": lambda jobs: jobs.clock.advance(60),
    "advance by nothing": lambda jobs: jobs.clock.advance(0),
    "move_to": lambda jobs: jobs.clock.move_to(LATER),
    "drain": lambda jobs: Note.set(wait=60).perform_later() and jobs.drain(),
    "run_for": lambda jobs: jobs.run_for(60),
    "simulate_retries": lambda jobs: jobs.simulate_retries(Flaky, raising=ValueError),
}


@pytest.mark.parametrize("runs_on", [{"tick": True}, {"auto_tick_seconds": 1}])
@pytest.mark.parametrize("move", MOVES)
def test_freezegun_that_lets_the_time_run_on_stands_still_while_the_clock_holds_it(
    time_is_real, move, runs_on
):
    with freezegun.freeze_time(NOON, **runs_on) as time_of_test:
        with open_jobs() as jobs:
            MOVES[move](jobs)
            jobs.clock.advance(1)
            assert time.time() == time.time() == jobs.clock.now().timestamp()
            time_of_test.move_to(LATER)
            jobs.clock.advance(1)
            assert jobs.clock.now() >= LATER + timedelta(seconds=1)
            jobs.clock.move_to(LATER + timedelta(hours=1))
        assert datetime.now(UTC) < LATER + timedelta(minutes=1)
        assert time.time() < time.time()


def test_freezegun_is_no_matter_as_long_as_the_clock_stands_still(time_is_real):
    with open_jobs() as jobs:
        with freezegun.freeze_time("2030-01-01 12:00"):
            Note.perform_later()
            jobs.drain()
        assert jobs.enqueued[0].enqueued_at == jobs.performed[0].at == NOON
        jobs.clock.move_to(LATER)

        assert jobs.clock.now() == LATER


@pytest.mark.parametrize("act", [lambda jobs: jobs.clock.advance(60), lambda jobs: jobs.close()])
def test_freezegun_over_the_moved_clock_is_an_error_when_it_is_to_move_or_at_the_end(
    time_is_real, act
):
    jobs = open_jobs()
    jobs.open()
    jobs.clock.move_to(NOON)
    with freezegun.freeze_time("2031-01-01"), pytest.raises(ClockConflictError) as caught:
        act(jobs)
    jobs.close()

    assert str(caught.value) == FREEZEGUN


@pytest.mark.parametrize("move", [name for name in MOVES if name != "simulate_retries"])
def test_another_freeze_over_the_moved_clock_is_an_error_when_it_is_to_move(time_is_real, move):
    with freezegun.freeze_time(NOON), open_jobs() as jobs:
        jobs.clock.advance(60)
        with freezegun.freeze_time(LATER), pytest.raises(ClockConflictError) as caught:
            MOVES[move](jobs)
        assert jobs.clock.now() == datetime.now(UTC) == NOON + timedelta(minutes=1)

    assert str(caught.value) == FREEZEGUN


def test_another_freeze_that_is_still_open_at_the_end_is_an_error(time_is_real):
    jobs = open_jobs()
    with freezegun.freeze_time(NOON):
        jobs.open()
        jobs.clock.advance(60)
        with freezegun.freeze_time(LATER), pytest.raises(ClockConflictError) as caught:
            jobs.close()
        assert datetime.now(UTC) == NOON

    assert str(caught.value) == FREEZEGUN


@pytest.mark.parametrize("move", MOVES)
def test_a_freeze_that_has_ended_is_an_error_when_the_clock_is_to_move_again(time_is_real, move):
    with open_jobs() as jobs:
        with freezegun.freeze_time(NOON):
            jobs.clock.advance(60)
        with pytest.raises(ClockConflictError) as caught:
            MOVES[move](jobs)

    assert str(caught.value) == ENDED


def test_a_freeze_of_an_earlier_time_after_one_that_has_ended_is_an_error(time_is_real):
    with open_jobs() as jobs:
        with freezegun.freeze_time(LATER):
            jobs.clock.advance(60)
        with freezegun.freeze_time(NOON), pytest.raises(ClockConflictError) as caught:
            jobs.clock.advance(60)

    assert str(caught.value) == ENDED


@pytest.mark.parametrize("move", MOVES)
def test_a_travel_block_over_the_moved_clock_is_an_error_when_it_is_to_move(time_is_real, move):
    with open_jobs() as jobs:
        jobs.clock.move_to(NOON)
        with time_machine.travel(LATER, tick=False), pytest.raises(ClockConflictError) as caught:
            MOVES[move](jobs)

        assert jobs.clock.now() == datetime.now(UTC) == NOON

    assert str(caught.value) == TRAVEL


def test_the_rest_stays_pending_when_the_clock_cannot_move(time_is_real):
    with open_jobs() as jobs:
        jobs.clock.move_to(NOON)
        Note.perform_later()
        Note.set(wait=60).perform_later()
        with time_machine.travel(LATER), pytest.raises(ClockConflictError):
            jobs.drain()
        before = len(jobs.performed), len(jobs.pending)
        jobs.drain()

    assert before == (1, 1)
    assert len(jobs.performed) == 2


def test_a_travel_block_that_a_job_opens_over_the_clock_is_an_error(time_is_real):
    class Travels(Job):
        def perform(self):
            with time_machine.travel(LATER):
                time.sleep(5)

    with open_jobs() as jobs:
        jobs.clock.move_to(NOON)
        Travels.perform_later()
        with pytest.raises(ClockConflictError) as caught:
            jobs.drain()

    assert str(caught.value) == TRAVEL


@pytest.mark.parametrize("fails", [True, False])
def test_a_travel_block_that_is_still_open_at_the_end_is_an_error_that_hides_none_of_the_test(
    time_is_real, fails
):
    travel = time_machine.travel(LATER, tick=False)
    with pytest.raises(ClockConflictError) as caught, open_jobs() as jobs:
        jobs.clock.move_to(NOON)
        travel.start()
        if fails:
            raise KeyError("mine")
    travel.stop()

    assert str(caught.value) == TRAVEL
    assert repr(caught.value.__context__) == ("KeyError('mine')" if fails else "None")
    with pytest.raises(NoAdapterError):
        Note.perform_later()


@pytest.mark.parametrize("is_real", [True, False])
def test_a_travel_block_that_never_sees_the_clock_move_or_in_real_time_is_no_matter(
    time_is_real, is_real
):
    with open_jobs() as jobs:
        jobs.clock.move_to(NOON)
        with (
            jobs.real_time() if is_real else nullcontext(),
            time_machine.travel(LATER, tick=False),
        ):
            assert datetime.now(UTC) == LATER
        assert datetime.now(UTC) == NOON


def test_a_travel_block_around_the_harness_is_where_the_clock_begins(time_is_real):
    with time_machine.travel(NOON, tick=False):
        with open_jobs() as jobs:
            begins = jobs.clock.now()
            jobs.clock.advance(60)
            moved = datetime.now(UTC)
        after = datetime.now(UTC)

    assert (begins, moved, after) == (NOON, NOON + timedelta(minutes=1), NOON)


def test_a_travel_block_that_is_opened_before_the_clock_first_moves_is_where_it_begins(
    time_is_real,
):
    with open_jobs() as jobs, time_machine.travel(NOON, tick=False):
        Note.set(wait=60).perform_later()
        jobs.drain()
        now = datetime.now(UTC)
        jobs.clock.stop()

    assert now == jobs.performed[0].at == NOON + timedelta(minutes=1)
