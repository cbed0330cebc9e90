"""The clock is real until it first moves, and frozen from then on."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

import os
import time
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial

import pytest
from tables import each_row

from pytest_jobs import Job, job, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import ClockError, NaiveDatetimeError, WaitError
from pytest_jobs.harness.time.clock import VirtualClock

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock(jobs):
    return jobs.clock


def seconds_since_1582(identifier):
    return (identifier.time - 0x01B21DD213814000) / 10_000_000


def test_the_clock_is_real_until_it_first_moves(clock):
    before = time.time_ns()
    shown = clock.now_ns()
    after = time.time_ns()

    assert before <= shown <= after
    assert after > before or time.time_ns() > before
    assert not clock.frozen


def test_every_function_of_python_sees_the_clock(clock):
    clock.move_to(NOON)

    assert clock.now() == NOON
    assert time.time() == NOON.timestamp()
    assert time.time_ns() == int(NOON.timestamp()) * 1_000_000_000
    assert datetime.now(UTC) == NOON
    assert datetime.fromtimestamp(time.time(), UTC) == NOON
    assert time.gmtime()[:6] == (2030, 1, 1, 12, 0, 0)
    assert time.strftime("%Y", time.gmtime()) == "2030"
    assert date.today().year == 2030  # noqa: DTZ011
    assert seconds_since_1582(uuid.uuid1()) == pytest.approx(NOON.timestamp(), abs=0.001)


def test_time_that_only_measures_is_left_alone(clock):
    clock.move_to(NOON)
    before = time.perf_counter_ns(), time.monotonic_ns()
    after = time.perf_counter_ns(), time.monotonic_ns()

    assert before[0] < after[0]
    assert before[1] <= after[1]


@pytest.mark.parametrize("delta", [90, 90.0, timedelta(seconds=90), 0.000_001])
def test_advance_moves_by_seconds_or_a_timedelta_and_returns_the_time(clock, delta):
    clock.move_to(NOON)
    then = NOON + (delta if isinstance(delta, timedelta) else timedelta(seconds=delta))

    assert clock.advance(delta) == then == clock.now() == datetime.now(UTC)


@pytest.mark.parametrize(
    "stop",
    [
        *(partial(VirtualClock.advance, delta=delta) for delta in (0, 0.0, timedelta(0), 1e-9)),
        VirtualClock.freeze,
    ],
)
def test_hardly_moving_freezes_the_time(clock, stop):
    before = datetime.now(UTC)
    frozen_at = stop(clock)
    after = datetime.now(UTC)
    times = {(time.time_ns(), clock.now_ns(), datetime.now(UTC)) for _ in range(1_000)}

    assert before <= frozen_at <= after == frozen_at
    assert (clock.frozen, len(times)) == (True, 1)
    assert clock.move_to(clock.now()) == clock.now()


def test_move_to_moves_to_an_instant_and_returns_it(clock):
    assert clock.move_to(NOON) == NOON
    assert clock.move_to(NOON.astimezone(timezone(timedelta(hours=5)))) == NOON
    assert clock.now().tzinfo is UTC
    assert repr(clock) == "<VirtualClock 2030-01-01T12:00:00+00:00 frozen>"


def test_the_clock_cannot_go_back(clock):
    clock.move_to(NOON)
    with pytest.raises(ClockError) as caught:
        clock.move_to(NOON - timedelta(microseconds=1))

    assert str(caught.value) == (
        "The clock stands at 2030-01-01T12:00:00+00:00 and cannot go back to 2030-01-01T11:59:59.999999+00:00: "
        "what was enqueued since would be due before it existed. Move to the earlier time first, before anything "
        "is enqueued."
    )
    assert clock.now() == NOON


def test_the_first_move_may_go_into_the_past_but_not_behind_what_was_enqueued(sleepless):
    past = datetime(2001, 1, 1, tzinfo=UTC)
    with open_jobs() as jobs:
        assert jobs.clock.move_to(past) == past == datetime.now(UTC)
        assert jobs.clock.travelled_ns == 0
    with open_jobs() as jobs:
        job(lambda: None).perform_later()
        with pytest.raises(ClockError, match=r"cannot go back to 2001-01-01T00:00:00\+00:00"):
            jobs.clock.move_to(past)
        assert not jobs.clock.frozen
        jobs.clock.advance(60)  # Which performs nothing.
        assert (len(jobs.deliveries), len(jobs.pending)) == (0, 1)


@each_row(
    ("delta", "text"),
    [
        *(
            (delta, f"is {delta!r}: a wait is finite and not negative. Write 0 for no wait.")
            for delta in (-1, timedelta(seconds=-1), float("nan"), float("inf"))
        ),
        ("90", "must be a number of seconds such as 30, or timedelta(minutes=5), got '90'."),
    ],
)
def test_a_delta_that_is_no_duration_is_refused(clock, delta, text):
    with pytest.raises(WaitError) as caught:
        clock.advance(delta)

    assert str(caught.value) == f"delta {text}"
    assert not clock.frozen


@each_row(
    ("instant", "error", "text"),
    [
        (
            datetime(2030, 1, 1),  # noqa: DTZ001
            NaiveDatetimeError,
            (
                "instant must have a timezone, got datetime.datetime(2030, 1, 1, 0, 0): write "
                "instant.replace(tzinfo=UTC), or .astimezone() when it is local time."
            ),
        ),
        *(
            (
                instant,
                TypeError,
                f"instant must be a datetime such as datetime(..., tzinfo=UTC), got {instant!r}.",
            )
            for instant in (date(2030, 1, 1), "2030-01-01", 1_900_000_000)
        ),
    ],
)
def test_an_instant_that_is_none_is_refused(clock, instant, error, text):
    with pytest.raises(error) as caught:
        clock.move_to(instant)

    assert str(caught.value) == text
    assert not clock.frozen


def test_the_clock_stops_at_the_end_of_time(clock):
    clock.move_to(NOON)
    with pytest.raises(ClockError) as caught:
        clock.advance(timedelta(days=10_000 * 366))

    assert str(caught.value) == (
        "The clock cannot move beyond the year 9999. If a job is due then, it most likely retries for ever: give "
        "its `retry_on` an end with `attempts=`, or perform a part with `until=`."
    )
    assert clock.now() == NOON


@pytest.mark.parametrize("moves", [0, 1, 3])
def test_everything_is_restored_when_the_harness_is_closed(sleepless, moves):
    real = time.time_ns()
    with open_jobs() as jobs:
        for _ in range(moves):
            jobs.clock.advance(timedelta(days=1))
    after = time.time_ns(), datetime.now(UTC).timestamp()

    assert 0 <= after[0] - real < 60_000_000_000
    assert 0 <= after[1] - real / 1_000_000_000 < 60
    assert time.time_ns() > real
    assert uuid._generate_time_safe is GENERATE_TIME_SAFE


GENERATE_TIME_SAFE = uuid._generate_time_safe


@pytest.mark.parametrize("mode", ["record", "inline"])
def test_everything_is_restored_after_an_error_of_the_test_or_of_a_job(sleepless, mode):
    class Fail(Job):
        def perform(self):
            raise ValueError("no")

    real = time.time_ns()
    with pytest.raises(ValueError, match=r"^no$"), open_jobs(mode=mode) as jobs:
        jobs.clock.advance(timedelta(days=1))
        Fail.perform_later()
        if mode == "record":
            raise ValueError("no")

    assert time.time_ns() - real < 60_000_000_000


@pytest.fixture
def five_hours_east(monkeypatch):
    """Let the local timezone be five hours east of Greenwich."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the local timezone cannot be set here")
