"""The jobs of a test, and its retry timelines, as properties of the test in the file of `--junitxml`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Final

import pytest

from ...harness.records.record import record_line
from ...harness.records.texts import error_text, short_name
from ...harness.running.timeline import RetryTimeline

if TYPE_CHECKING:
    from ...harness.jobs import Jobs
    from ...harness.records.delivery import Delivery

#: How many jobs of a test are listed.
_LISTED: Final = 100


class Properties:
    """Writes what a harness has seen when it closes. The test's report takes it along, also from xdist."""

    def __init__(self) -> None:
        self._item: pytest.Item | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._item = item
        try:
            return (yield)
        finally:
            self._item = None

    def pytest_jobs_opened(self, jobs: Jobs, nodeid: str) -> None:
        item = self._item
        if item is None or nodeid != item.nodeid:
            return  # The harness of the session belongs to no test.
        properties = item.user_properties

        def note_timeline(deliveries: Sequence[Delivery]) -> None:
            name = short_name(deliveries[0].record.name)
            properties.append(("jobs_timeline", str(RetryTimeline(name, deliveries))))

        def note_jobs() -> None:
            if jobs.harness.ledger.records:
                properties.append(("jobs", _listed(jobs)))

        jobs.harness.when_simulated.append(note_timeline)
        jobs.harness.when_closing.append(note_jobs)


def _listed(jobs: Jobs) -> str:
    """Return the jobs of a test, one in a line, each with how its deliveries have ended."""
    ended: dict[int, list[str]] = defaultdict(list)
    for delivery in jobs.harness.ledger.deliveries:
        error = "" if delivery.error is None else f" ({error_text(delivery.error)})"
        ended[delivery.record.sequence].append(f"{delivery.status}{error}")
    records = jobs.harness.ledger.records
    lines = [
        f"{record_line(record)}: {', '.join(ended[record.sequence]) or record.state}"
        for record in records[:_LISTED]
    ]
    if len(records) > _LISTED:
        lines.append(f"and {len(records) - _LISTED} more")
    return "\n".join(lines)
