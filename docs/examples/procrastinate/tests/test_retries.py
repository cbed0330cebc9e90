"""Minutes of retries take no time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conftest import FakePrinter
from letters.outside import PrinterJam
from letters.service import accept
from letters.tasks import print_letter
from pytest_jobs import Jobs


def test_a_jam_is_given_up(jobs: Jobs, printer: FakePrinter) -> None:
    printer.is_jammed = True
    accept("to ann")

    with pytest.raises(PrinterJam):
        jobs.drain()

    waits = [timedelta(seconds=seconds) for seconds in (5, 25, 125)]
    assert [delivery.wait for delivery in jobs.retried] == waits
    assert jobs.dead[0].status == "exhausted"


def test_the_schedule_can_be_read(jobs: Jobs) -> None:
    timeline = jobs.simulate_retries(print_letter, args=("to ann",), raising=PrinterJam("jam"))

    assert timeline.wait_seconds == [5, 25, 125]