def test_the_local_timezone_is_left_alone(five_hours_east, jobs):
    before = time.tzname, os.environ["TZ"]
    jobs.clock.move_to(NOON)
    jobs.clock.advance(3600)
    shown = time.tzname, os.environ["TZ"]

    assert shown == before
    assert time.localtime().tm_hour == datetime.now().hour == 18  # noqa: DTZ005
    assert datetime.now(UTC).astimezone().utcoffset() == timedelta(hours=5)


def test_two_harnesses_one_inside_the_other_have_a_clock_each(sleepless):
    with open_jobs() as outer:
        outer.clock.move_to(NOON)
        with open_jobs() as inner:
            assert inner.clock.now() == NOON
            inner.clock.advance(60)
            assert datetime.now(UTC) == NOON + timedelta(seconds=60)
        assert datetime.now(UTC) == outer.clock.now() == NOON
        outer.clock.advance(5)
        assert datetime.now(UTC) == NOON + timedelta(seconds=5)


class TestExcursion:
    @pytest.mark.parametrize("moves", [False, True])
    def test_the_clock_comes_back_to_real_time(self, moves):
        clock = VirtualClock()
        with clock.excursion():
            if moves:
                clock.move_to(NOON)

        assert not clock.frozen
        assert time.time() < NOON.timestamp()

    def test_the_clock_comes_back_to_where_it_stood_after_an_error_too(self, clock):
        clock.move_to(NOON)
        before = clock.travelled_ns
        with pytest.raises(KeyError), clock.excursion():
            clock.advance(60)
            assert datetime.now(UTC) == NOON + timedelta(minutes=1)
            raise KeyError

        assert clock.now() == datetime.now(UTC) == NOON
        assert clock.travelled_ns - before == 60_000_000_000


