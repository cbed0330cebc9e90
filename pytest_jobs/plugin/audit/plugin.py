"""Both passes of `--jobs-audit`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from ...assertions.options import APPS, AUDIT, AUDIT_TIME, AUDITABLE, IGNORE, Settings
from ...bridges.call_capture import DirectCallCapture
from ...bridges.libraries.outside import noticing_enqueues
from ...exploration.histories.exploration import Exploration
from ...exploration.report.audience import Audience
from ...exploration.report.report import quoted
from ...harness.open_harness import open_harnesses
from ...harness.records.patches import Patches
from ...harness.records.progress import Work
from ...harness.records.targets import Target
from ...harness.records.texts import counted, error_text
from ...harness.running.direct_calls import direct_calls
from ...insight.lint.baseline import Baseline
from ...insight.lint.rules.rule import Finding as Fault
from ...insight.seen.audited import ShownAudit
from ..insight.recording import reaching
from ..settings.options import item_options
from . import checking
from .arrivals import Arrival, Reach, Reached, Reason
from .checking import Checked, Checker
from .findings import Finding, causes, in_files
from .functions import CalledFunctions
from .handoffs import Handoffs, lines_of_handoffs
from .rerun import (
    end_wider_fixtures,
    ended_as_by_ctrl_c,
    looks_before_tear_down,
    run_again,
    runs_nothing,
)
from .result import Accepted, Audited, Result, Share, together
from .swallowed import Swallowed
from .text import shown, written

if TYPE_CHECKING:
    from ...harness.jobs import Jobs
    from ...harness.open_harness import OpenHarness

#: In how many tests a job is checked, and how many may show nothing before it is given up.
_CHECKS: Final = 2
_REFUSALS: Final = 4
#: Where it has ended at one line in so many tests without doing anything, it does so in the others: those in which
#: it takes longest come first.
_IDLE: Final = 8
#: Under which the controller of pytest-xdist tells its workers where they write what they find.
_FOLDER: Final = "pytest_jobs_audit"


class AuditPlugin:
    """Notes which jobs the tests reach, and checks them when all tests have run."""

    def __init__(
        self,
        config: pytest.Config,
        options: Settings,
        baseline: Baseline | None,
        audience: Audience,
        notes: list[tuple[str, dict[str, Any]]],
    ) -> None:
        """Note nothing yet.

        Args:
            config: has the flags.
            options: the settings of the session.
            baseline: the findings that are accepted; None if there are none.
            audience: the test that runs.
            notes: gets a note for a replayed history that passes.
        """
        self._config = config
        self._options = options
        self._baseline = None if baseline is None else Accepted(baseline["audit"])
        #: Called after each check, so that nothing is lost when the audit is killed.
        self.when_found: Callable[[], object] = lambda: None
        self._audience = audience
        self._notes = notes
        #: The harness of the running test; None if it has none.
        self._harness: OpenHarness | None = None
        self._reached = Reached()
        self._patches = Patches()
        self._calls = DirectCallCapture(self._patches)
        self._swallowed = Swallowed(self._patches, options)
        #: The ids of the tests that run only once, each with the reason.
        self._spared: dict[str, str] = {}
        #: What runs now in the second pass; None in the first.
        self._checker: Checker | None = None
        #: The error that has ended the test that ran once more; empty if it came to its end.
        self._error = ""
        #: The test that ran last.
        self._last: pytest.Item | None = None
        #: Ends the fixtures that a test does not share; and the class or module of the test that ran last in the
        #: second pass, whose fixtures stay: setting them up may take longer than the check.
        self._end_fixtures: Callable[[pytest.Item | pytest.Session], object] = lambda item: None
        self._stays: object = None
        self._result = Result()
        #: Where the second pass has come to a job.
        self._tried: set[Reach] = set()
        self._reaching = reaching(config, audience)
        self._reaching.others = lambda: self._result.ways
        self._known_handoffs: Handoffs | None = None
        #: Whether all processes have said what they have imported and seen.
        self._is_ended = False
        #: Of the controller of pytest-xdist: where its workers write what they find.
        self._folder: Path | None = None
        given = getattr(config, "workerinput", {})
        #: Of a worker: its share in the second pass.
        self._share = (
            Share(Path(given[_FOLDER]), given["workerid"], given["workercount"])
            if _FOLDER in given
            else None
        )
        audience.when_checked.append(self._note_check)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker of pytest-xdist the folder for what it finds.

        Raises:
            pytest.UsageError: when the worker runs on another machine.
        """
        if not node.gateway.spec.popen:
            raise pytest.UsageError(
                f"--jobs-audit: the workers write what they find into one folder, and {node.gateway.spec} is on "
                "another machine: start workers here, with -n."
            )
        if self._folder is None:
            folder = TemporaryDirectory(prefix="pytest-jobs-")
            self._config.add_cleanup(folder.cleanup)
            self._folder = Path(folder.name)
        node.workerinput[_FOLDER] = str(self._folder)

    # Inside of all others, so that the second pass runs as the tests did.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Put the second pass behind the last test. Fixtures of the session end after it: some are made once."""
        if runs_nothing(self._config):
            return (yield)
        if self._folder is not None:
            try:
                with ended_as_by_ctrl_c():
                    return (yield)
            finally:
                self._result = together(self._folder)
                self._end()
        functions = CalledFunctions(
            self._config.rootpath.resolve(), self._options[APPS], self._options[IGNORE]
        )
        self._result.left_out.update(functions.left_out)
        direct_calls.when_seen.append(functions.exchange)
        before, open_harnesses.spectator = open_harnesses.spectator, self._reached
        state = cast(Any, session)._setupstate
        tear_down = state.teardown_exact
        self._end_fixtures = tear_down
        self._patches.set(
            state,
            "teardown_exact",
            lambda following: tear_down(following or self._stays or session),
        )
        try:
            result = yield
            if not (session.shouldfail or session.shouldstop):
                self._second_pass(session)
        finally:
            direct_calls.when_seen.remove(functions.exchange)
            open_harnesses.spectator = before
            self._patches.restore()
            self._end()
        if self._last is not None:
            end_wider_fixtures(self._last)
        return result

    def pytest_jobs_opened(self, jobs: Jobs, nodeid: str) -> None:
        """Note the harness of a test."""
        if nodeid:
            self._harness = jobs.harness

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> object:
        """Run a test of the second pass instead of pytest."""
        self._harness = None
        self._swallowed.begin()
        self._calls.catch_up()
        if self._checker is not None:
            before, open_harnesses.spectator = open_harnesses.spectator, self._checker
            try:
                with warnings.catch_warnings(record=True):
                    self._error = run_again(item)
            finally:
                open_harnesses.spectator = before
            return True
        self._last, self._reached.nodeid = item, item.nodeid
        if not item_options(item)[AUDITABLE]:
            self._spared[item.nodeid] = "Its tests say audit=False."
        elif not isinstance(item, pytest.Function):
            self._spared[item.nodeid] = "Its tests are no functions, which alone can run once more."
        return None

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """See the direct calls of a test, and what it leaves pending, while the test still is its own."""
        spectator = self._checker or self._reached
        with ExitStack() as stack:
            stack.enter_context(direct_calls.seen_by(spectator))
            if self._checker is None and not open_harnesses.any_open():
                note = partial(self._result.past.add, item.nodeid)
                stack.enter_context(noticing_enqueues(note))
            look = partial(self._see_left, spectator, item)
            if looks_before_tear_down(item, look):
                return (yield)
            result = yield
        look()
        return result

    def _see_left(self, spectator: Checker | Reached, item: pytest.Item) -> None:
        """See what a test leaves at its end: what is pending, and what has come to no queue."""
        monkeypatch = (getattr(item, "funcargs", None) or {}).get("monkeypatch")
        # Of a response that the test has not closed.
        spectator.make_waiting()
        with direct_calls.seen_by(None):
            for record in [] if self._harness is None else list(self._harness.ledger.pending()):
                # A retry belongs to its first delivery.
                if record.retry_of is None:
                    spectator.saw(Arrival.of_record(record, "enqueued"))
            with self._swallowed.arrivals(monkeypatch) as swallowed:
                for arrival in swallowed:
                    spectator.saw(arrival)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._reached.note_passed(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session with findings, or one that was to be audited, by the flag, and checked no job."""
        if runs_nothing(self._config) or self._share is not None:
            return
        self._is_ended = True
        if session.exitstatus != pytest.ExitCode.OK:
            return
        is_empty = not self._result.checked and self._config.getoption(AUDIT.flag)
        # A worker that dies after its tests breaks none of them.
        if is_empty or not self._result.is_complete or self._new():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if runs_nothing(self._config):
            return
        bad = bool(self._new()) or not self._result.checked
        verbose = self._config.get_verbosity() > 0 or self._is_replay
        terminalreporter.section("--jobs-audit", red=bad, green=not bad)
        for line in written(self.shown(), verbose=verbose):
            terminalreporter.line(line)
        checks = (check for each in self._result.checked for check in each.checks if check.story)
        for check in checks:
            terminalreporter.line(f"\n{check.story}")
        if self._new():
            count = counted(len(causes(self._new())), "finding")
            terminalreporter.line(
                f"FAIL --jobs-audit: {count}. The session ends with status 1.", red=True
            )

    def faults(self) -> Iterator[Fault]:
        """Yield the findings that fail the session as those of the lint, which reports in files show."""
        return in_files((same[0] for same in causes(self._new())), self._config.rootpath)

    def to_dict(self) -> dict[str, Any]:
        """Return what was found as values that JSON has."""
        found = self._result.to_dict()
        if self._is_ended:
            found["unreached"] = [job.name for job in self._reaching.jobs().unreached]
            found["handoffs"] = self._handoffs().to_dict()
        return found

    def shown(self) -> ShownAudit:
        """Return what the audit says, which is on the page of the report too."""
        return shown(self._result, self._baseline, self._reaching.jobs(), self._handoffs())

    def _new(self) -> list[Finding]:
        """Return the findings that fail the session."""
        found = self._result.findings
        return found if self._baseline is None else self._baseline.new(found)

    def _note_check(self, target: Target, explorations: Sequence[Exploration]) -> None:
        """Note where a check of a handoff came to."""
        self._result.handed_off.update(lines_of_handoffs(explorations))

    def _second_pass(self, session: pytest.Session) -> None:
        result, reached, audience = self._result, self._reached, self._audience
        # All of them first, so that a summary after Ctrl-C names those that were not checked.
        for job in reached.jobs():
            result.audited[job] = Audited(job, len(reached.tests_of(job)), reached.ways_of(job))
        result.past -= reached.tests()
        result.is_begun = True
        audience.audit = self._flags()
        # The report shows what the tests do, and not these checks and second runs.
        before, audience.when_checked = audience.when_checked, []
        try:
            with self._reaching.recording.paused(), ended_as_by_ctrl_c():
                self._check_all({item.nodeid: item for item in session.items})
        finally:
            audience.audit, audience.when_checked = "", before

    def _check_all(self, items: Mapping[str, pytest.Item]) -> None:
        """Check the jobs of this process.

        Args:
            items: the tests by their ids.
        """
        audited, share = self._result.audited, self._share
        jobs = [*audited] if share is None else share.in_turn(audited)
        begun = time.process_time()
        with Work("--jobs-audit", "jobs", len(jobs)) as work:
            for job in jobs:
                # Now, so that nothing is lost when the audit is killed.
                self._write()
                work.step(job)
                if share is None or not share.is_checked(job):
                    self._check(audited[job], items, begun)
                audited[job].is_done = True
        self._look_again(items, begun)
        self._replay(self._result.checked, items, begun)
        idle = [each for each in self._result.not_checked if each.idle]
        for each in idle:
            self._check(each, items, begun, in_any=True)
        self._replay(idle, items, begun)
        self._result.is_complete = True

    def _check(
        self,
        audited: Audited,
        items: Mapping[str, pytest.Item],
        begun: float,
        *,
        in_any: bool = False,
    ) -> None:
        """Check a job in one or two tests.

        Args:
            audited: gets what was found.
            items: the tests by their ids.
            begun: when the second pass began, in seconds of computing.
            in_any: whether to go on until it does something in a test: all jobs had their turn.
        """
        reached, job = self._reached, audited.job
        audited.reasons.update(dict.fromkeys(reached.unfit(job, self._spared)))
        reaches = reached.fit(job, self._spared)
        if in_any:
            # A job that returns at once takes the least time.
            reaches.sort(key=lambda reach: -reach.seconds)
        for reach in reaches:
            shapes = {check.reach.shape for check in audited.checks}
            idle = 0 if in_any else audited.idle.total()
            if len(audited.checks) == _CHECKS or audited.refusals + idle >= _REFUSALS:
                break
            if max(audited.idle.values(), default=0) >= _IDLE:
                break
            if reach in self._tried or (reach.shape in shapes and not self._is_replay):
                continue
            if self._is_over(begun):
                why = f"No time was left of {self._options[AUDIT_TIME]:g} s of computing."
                if not audited.idle:
                    audited.note(Checked(reach, Reason(why, "Raise --jobs-audit-time.")))
                break
            self._tried.add(reach)
            audited.note(self._checked(items[reach.nodeid], reach, checking.SECONDS))

    def _look_again(self, items: Mapping[str, pytest.Item], begun: float) -> None:
        """Give the checks that were cut short the time that is left: all jobs had their turn."""
        for audited in self._result.checked:
            for place, check in enumerate(audited.checks):
                if audited.findings or check.tried == check.planned or self._is_over(begun):
                    continue
                again = self._checked(items[check.reach.nodeid], check.reach, checking.LONGER)
                if not again.refused:
                    audited.checks[place] = again
                    self._write()

    def _replay(
        self, jobs: Sequence[Audited], items: Mapping[str, pytest.Item], begun: float
    ) -> None:
        """Replay each cause, and leave out what does not repeat: it was wrong by chance."""
        repeated: set[object] = set()
        for audited in [] if self._is_replay else jobs:
            for check in audited.checks:
                accepted = (
                    [] if self._baseline is None else filter(self._baseline.reason, check.findings)
                )
                known = {finding.token for finding in accepted}
                new = [
                    each
                    for each in check.findings
                    if each.token not in known and repeated.isdisjoint(each.traits)
                ]
                if not new or self._is_over(begun):
                    continue
                gone = self._passing(items[check.reach.nodeid], check.reach, new)
                repeated.update(*(each.traits for each in new if each not in gone))
                if gone:
                    check.findings = [each for each in check.findings if each not in gone]
                    why = f"{len(gone)} that did not fail again when replayed"
                    check.left_out = "; ".join(filter(None, (check.left_out, why)))
        self._write()

    def _passing(
        self, item: pytest.Item, reach: Reach, findings: Sequence[Finding]
    ) -> Sequence[Finding]:
        """Carry out only the histories of the findings of one check; return the findings whose history passes.

        All in one run of the test, since its clean runs take longest. Where that shows nothing, as when one of
        the histories is gone, each has a run of its own.
        """
        self._audience.replays = [finding.token for finding in findings]
        try:
            again = self._checked(item, reach, checking.LONGER)
        finally:
            self._audience.replays = ()
        if again.refused and len(findings) > 1:
            return [gone for each in findings for gone in self._passing(item, reach, [each])]
        failed = {finding.token for finding in again.findings}
        return [each for each in findings if again.tried and each.token not in failed]

    def _is_over(self, begun: float) -> bool:
        """Say whether the time of the audit is over, which began at a time of computing."""
        return time.process_time() - begun > self._options[AUDIT_TIME]

    def _end(self) -> None:
        """Write the files of this process, and tell of replays that pass."""
        result = self._result
        self._write()
        if self._share is not None:
            return
        if self._is_replay:
            checks = [check for each in result.checked for check in each.checks if check.passes]
            self._notes += [(check.reach.nodeid, {"replay": "passes"}) for check in checks]
        elif result.is_complete and self._baseline is not None and self._baseline.updates:
            self._baseline.update(result)

    def _handoffs(self) -> Handoffs:
        """Return the places that hand work off, when all processes have said what they have imported."""
        # No cached property: pytest 8.2 asks a plugin for all its attributes when it is registered.
        if self._known_handoffs is None:
            project, cases = self._reaching.source()
            self._known_handoffs = Handoffs.of(project, cases.schedules, self._result.handed_off)
        return self._known_handoffs

    def _write(self) -> None:
        """Have what was found until now written; a worker writes it for the controller."""
        if self._share is not None:
            self._share.write(self._result)
        else:
            self.when_found()

    def _checked(self, item: pytest.Item, reach: Reach, seconds: float) -> Checked:
        """Run a test once more with a check inside, and throw its outcome away.

        It has the fixtures of its class and its module from the tests before that have the same. Where it then
        does not reach the job, or a history that failed passes, it has them anew: a test before may have used
        them up.
        """
        is_shared = self._stays is not None
        checked = self._checked_in(item, reach, seconds)
        if is_shared and (checked is None or (self._is_replay and checked.passes)):
            checked = self._checked_in(item, reach, seconds, anew=True)
        why = f": {self._error}" if self._error else ""
        unreached = f"Its tests do not reach it again when they run once more{why}."
        return checked or Checked(reach, Reason(unreached))

    def _checked_in(
        self, item: pytest.Item, reach: Reach, seconds: float, *, anew: bool = False
    ) -> Checked | None:
        """Run a test once more, with the fixtures that are there or anew; None if it does not reach the job."""
        self._checker = checker = Checker(reach, self._audience, seconds)
        try:
            self._end_fixtures(item.session if anew else item)
            self._stays = item.parent
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        except Exception as error:
            self._error = error_text(error)
        finally:
            self._checker = None
        return checker.checked

    @property
    def _is_replay(self) -> bool:
        return bool(self._audience.replays)

    def _flags(self) -> str:
        """Return the flags with which a test reaches its jobs as it did, and they are checked."""
        option = self._config.getoption
        flags = ["--jobs-inline"] if option("--jobs-inline") else []
        if option("--jobs-mode"):
            flags.append(f"--jobs-mode={option('--jobs-mode')}")
        flags += [f"-o {quoted(text)}" for text in option("override_ini") or () if "job" in text]
        return "".join(f"{flag} " for flag in (*flags, "--jobs-audit"))
