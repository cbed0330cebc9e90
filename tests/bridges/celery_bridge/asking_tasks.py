"""Tasks that ask for what other tasks return, or end themselves; each writes down what it came to."""

import os
from pathlib import Path

from celery import Celery, chord
from celery.result import allow_join_result

app = Celery(
    "asking",
    broker="redis://127.0.0.1:1/0",
    backend="redis://127.0.0.1:1/0",
    set_as_current=False,
)


def write(line: str) -> None:
    with Path(os.environ["ATTEMPTS"]).open("a", encoding="utf-8") as lines:
        lines.write(f"{line}\n")


@app.task(name="one", shared=False)
def one() -> int:
    return 1


@app.task(name="asks", shared=False)
def asks() -> None:
    write(f"asks {one.delay().get(timeout=60)}")


@app.task(name="may_ask", shared=False)
def may_ask() -> None:
    with allow_join_result():
        write(f"may_ask {one.delay().get(timeout=60)}")


@app.task(name="revokes_itself", shared=False, bind=True, max_retries=2)
def revokes_itself(self) -> None:
    write(f"revokes_itself {self.request.retries}")
    app.control.revoke(self.request.id)
    raise self.retry(countdown=1)


@app.task(name="ignored", shared=False, ignore_result=True)
def ignored(number: int) -> int:
    return number


@app.task(name="total", shared=False)
def total(numbers: list[int]) -> None:
    write(f"total {numbers}")


@app.task(name="begins_a_chord", shared=False)
def begins_a_chord() -> None:
    chord([ignored.s(1), ignored.s(2)])(total.s())


@app.task(name="idle", shared=False)
def idle() -> None:
    """Show that what was in the queue before has been dealt with."""


ASKING = [asks, may_ask, revokes_itself, begins_a_chord]
