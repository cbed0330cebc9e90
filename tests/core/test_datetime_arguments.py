"""A time of a day that the clocks went back is the one that was sent."""

import datetime as dt
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import freezegun
from tables import each_row

from pytest_jobs import Job

PARIS = ZoneInfo("Europe/Paris")


class Echo(Job):
    def perform(self, value):
        return value


@each_row(
    ("what", "sent"),
    [
        ("a datetime of a zone", datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=0)),
        ("a datetime of a zone in its fold", datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1)),
        ("a naive one in its fold", datetime(2026, 10, 25, 2, 30, fold=1)),  # noqa: DTZ001
        ("one of a fixed offset in its fold", datetime(2026, 10, 25, 2, 30, tzinfo=UTC, fold=1)),
        ("an offset with seconds", datetime(1890, 1, 1, tzinfo=PARIS)),
        ("a time that does not exist", datetime(2026, 3, 29, 2, 30, tzinfo=PARIS)),
        ("a time of a zone", time(2, 30, tzinfo=PARIS)),
        ("a time of a zone in its fold", time(2, 30, tzinfo=PARIS, fold=1)),
        ("a naive time in its fold", time(2, 30, fold=1)),
    ],
)
def test_a_time_arrives_with_its_zone_its_offset_and_its_fold(what, sent):
    returned = Echo.perform_now(sent)

    assert (returned.isoformat(), type(returned)) == (sent.isoformat(), type(sent))
    assert (returned.tzinfo, returned.fold) == (sent.tzinfo, sent.fold)
    assert returned.utcoffset() == sent.utcoffset()


def test_what_freezegun_gives_for_a_date_or_a_datetime_is_sent_as_such():
    with freezegun.freeze_time("2030-01-01 12:00"):
        sent = [dt.date.today(), dt.datetime.now(UTC)]  # noqa: DTZ011

        assert Echo.perform_now(sent) == sent
    assert Echo.perform_now(sent) == [dt.date(2030, 1, 1), dt.datetime(2030, 1, 1, 12, tzinfo=UTC)]
