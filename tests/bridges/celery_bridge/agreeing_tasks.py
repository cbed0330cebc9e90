"""Tasks that fail, and write down when each of their attempts began, and after how long another is to."""

import os
import time
from pathlib import Path

from celery import Celery, signals
from celery.exceptions import Reject

app = Celery(
    "agreeing",
    broker="redis://127.0.0.1:1/0",
    backend="redis://127.0.0.1:1/0",
    set_as_current=False,
)


class Busy(Exception):
    """Come back later."""


def begin(name: str) -> None:
    """Write down that an attempt begins now."""
    _write(f"{name} began {time.time()}")


@signals.task_retry.connect
def _retry(sender, reason, **_) -> None:
    if sender.app is app:
        _write(f"{sender.name} waits {reason.when}")


def _write(line: str) -> None:
    with Path(os.environ["ATTEMPTS"]).open("a", encoding="utf-8") as attempts:
        attempts.write(f"{line}\n")


@app.task(
    name="backoff",
    shared=False,
    autoretry_for=(Busy,),
    retry_backoff=1,
    retry_jitter=False,
    max_retries=2,
)
def backoff() -> None:
    begin("backoff")
    raise Busy


@app.task(name="by_hand", shared=False, bind=True, default_retry_delay=1, max_retries=2)
def by_hand(self) -> None:
    begin("by_hand")
    raise self.retry(exc=Busy())


@app.task(name="own_countdown", shared=False, bind=True)
def own_countdown(self) -> str:
    begin("own_countdown")
    if self.request.retries < 1:
        raise self.retry(exc=Busy(), countdown=2)
    return "done"


@app.task(name="no_retries", shared=False, autoretry_for=(Busy,), max_retries=0)
def no_retries() -> None:
    begin("no_retries")
    raise Busy


@app.task(name="expected", shared=False, throws=(Busy,))
def expected() -> None:
    begin("expected")
    raise Busy


@app.task(name="rejected", shared=False, acks_late=True)
def rejected() -> None:
    begin("rejected")
    raise Reject("no reason", requeue=False)


@app.task(name="idle", shared=False)
def idle() -> None:
    """Show that what was in the queue before has been dealt with."""


FAILING = [backoff, by_hand, own_countdown, no_retries, expected, rejected]
