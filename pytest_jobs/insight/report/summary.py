"""What a reader of the report wants to know first: what is wrong, with links to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...harness.records.texts import counted
from ..coverage.output import summary
from .data import LOST, ReportData, ShownTest, Tone

#: How many things a sentence links to.
_LINKS = 6


class Point(NamedTuple):
    """One sentence of the summary."""

    tone: Tone
    text: str
    #: Places of the page, and their names.
    links: Sequence[tuple[str, str]] = ()
    more: int = 0


def points(data: ReportData, ids: dict[int, str]) -> Iterator[Point]:
    """Yield the sentences, the worst first.

    Args:
        data: what the page shows.
        ids: the places of tests and of checks on the page, by identity.
    """

    def linked(tone: Tone, text: str, things: Sequence[tuple[object, str]]) -> Point:
        links = [(ids[id(thing)], name) for thing, name in things[:_LINKS]]
        return Point(tone, text, links, max(len(things) - _LINKS, 0))

    failed = [(test, test.nodeid) for test in data.tests if is_failed(test)]
    if failed:
        text = f"{len(failed)} of {counted(len(data.tests), 'test')} with jobs failed"
        yield linked("bad", text, failed)
    broken = [(one, f"{one['verdict']} {one['job']}") for one in data.maps if one["tone"] == "bad"]
    if broken:
        text = f"{len(broken)} of {counted(len(data.maps), 'check')} found that a job is not safe"
        yield linked("bad", text, broken)
    lost = [
        (test, f"{job.name} in {test.nodeid.partition('[')[0]}")
        for test in data.tests
        if not is_failed(test)
        for job in test.jobs
        if job.outcome in LOST
    ]
    if lost:
        # The first one of each job in the tests of each function.
        firsts = {name: test for test, name in reversed(lost)}
        named = [(test, name) for name, test in reversed(firsts.items())]
        yield linked("wait", f"{counted(len(lost), 'job')} failed in green tests", named)
    if data.coverage is not None:
        jobs = data.coverage.with_body()
        never = [job for job in jobs if not job.is_seen]
        if never:
            text = f"{len(never)} of {counted(len(jobs), 'job')} were seen in no test"
            yield Point("wait", text, [("coverage", job.name) for job in never[:1]], len(never) - 1)
        yield Point("quiet", " ".join(summary(data.coverage)), [("coverage", "each job")])
    if data.findings:
        yield Point(
            "wait", counted(len(data.findings), "finding") + " of the lint", [("lint", "lint")]
        )


def is_failed(test: ShownTest) -> bool:
    """Say whether a test has failed; one that was skipped has not."""
    return test.outcome not in ("passed", "skipped")
