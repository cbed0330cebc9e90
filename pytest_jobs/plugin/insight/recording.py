"""What several options look at: the jobs of a session, how tests reach them, and what the session has imported.

The first option that asks for one of these registers it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import pytest

from ...assertions.options import IGNORE
from ...errors import LintSettingsError
from ...insight.lint.settings import LintSettings, read_settings
from ...insight.reached.cases import Cases
from ...insight.reached.reached import JobsReached, Way, jobs_reached
from ...insight.seen.recorder import Recorder
from ...insight.seen.session import SeenSession
from ...insight.source.project import Project
from ...insight.source.running import Running, running_jobs
from ...insight.source.tree import Tree
from ..settings.options import session_options

if TYPE_CHECKING:
    from ...exploration.report.audience import Audience
    from ...harness.jobs import Jobs
    from ...harness.records.targets import Target

T = TypeVar("T")

_reaching = pytest.StashKey["Reaching"]()

#: Where a worker of pytest-xdist puts what it saw, and what it has imported.
_SEEN: Final = "pytest_jobs_seen"
_RUNNING: Final = "pytest_jobs_running"


def _shared(config: pytest.Config, name: str, make: Callable[[], T]) -> T:
    manager = config.pluginmanager
    found = manager.get_plugin(name)
    if found is None:
        found = make()
        manager.register(found, name)
    return cast(T, found)


def lint_settings(config: pytest.Config) -> LintSettings:
    """Return the settings of the lint.

    Raises:
        pytest.UsageError: when one is wrong.
    """
    try:
        return read_settings(config.rootpath)
    except LintSettingsError as error:
        raise pytest.UsageError(str(error)) from None


class Recording:
    """Feeds a recorder; at the end of the session `seen` has all of it, that of the workers included."""

    def __init__(self, config: pytest.Config, audience: Audience) -> None:
        self._config = config
        self._recorder = Recorder(with_arguments=False)
        self._is_paused = False
        audience.when_checked.append(self._recorder.checked)
        #: How each phase of the test that runs has ended.
        self._outcomes: list[str] = []

    @property
    def seen(self) -> SeenSession:
        """What was seen until now."""
        return self._recorder.session

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """Record no harness that is opened in a block."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def draw(self, draw: Callable[[Target, Sequence[Any]], dict[str, Any] | None]) -> None:
        """Have arguments, errors and the maps of checks written too, for those who show them.

        Args:
            draw: returns the map of a check in plain values.
        """
        self._recorder.with_arguments, self._recorder.draw = True, draw

    def pytest_jobs_opened(self, jobs: Jobs, nodeid: str) -> None:
        if not self._is_paused:
            self._recorder.opened(jobs, nodeid)

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


class Reaching:
    """How the tests reach each job, for those who show it when all tests have run."""

    def __init__(self, config: pytest.Config, audience: Audience) -> None:
        """Have recorded what is looked at.

        Args:
            config: the session.
            audience: is told of checks.

        Raises:
            pytest.UsageError: when a setting of the lint is wrong, which says what else is a job.
        """
        self.recording = recording(config, audience)
        self._root = config.rootpath
        self._ignore = session_options(config)[IGNORE]
        self._importing = importing(config)
        self._settings = lint_settings(config)
        #: Returns what the audit knows of the ways to each job, by its name; None where it did not look.
        self.others: Callable[[], Mapping[str, Collection[Way]] | None] = lambda: None
        self._source: tuple[Project, Cases] | None = None
        self._jobs: JobsReached | None = None

    def source(self) -> tuple[Project, Cases]:
        """Return the source of the project, and what finds the cases of its jobs."""
        if self._source is None:
            settings = self._settings
            project = Project(
                Tree(self._root),
                base=self._root,
                jobs=settings.jobs,
                exclude=settings.exclude,
                running=self._importing.running,
            )
            self._source = project, Cases(project)
        return self._source

    def jobs(self) -> JobsReached:
        """Return how the tests reach each job."""
        if self._jobs is None:
            self._jobs = jobs_reached(
                *self.source(),
                self.recording.seen,
                exclude=self._settings.exclude,
                ignore=self._ignore,
                others=self.others(),
            )
        return self._jobs


def reaching(config: pytest.Config, audience: Audience) -> Reaching:
    """Return what says how the tests reach each job: see `recording`."""
    found = config.stash.get(_reaching, None)
    if found is None:
        found = config.stash[_reaching] = Reaching(config, audience)
    return found
