"""What Periodiq schedules comes while time passes."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("dramatiq")
pytest.importorskip("pendulum")
periodiq = pytest.importorskip("periodiq")

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def ran():
    return []


@pytest.fixture
def hourly(jobs, broker, actor, ran, monkeypatch):
    pendulum = periodiq.pendulum
    monkeypatch.setattr(pendulum, "local_timezone", lambda: pendulum.UTC)
    broker.add_middleware(periodiq.PeriodiqMiddleware(skip_delay=30))
    jobs.clock.move_to(NOON)

    @actor(periodic=periodiq.cron("30 * * * *"))
    def hourly():
        ran.append(datetime.now(UTC).strftime("%H:%M"))

    return hourly


def test_an_actor_is_sent_at_each_of_its_minutes(jobs, hourly, ran):
    assert jobs.run_for(timedelta(hours=3)) == {"performed": 3}
    assert ran == ["12:30", "13:30", "14:30"]
    assert {record.job for record in jobs.enqueued} == {hourly}
    assert "2030-01-01T12:30:00" in str(jobs.enqueued[0].headers["scheduled_at"]).replace(" ", "T")


def test_what_is_sent_by_hand_is_performed_as_ever(jobs, hourly, ran):
    hourly.send()

    assert jobs.drain() == {"performed": 1}


def test_what_waited_too_long_is_skipped(jobs, hourly, ran):
    hourly.send_with_options(scheduled_at="2030-01-01T11:30:00+00:00")

    assert jobs.drain() == {"discarded": 1}
    assert ran == []
