"""The places of a project that hand work off to a job, and those of them that checks have come to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...exploration.histories.exploration import Exploration
from ...insight.coverage.coverage import Site, job_coverage
from ...insight.lint.basis.settings import LintSettings
from ...insight.seen.session import SeenSession
from ...insight.source.running import Running


@dataclass
class Handoffs:
    """The places that enqueue a job, and are in no job themselves: a broker repeats those."""

    sites: list[Site]
    unchecked: list[Site]

    @classmethod
    def of(
        cls,
        root: Path,
        settings: LintSettings,
        running: Running,
        passed: Collection[tuple[str, int]],
    ) -> Handoffs:
        """Look for them.

        Args:
            root: the folder of the project.
            settings: those of the lint: further jobs, and files that are left out.
            running: what the processes of the session have imported.
            passed: the files and lines to which checks of handoffs came.
        """
        coverage = job_coverage(SeenSession(), root, settings, running)
        sites = [site for site in coverage.sites if not site.in_job]
        sites.sort(key=lambda site: (site.file, site.line))

        def is_checked(site: Site) -> bool:
            file = str((root / site.file).resolve())
            return any((file, line) in passed for line in range(site.line, site.end + 1))

        return cls(sites, [site for site in sites if not is_checked(site)])

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {"places": len(self.sites), "unchecked": [*map(str, self.unchecked)]}


def lines_of_handoffs(explorations: Iterable[Exploration]) -> Iterator[tuple[str, int]]:
    """Yield the files and lines to which a check of a handoff came; nothing of other checks."""
    for exploration in explorations:
        if "dies" in exploration.known:
            for point in exploration.reference.points:
                yield point.filename, point.line
