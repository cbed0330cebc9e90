"""The rules of `--jobs-lint` that deliveries answer while tests run: JOB29x and JOB39x."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..basis.rule import Context, Example, Fault, rule

_APP: Final = "from celery import Celery\n\napp = Celery('shop', broker='memory://')\n\n\n"
_TWICE: Final = "    jobs.drain()\n    jobs.perform(jobs.redeliver(jobs.performed[0].record))\n"
_INDEX: Final = "@app.task\ndef index(rows) -> None: ...\n\n\n"


@rule(
    "JOB291",
    "heavy-payload",
    "A job gets many arguments, or long ones.",
    "Each delivery carries the arguments through the broker, and each retry once more. `--jobs-lint` "
    "sees it while tests run. The setting `max-payload` is 16, in KiB.",
    Example(
        _APP
        + _INDEX
        + "def test_rows_are_indexed(jobs):\n    index.delay(['one row'] * 2000)\n"
        + _TWICE,
        _APP + _INDEX + "def test_rows_are_indexed(jobs):\n    index.delay(7)\n" + _TWICE,
    ),
    is_watched=True,
)
def heavy_payload(context: Context) -> Iterator[Fault]:
    yield from ()


@rule(
    "JOB292",
    "changed-on-the-way",
    "An argument arrives as another type than its annotation says.",
    "JSON has no tuples, sets and dates. A tuple arrives as a list, and a date as a text: the code of "
    "the job is written for values that it never gets. `--jobs-lint` sees it while tests run.",
    Example(
        _APP + "@app.task\ndef move(place: tuple[int, int]) -> None: ...\n\n\n"
        "def test_it_moves(jobs):\n    move.delay((1, 2))\n" + _TWICE,
        _APP + "@app.task\ndef move(place: list[int]) -> None: ...\n\n\n"
        "def test_it_moves(jobs):\n    move.delay([1, 2])\n" + _TWICE,
    ),
    Example(
        "from datetime import date\n\n"
        + _APP
        + "@app.task\ndef report(day: date | None) -> None: ...\n\n\n"
        "def test_it_reports(jobs):\n    report.delay(date(2030, 1, 1).isoformat())\n" + _TWICE,
        "from pytest_jobs import job\n\nfrom datetime import date\n\n\n@job\ndef report(day: "
        "date) -> None: ...\n\n\n"
        "def test_it_reports(jobs):\n    report.perform_later(date(2030, 1, 1))\n" + _TWICE,
    ),
    is_watched=True,
)
def changed_on_the_way(context: Context) -> Iterator[Fault]:
    yield from ()


@rule(
    "JOB391",
    "remembered-from-the-delivery-before",
    "A task reads what its last delivery wrote on the task object.",
    "A process has one object of each Celery task. What a delivery leaves there is found by the next "
    "one, "
    "and by no other process. `--jobs-lint` sees it while tests run.",
    Example(
        _APP + "@app.task(bind=True)\ndef count(self, page: str) -> None:\n"
        "    self.seen = getattr(self, 'seen', 0) + 1\n    print(self.seen)\n\n\n"
        "def test_it_counts(jobs):\n    count.delay('home')\n" + _TWICE,
        _APP + "@app.task(bind=True)\ndef count(self, page: str) -> None:\n"
        "    print(self.request.id)\n\n\n"
        "def test_it_counts(jobs):\n    count.delay('home')\n" + _TWICE,
    ),
    is_watched=True,
)
def remembered(context: Context) -> Iterator[Fault]:
    yield from ()
