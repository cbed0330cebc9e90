"""`jobs_jitter` says what chance adds to a wait."""

import pytest

MODULE = """
    import pytest
    from pytest_jobs import Job, open_jobs, retry_on

    @retry_on(TimeoutError, wait=1000, jitter=1.0, attempts=20)
    class Sync(Job):
        def perform(self):
            raise TimeoutError

    def waits(jobs):
        return jobs.simulate_retries(Sync, raising=TimeoutError()).wait_seconds

    @pytest.mark.jobs(jitter="zero")
    def test_a_marker_overrides_it(jobs):
        assert waits(jobs) == [1000] * 19

    def test_it(jobs):
"""
ZERO = """
        assert waits(jobs) == [1000] * 19
"""
SEEDED = """
        found = waits(jobs)
        with open_jobs(jitter="seeded") as again:
            assert waits(again) == found
        assert len(set(found)) > 10
        assert 1000 <= min(found) <= max(found) < 2000
"""
LIVE = """
        assert waits(jobs) != waits(jobs)
"""


@pytest.mark.parametrize(
    ("setting", "test"),
    [
        ("", ZERO),
        ("jobs_jitter = zero", ZERO),
        ("jobs_jitter = seeded", SEEDED),
        ("jobs_jitter = live", LIVE),
    ],
)
def test_zero_adds_nothing_seeded_the_same_in_every_harness_and_live_what_chance_will(
    pytester, told, setting, test
):
    pytester.makeini(f"[pytest]\n{setting}")
    told(MODULE + test, passed=2)
