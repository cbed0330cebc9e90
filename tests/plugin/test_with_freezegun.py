"""Tests that freeze their time with freezegun, as a decorator, a fixture or a marker."""

import pytest

TEST = """
    import time
    from datetime import UTC, datetime, timedelta

    import pytest
    from freezegun import freeze_time
    from shop import Sync, rest

    NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def moves_along(jobs, assert_performed):
        Sync.perform_later(failures=1)
        jobs.drain()

        assert_performed(Sync, attempt=2)
        assert datetime.now(UTC) == jobs.clock.now() == NOON + timedelta(seconds=3)
"""


@pytest.fixture
def run(pytester, shop):
    """Return a function that runs a test in the frozen time, and one after it that finds the real time."""
    after = "\n    def test_after():\n        assert time.time() < NOON.timestamp()\n"

    def run(test, *plugins, ini=""):
        pytester.makeini(f"[pytest]\n{ini}")
        pytester.makepyfile(TEST + test + after)
        return pytester.runpytest(*plugins)

    return run


DECORATED = """
    @freeze_time(NOON)
    def test_it(jobs, assert_performed):
        moves_along(jobs, assert_performed)
"""


@pytest.mark.parametrize("ini", ["", "jobs_mode = record", "jobs_strict = true"])
def test_a_decorator(run, ini):
    run(DECORATED, ini=ini).assert_outcomes(passed=2)


def test_a_class_a_case_and_a_fixture_whatever_the_order(run):
    run("""
    from pytest_jobs import JobsTestCase

    @freeze_time(NOON)
    class TestIt:
        def test_it(self, jobs, assert_performed):
            moves_along(jobs, assert_performed)

        def test_again(self, jobs, assert_performed):
            moves_along(jobs, assert_performed)

    @freeze_time(NOON)
    class TestCase(JobsTestCase):
        def test_it(self):
            moves_along(self.jobs, self.assert_performed)

    @pytest.fixture
    def frozen():
        with freeze_time(NOON) as frozen:
            yield frozen

    def test_before(frozen, jobs, assert_performed):
        moves_along(jobs, assert_performed)

    def test_within(jobs, frozen, assert_performed):
        moves_along(jobs, assert_performed)
    """).assert_outcomes(passed=6)


def test_a_suite_that_is_audited(run):
    run(DECORATED, ini="jobs_audit = true").assert_outcomes(passed=2)


def test_pytest_freezer(run):
    pytest.importorskip("pytest_freezer")
    run("""
    @pytest.mark.freeze_time("2030-01-01 12:00")
    def test_the_marker(jobs, assert_performed):
        moves_along(jobs, assert_performed)

    def test_the_fixture(freezer, jobs, assert_performed):
        freezer.move_to(NOON)
        moves_along(jobs, assert_performed)

    def test_both_clocks_are_moved(jobs, freezer):
        freezer.move_to(NOON)
        Sync.set(wait=60).perform_later(failures=0)
        jobs.clock.advance(30)
        freezer.tick(30)
        jobs.perform_due()

        assert jobs.performed[0].at == NOON + timedelta(minutes=1)
    """).assert_outcomes(passed=4)


def test_freezing_the_time_imports_nothing_of_ours(pytester):
    pytester.makepyfile(
        """
        import sys

        from freezegun import freeze_time

        def ours():
            return {name for name in sys.modules if name.startswith("pytest_jobs")}

        def test_it():
            import pytest_jobs

            before = ours()
            with freeze_time("2030-01-01"):
                assert ours() == before
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)
