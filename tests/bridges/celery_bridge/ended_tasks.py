"""Tasks that reach a time limit, or end their process, and write down that they have begun."""

import os
import sys
import time
from pathlib import Path

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

app = Celery(
    "ended", broker="redis://127.0.0.1:1/0", backend="redis://127.0.0.1:1/0", set_as_current=False
)
app.conf.worker_lost_wait = 0.1
#: A late acknowledgement that a failure does not make.
LATE = {"acks_late": True, "acks_on_failure_or_timeout": False}


def begin(name: str) -> int:
    """Write down that a run of a task begins, and return its number."""
    path = Path(os.environ["RUNS"])
    with path.open("a", encoding="utf-8") as runs:
        runs.write(f"{name}\n")
    return path.read_text("utf-8").split().count(name)


@app.task(name="idle", shared=False)
def idle() -> None:
    """Show that what was in the queue before has been dealt with."""


@app.task(name="soft", shared=False, soft_time_limit=1)
def soft() -> None:
    begin("soft")
    time.sleep(3)


@app.task(name="soft_caught", shared=False, soft_time_limit=1, time_limit=60)
def soft_caught() -> str:
    begin("soft_caught")
    try:
        time.sleep(3)
    except SoftTimeLimitExceeded:
        return "tidy"
    return "late"


@app.task(name="hard", shared=False, time_limit=1)
def hard() -> None:
    begin("hard")
    try:
        time.sleep(3)
    except Exception:
        begin("hard")


@app.task(name="hard_late", shared=False, time_limit=1, **LATE)
def hard_late() -> None:
    if begin("hard_late") == 1:
        time.sleep(3)


@app.task(name="leaves", shared=False, autoretry_for=(Exception,))
def leaves() -> None:
    begin("leaves")
    sys.exit(3)


@app.task(name="leaves_late", shared=False, acks_late=True, reject_on_worker_lost=True)
def leaves_late() -> None:
    if begin("leaves_late") == 1:
        sys.exit(3)


ENDED = ("soft", "soft_caught", "hard", "hard_late", "leaves", "leaves_late")
