"""Flask-APScheduler works as it is: its jobs run in the context of its application."""

from datetime import UTC, datetime, timedelta

import pytest

flask = pytest.importorskip("flask")
pytest.importorskip("flask_apscheduler")


def test_its_jobs_come_while_time_passes(open_over):
    from flask_apscheduler import APScheduler

    scheduler = APScheduler()
    ran = []

    @scheduler.task("interval", id="tick", hours=1)
    def tick():
        with scheduler.app.app_context():
            ran.append(flask.current_app.name)

    with open_over(scheduler.scheduler) as jobs:
        jobs.clock.move_to(datetime(2030, 1, 1, 12, tzinfo=UTC))
        scheduler.init_app(flask.Flask("shop"))
        scheduler.start()
        scheduler.add_job("once", tick, trigger="date", run_date=datetime(2030, 1, 2, tzinfo=UTC))
        jobs.run_for(timedelta(hours=2))

        assert [(record.job, record.due_at.day) for record in jobs.pending] == [(tick, 2)]
    assert ran == ["shop", "shop"]
