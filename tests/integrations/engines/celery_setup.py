"""What `celery -A` loads: the application, and where the jobs of its jobs go."""

import os

import engine_jobs
from celery import Celery

from pytest_jobs import CeleryAdapter, RedisStore, configure


def make_app(url):
    app = Celery("engine", broker=url, backend=url, set_as_current=False)
    app.conf.worker_lost_wait = 0.1
    app.conf.broker_transport_options = {
        "visibility_timeout": int(os.environ.get("VISIBILITY_TIMEOUT", "3600")),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    }
    return app


if "ENGINE_JOBS_URL" in os.environ:
    app = make_app(engine_jobs.URL)
    configure(
        adapter=CeleryAdapter(app), store=RedisStore(engine_jobs.redis), session=engine_jobs.session
    )
