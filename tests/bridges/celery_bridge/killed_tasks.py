"""Tasks for a worker that is killed while it runs them; each has other settings."""

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("killed", broker="redis://127.0.0.1:1/0", set_as_current=False)
app.conf.worker_lost_wait = 0.1

SETTINGS = {
    "early": {},
    "early_lost": {"reject_on_worker_lost": True},
    "late": {"acks_late": True},
    "late_lost": {"acks_late": True, "reject_on_worker_lost": True},
    "late_unacknowledged": {"acks_late": True, "acks_on_failure_or_timeout": False},
}
if hasattr(app.Task, "retry_on_worker_lost"):
    SETTINGS |= {
        "early_retried": {"retry_on_worker_lost": True},
        "late_retried": {"acks_late": True, "retry_on_worker_lost": True},
        "out_of_retries": {"retry_on_worker_lost": True, "max_retries": 0},
        "lost_out_of_retries": {
            "acks_late": True,
            "reject_on_worker_lost": True,
            "retry_on_worker_lost": True,
            "max_retries": 0,
        },
    }


def block(directory: str) -> None:
    """Write down that a run has begun and in which process, and run until a file says otherwise."""
    place = Path(directory)
    with (place / "runs").open("a", encoding="utf-8") as runs:
        runs.write(f"{os.getpid()}\n")
    while not (place / "release").exists():
        time.sleep(0.01)


@app.task(name="idle", shared=False)
def idle() -> None:
    """Show that what was in the queue before has been dealt with."""


for name, settings in SETTINGS.items():
    app.task(name=name, shared=False, **{"default_retry_delay": 0, **settings})(block)
