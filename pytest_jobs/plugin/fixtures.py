"""The fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from ..assertions.options import APPS

if TYPE_CHECKING:
    from ..harness.jobs import Jobs
    from ..harness.running.recurring import Scheduler
    from ..harness.time.clock import VirtualClock

#: The harness of a test.
JOBS: pytest.StashKey[Jobs] = pytest.StashKey()
#: The harness of a test until the report of its teardown is made; it is closed then.
CLOSED: pytest.StashKey[Jobs | None] = pytest.StashKey()
#: Whether the jobs were checked after the body of the test, so that later errors come from its fixtures.
ANSWERED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def jobs_apps(request: pytest.FixtureRequest) -> Sequence[object]:
    """The applications whose jobs are recorded: those of the ini file.

    Override it where applications are made by a factory, and return them, or names such as
    "celery:proj.celery:app".
    """
    from .settings.options import session_options

    return session_options(request.config)[APPS]


@pytest.fixture
def jobs_worker() -> Callable[[], AbstractContextManager[object]] | None:
    """Nothing: what a worker enters around each job.

    Override it where the worker does so, and return a function that returns a new context manager, such as
    `app.app_context` of Flask.
    """
    return None


@pytest.fixture
def job_harness(
    request: pytest.FixtureRequest, jobs_apps: Sequence[object], jobs_worker: object
) -> Iterator[Jobs]:
    """What the test enqueues, recorded; performed when told to, on a virtual clock."""
    from .opening import home_of, open_harness
    from .settings.options import applications_of_case, hand_over, item_options

    item: pytest.Item = request.node
    applications = applications_of_case(item, jobs_apps)
    jobs = open_harness(request.config, item_options(item), item.nodeid, applications)
    jobs.harness.find_home = partial(home_of, item)
    item.stash[JOBS] = jobs
    hand_over(item, jobs)
    item.stash[ANSWERED] = False
    try:
        yield jobs
        if item.stash[ANSWERED]:
            jobs.check()
    finally:
        del item.stash[JOBS]
        item.stash[CLOSED] = jobs
        jobs.close()


@pytest.fixture
def jobs(job_harness: Jobs) -> Jobs:
    """The same as `job_harness`, for projects that have no fixture of this name."""
    return job_harness


@pytest.fixture
def jobs_clock(job_harness: Jobs) -> VirtualClock:
    """The virtual clock of the test: real until it first moves."""
    return job_harness.clock


@pytest.fixture
def jobs_recurring(request: pytest.FixtureRequest, job_harness: Jobs) -> Scheduler:
    """Fires the schedule that the option `jobs_recurring` names, while `jobs.run_for` lets time pass."""
    from .opening import configured_schedule

    return job_harness.recurring(configured_schedule(request.config))


@pytest.fixture(scope="session")
def session_jobs(request: pytest.FixtureRequest, jobs_apps: Sequence[object]) -> Iterator[Jobs]:
    """What fixtures of a wider scope than a test enqueue: a harness for the whole session."""
    from ..harness.open_harness import open_harnesses
    from .guard import SessionGuard
    from .opening import open_harness
    from .settings.options import session_options

    guard = request.config.pluginmanager.get_plugin("pytest_jobs_guard")
    if isinstance(guard, SessionGuard):
        yield guard.jobs
        return
    if open_harnesses.any_open():
        raise pytest.UsageError(
            "session_jobs was first asked for when the harness of a test was open already, and cannot be opened "
            "over it: ask for it in a fixture of session scope, or set jobs_mode = record."
        )
    harness = open_harness(request.config, session_options(request.config), "", jobs_apps)
    try:
        yield harness
    finally:
        harness.close()


def _assertion(path: str, text: str) -> Any:
    """Return the fixture of an assertion, whose class is imported when a test asks for it.

    Args:
        path: the module of the class, below `assertions`, and its name.
        text: the docstring, which `pytest --fixtures` shows.
    """
    module, _, name = path.partition(":")

    def assertion(job_harness: Jobs) -> object:
        found = import_module(f"..assertions.{module}", __package__)
        return getattr(found, name)(lambda: job_harness)

    assertion.__doc__ = text
    return pytest.fixture(assertion)


assert_enqueued = _assertion(
    "asserts:AssertEnqueued",
    'Assert that a job was enqueued: `assert_enqueued(Pay, params={"payment_id": 7})`.',
)
assert_enqueued_in_order = _assertion(
    "several:AssertEnqueuedInOrder",
    "Assert that exactly these jobs were enqueued, in this order.",
)
assert_performed = _assertion(
    "asserts:AssertPerformed", "Assert that a delivery of a job succeeded."
)
assert_retried = _assertion(
    "asserts:AssertRetried",
    "Assert that a delivery of a job failed and will be followed by another.",
)
assert_discarded = _assertion("asserts:AssertDiscarded", "Assert that a rule dropped a job.")
assert_failed = _assertion("asserts:AssertFailed", "Assert that a job ended in failure.")
assert_followed_by = _assertion(
    "several:AssertFollowedBy",
    "Assert what the library will enqueue after a job that was enqueued.",
)
assert_batched = _assertion(
    "several:AssertBatched",
    "Assert that exactly these jobs were enqueued together, as one batch.",
)
assert_delivered = _assertion(
    "asserts:AssertDelivered",
    'Assert what an attempt of a job came to, such as "snoozed" or "cancelled".',
)
assert_not_enqueued = _assertion(
    "asserts:AssertNotEnqueued",
    "Assert that a job was not enqueued; without a job, nothing at all.",
)
assert_not_performed = _assertion(
    "asserts:AssertNotPerformed", "Assert that no delivery of a job succeeded."
)
