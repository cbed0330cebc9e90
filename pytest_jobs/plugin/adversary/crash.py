"""`--jobs-crash`: each test is run again for each point of its jobs, and a job killed there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from ...errors import ExplorationError
from ...exploration.live.crash import LiveCrash, LiveEffects, LiveScopes
from ...exploration.live.worth import CrashPoint, by_worth
from ...harness.records.progress import Work
from ...harness.records.texts import counted, error_text, short_name, shortened
from ..settings.options import JobOptions
from .plugin import AdversaryPlugin, blame, refer
from .runs import Run, Runs

_STORY = """\
{headline}; when nothing is killed it passes.

- {call}
- {killed}
- delivered again at once, and {outcome}

To see it line by line: check_idempotent({job}, ..., world=...).
What it had enqueued by then stays enqueued: a test that counts jobs may find one twice.
If the test asserts what a killed delivery rightly changes: @pytest.mark.jobs(crash=False)."""
_SHORT = """\
- {call}
- {killed}
- delivered again at once, and {outcome}"""
#: A call of a function by its full name, with its arguments.
_ARGUMENTS = re.compile(r"^([\w.]+)\(.*\)$", re.DOTALL)
#: How wide what was reached outside is shown.
_WIDTH = 100
#: How many points the summary names of one test.
_POINTS_NAMED = 3
_AGAIN = "this test fails when it is run again, with no job killed"
_AGAIN_STORY = """\
{again}: --jobs-crash runs it once more for each point, so this shows nothing about its jobs.

- its first run passed
- {tried} tried before it failed

