"""Records what a session sees of its jobs, for the options that show it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from ...insight.seen.recorder import Recorder
from ...insight.seen.session import SeenSession

if TYPE_CHECKING:
    from ...exploration.report.audience import Audience
    from ...harness.jobs import Jobs
    from ...harness.records.targets import Target

#: Where a worker of pytest-xdist puts what it saw.
_KEY = "pytest_jobs_seen"
_NAME = "pytest_jobs_recording"


class Recording:
    """Feeds a recorder; at the end of the session `seen` has all of it, that of the workers included."""

    def __init__(self, config: pytest.Config, audience: Audience) -> None:
        self._config = config
        self._recorder = Recorder(with_arguments=False)
        audience.when_checked.append(self._recorder.checked)
        #: How each phase of the test that runs has ended.
        self._outcomes: list[str] = []

    @property
    def seen(self) -> SeenSession:
        """What was seen until now."""
        return self._recorder.session

    def draw(self, draw: Callable[[Target, Sequence[Any]], dict[str, Any] | None]) -> None:
        """Have arguments, errors and the maps of checks written too, for those who show them.

        Args:
            draw: returns the map of a check in plain values.
        """
        self._recorder.with_arguments, self._recorder.draw = True, draw

    def pytest_jobs_opened(self, jobs: Jobs, nodeid: str) -> None:
        self._recorder.opened(jobs, nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._recorder.begins(getattr(item, "obj", None))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        self._recorder.begins(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Record the outcome of a test when its teardown is over."""
        report = yield
        self._outcomes.append(report.outcome)
        if call.when == "teardown":
            worst = next((one for one in ("failed", "skipped") if one in self._outcomes), "passed")
            self._recorder.ended(item.nodeid, worst)
            self._outcomes.clear()
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Send what was seen to the controller."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_KEY] = pickle.dumps(self.seen)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist saw."""
        found = getattr(node, "workeroutput", {}).get(_KEY)
        if found is not None:
            self.seen.add(pickle.loads(found))  # noqa: S301  from a worker of our own


def recording(config: pytest.Config, audience: Audience) -> Recording:
    """Return what records the session: the first option that asks for it begins it.

    Args:
        config: the session.
        audience: is told of checks.
    """
    manager = config.pluginmanager
    found = manager.get_plugin(_NAME)
    if not isinstance(found, Recording):
        found = Recording(config, audience)
        manager.register(found, _NAME)
    return found
