"""Makes the page, one HTML file without anything from elsewhere, with a summary of what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...harness.records.texts import counted, duration
from ...integrations.templates import rendered
from ..reached.reached import WAYS, JobsReached, ReachedJob
from .data import LOST, TONES, ReportData, ShownTest, Tone
from .lanes import timeline

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
    if data.reached is not None and data.reached.jobs:
        jobs, never = data.reached.with_body, data.reached.unreached
        if never:
            said = "reached by no test" if data.reached.has_calls else "seen in no harness"
            text = f"{len(never)} of {counted(len(jobs), 'job')} were {said}"
            links = [("reached", job.name) for job in never[:_LINKS]]
            yield Point("wait", text, links, max(len(never) - _LINKS, 0))
        yield Point("quiet", _summary(data.reached), [("reached", "each job")])
    if data.findings:
        yield Point(
            "wait", counted(len(data.findings), "finding") + " of the lint", [("lint", "lint")]
        )


def is_failed(test: ShownTest) -> bool:
    """Say whether a test has failed; one that was skipped has not."""
    return test.outcome not in ("passed", "skipped")


_FOLDER: Final = Path(__file__).with_name("page")
#: So many waits of a schedule are named.
_NAMED: Final = 8


def page(data: ReportData) -> str:
    """Return the page of a session.

    Raises:
        ImportError: when Jinja2 is not installed.
    """
    ids = _ids(data)
    groups, reached = _groups(data.tests, ids), data.reached
    values = {
        "data": data,
        "points": list(points(data, ids)),
        "groups": groups,
        "maps": [(ids[id(drawn)], drawn) for drawn in data.maps],
        "reached": [(one, _how(one, reached)) for one in reached.jobs] if reached else [],
        "summary": _summary(reached) if reached else "",
        "schedules": [(one, _waits_text(one.waits)) for one in data.schedules],
        "tones": TONES,
        "has_failed": any(map(is_failed, data.tests)),
        "has_findings": any(drawn["tone"] == "bad" for drawn in data.maps),
        "is_empty": not (data.tests or data.maps or data.schedules or data.audit),
        "found": [one for rank in data.audit.ranks for one in rank.findings] if data.audit else [],
    }
    text = rendered(_FOLDER, "page.html", values, {"parts": _parts})
    # A call may have half of a surrogate pair, which UTF-8 does not have.
    return text.encode("utf-8", "replace").decode("utf-8")


def _summary(reached: JobsReached) -> str:
    """Return how many jobs the tests reach, and how much of what these declare was seen."""
    jobs, cases = reached.with_body, reached.cases
    said = "reached by a test" if reached.has_calls else "seen in a harness"
    text = f"{len(jobs) - len(reached.unreached)} of {counted(len(jobs), 'job')} were {said}."
    if cases:
        seen = sum(case.is_seen for case in cases)
        text += f" {seen} of {len(cases)} rules, callbacks and schedules were seen."
    return text


def _how(job: ReachedJob, reached: JobsReached) -> str:
    """Return what tests do with a job, as far as somebody looked."""
    if job.is_base:
        return "-"
    if job.ways == {"mocked"}:
        return "only mocked"
    not_at_all = "not at all" if reached.has_calls else "in no harness"
    return ", ".join(way for way in WAYS if way in job.ways) or not_at_all


def _ids(data: ReportData) -> dict[int, str]:
    """Return the places of tests and checks on the page, by identity: `jobs.html#test_shop.py::test_refund`."""
    found: dict[int, str] = {}
    used: Counter[str] = Counter()
    named: list[tuple[object, str]] = [(test, test.nodeid) for test in data.tests]
    named += [(drawn, f"check {drawn['job']}") for drawn in data.maps]
    for thing, name in named:
        place = re.sub(r"\s", "_", name).encode("utf-8", "replace").decode("utf-8")
        used[place] += 1
        found[id(thing)] = place if used[place] == 1 else f"{place}#{used[place]}"
    return found


def _groups(tests: Iterable[ShownTest], ids: dict[int, str]) -> list[_Group]:
    """Return the tests by their functions, the worst first."""
    by_function: dict[str, list[_TestView]] = {}
    for test in tests:
        name = test.nodeid.partition("[")[0]
        by_function.setdefault(name, []).append(_TestView(test, ids[id(test)]))
    groups = [
        _Group(name, sorted(views, key=_TestView.rank)) for name, views in by_function.items()
    ]
    return sorted(groups, key=lambda group: group.tests[0].rank())


@dataclass(frozen=True, slots=True)
class _TestView:
    """One test, as the template shows it."""

    test: ShownTest
    id: str

    @property
    def tone(self) -> str:
        return {"passed": "ok", "skipped": "quiet"}.get(self.test.outcome, "bad")

    def rank(self) -> int:
        """Return a lower number for a test that a reader looks for first."""
        return 0 if is_failed(self.test) else 1 if "lost" in self.kinds else 2

    @property
    def drawn(self) -> dict[str, Any]:
        return timeline(self.test).to_dict()

    @property
    def find(self) -> str:
        """What the search looks at."""
        names = dict.fromkeys(job.name for job in self.test.jobs)
        return " ".join((self.test.nodeid, *names)).lower()

    @property
    def ended(self) -> dict[str, int]:
        """How many jobs were not done at once, by how they have ended."""
        jobs = self.test.jobs
        ended = Counter(job.outcome for job in jobs)
        ended["retried"] = sum(one.status == "retried" for job in jobs for one in job.attempts)
        return {name: ended[name] for name in (*LOST, "retried", "pending") if ended[name]}

    @property
    def kinds(self) -> list[str]:
        """What the filter looks at."""
        ended = self.ended
        kinds: list[str] = [name for name in ("retried", "pending") if name in ended]
        kinds += [] if ended.keys().isdisjoint(LOST) else ["lost"]
        return [*kinds, "failed"] if is_failed(self.test) else kinds

    @property
    def counts(self) -> str:
        """The jobs and the time of the test, in a few words."""
        jobs = counted(len(self.test.jobs), "job")
        last = max((one.ended for job in self.test.jobs for one in job.attempts), default=0.0)
        return f"{jobs} · {duration(last)}" if last > 0 else jobs


@dataclass(frozen=True, slots=True)
class _Group:
    """The tests of one function; several where it is parametrised."""

    name: str
    tests: Sequence[_TestView]

    @property
    def outcomes(self) -> str:
        """How many of the tests have which outcome: `18 passed, 2 failed`."""
        counts = Counter(view.test.outcome for view in self.tests)
        return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items()))


def _waits_text(waits: Sequence[float]) -> str:
    named = ", ".join(map(duration, waits[:_NAMED]))
    more = f" and {len(waits) - _NAMED} more" if len(waits) > _NAMED else ""
    return f"{counted(len(waits), 'wait')}, {duration(sum(waits))} in all: {named}{more}"


def _parts(name: str) -> list[str]:
    """Return the parts between which a line may end, so that it ends within no word."""
    return re.split(r"(?<=[._/:])(?=\w)", name)
