"""Payloads that earlier versions of the package wrote stay readable.

A file is added here with each new format, and none is ever changed.
"""

import json
from pathlib import Path

import kept_jobs
import pytest

from pytest_jobs import Payload
from pytest_jobs.core.foundation.payload import FORMAT
from pytest_jobs.core.foundation.settings import settings

HERE = Path(__file__).parent
FORMATS = sorted(path.name for path in HERE.glob("format-*.json"))


def kept(name):
    return json.loads((HERE / name).read_text("ascii"))


def test_each_format_is_kept():
    assert [f"format-{number}.json" for number in range(1, FORMAT + 1)] == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_payloads_of_an_earlier_version_are_performed(jobs, name):
    payloads = kept(name)
    for data in payloads:
        settings.adapter.enqueue(Payload.from_dict(data))

    assert jobs.drain() == {"performed": len(payloads)}
    assert len(payloads) >= len(kept_jobs.VALUES)


def test_what_this_version_writes_is_the_newest_format(jobs):
    kept_jobs.enqueue()

    written = [
        {**record.payload.to_dict(), "job_id": str(number), "enqueued_ns": 0}
        for number, record in enumerate(jobs.enqueued)
    ]

    assert written == kept(f"format-{FORMAT}.json")
