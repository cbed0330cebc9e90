"""`pytest_jobs_opened` hears of every harness, when it is open."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_it_is_called_with_the_harness_which_can_be_used_and_the_test(pytester, told):
    pytester.makeini("[pytest]\njobs_mode = record")
    pytester.makeconftest("""
        from shop import Pay

        opened = []

        def pytest_jobs_opened(jobs, nodeid):
            opened.append((jobs, nodeid))
            if nodeid:
                jobs.clock.advance(60)
                Pay.perform_later(1)
    """)
    told(
        """
        import pytest
        from conftest import opened

        def test_one(jobs, assert_enqueued):
            # Of the session the test is empty.
            assert [nodeid for _, nodeid in opened] == ["", "test_it.py::test_one"]
            assert opened[1][0] is jobs
            assert jobs.clock.frozen
            assert len(jobs.enqueued) == 1

        @pytest.mark.jobs(mode="off")
        def test_without():
            assert len(opened) == 2

        class TestTwo:
            def test_two(self, job_harness):
                assert opened[2:] == [(job_harness, "test_it.py::TestTwo::test_two")]
        """,
        passed=3,
    )


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