class TestRealTime:
    def test_the_time_of_the_system_is_let_through_for_a_block(self, clock, jobs):
        with jobs.real_time():
            pass
        assert not clock.frozen
        clock.move_to(NOON)
        with suppress(KeyError), jobs.real_time():
            inside = time.time(), clock.now().timestamp()
            frozen = clock.frozen
            raise KeyError

        assert inside[0] < NOON.timestamp() - 3600
        assert inside[1] < NOON.timestamp() - 3600
        assert not frozen
        assert clock.now() == datetime.now(UTC) == NOON

    def test_sleeping_is_real_inside_the_block(self, real_sleeps):
        @job
        def nap():
            with jobs.real_time():
                with jobs.real_time():
                    time.sleep(0.1)
                time.sleep(0.2)
            time.sleep(7)

        with open_jobs() as jobs:
            jobs.clock.move_to(NOON)
            nap.perform_later()
            jobs.drain()
            now = jobs.clock.now()
            nap.perform_later()
            with jobs.real_time():
                jobs.drain()
                frozen = jobs.clock.frozen

        assert real_sleeps == [0.1, 0.2, 0.1, 0.2, 7]
        assert now == NOON + timedelta(seconds=7)
        assert not frozen

    def test_a_coroutine_job_that_is_performed_inside_the_block_sleeps_for_real(self, jobs):
        import asyncio

        @job
        async def nap():
            await asyncio.sleep(0.001)
            await asyncio.sleep(0)

        nap.perform_later()
        with jobs.real_time():
            before = time.perf_counter()
            jobs.drain()
            slept = time.perf_counter() - before

        assert slept >= 0.001
        assert not jobs.clock.frozen

    @pytest.mark.parametrize("stands", [False, True])
    def test_a_clock_that_was_moved_inside_the_block_is_put_back_after_it(self, sleepless, stands):
        with open_jobs() as jobs:
            if stands:
                jobs.clock.move_to(NOON)
            with jobs.real_time():
                jobs.clock.advance(60)
            frozen = jobs.clock.frozen
            shown = jobs.clock.now()
        after = time.time()

        assert frozen is stands
        assert (shown == NOON) is stands
        assert after < NOON.timestamp() - 3600
        assert time.time() > after

    @pytest.mark.parametrize("stands", [False, True])
    def test_a_simulation_inside_the_block_leaves_the_time_real(self, jobs, stands):
        @retry_on(ValueError, wait=60, attempts=3)
        @job
        def fail():
            pass

        if stands:
            jobs.clock.move_to(NOON)
        with jobs.real_time():
            timeline = jobs.simulate_retries(fail, raising=ValueError)
            frozen = jobs.clock.frozen

        assert timeline.wait_seconds == [60, 60]
        assert not frozen
        assert jobs.clock.frozen is stands

    def test_jobs_that_were_enqueued_inside_the_block_keep_their_place(self, clock, jobs):
        @job
        def note(text):
            pass

        clock.move_to(NOON)
        note.perform_later("at noon")
        with jobs.real_time():
            note.perform_later("in reality, years before")
        jobs.drain()

        assert [d.record.args[0] for d in jobs.performed] == ["in reality, years before", "at noon"]
