"""`--jobs-twice`: each job that a test performs is delivered once more."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from ...harness.records.delivery import own_traceback
from ...harness.records.texts import counted, error_text, short_name
from ...harness.running.twice import Copy, Twice
from .plugin import AdversaryPlugin, blame, refer
from .runs import Run, Runs

_WHAT_TO_DO = """\
To see the shortest story of how it breaks: check_idempotent({job}, ..., world=...).
If a second delivery rightly changes what this test asserts: @pytest.mark.jobs(idempotent=False)."""
_FAILS_ANYWAY = """\
This is the failure of a run without second deliveries. If the test passes without --jobs-twice, it cannot be run
twice, or it found what the run before had left. There these were delivered again before it failed, the last first:
"""
_UNSTEADY = """\
This test failed with second deliveries once, and then not again: it may be flaky. These were delivered again
before it failed, the last first:
"""
_TITLE = "Delivered twice"
_CALLS_SHOWN = 5


class TwicePlugin(AdversaryPlugin):
    """Runs each test with copies; one that fails is run without them, then with those of one job at a time."""

    attack = "twice"
    #: Makes the copies in the current run.
    _twice: Twice | None = None

    def attacked(self, runs: Runs, nodeid: str) -> None:
        """Run a test with copies; when it fails, run it without, and find out which job is guilty."""
        twice, run = self._with_copies(runs, last=lambda run: not run.failed)
        if twice.copies:
            self.tally.count("tests with copies")
        self.tally.count("copies", len(twice.copies))
        self.tally.count("spared", len(twice.spared))
        for copy in twice.copies:
            self.tally.name("jobs", copy.job)
        self.note_passed(twice.passed)
        if run.failed and twice.copies:
            plain = runs.once(None)
            if plain.failed:
                run = plain
                run.failure.sections.append((_TITLE, _listed(_FAILS_ANYWAY, twice.copies[::-1])))
            else:
                self._find_guilty(runs, nodeid, twice, run)
        runs.report(run)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Fail a test that passed although a copy failed."""
        result = yield
        self._raise_failed_copy()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        """Fail a test of which a copy failed that belongs to a job of a fixture at its end."""
        made = len(self._twice.copies) if self._twice is not None else 0
        result = yield
        self._raise_failed_copy(made)
        return result

    def summary(self) -> list[str]:
        tally = self.tally
        deliveries = counted(tally.number("copies"), "delivery")
        jobs = counted(tally.number("jobs"), "job")
        tests = counted(tally.number("tests with copies"), "test")
        lines = self.broken()
        if tally.number("copies"):
            lines.append(
                f"{deliveries} of {jobs} made once more, in {tests} of {tally.number('tests')}."
            )
        for name, _ in tally.names("unsteady"):
            lines.append(f"{name} failed with copies once, and then not again: it may be flaky.")
        if tally.number("spared"):
            spared = counted(tally.number("spared"), "delivery")
            lines.append(f"{spared} not made again, since the test made them fail (jobs.fail).")
        return lines + self.opted_out()

    def nothing_done(self) -> str | None:
        if self.tally.number("copies"):
            return None
        return (
            "No job was delivered twice, so this run shows nothing: no test that was run performed a job to "
            f"its end, by a verb or inline, or those that did opted out.{self.hint()}"
        )

    def _with_copies(
        self,
        runs: Runs,
        only: str | None = None,
        *,
        last: Callable[[Run], bool] = lambda run: False,
    ) -> tuple[Twice, Run]:
        self._twice = twice = Twice(only)
        try:
            run = runs.once(twice, last=last)
        finally:
            self._twice = None
        return twice, run

    def _find_guilty(self, runs: Runs, nodeid: str, twice: Twice, run: Run) -> None:
        """Run the test with the copies of one job at a time, and name the jobs that break it in its report."""
        jobs = list(dict.fromkeys(copy.job for copy in twice.copies))
        guilty = [job for job in jobs if self._with_copies(runs, job)[1].failed]
        together = not guilty and len(jobs) > 1 and self._with_copies(runs)[1].failed
        if not guilty and not together:
            self.tally.name("unsteady", nodeid)
            run.failure.sections.append((_TITLE, _listed(_UNSTEADY, twice.copies[::-1])))
            return
        for job in guilty or jobs:
            self.tally.name("broken", job, nodeid)
        named = " and ".join(map(short_name, guilty or jobs))
        verb = "only together break" if together else "breaks" if len(guilty) == 1 else "break"
        headline = f"{named}, delivered twice, {verb} this test"
        copies = [copy for copy in twice.copies if copy.job in (guilty or jobs)]
        cause = ", ".join(
            (f"{named} delivered twice", *(_failure(copy) for copy in copies if copy.failed))
        )
        first = self.findings.found(cause, cause, nodeid)
        if first is None:
            story = _listed(f"{headline}; without second deliveries it passes.\n", copies)
            what_to_do = _WHAT_TO_DO.format(job=short_name(copies[0].job))
            blame(run.failure, headline, _TITLE, f"{story}\n\n{what_to_do}")
        else:
            refer(run.failure, headline, first, _TITLE, _listed("", copies))

    def _raise_failed_copy(self, after: int = 0) -> None:
        if self._twice is None:
            return
        for copy in self._twice.copies[after:]:
            if copy.failed:
                if copy.error is None:
                    raise AssertionError(_line(copy))
                raise copy.error.with_traceback(own_traceback(copy.error))


def _listed(heading: str, copies: list[Copy]) -> str:
    """Return the copies, one a line, below a heading; empty for none."""
    lines = [heading] if heading else []
    lines += [f"- {_line(copy)}" for copy in copies[:_CALLS_SHOWN]]
    left = len(copies) - _CALLS_SHOWN
    if left > 0:
        lines.append(f"- and {counted(left, 'delivery')} more")
    return "\n".join(lines)


def _failure(copy: Copy) -> str:
    """Describe in one word how a copy failed."""
    return "not done" if copy.error is None else type(copy.error).__name__


def _line(copy: Copy) -> str:
    if copy.unfinished:
        why = "" if copy.error is None else f": {error_text(copy.error)}"
        return (
            f"{copy.call} was delivered again, and not done after {copy.unfinished} attempts{why}"
        )
    if copy.error is not None:
        return f"{copy.call} was delivered again, and failed: {error_text(copy.error)}"
    return f"{copy.call} was delivered again"
