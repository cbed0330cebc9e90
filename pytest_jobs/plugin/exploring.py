"""Explorations in tests: the replay of one history, and what the summary of a session says about them.

Checks find the plugin by a context variable, `audience`: there they read what to replay and how their report is
shown, and leave notes. Reports carry the notes to the process that writes the summary.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pytest

from ..exploration.report.audience import Audience, audience

if TYPE_CHECKING:
    from ..exploration.engine.sources import EffectSource


#: Attributes of a report: the notes of the checks, and whether the failure is the story of a history.
_NOTES: Final = "jobs_explored"
IS_STORY: Final = "jobs_not_idempotent"
#: How many jobs the summary names.
_NAMED: Final = 5
#: How the controller of pytest-xdist tells its workers what the terminal can show.
_ASCII: Final = "pytest_jobs_ascii"

#: The module of `check_idempotent`, which is imported where it is used.
_CHECK: Final = "pytest_jobs.exploration.check"


class Explorations:
    """Tells checks who reads them, and the reader what checks explored.

    Raises:
        pytest.UsageError: when the token of `--jobs-replay` is wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        token = config.getoption("--jobs-replay")
        if token is not None:
            from ..exploration.histories.replay import parsed_token

            try:
                parsed_token(token)
            except ValueError as error:
                raise pytest.UsageError(f"--jobs-replay={token}: {error}.") from error
        self._audience = Audience(
            verbose=config.get_verbosity() > 0,
            ascii=shows_only_ascii(config),
            replay=token,
            sources=self._sources,
        )
        #: Node ids of tests, each with the note of one check.
        self._notes: list[tuple[str, dict[str, Any]]] = []

    def _sources(self) -> list[EffectSource]:
        found = self._config.hook.pytest_jobs_effect_sources(config=self._config)
        return [source for several in found for source in several]

    def pytest_collection_finish(self) -> None:
        """Prepare copies of test databases if a module has imported `check_idempotent`."""
        manager = self._config.pluginmanager
        if _CHECK in sys.modules and manager.hasplugin("django"):
            from .cloning import Cloning

            manager.register(Cloning(), "pytest_jobs_clones")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Be the audience of all tests."""
        token = audience.set(self._audience)
        try:
            return (yield)
        finally:
            audience.reset(token)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Name the test as it is written where pytest was started, for the replay line."""
        path, colons, name = item.nodeid.partition("::")
        root, started = self._config.rootpath, self._config.invocation_params.dir
        as_given = os.path.relpath(root / path, started) + colons + name
        self._audience.nodeid = item.nodeid if started == root else as_given
        self._audience.notes.clear()
        try:
            return (yield)
        finally:
            self._audience.end_script()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Fail a test with checks of which none has the history that is to be replayed."""
        # The script of a fixture goes on until the fixture is torn down.
        of_fixture = self._audience.script
        self._audience.folder = getattr(item, "funcargs", {}).get("tmp_path")
        try:
            result = yield
        finally:
            self._audience.folder = None
            self._audience.end_script(of_fixture)
        notes = self._audience.notes
        if notes and all(note.replay == "other" for note in notes):
            jobs = ", ".join(dict.fromkeys(note.job for note in notes))
            raise pytest.fail.Exception(
                f"--jobs-replay={self._audience.replay} is for no check of this test, so nothing was replayed: it "
                f"checks {jobs}. Run the test that the replay line names.",
                pytrace=False,
            )
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the notes of the checks into the report."""
        report = yield
        if self._audience.notes:
            vars(report)[_NOTES] = [note.to_dict() for note in self._audience.notes]
            self._audience.notes.clear()
        if call.excinfo is not None and getattr(call.excinfo.value, "report", None) is not None:
            vars(report)[IS_STORY] = True
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the notes."""
        self._notes += [(report.nodeid, note) for note in vars(report).get(_NOTES, ())]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist what the terminal can show."""
        node.workerinput[_ASCII] = self._audience.ascii

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session that did not replay the history."""
        is_worker = hasattr(self._config, "workerinput")
        nothing = self._audience.replay is not None and not self._replayed()
        if nothing and not is_worker and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        """Say what was explored, and what was not."""
        lines = list(self._summary())
        if self._audience.replay is not None and not self._replayed():
            lines.append(f"--jobs-replay={self._audience.replay}: it did not pass in any test.")
        if lines:
            terminalreporter.section("explored jobs")
            for line in lines:
                terminalreporter.line(line)

    def _replayed(self) -> list[str]:
        return [nodeid for nodeid, note in self._notes if note["replay"] == "passes"]

    def _summary(self) -> Generator[str, None, None]:
        if self._audience.replay is not None:
            for nodeid in dict.fromkeys(self._replayed()):
                yield f"{nodeid}: the replayed history passes now"
            return
        if not self._notes:
            return
        yield f"passed: {_total([note for _, note in self._notes])}"
        if self._audience.verbose:
            for nodeid in dict.fromkeys(nodeid for nodeid, _ in self._notes):
                yield f"{nodeid}: {_total([note for test, note in self._notes if test == nodeid])}"
        for nodeid, note in self._notes:
            if note["left_out"]:
                yield f"{nodeid}: {note['job']}: left out {'; '.join(note['left_out'])}"


def _total(notes: Sequence[dict[str, Any]]) -> str:
    """Return how much some checks explored, of which jobs, and which histories not all of them did."""
    from ..exploration.histories.plans import HISTORIES

    histories = sum(note["histories"] for note in notes)
    jobs = list(dict.fromkeys(note["job"] for note in notes))
    named = ", ".join(jobs[:_NAMED])
    more = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
    checks = f"{_counted(len(notes), 'check')} of {named}{more}"
    text = f"{checks}, {_counted(histories, 'history', 'histories')}"
    left = Counter(name for note in notes for name in note["not_asked"])
    told = [
        name if left[name] == len(notes) else f"{name} (by {_counted(left[name], 'check')})"
        for name in HISTORIES
        if left[name]
    ]
    return f"{text}; not explored: {', '.join(told)}" if told else text


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def shows_only_ascii(config: pytest.Config) -> bool:
    """Say whether the terminal can show nothing but ASCII."""
    of_controller = getattr(config, "workerinput", {}).get(_ASCII)
    if of_controller is not None:
        return bool(of_controller)
    # `sys.stdout` may be captured, and a capture takes every character.
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "").replace("_", "") != "utf8"
