"""The jobs that tests enqueue most often, and those that take longest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .data import ShownTest

#: How many jobs a ranking names.
SHOWN: Final = 10


@dataclass(slots=True)
class Ranked:
    """One job, over all tests."""

    name: str
    library: str
    enqueued: int = 0
    deliveries: int = 0
    retried: int = 0
    #: Attempts that ended in failure.
    failed: int = 0
    tests: int = 0
    #: What all of its attempts took in reality, and the longest of them, where that was measured.
    seconds: float = 0.0
    slowest: float | None = None


def ranked(tests: Iterable[ShownTest]) -> list[Ranked]:
    """Return every job, in the order of names."""
    found: dict[tuple[str, str], Ranked] = {}
    for test in tests:
        seen = set()
        for job in test.jobs:
            key = job.name, job.library
            one = found.setdefault(key, Ranked(*key))
            one.enqueued += 1
            one.tests += key not in seen
            seen.add(key)
            for attempt in job.attempts:
                one.deliveries += 1
                one.retried += attempt.status == "retried"
                one.failed += attempt.status in ("failed", "exhausted", "crashed")
                if attempt.seconds is not None:
                    one.seconds += attempt.seconds
                    one.slowest = max(one.slowest or 0.0, attempt.seconds)
    return [found[key] for key in sorted(found)]


def most_frequent(jobs: Iterable[Ranked]) -> list[Ranked]:
    return sorted(jobs, key=lambda one: (-one.enqueued, one.name))[:SHOWN]


def slowest(jobs: Iterable[Ranked]) -> list[Ranked]:
    """Return the jobs that took longest, of those that were measured."""
    measured = [(one.slowest, one) for one in jobs if one.slowest is not None]
    return [one for _, one in sorted(measured, key=lambda pair: (-pair[0], pair[1].name))[:SHOWN]]
