"""`jobs_jitter` says what chance adds to a wait."""

import pytest

MODULE = """
    import pytest
    from pytest_jobs import Job, retry_on

    @retry_on(TimeoutError, wait=1000, jitter=1.0, attempts=20)
    class Sync(Job):
        def perform(self):
            raise TimeoutError

    def waits(jobs):
        return jobs.simulate_retries(Sync, raising=TimeoutError()).wait_seconds

"""


def run(pytester, test, *, jitter=None):
    if jitter is not None:
        pytester.makeini(f"[pytest]\njobs_jitter = {jitter}")
    pytester.makepyfile(MODULE + test)
    pytester.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize("jitter", [None, "zero"])
def test_zero_is_the_default_and_adds_nothing(pytester, jitter):
    run(
        pytester,
        """
    def test_it(jobs):
        assert waits(jobs) == [1000] * 19
    """,
        jitter=jitter,
    )


def test_seeded_adds_the_same_in_every_harness(pytester):
    run(
        pytester,
        """
    from pytest_jobs import open_jobs

    def test_it(jobs):
        found = waits(jobs)
        with open_jobs(jitter="seeded") as again:
            assert waits(again) == found
        assert len(set(found)) > 10
        assert 1000 <= min(found) <= max(found) < 2000
    """,
        jitter="seeded",
    )


def test_live_adds_what_chance_will(pytester):
    run(
        pytester,
        """
    def test_it(jobs):
        assert waits(jobs) != waits(jobs)
    """,
        jitter="live",
    )


def test_a_marker_overrides_it(pytester):
    run(
        pytester,
        """
    @pytest.mark.jobs(jitter="zero")
    def test_it(jobs):
        assert waits(jobs) == [1000] * 19
    """,
        jitter="live",
    )
