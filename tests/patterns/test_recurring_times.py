"""When schedules fire, where the clocks change, and against an oracle that goes minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st
from recurring_jobs import sync_data
from tables import each_row

from pytest_jobs import Schedule, preview
from pytest_jobs.errors import ScheduleError
from pytest_jobs.integrations.recurring import timing

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Asia/Kathmandu"]


def times(text, start, end, zone="UTC"):
    """Return the local times at which a text fires, written down."""
    schedule = Schedule({"it": {"class": sync_data, "schedule": text, "timezone": zone}})
    tz = ZoneInfo(zone)
    first, last = (datetime.fromisoformat(at).replace(tzinfo=tz) for at in (start, end))
    window = last.astimezone(UTC) - first.astimezone(UTC)
    return [at.isoformat(" ", "minutes") for at in preview(schedule, window, start=first).of("it")]


def hours(text, day):
    """Return the hours at which a text fires on a day in New York, with their offsets."""
    begin = date.fromisoformat(day)
    found = times(text, f"{begin - DAY} 23:59", f"{begin} 23:59", "America/New_York")
    return [at.partition(" ")[2] for at in found]


SPRING, AUTUMN = "2026-03-08", "2026-11-01"


def test_a_time_that_is_left_out_in_spring_comes_as_soon_as_there_is_one():
    assert times(
        "every day at 2:30am", "2026-03-07 00:00", "2026-03-10 00:00", "America/New_York"
    ) == ["2026-03-07 02:30-05:00", "2026-03-08 03:00-04:00", "2026-03-09 02:30-04:00"]


def test_two_times_that_are_left_out_come_once_and_one_that_comes_twice_counts_once():
    assert hours("0,30 2,3 * * *", SPRING) == ["03:00-04:00", "03:30-04:00"]
    assert hours("every day at 1:30am", AUTUMN) == ["01:30-04:00"]


def test_what_comes_each_hour_or_half_hour_goes_on_through_both_nights():
    spring, autumn = hours("every hour", SPRING), hours("every hour", AUTUMN)

    assert spring[:4] == ["00:00-05:00", "01:00-05:00", "03:00-04:00", "04:00-04:00"]
    assert autumn[:4] == ["00:00-04:00", "01:00-04:00", "01:00-05:00", "02:00-05:00"]
    assert (len(spring), len(autumn)) == (23, 25)
    assert [len(hours("every 30 minutes", day)) for day in (SPRING, AUTUMN)] == [46, 50]


def test_a_change_of_half_an_hour_is_followed():
    found = times("*/10 3 * * *", "2026-10-03 12:00", "2026-10-04 12:00", "Australia/Lord_Howe")

    assert found == [f"2026-10-04 03:{minute:02}+11:00" for minute in range(0, 60, 10)]


def test_midnight_can_be_left_out():
    assert times(
        "every day at midnight", "2026-03-28 12:00", "2026-03-29 12:00", "Asia/Beirut"
    ) == ["2026-03-29 01:00+03:00"]


def test_a_length_of_time_takes_no_notice_of_clocks():
    found = times("every 45 minutes", "2026-03-08 00:00", "2026-03-08 05:00", "America/New_York")

    assert found == [
        "2026-03-08 00:15-05:00",
        "2026-03-08 01:00-05:00",
        "2026-03-08 01:45-05:00",
        "2026-03-08 03:30-04:00",
        "2026-03-08 04:15-04:00",
        "2026-03-08 05:00-04:00",
    ]


@each_row(
    ("text", "start", "end", "expected"),
    [
        ("every minute", "01-01 01:28", "01-01 01:29", ["01-01 01:29"]),
        # A day of the month and a weekday are alternatives.
        ("0 0 13 * fri", "03-12", "03-28", ["03-13 00:00", "03-20 00:00", "03-27 00:00"]),
        ("0 0 L * *", "01-15", "03-15", ["01-31 00:00", "02-28 00:00"]),
        ("0 9 * * mon#1", "01-01", "02-28", ["01-05 09:00", "02-02 09:00"]),
        # On, over the end of a month.
        (
            "every 2 days at 9am",
            "01-28",
            "02-05",
            ["01-28 09:00", "01-30 09:00", "02-01 09:00", "02-03 09:00"],
        ),
        (
            "every other monday at 9am",
            "01-01",
            "02-20",
            ["01-05 09:00", "01-19 09:00", "02-02 09:00", "02-16 09:00"],
        ),
        ("every day at 00:40 and 15:20", "01-01", "01-02", ["01-01 00:40", "01-01 15:20"]),
    ],
)
def test_days_and_times_of_a_text_come_strictly_after_the_start(text, start, end, expected):
    found = times(text, f"2026-{start}", f"2026-{end}")

    assert found == [f"2026-{at}+00:00" for at in expected]


def test_seconds():
    schedule = Schedule({"it": {"class": sync_data, "schedule": "every 10 seconds"}})
    found = preview(schedule, 60, start=datetime(2026, 1, 1, tzinfo=UTC))

    assert [firing.at.second for firing in found] == [10, 20, 30, 40, 50, 0]


def test_windows_that_follow_each_other_are_one():
    schedule = Schedule(
        {"it": {"class": sync_data, "schedule": "*/7 * * * *", "timezone": "Asia/Beirut"}}
    )
    start = datetime(2026, 3, 27, tzinfo=UTC)
    pieces = [preview(schedule, 3601, start=start + timedelta(seconds=3601 * n)) for n in range(96)]

    assert [f for piece in pieces for f in piece] == list(preview(schedule, 3601 * 96, start=start))


# The oracle


def numbers(field, low, high):
    """Return what a field means, in the simplest way."""
    found = set()
    for piece in field.split(","):
        span, _, step = piece.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = low, high
        found.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


def matches(line, local):
    """Say whether a local minute is one of a line."""
    minute, hour, day, month, weekday = line.split()
    on_day = local.day in numbers(day, 1, 31)
    on_weekday = local.isoweekday() % 7 in {n % 7 for n in numbers(weekday, 0, 6)}
    either = day[0] != "*" and weekday[0] != "*"
    return (
        local.minute in numbers(minute, 0, 59)
        and local.hour in numbers(hour, 0, 23)
        and local.month in numbers(month, 1, 12)
        and (on_day or on_weekday if either else on_day and on_weekday)
    )


def oracle(line, start, end, zone):
    """Go minute by minute: what comes twice counts once, what is left out comes late, unless it says `*`."""
    follows = line[0] == "*" or line.split()[1][0] == "*"
    fired = []
    before = start.astimezone(zone)
    at = start + MINUTE
    while at <= end:
        local = at.astimezone(zone)
        fires = matches(line, local) and (follows or not local.fold)
        left_out = before.replace(tzinfo=None) + MINUTE
        while not follows and left_out < local.replace(tzinfo=None):
            fires = fires or matches(line, left_out)
            left_out += MINUTE
        if fires:
            fired.append(at)
        before = local
        at += MINUTE
    return fired


def fields(low, high):
    number = st.integers(low, high)
    spans = st.tuples(number, number).map(lambda pair: "{}-{}".format(*sorted(pair)))
    steps = st.integers(1, high).map(lambda step: f"*/{step}")
    lists = st.lists(number.map(str), min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), lists, spans, steps)


LINES = st.tuples(
    fields(0, 59),
    fields(0, 23),
    st.just("*") | fields(1, 28),
    st.just("*"),
    st.just("*") | fields(0, 6),
).map(" ".join)
#: Around changes of the clocks, and where there is none.
STARTS = [
    datetime(2026, 3, 7, 21, tzinfo=UTC),
    datetime(2026, 10, 31, 20, tzinfo=UTC),
    datetime(2026, 4, 4, 10, tzinfo=UTC),
    datetime(2026, 10, 3, 10, tzinfo=UTC),
    datetime(2026, 3, 28, 19, tzinfo=UTC),
    datetime(2026, 10, 24, 18, tzinfo=UTC),
    datetime(2026, 12, 31, 18, tzinfo=UTC),
]


@settings(max_examples=150, deadline=None)
@given(LINES, st.sampled_from(ZONES), st.sampled_from(STARTS), st.integers(0, 400))
def test_a_preview_agrees_with_an_oracle_that_goes_minute_by_minute(line, zone, start, minutes):
    start += timedelta(minutes=minutes)
    window = timedelta(hours=14)
    schedule = Schedule({"it": {"class": sync_data, "cron": line, "timezone": zone}})

    assert [firing.at for firing in preview(schedule, window, start=start)] == oracle(
        line, start, start + window, ZoneInfo(zone)
    )


@pytest.mark.rotating
@pytest.mark.parametrize("zone", ZONES)
def test_the_oracle_agrees_about_a_daily_job_over_half_a_year(zone):
    start = datetime(2026, 2, 1, tzinfo=UTC)
    schedule = Schedule({"it": {"class": sync_data, "cron": "30 1,2 * * *", "timezone": zone}})

    assert [firing.at for firing in preview(schedule, 90 * DAY, start=start)] == oracle(
        "30 1,2 * * *", start, start + 90 * DAY, ZoneInfo(zone)
    )


# Too much of it


def test_a_schedule_of_20_000_ranges_is_refused():
    with pytest.raises(ScheduleError) as caught:
        Schedule({"it": {"class": sync_data, "schedule": ",".join(["0-59"] * 20_000) + " * * * *"}})

    assert str(caught.value) == (
        "the schedule: task 'it': schedule '0-59,0-59,0-59,0-59,'... has 100,007 characters, and 1,000 are enough "
        "to name each minute, hour, day, month and weekday."
    )


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        (3_650_000, "The firings of more than 100 years are asked for: ask for a shorter time."),
        (
            36_000,
            (
                "More than 1,000,000 firings lie in that time, most of them of 'it' or of what stands before it: "
                "ask for a shorter time."
            ),
        ),
    ],
)
def test_more_firings_than_a_reader_can_want_are_refused(days, reason):
    schedule = Schedule({"it": {"class": sync_data, "schedule": "every 5 seconds"}})

    with pytest.raises(ScheduleError) as caught:
        preview(schedule, timedelta(days=days), start=STARTS[0])

    assert str(caught.value) == reason


def test_hundreds_of_hourly_tasks_over_a_week_read_each_line_once(monkeypatch):
    read = []
    genuine = timing._simulate
    timing._values.cache_clear()
    monkeypatch.setattr(timing, "_simulate", lambda *asked: read.append(asked) or genuine(*asked))
    schedule = Schedule(
        {f"it{n}": {"class": sync_data, "schedule": f"{n % 60} * * * *"} for n in range(500)}
    )
    read.clear()

    assert len(preview(schedule, timedelta(days=7), start=STARTS[0])) == 500 * 7 * 24
    assert len(read) == 62  # of each minute, of every hour and of second 0
