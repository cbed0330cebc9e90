"""A test that fails, or that fails while it is set up or torn down, leaves nothing open."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

CONFTEST = """
    import time
    from pytest_jobs import current_jobs
    from pytest_jobs.core.foundation.settings import settings
    from pytest_jobs.errors import NoHarnessError

    real = time.time()
    ended = {}

    def is_open():
        try:
            current_jobs()
        except NoHarnessError:
            return False
        return True

    def pytest_runtest_logfinish(nodeid):
        ended[nodeid.partition("::")[2]] = (
            time.sleep.__module__ == "time"
            and time.time() < real + 3600
            and not is_open()
            and settings._adapter is None
        )
"""
TROUBLES = {
    "an assertion": "assert 1 == 2",
    "an error": "raise RuntimeError('broken')",
    "fail": "pytest.fail('broken')",
    "skip": "pytest.skip('not here')",
    "xfail": "pytest.xfail('not yet')",
    "a job": "rest.perform_later(5); Refuse.perform_later(); jobs.drain()",
    "an item of a view": "assert jobs.enqueued[0]",
    "an unused fault": "jobs.fail(Pay, raising=OSError)",
}


def test_nothing_is_left_when_a_test_or_a_fixture_fails(pytester, told):
    pytester.makeconftest(CONFTEST)
    tests = [
        f"""
    def trouble_{number}(jobs):
        jobs.clock.advance(10 * 24 * 3600)
        {trouble}

    def test_{number}(jobs):
        trouble_{number}(jobs)

    @pytest.fixture
    def at_begin_{number}(jobs):
        trouble_{number}(jobs)

    def test_at_begin_{number}(at_begin_{number}):
        pass

    @pytest.fixture
    def at_end_{number}(jobs):
        yield
        trouble_{number}(jobs)

    def test_at_end_{number}(at_end_{number}):
        pass
    """
        for number, trouble in enumerate(TROUBLES.values())
    ]
    reports = told(
        "    import pytest\n    from conftest import ended\n    from shop import Pay, Refuse, rest\n"
        + "".join(tests)
        + f"""
    def test_after():
        assert len(ended) == {3 * len(TROUBLES)}
        assert all(ended.values()), ended
    """,
        passed=9,
        failed=7,
        errors=11,
        skipped=3,
        xfailed=3,
    )

    number = [*TROUBLES].index("a job")
    reports[f"test_at_begin_{number}"].fnmatch_lines(["E *ValueError: no money"])
    assert "test_after" not in reports
