"""What several options look at: the jobs of a session, what it has imported, and its tests without a harness.

The first option that asks for one of these registers it.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import pytest

from ...bridges.libraries.outside import noticing_enqueues
from ...harness.open_harness import open_harnesses
from ...harness.records.texts import counted
from ...insight.seen.recorder import Recorder
from ...insight.seen.session import SeenSession
from ...insight.source.running import Running, running_jobs

if TYPE_CHECKING:
    from ...exploration.report.audience import Audience
    from ...harness.jobs import Jobs
    from ...harness.records.targets import Target

T = TypeVar("T")

#: Where a worker of pytest-xdist puts what it saw, and what it has imported.
_SEEN: Final = "pytest_jobs_seen"
_RUNNING: Final = "pytest_jobs_running"
#: Attribute of a report: what became of the jobs of its test.
_UNPERFORMED: Final = "jobs_unperformed"


def _shared(config: pytest.Config, name: str, make: Callable[[], T]) -> T:
    manager = config.pluginmanager
    found = manager.get_plugin(name)
    if found is None:
        found = make()
        manager.register(found, name)
    return cast(T, found)


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
            output[_SEEN] = pickle.dumps(self.seen)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist saw."""
        found = getattr(node, "workeroutput", {}).get(_SEEN)
        if found is not None:
            self.seen.add(pickle.loads(found))  # noqa: S301  from a worker of our own


def recording(config: pytest.Config, audience: Audience) -> Recording:
    """Return what records the session: the first option that asks for it begins it.

    Args:
        config: the session.
        audience: is told of checks.
    """
    return _shared(config, "pytest_jobs_recording", lambda: Recording(config, audience))


class Importing:
    """Reads the registries when all tests have run; then `running` has those of all workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.running = Running()

    # Before those who use it, which come last.
    def pytest_sessionfinish(self) -> None:
        """Read what this process has; a worker sends it to the controller."""
        self.running.add(running_jobs(self._config.rootpath.resolve()))
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_RUNNING] = self.running.to_dict()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist has imported."""
        found = getattr(node, "workeroutput", {}).get(_RUNNING)
        if found is not None:
            self.running.add(Running.from_dict(found))


def importing(config: pytest.Config) -> Importing:
    """Return what reads the registries of the session: the first option that asks for it registers it."""
    return _shared(config, "pytest_jobs_importing", lambda: Importing(config))


class Unperformed:
    """Counts tests that enqueue jobs which no harness performs: `--jobs-inline` lets such a suite show something.

    Reports carry what was seen, also from pytest-xdist.
    """

    def __init__(self) -> None:
        self._of_test: set[str] = set()
        self._tests: Counter[str] = Counter()

    def pytest_jobs_opened(self, jobs: Jobs) -> None:
        """Look at what a test has left when its harness closes."""

        def look() -> None:
            self._of_test.update(["pending"] if any(jobs.harness.ledger.pending()) else ())

        jobs.harness.when_closing.append(look)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Notice what a test enqueues that has no harness."""
        if open_harnesses.any_open():
            return (yield)
        with noticing_enqueues(lambda: self._of_test.add("past")):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what was seen of the test into its last report."""
        report = yield
        if call.when == "teardown":
            vars(report)[_UNPERFORMED] = sorted(self._of_test)
            self._of_test.clear()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._tests.update(vars(report).get(_UNPERFORMED, ()))

    def hint(self) -> str:
        """Return the sentence that names the flag; "" if there is no such test."""
        past, pending = self._tests["past"], self._tests["pending"]
        counts = [
            f"{counted(past, 'test')} outside of any harness" if past else "",
            f"{counted(pending, 'test')} whose jobs stayed pending" if pending else "",
        ]
        if not any(counts):
            return ""
        return (
            f"Jobs were enqueued in {' and in '.join(filter(None, counts))}: add --jobs-inline, which performs "
            "each job where it is enqueued."
        )


def unperformed(config: pytest.Config) -> Unperformed:
    """Return what counts the tests of the session: see `recording`."""
    return _shared(config, "pytest_jobs_unperformed", Unperformed)
