"""A time of a day that the clocks went back is the one that was sent."""

import datetime as dt
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import freezegun
import pytest

from pytest_jobs import Job

PARIS = ZoneInfo("Europe/Paris")


class Echo(Job):
    def perform(self, value):
        return value


@pytest.mark.parametrize("fold", [0, 1])
def test_a_datetime_keeps_its_zone_and_its_fold(fold):
    sent = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=fold)

    returned = Echo.perform_now(sent)

    assert returned == sent
    assert (returned.tzinfo, returned.fold) == (PARIS, fold)
    assert returned.astimezone(UTC) == sent.astimezone(UTC)


def test_a_naive_datetime_stays_naive_and_keeps_its_fold():
    returned = Echo.perform_now(datetime(2026, 10, 25, 2, 30, fold=1))  # noqa: DTZ001

    assert (returned.tzinfo, returned.fold) == (None, 1)


def test_a_datetime_of_a_fixed_offset_keeps_its_fold():
    returned = Echo.perform_now(datetime(2026, 10, 25, 2, 30, tzinfo=UTC, fold=1))

    assert (returned.tzinfo, returned.fold) == (UTC, 1)


def test_an_offset_with_seconds_is_kept():
    sent = datetime(1890, 1, 1, tzinfo=PARIS)

    returned = Echo.perform_now(sent)

    assert returned == sent
    assert returned.utcoffset() == sent.utcoffset()


def test_a_time_that_does_not_exist_arrives_as_it_was_sent():
    sent = datetime(2026, 3, 29, 2, 30, tzinfo=PARIS)

    returned = Echo.perform_now(sent)

    assert (returned.isoformat(), returned.tzinfo) == (sent.isoformat(), PARIS)


@pytest.mark.parametrize(
    "sent", [time(2, 30, tzinfo=PARIS, fold=1), time(2, 30, fold=1), time(2, 30, tzinfo=PARIS)]
)
def test_a_time_keeps_its_zone_and_its_fold(sent):
    returned = Echo.perform_now(sent)

    assert (returned.replace(tzinfo=None), returned.tzinfo, returned.fold) == (
        time(2, 30),
        sent.tzinfo,
        sent.fold,
    )


def test_what_freezegun_gives_for_a_date_or_a_datetime_is_sent_as_such():
    with freezegun.freeze_time("2030-01-01 12:00"):
        sent = [dt.date.today(), dt.datetime.now(UTC)]  # noqa: DTZ011

        assert Echo.perform_now(sent) == sent
    assert Echo.perform_now(sent) == [
        dt.date(2030, 1, 1),
        dt.datetime(2030, 1, 1, 12, tzinfo=UTC),
    ]
