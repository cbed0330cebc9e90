"""The harness and the assertions for tests that derive from `unittest.TestCase`."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from ..bridges.opening import open_jobs
from ..harness.jobs import Jobs, current_jobs
from ..harness.ledger.queues import Queues
from ..harness.open_harness import Jitter, Mode, open_harnesses
from ..harness.records.delivery import own_traceback
from ..harness.running.inline import RaiseAt
from .asserts import (
    AssertDiscarded,
    AssertEnqueued,
    AssertFailed,
    AssertNotEnqueued,
    AssertNotPerformed,
    AssertPerformed,
    AssertRetried,
)
from .case_settings import OF_CASES, settings_of_case, settings_of_ini_file
from .failure import Assertion
from .options import (
    APPS,
    IGNORE,
    JITTER,
    MODE,
    QUEUES,
    RAISE,
    STRICT,
    Given,
    Settings,
)
from .remaining import check_nothing_left

if TYPE_CHECKING:
    from ..harness.records.home import Home

#: unittest leaves frames of modules with this name out of tracebacks.
__unittest = True


A = TypeVar("A", bound=Assertion)


class _OfCase(Generic[A]):
    """An assertion as an attribute of a test case, which looks at the harness of the case."""

    def __init__(self, assertion: type[A]) -> None:
        self._assertion = assertion

    def __get__(self, case: JobsTestCase, owner: type[JobsTestCase]) -> A:
        return self._assertion(lambda: case.jobs)


class JobsTestCase(unittest.TestCase):
    """A test case with a harness, alone or beside another: `class OrderTest(JobsTestCase, TestCase)`.

    The harness is open from before `setUp` until after the last cleanup, whether or not `setUp`
    calls `super()`. What a test leaves unanswered fails it, as with the fixtures. Under pytest it is
    the harness of the `jobs` fixture.
    """

    # What is None here is what pytest is configured to: under pytest with its flags, and elsewhere by the same
    # ini file.

    #: Applications to bridge besides those of the ini file, as for `open_jobs`.
    jobs_apps: ClassVar[Iterable[object]] = ()
    #: `record` keeps jobs until a verb performs them, `inline` performs each when due.
    jobs_mode: ClassVar[Mode | None] = None
    #: Where the error of an inline job is raised: at the `end` of the test, or at `enqueue`.
    jobs_raise: ClassVar[RaiseAt | None] = None
    #: What chance adds to waits, as for `open_jobs`.
    jobs_jitter: ClassVar[Jitter | None] = None
    #: Whether a test fails that leaves a job which it neither looked at nor performed.
    jobs_strict: ClassVar[bool | None] = None
    #: Names of the libraries whose jobs are let through unseen, such as `["celery"]`.
    jobs_ignore: ClassVar[Collection[str] | None] = None
    #: The queues in whose order jobs are taken, or the file of the workers that has them.
    jobs_queues: ClassVar[Queues | str | Path | None] = None

    #: What the plugin has read, flags included; None where no plugin is, and for what the ini file says.
    jobs_configured: ClassVar[Settings | None] = None

    #: The harness of the test.
    jobs: Jobs
    #: What `setUpClass` and `setUpTestData` enqueue: a harness that the tests of the class share.
    class_jobs: ClassVar[Jobs]

    #: How the plugin knows such a class without importing it.
    _is_jobs_case: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        """Check what the class says.

        Raises:
            DeclarationError: when an attribute has no valid value.
        """
        super().__init_subclass__()
        if cls.jobs_mode is not None and cast(str, cls.jobs_mode) == "off":
            Given("off", f"{cls.__qualname__}.jobs_mode", Path.cwd()).refuse(
                "a JobsTestCase cannot do without a harness: valid are record and inline"
            )
        # The file of the queues is read when a harness is opened: a class may be defined anywhere.
        settings_of_case(cls, Path.cwd(), (option for option in OF_CASES if option is not QUEUES))

    @classmethod
    def setUpClass(cls) -> None:
        """Open the harness of the class, or take the one that is open around it."""
        if open_harnesses.any_open() and not cls.jobs_apps:
            cls.class_jobs = current_jobs()
        else:
            cls.class_jobs = cls.enterClassContext(cls._new_jobs())
            cls.addClassCleanup(cls._check_strictly, cls.class_jobs)
        super().setUpClass()

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test inside its harness."""
        if "jobs" in vars(self):  # The plugin has opened it.
            return super().run(result)
        if result is None:
            result = self.defaultTestResult()
        try:
            self.jobs = self._new_jobs().__enter__()
        except Exception:
            result.addError(self, sys.exc_info())
            return result
        watched = _WatchedResult(result)
        self.addCleanup(self._check_jobs, watched)
        try:
            with open_harnesses.process_of(self):
                super().run(cast(unittest.TestResult, watched))
            return result
        finally:
            jobs = self.jobs
            del self.jobs
            try:
                jobs.close()
            except Exception:
                result.addError(self, sys.exc_info())

    def debug(self) -> None:
        """Run the test inside its harness, and let errors out."""
        with self._new_jobs() as jobs, open_harnesses.process_of(self):
            self.jobs = jobs
            super().debug()

    #: Assert that a job was enqueued: `self.assert_enqueued(Pay, params={"payment_id": 7})`.
    assert_enqueued = _OfCase(AssertEnqueued)
    #: Assert that a delivery of a job succeeded.
    assert_performed = _OfCase(AssertPerformed)
    #: Assert that a delivery of a job failed and will be followed by another.
    assert_retried = _OfCase(AssertRetried)
    #: Assert that a rule dropped a job.
    assert_discarded = _OfCase(AssertDiscarded)
    #: Assert that a job ended in failure.
    assert_failed = _OfCase(AssertFailed)
    #: Assert that a job was not enqueued; without a job, nothing at all.
    assert_not_enqueued = _OfCase(AssertNotEnqueued)
    #: Assert that no delivery of a job succeeded.
    assert_not_performed = _OfCase(AssertNotPerformed)

    @classmethod
    def _new_jobs(cls) -> Jobs:
        settings = cls._settings()
        own = [app for app in cls.jobs_apps if app not in settings[APPS]]
        jobs = open_jobs(
            apps=(*settings[APPS], *own),
            mode=cast(Mode, settings[MODE]),
            raise_at=settings[RAISE],
            jitter=settings[JITTER],
            ignore=settings[IGNORE],
        )
        jobs.serve(settings[QUEUES])
        jobs.harness.find_home = cls._home
        return jobs

    @classmethod
    def _home(cls) -> Home:
        """Return what belongs to the tests of the class."""
        from ..harness.records.home import Home

        return Home([sys.modules[cls.__module__]])

    @classmethod
    def _settings(cls) -> Settings:
        """Return what is configured, and what the class says over it."""
        if cls.jobs_configured is None:
            # Once for a class: a file may be long.
            cls.jobs_configured = settings_of_ini_file(Path.cwd())
        return cls.jobs_configured.changed(settings_of_case(cls, Path.cwd()), always=True)

    def _check_jobs(self, result: _WatchedResult) -> None:
        """Fail the test for errors of its jobs that nobody saw, and for jobs that it left."""
        if result.failed:
            return
        try:
            self.jobs.check()
        except Exception as error:
            error.__traceback__ = own_traceback(error)
            raise
        self._check_strictly(self.jobs)

    @classmethod
    def _check_strictly(cls, jobs: Jobs) -> None:
        if cls._settings()[STRICT]:
            check_nothing_left(jobs, "set `jobs_strict = False` in a class of their own")


class _WatchedResult:
    """Passes everything on to the result of any runner, and knows whether the test has failed.

    A test that has failed is not blamed for the jobs that it left as well.
    """

    def __init__(self, result: unittest.TestResult) -> None:
        self._result = result
        self.failed = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._result, name)
        # unittest asks whether a result has `addSubTest`; that of older versions of pytest has not, and then the
        # line above raises AttributeError for it.
        return self._add_subtest if name == "addSubTest" else found

    def addError(self, *args: Any) -> None:  # noqa: N802 - unittest calls it
        self.failed = True
        self._result.addError(*args)

    def addFailure(self, *args: Any) -> None:  # noqa: N802 - unittest calls it
        self.failed = True
        self._result.addFailure(*args)

    def _add_subtest(self, test: Any, subtest: Any, error: Any) -> None:
        # A subtest that passed has no error.
        self.failed = self.failed or error is not None
        self._result.addSubTest(test, subtest, error)
