"""`pytest_jobs_opened` hears of every harness, when it is open."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_it_is_called_with_the_harness_and_the_test(pytester):
    pytester.makeconftest("""
        opened = []

        def pytest_jobs_opened(jobs, nodeid):
            opened.append((jobs, nodeid))
    """)
    pytester.makepyfile(
        test_it="""
        from conftest import opened

        def test_one(jobs, assert_enqueued):
            assert opened == [(jobs, "test_it.py::test_one")]

        def test_without():
            assert len(opened) == 1

        class TestTwo:
            def test_two(self, job_harness):
                assert opened[1:] == [(job_harness, "test_it.py::TestTwo::test_two")]
    """
    )

    pytester.runpytest().assert_outcomes(passed=3)


def test_of_the_session_the_test_is_empty(pytester):
    pytester.makeini("[pytest]\njobs_mode = record")
    pytester.makeconftest("""
        opened = []

        def pytest_jobs_opened(nodeid):
            opened.append(nodeid)
    """)
    pytester.makepyfile(
        test_it="""
        from conftest import opened

        def test_one():
            assert opened == ["", "test_it.py::test_one"]
    """
    )

    pytester.runpytest().assert_outcomes(passed=1)


def test_the_harness_can_be_used_in_it(pytester, run_test):
    pytester.makeconftest("""
        from shop import Pay

        def pytest_jobs_opened(jobs):
            jobs.clock.advance(60)
            Pay.perform_later(1)
    """)
    run_test("""
        def test_it(jobs):
            assert jobs.clock.frozen
            assert len(jobs.enqueued) == 1
    """).assert_outcomes(passed=1)


def test_an_error_in_it_leaves_no_harness_open(pytester, run_test):
    pytester.makeconftest("""
        def pytest_jobs_opened(nodeid):
            if nodeid.endswith("test_it"):
                raise RuntimeError("the hook broke")
    """)
    result = run_test("""
        import time
        import pytest
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError

        def test_it(jobs):
            pass

        def test_after():
            with pytest.raises(NoHarnessError):
                current_jobs()
            assert time.sleep.__module__ == "time"
    """)

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["E *RuntimeError: the hook broke"])
