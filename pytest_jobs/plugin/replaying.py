"""`--jobs-replay`: carrying out only the history that the report of a check names."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ..exploration.histories.replay import parsed_token
from .exploring import Explorations


class Replay:
    """Fails a test, and a session, in which the history was not replayed."""

    def __init__(self, config: pytest.Config, explorations: Explorations) -> None:
        """Take the token of the option.

        Raises:
            pytest.UsageError: when the token is wrong.
        """
        self._config = config
        self._explorations = explorations
        self._token = explorations.audience.replay or ""
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
