"""The fixture `session_jobs`."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


CONFTEST = """
    import time
    import pytest
    from pytest_jobs.core.foundation.settings import settings

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure():
        assert settings._adapter is None
        assert time.sleep.__module__ == "time"
        print("all restored")
"""


def test_without_jobs_mode_it_opens_a_harness_for_the_session(pytester):
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("""
        from pytest_jobs import current_jobs
        from shop import Pay

        def test_one(session_jobs):
            assert current_jobs() is session_jobs
            Pay.perform_later(1)

        def test_two(session_jobs):
            Pay.perform_later(2)
            assert [record.args for record in session_jobs.enqueued] == [(1,), (2,)]

        def test_with_a_harness_of_its_own(session_jobs, jobs):
            Pay.perform_later(1)

            assert current_jobs() is jobs
            assert (len(jobs.enqueued), len(session_jobs.enqueued)) == (1, 2)

        def test_after(session_jobs):
            Pay.perform_later(2)

            assert len(session_jobs.enqueued) == 3
    """)
    result = pytester.runpytest("-s")

    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["all restored"])


def test_it_cannot_be_opened_over_the_harness_of_a_test(run_test):
    result = run_test("""
        def test_it(jobs, request):
            request.getfixturevalue("session_jobs")

        def test_after(jobs):
            pass
    """)

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            (
                "E *UsageError: session_jobs was first asked for when the harness of a test was open already, and "
                "cannot be opened over it: ask for it in a fixture of session scope, or set jobs_mode = record."
            )
        ]
    )


def test_with_jobs_mode_it_is_the_harness_of_the_session(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
    pytester.makeconftest("""
        harnesses = {}

        def pytest_jobs_opened(jobs, nodeid):
            harnesses[nodeid] = jobs
    """)
    run_test("""
        from conftest import harnesses

        def test_it(session_jobs):
            assert harnesses[""] is session_jobs
            assert len(harnesses) == 2
    """).assert_outcomes(passed=1)
