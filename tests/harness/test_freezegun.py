"""A time that freezegun has frozen is taken over, and moved along."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import freezegun
import pytest
from freezegun import freeze_time

from pytest_jobs import Job, job, polynomially_longer, retry_on
from pytest_jobs.bridges.opening import open_jobs

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@retry_on(TimeoutError, wait=polynomially_longer, attempts=3)
class Sync(Job):
    def perform(self):
        seen.append(datetime.now(UTC))
        raise TimeoutError


@job
def rest(seconds):
    begun = time.monotonic()
    time.sleep(seconds)
    seen.append((time.monotonic() - begun, datetime.now(UTC)))


@job
async def doze(seconds):
    await asyncio.sleep(seconds)
    seen.append(datetime.now(UTC))


seen = []


@pytest.fixture(autouse=True)
def _empty(sleepless):
    seen.clear()


def test_the_clock_begins_where_the_time_is_frozen_and_moves_it():
    with freeze_time(NOON), open_jobs() as jobs:
        begins = jobs.clock.now()
        moved = jobs.clock.advance(60)

        assert (begins, moved) == (NOON, NOON + MINUTE)
        assert datetime.now(UTC) == moved
        assert time.time() == time.time_ns() / 1e9 == moved.timestamp()


@pytest.mark.parametrize("wait", [None, 0.1234567], ids=["at once", "between two microseconds"])
def test_a_drain_performs_in_the_time_of_freezegun(wait):
    with freeze_time("2030-01-01 12:00:00.123457" if wait else NOON), open_jobs() as jobs:
        Sync.set(wait=wait).perform_later()
        jobs.drain(raise_errors=False)

        if wait is None:
            assert seen == [NOON, NOON + timedelta(seconds=3), NOON + timedelta(seconds=21)]
            assert [delivery.at for delivery in jobs.deliveries] == seen
        assert len(seen) == 3


@pytest.mark.parametrize("hours", [0, 1])
def test_the_time_is_given_back_as_it_was_or_as_the_test_has_moved_it(hours):
    with freeze_time(NOON) as frozen:
        with open_jobs() as jobs:
            jobs.clock.advance(60)
            if hours:
                frozen.tick(timedelta(hours=hours))

        assert datetime.now(UTC) == (NOON + 61 * MINUTE if hours else NOON)


@freeze_time(NOON)
def under_a_decorator(jobs):
    Sync.perform_later()
    jobs.drain(raise_errors=False)
    return datetime.now(UTC)


def test_a_decorator_that_ends_before_the_harness_is_no_matter():
    before = time.time()
    with open_jobs() as jobs:
        now = under_a_decorator(jobs)

    assert now == NOON + timedelta(seconds=21)
    assert 0 <= time.time() - before < 3600


def test_the_test_may_go_on_to_move_the_time_itself():
    with freeze_time(NOON) as frozen, open_jobs() as jobs:
        jobs.clock.advance(60)
        frozen.tick(timedelta(minutes=1))
        Sync.perform_later()
        frozen.move_to("2030-01-01 13:00")
        jobs.drain(raise_errors=False)

        assert jobs.enqueued[0].enqueued_at == NOON + 2 * MINUTE
        assert jobs.deliveries[0].at == NOON + 60 * MINUTE
        assert datetime.now(UTC) == jobs.deliveries[-1].at == NOON + timedelta(hours=1, seconds=21)


def test_a_later_block_goes_on_where_it_is_frozen():
    with open_jobs() as jobs:
        with freeze_time(NOON):
            Sync.perform_later()
            jobs.run_for(1)
        with freeze_time("2030-01-02 12:00"):
            jobs.drain(raise_errors=False)

    day = timedelta(days=1)
    assert [delivery.at for delivery in jobs.deliveries] == [
        NOON,
        NOON + day,
        NOON + day + timedelta(seconds=18),
    ]


def test_a_job_that_is_enqueued_when_the_block_has_ended_has_the_last_time_of_the_clock():
    with open_jobs() as jobs:
        with freeze_time(NOON):
            jobs.clock.advance(60)
        Sync.perform_later()

    assert jobs.enqueued[0].enqueued_at == NOON + MINUTE


def test_a_block_inside_the_test_that_sees_no_move_is_no_matter():
    with freeze_time(NOON), open_jobs() as jobs:
        jobs.clock.advance(60)
        with freeze_time("2031-01-01"):
            assert datetime.now(UTC).year == 2031
        jobs.clock.advance(60)

        assert datetime.now(UTC) == NOON + 2 * MINUTE


def test_a_sleep_moves_the_time_of_freezegun_and_is_measured_once():
    with freeze_time(NOON), open_jobs() as jobs:
        rest.perform_later(60)
        rest.perform_later(60)
        doze.perform_later(60)
        jobs.drain()
        assert seen == [(60, NOON + MINUTE), (60, NOON + 2 * MINUTE), NOON + 3 * MINUTE]

        rest.perform_later(60)
        rest.perform_later(90)
        jobs.drain(workers=2)
        ended = [delivery.ended_at for delivery in jobs.performed[3:]]
        assert ended == [NOON + 4 * MINUTE, NOON + 4.5 * MINUTE]


def test_a_simulation_leaves_it_where_it_was():
    with freeze_time(NOON), open_jobs() as jobs:
        timeline = jobs.simulate_retries(Sync, raising=TimeoutError)

        assert timeline.wait_seconds == [3, 18]
        assert datetime.now(UTC) == NOON
        assert not jobs.clock.frozen


def test_real_time_shows_what_freezegun_froze():
    with freeze_time(NOON), open_jobs() as jobs:
        jobs.clock.advance(60)
        with jobs.real_time():
            inside = datetime.now(UTC)

        assert (inside, datetime.now(UTC)) == (NOON, NOON + MINUTE)


def test_nothing_of_freezegun_is_left():
    with open_jobs() as jobs, freeze_time(NOON):
        jobs.clock.advance(60)

    assert freezegun.api.freeze_factories == []
    assert time.time is freezegun.api.real_time
    assert datetime is freezegun.api.real_datetime
