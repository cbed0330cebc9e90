"""Explorations in tests.

Checks find the plugin by a context variable, `audience`: there they read what to replay and how their report is
shown, and leave notes. Reports carry the notes to the process that writes the summary.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from ..assertions.options import REPEATABLE
from ..exploration.report.audience import Audience, audience, keeping
from .settings.declared import is_verbose
from .settings.options import item_options

if TYPE_CHECKING:
    from ..exploration.engine.sources import EffectSource


#: Attributes of a report: the notes of the checks, and whether the failure is the story of a history.
_NOTES: Final = "jobs_explored"
IS_STORY: Final = "jobs_not_idempotent"
#: How the controller of pytest-xdist tells its workers what the terminal can show.
_ASCII: Final = "pytest_jobs_ascii"

#: The module of `check_idempotent`, which is imported where it is used.
_CHECK: Final = "pytest_jobs.exploration.check"
#: The fixture of pytest-django that makes the test databases.
_SETUP: Final = "django_db_setup"


class Explorations:
    """Is the audience of the checks in all tests, and collects their notes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        token = config.getoption("--jobs-replay")
        #: How the reports of checks are read.
        self.audience = Audience(
            verbose=is_verbose(config),
            ascii=shows_only_ascii(config),
            replays=() if token is None else (token,),
            sources=self._sources,
        )
        #: Node ids of tests, each with the note of one check.
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def _sources(self) -> list[EffectSource]:
        found = self._config.hook.pytest_jobs_effect_sources(config=self._config)
        return [source for several in found for source in several]

    def pytest_collection_finish(self) -> None:
        """Prepare copies of what tests have if a module has imported `check_idempotent`."""
        manager = self._config.pluginmanager
        if _CHECK in sys.modules:
            from ..exploration.worlds.files import temporary_folders

            temporary_folders.follow()
        if _CHECK in sys.modules and manager.hasplugin("django"):
            manager.register(Cloning(), "pytest_jobs_clones")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        token = audience.set(self.audience)
        logging = self._config.pluginmanager.getplugin("logging-plugin")
        self.audience.log = getattr(logging, "report_handler", None)
        try:
            with keeping():
                return (yield)
        finally:
            audience.reset(token)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Name the test as it is written where pytest was started, for the replay line."""
        nodeid = item.nodeid
        root, started = self._config.rootpath, self._config.invocation_params.dir
        if started != root:
            path, colons, name = nodeid.partition("::")
            nodeid = os.path.relpath(root / path, started) + colons + name
        self.audience.nodeid = nodeid
        self.audience.repeatable = lambda: item_options(item)[REPEATABLE]
        self.audience.notes.clear()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Lend the temporary folder of the test."""
        self.audience.folder = getattr(item, "funcargs", {}).get("tmp_path")
        try:
            return (yield)
        finally:
            self.audience.folder = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the notes of the checks into the report."""
        report = yield
        if self.audience.notes:
            vars(report)[_NOTES] = [note.to_dict() for note in self.audience.notes]
            self.audience.notes.clear()
        if call.excinfo is not None and getattr(call.excinfo.value, "report", None) is not None:
            vars(report)[IS_STORY] = True
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.notes += [(report.nodeid, note) for note in vars(report).get(_NOTES, ())]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Pass on to a worker of pytest-xdist what the terminal can show."""
        node.workerinput[_ASCII] = self.audience.ascii

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was explored, and what was not."""
        if self.notes and not self.audience.replays:
            from .explored import summary

            terminalreporter.section("explored jobs")
            for line in summary(self.notes, verbose=self.audience.verbose):
                terminalreporter.line(line)


def shows_only_ascii(config: pytest.Config) -> bool:
    """Say whether the terminal can show nothing but ASCII."""
    of_controller = getattr(config, "workerinput", {}).get(_ASCII)
    if of_controller is not None:
        return bool(of_controller)
    # `sys.stdout` may be captured, and a capture takes every character.
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "").replace("_", "") != "utf8"


class Replay:
    """`--jobs-replay`: fails a test, and a session, in which the history that it names was not replayed."""

    def __init__(self, config: pytest.Config, explorations: Explorations) -> None:
        """Take the token of the option.

        Raises:
            pytest.UsageError: when the token is wrong.
        """
        self._config = config
        self._explorations = explorations
        (self._token,) = explorations.audience.replays
        from ..exploration.histories.replay import parsed_token

        try:
            parsed_token(self._token)
        except ValueError as error:
            raise pytest.UsageError(f"--jobs-replay={self._token}: {error}.") from error

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Fail a test with checks of which none has the history that is to be replayed."""
        result = yield
        notes = self._explorations.audience.notes
        if notes and all(note.replay == "other" for note in notes):
            jobs = ", ".join(dict.fromkeys(note.job for note in notes))
            raise pytest.fail.Exception(
                f"--jobs-replay={self._token} is for no check of this test, so nothing was replayed: it "
                f"checks {jobs}. Run the test that the replay line names.",
                pytrace=False,
            )
        return result

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session that did not replay the history."""
        is_worker = hasattr(self._config, "workerinput")
        if not is_worker and not self._replayed() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in which tests the history passes now."""
        replayed = self._replayed()
        terminalreporter.section("explored jobs")
        for nodeid in replayed:
            terminalreporter.line(f"{nodeid}: the replayed history passes now")
        if not replayed:
            terminalreporter.line(f"--jobs-replay={self._token}: it did not pass in any test.")

    def _replayed(self) -> list[str]:
        notes = self._explorations.notes
        return list(dict.fromkeys(nodeid for nodeid, note in notes if note["replay"] == "passes"))


class Cloning:
    """Makes second test databases for checks without a world, just after pytest-django has made the first.

    A server of PostgreSQL copies no database to which a test is connected.
    """

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        result = yield
        if fixturedef.argname == _SETUP:
            self._make(fixturedef, request.getfixturevalue("django_db_blocker"))
        return result

    def _make(self, fixturedef: pytest.FixtureDef[Any], blocker: Any) -> None:
        from ..exploration.worlds.django.databases import Clones, clones

        made, stack = Clones(), ExitStack()
        with blocker.unblock():
            stack.enter_context(made.made())
        token = clones.set(made)
        stack.callback(clones.reset, token)

        def drop() -> None:
            with blocker.unblock():
                stack.close()

        fixturedef.addfinalizer(drop)