Something that the test changes outlives it: a row, a file, a global of a module, a fixture of a wider scope.
Let a fixture set it up for each run, or leave the test out: @pytest.mark.jobs(crash=False)."""
_NOT_MODELLED = """\
Not modelled: the globals of modules live on, as do threads and subprocesses of the job; `finally` blocks and
`__exit__` methods run, and what they change in memory stays; a transaction that the test began stays open; what
no effect source reports is not a point of its own."""


class CrashPlugin(AdversaryPlugin):
    """Runs each test once to see its points, then once for each, until one breaks it."""

    attack = "crash"

    def __init__(self, config: pytest.Config, options: JobOptions) -> None:
        super().__init__(config, options)
        self._made: LiveScopes | None = None
        self._effects = LiveEffects(self._patches)

    def attacked(self, runs: Runs, nodeid: str) -> None:
        """Run a test once, and again for each point when it passes."""
        self._effects.catch_up()
        seen = LiveCrash(self._scopes(), self._effects)
        run = runs.once(seen, last=lambda run: run.failed or not seen.points)
        for text in seen.reached:
            # What was sent is long, and differs each time.
            self.tally.name("reached", shortened(_ARGUMENTS.sub(r"\1()", text), _WIDTH))
        self.note_passed(seen.passed)
        for call, why in seen.unwatched.items():
            self.tally.name("unwatched", nodeid, f"{call}: {why}")
        if not run.failed and seen.points:
            run = self._killed_at_each(runs, nodeid, seen, run)
        runs.report(run)

    def summary(self) -> list[str]:
        tally = self.tally
        lines = self.broken()
        if tally.number("points tried"):
            points = counted(tally.number("points tried"), "point")
            tests = counted(tally.number("tests with points"), "test")
            jobs = counted(tally.number("jobs"), "job")
            lines.append(f"{jobs} killed at {points}, in {tests} of {tally.number('tests')}.")
        if tally.highest("points"):
            tests = counted(tally.number("left out"), "test")
            most, all_points = self._options.crash_points, tally.highest("points")
            lines.append(
                f"{tests} had more points, {most} of up to {all_points} were tried: "
                f"--jobs-crash-points={all_points} tries all."
            )
        if self.verbose:
            lines += self._named("left out", "points left out")
            lines += self._named("stopped", "no further points tried after the one that broke it")
        lines += self._named("again", "fails when it is run again, with no job killed")
        lines += self._named("lost", "points that no second run came to")
        lines += self._named("unsteady", "failed once and then not again: it may be flaky")
        lines += self._named("unwatched", "not watched")
        reached = [name for name, _ in tally.names("reached")]
        if reached:
            lines.append("Reached outside, where nothing was killed:")
            lines += self._indented(reached)
        return [*lines, *self.opted_out(), *_NOT_MODELLED.splitlines()]

    def nothing_done(self) -> str | None:
        if self.tally.number("points tried"):
            return None
        return (
            "No job was killed, so this run shows nothing: no test that was run performed a job that has lines in "
            f"the project's own code, or those that did opted out or failed.{self.hint()}"
        )

    def _scopes(self) -> LiveScopes:
        if self._made is None:
            try:
                self._made = LiveScopes(Path(self._config.rootpath), self._options.crash_atomic)
            except ExplorationError as error:
                raise pytest.UsageError(str(error)) from error
        return self._made

    def _killed_at_each(self, runs: Runs, nodeid: str, seen: LiveCrash, plain: Run) -> Run:
        """Run the test once for each point; return the run that broke it, or else the plain run."""
        points = self._chosen(nodeid, seen.points)
        self.tally.count("tests with points")
        tried = 0
        with Work(f"--jobs-crash of {nodeid}", "points", len(points)) as work:
            for point in points:
                work.step(point)
                self.tally.name("jobs", point.job)
                crash, run = self._killed_at(runs, point)
                if crash.killed is not None:
                    tried += 1
                elif not run.failed:
                    self.tally.name("lost", nodeid, str(point))
                if not run.failed:
                    continue
                known = crash.killed is not None and self.findings.known(point.place)
                if not known and runs.once(LiveCrash(self._scopes(), self._effects)).failed:
                    self._blame_test(run, nodeid, f"{tried} of {counted(len(points), 'point')}")
                    plain = run
                    break
                if known or (crash.killed is not None and self._killed_at(runs, point)[1].failed):
                    self._blame(run, nodeid, point, _outcome(crash))
                    self.tally.name("stopped", nodeid, f"{tried} of {len(points)}")
                    plain = run
                    break
                self.tally.name("unsteady", nodeid, str(point))
        self.tally.count("points tried", tried)
        return plain

    def _chosen(self, nodeid: str, points: list[CrashPoint]) -> list[CrashPoint]:
        """Return all points in their order; or if they are too many the best, and name those left out."""
        most = self._options.crash_points
        ranked = points if len(points) <= most else by_worth(points)
        # What breaks other tests most likely breaks this one too.
        ranked = sorted(ranked, key=lambda point: not self.findings.known(point.place))
        left = ranked[most:]
        if not left:
            return ranked
        self.tally.name("left out", nodeid, _few([str(point) for point in left]))
        self.tally.most("points", len(points))
        return ranked[:most]

    def _killed_at(self, runs: Runs, point: CrashPoint) -> tuple[LiveCrash, Run]:
        crash = LiveCrash(self._scopes(), self._effects, point)
        return crash, runs.once(crash)

    def _blame(self, run: Run, nodeid: str, point: CrashPoint, outcome: str) -> None:
        self.tally.name("broken", point.job, nodeid)
        job = short_name(point.job)
        headline = f"{job}, killed and delivered again, breaks this test"
        where = point.point
        place = f" ({Path(where.filename).name}:{where.line})" if where.filename else ""
        killed = f"killed {where}{place}"
        first = self.findings.found(point.place, f"{job}, {killed}", nodeid)
        if first is not None:
            short = _SHORT.format(call=point.call, killed=killed, outcome=outcome)
            refer(run.failure, headline, first, "Killed and delivered again", short)
            return
        story = _STORY.format(
            headline=headline, call=point.call, killed=killed, outcome=outcome, job=job
        )
        blame(run.failure, headline, "Killed and delivered again", story)

    def _blame_test(self, run: Run, nodeid: str, tried: str) -> None:
        """Say that a test cannot be run twice, which is not the fault of a job."""
        self.tally.name("again", nodeid, tried)
        story = _AGAIN_STORY.format(again=_AGAIN, tried=tried)
        blame(run.failure, _AGAIN, "Run again", story)

    def _named(self, key: str, what: str) -> list[str]:
        """Return a line for each test that was noted; without -v one line for several of them."""
        found = list(self.tally.names(key))
        if len(found) > 1 and not self.verbose:
            return [f"{len(found)} tests, which -v names: {what}"]
        return [
            f"{test}: {what}{': ' if details else ''}{_few(details)}" for test, details in found
        ]


def _few(texts: Sequence[str]) -> str:
    more = len(texts) - _POINTS_NAMED
    return "; ".join([*texts[:_POINTS_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _outcome(crash: LiveCrash) -> str:
    """Describe the delivery that followed the killed one."""
    again = crash.again
    if again is None:
        return "done" if crash.ended_again else "not to its end"
    why = "" if again.error is None else f": {error_text(again.error)}"
    return f"{'done' if again.status == 'performed' else again.status}{why}"
