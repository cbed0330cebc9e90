"""The Celery application."""

from __future__ import annotations

import os

from celery import Celery

# Nothing listens on port 1: what reaches for a broker in a test fails at once.
broker = os.environ.get("MAILING_BROKER", "redis://localhost:1/0")

app = Celery("mailing", broker=broker, backend=broker, include=["mailing.tasks"])
app.conf.update(
    task_default_queue="default",
    task_routes={
        "mailing.tasks.send_*": {"queue": "mail"},
        "mailing.tasks.fetch_page": {"queue": "web"},
    },
)
