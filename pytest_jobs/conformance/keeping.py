"""Payloads that are written down, and performed by later code."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ..harness.jobs import Jobs
from ..harness.records.bridge import Bridge, KeepsPayloads
from .case import Case, Library, sent_record


class Keeping(Case):
    """Keeping payloads."""

    def test_a_payload_that_was_written_is_performed_as_the_job_that_it_was(
        self, library: Library, bridge: Bridge, jobs: Jobs, noted: list[Any]
    ) -> None:
        if not isinstance(bridge, KeepsPayloads):
            pytest.skip(f"{bridge.name}: the bridge does not write payloads")
        wait = timedelta(hours=1) if "eta" in bridge.capabilities else None
        record = sent_record(jobs, library, library.jobs.note, 7, kwargs={"again": [1]}, wait=wait)
        written = bridge.written(record)

        again = bridge.record_from(json.loads(json.dumps(written.data)))

        assert (again.name, again.queue, again.job) == (record.name, "notes", record.job)
        assert (again.args, again.kwargs, again.due_at) == ((7,), {"again": [1]}, None)
        assert jobs.perform(again).status == "performed"
        assert noted == [7]
        assert bridge.written(again) == written
