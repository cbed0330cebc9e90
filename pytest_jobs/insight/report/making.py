"""Makes the page: one HTML file, without anything from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ...harness.records.texts import duration
from ...integrations.templates import rendered
from .curves import HEIGHT, WIDTH, curves
from .data import ReportData, ShownRun, ShownTest
from .lanes import timeline
from .rankings import most_frequent, ranked, slowest

_FOLDER: Final = Path(__file__).with_name("page")


def page(data: ReportData) -> str:
    """Return the page of a session.

    Raises:
        ImportError: when Jinja2 is not installed.
    """
    jobs = ranked(data.tests)
    schedules = curves((*_runs(data.tests), *data.simulated))
    values = {
        "data": data,
        "tests": [_TestView(test) for test in data.tests],
        "curves": schedules,
        "size": (WIDTH, HEIGHT),
        "frequent": most_frequent(jobs),
        "slowest": slowest(jobs),
        "sections": list(_sections(data, len(schedules), len(jobs))),
        "is_empty": not (data.tests or data.maps or schedules),
    }
    filters: dict[str, Callable[..., object]] = {"count": _count, "real": _real, "parts": _parts}
    text = rendered(_FOLDER, "page.html", values, filters)
    # A call may have half of a surrogate pair, which UTF-8 does not have.
    return text.encode("utf-8", "replace").decode("utf-8")


def _runs(tests: Iterable[ShownTest]) -> Iterator[ShownRun]:
    for test in tests:
        for job in test.jobs:
            yield ShownRun(job.name, job.attempts, job.outcome)


def _sections(data: ReportData, schedules: int, jobs: int) -> Iterator[tuple[str, str, str]]:
    """Yield the id, the name and the number of things of each section."""
    if data.tests:
        yield "timelines", "Timelines", _count(len(data.tests))
    if data.maps:
        yield "maps", "Killed at every line", _count(len(data.maps))
    if data.coverage is not None:
        yield "coverage", "Job coverage", _count(len(data.coverage.rows))
    if schedules:
        yield "retries", "Retries", _count(schedules)
    if jobs:
        yield "jobs", "Jobs", _count(jobs)
    if data.findings is not None:
        yield "lint", "Lint", _count(len(data.findings))


@dataclass(frozen=True, slots=True)
class _TestView:
    """One test, as the template shows it."""

    test: ShownTest

    @property
    def nodeid(self) -> str:
        return self.test.nodeid

    @property
    def outcome(self) -> str:
        return self.test.outcome

    @property
    def began(self) -> str:
        return self.test.began

    @property
    def drawn(self) -> dict[str, Any]:
        return timeline(self.test).to_dict()

    @property
    def find(self) -> str:
        """What the search looks at."""
        names = dict.fromkeys(job.name for job in self.test.jobs)
        return " ".join((self.test.nodeid, *names)).lower()

    @property
    def kinds(self) -> list[str]:
        """What the filter looks at."""
        attempts = [attempt for job in self.test.jobs for attempt in job.attempts]
        outcomes = {job.outcome for job in self.test.jobs}
        kinds = {
            "failed": self.test.outcome not in ("passed", "skipped"),
            "retried": any(attempt.status == "retried" for attempt in attempts),
            "lost": bool(outcomes & {"failed", "exhausted", "crashed"}),
            "pending": "pending" in outcomes,
        }
        return [kind for kind, is_so in kinds.items() if is_so]

    @property
    def counts(self) -> str:
        """The jobs, the retries and the time of the test, in a few words."""
        jobs = self.test.jobs
        attempts = [attempt for job in jobs for attempt in job.attempts]
        statuses = Counter(attempt.status for attempt in attempts)
        parts = [_counted(len(jobs), "job")]
        if statuses["retried"]:
            parts.append(_counted(statuses["retried"], "retry", "retries"))
        if self.test.runs > 1:
            parts.insert(0, f"first of {self.test.runs:,} runs")
        last = max((attempt.ended for attempt in attempts), default=0.0)
        if last > 0:
            parts.append(duration(last))
        return " · ".join(parts)


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _parts(name: str) -> list[str]:
    """Return the parts between which a line may end, so that it ends within no word."""
    return re.split(r"(?<=[._/:])(?=\w)", name)


def _count(number: int) -> str:
    return f"{number:,}"


def _real(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:,.2f} s"
    return f"{seconds * 1000:,.1f} ms" if seconds >= 0.001 else f"{seconds * 1_000_000:.0f} µs"
