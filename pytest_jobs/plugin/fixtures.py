"""The fixtures, and which tests have a harness without asking for one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from .outcome import ANSWERED, CLOSED, JOBS
from .settings.misspelt import check_marker_names
from .settings.options import (
    applications_of_case,
    configure_case,
    hand_over,
    is_jobs_case,
    item_options,
    session_options,
)

if TYPE_CHECKING:
    from ..assertions.asserts import (
        AssertDelivered,
        AssertDiscarded,
        AssertEnqueued,
        AssertFailed,
        AssertNotEnqueued,
        AssertNotPerformed,
        AssertPerformed,
        AssertRetried,
    )
    from ..assertions.several import AssertBatched, AssertEnqueuedInOrder, AssertFollowedBy
    from ..harness.jobs import Jobs
    from ..harness.running.recurring import Scheduler
    from ..harness.time.clock import VirtualClock


@pytest.fixture(scope="session")
def jobs_apps(request: pytest.FixtureRequest) -> Sequence[object]:
    """The applications whose jobs are recorded: those of the ini file.

    Override it where applications are made by a factory, and return them, or names such as
    "celery:proj.celery:app".
    """
    return session_options(request.config).apps


@pytest.fixture
def job_harness(request: pytest.FixtureRequest, jobs_apps: Sequence[object]) -> Iterator[Jobs]:
    """What the test enqueues, recorded; performed when told to, on a virtual clock."""
    from .opening import open_harness

    item: pytest.Item = request.node
    applications = applications_of_case(item, jobs_apps)
    harness = open_harness(request.config, item_options(item), item.nodeid, applications)
    item.stash[JOBS] = harness
    hand_over(item, harness)
    item.stash[ANSWERED] = False
    try:
        yield harness
        if item.stash[ANSWERED]:
            harness.check()
    finally:
        del item.stash[JOBS]
        item.stash[CLOSED] = harness
        harness.close()


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


@pytest.fixture
def assert_enqueued(job_harness: Jobs) -> AssertEnqueued:
    """Assert that a job was enqueued: `assert_enqueued(Pay, params={"payment_id": 7})`."""
    from ..assertions.asserts import AssertEnqueued

    return AssertEnqueued(lambda: job_harness)


@pytest.fixture
def assert_enqueued_in_order(job_harness: Jobs) -> AssertEnqueuedInOrder:
    """Assert that exactly these jobs were enqueued, in this order."""
    from ..assertions.several import AssertEnqueuedInOrder

    return AssertEnqueuedInOrder(lambda: job_harness)


@pytest.fixture
def assert_performed(job_harness: Jobs) -> AssertPerformed:
    """Assert that a delivery of a job succeeded."""
    from ..assertions.asserts import AssertPerformed

    return AssertPerformed(lambda: job_harness)


@pytest.fixture
def assert_retried(job_harness: Jobs) -> AssertRetried:
    """Assert that a delivery of a job failed and will be followed by another."""
    from ..assertions.asserts import AssertRetried

    return AssertRetried(lambda: job_harness)


@pytest.fixture
def assert_discarded(job_harness: Jobs) -> AssertDiscarded:
    """Assert that a rule dropped a job."""
    from ..assertions.asserts import AssertDiscarded

    return AssertDiscarded(lambda: job_harness)


@pytest.fixture
def assert_failed(job_harness: Jobs) -> AssertFailed:
    """Assert that a job ended in failure."""
    from ..assertions.asserts import AssertFailed

    return AssertFailed(lambda: job_harness)


@pytest.fixture
def assert_followed_by(job_harness: Jobs) -> AssertFollowedBy:
    """Assert what the library will enqueue after a job that was enqueued."""
    from ..assertions.several import AssertFollowedBy

    return AssertFollowedBy(lambda: job_harness)


@pytest.fixture
def assert_batched(job_harness: Jobs) -> AssertBatched:
    """Assert that exactly these jobs were enqueued together, as one batch."""
    from ..assertions.several import AssertBatched

    return AssertBatched(lambda: job_harness)


@pytest.fixture
def assert_delivered(job_harness: Jobs) -> AssertDelivered:
    """Assert what an attempt of a job came to, such as "snoozed" or "cancelled"."""
    from ..assertions.asserts import AssertDelivered

    return AssertDelivered(lambda: job_harness)


@pytest.fixture
def assert_not_enqueued(job_harness: Jobs) -> AssertNotEnqueued:
    """Assert that a job was not enqueued; without a job, nothing at all."""
    from ..assertions.asserts import AssertNotEnqueued

    return AssertNotEnqueued(lambda: job_harness)


@pytest.fixture
def assert_not_performed(job_harness: Jobs) -> AssertNotPerformed:
    """Assert that no delivery of a job succeeded."""
    from ..assertions.asserts import AssertNotPerformed

    return AssertNotPerformed(lambda: job_harness)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have the harness opened before all other fixtures, where options or a marker want one."""
    check_marker_names(items, config)
    always = session_options(config).always
    for item in items:
        names = getattr(item, "fixturenames", None)
        is_case = is_jobs_case(item)
        if is_case:
            configure_case(item)
        if names is None or not (always or is_case or item.get_closest_marker("jobs")):
            continue
        # A test case whose mode is off gets the fixture too, which refuses: the case cannot do without a harness.
        if is_case or item_options(item).opens:
            definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
            wider = [
                name
                for name in names
                if name in definitions and definitions[name][-1].scope != "function"
            ]
            others = [name for name in names if name not in wider]
            # A new list: all items of a parametrised test share the old one.
            cast(Any, item).fixturenames = [*wider, "job_harness", *others]
