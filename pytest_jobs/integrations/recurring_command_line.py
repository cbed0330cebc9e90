"""`python -m pytest_jobs schedule preview FILE`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from ..errors import JobsError
from .recurring import load_schedule
from .recurring_preview import preview


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says.

    Returns:
        0, or 2 when the file or an argument cannot be meant.
    """
    asked = _parser().parse_args(arguments)
    start = None if asked.start is None else asked.start.replace(tzinfo=asked.start.tzinfo or UTC)
    try:
        schedule = load_schedule(asked.file, environment=asked.environment, timezone=asked.timezone)
        shown = preview(schedule, asked.days * 86_400, start=start).table()
    except JobsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{shown}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pytest_jobs", allow_abbrev=False)
    topics = parser.add_subparsers(title="topics", required=True)
    schedule = topics.add_parser("schedule", help="schedules of recurring jobs")
    verbs = schedule.add_subparsers(title="verbs", required=True)
    command = verbs.add_parser("preview", help="print what a schedule will fire")
    command.add_argument("file", help="a YAML file, or one of crontab lines")
    command.add_argument("--days", type=_days, default=7.0, help="how many days (default: 7)")
    command.add_argument("--environment", help="which part of the file, where it has several")
    command.add_argument("--timezone", default="UTC", help="where a task names none (default: UTC)")
    command.add_argument(
        "--from",
        dest="start",
        type=_start,
        help="when it begins, as in 2030-01-01T09:00+01:00 (default: now; UTC without an offset)",
    )
    return parser


def _start(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write one such as 2030-01-01, or 2030-01-01T09:00+01:00"
        ) from None


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of days: write one such as 7, or 0.5"
        )
    return days
