"""`unittest.TestCase` has a harness by marker or by `jobs_mode`."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_a_marked_case_has_one(run_test):
    run_test("""
        import unittest
        import pytest
        from pytest_jobs import assert_enqueued, current_jobs
        from shop import Pay

        @pytest.mark.jobs
        class TestIt(unittest.TestCase):
            def setUp(self):
                Pay.perform_later(1)

            def tearDown(self):
                assert len(current_jobs().enqueued) == 2

            def test_it(self):
                Pay.perform_later(2)
                assert_enqueued(Pay, args=(1,))
                assert_enqueued(Pay, args=(2,))

            def test_of_its_own(self):
                Pay.perform_later(3)
                assert_enqueued(Pay, args=(3,))
    """).assert_outcomes(passed=2)


def test_a_marked_method_has_one(run_test):
    run_test("""
        import unittest
        import pytest
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError
        from shop import Pay

        class TestIt(unittest.TestCase):
            @pytest.mark.jobs(mode="inline")
            def test_with(self):
                Pay.perform_later(1)
                self.assertEqual(1, len(current_jobs().performed))

            def test_without(self):
                with self.assertRaises(NoHarnessError):
                    current_jobs()
    """).assert_outcomes(passed=2)


def test_with_jobs_mode_each_has_one(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
    run_test("""
        import unittest
        from pytest_jobs import assert_enqueued, current_jobs
        from shop import Pay

        class TestIt(unittest.TestCase):
            def test_it(self):
                Pay.perform_later(1)
                assert_enqueued(Pay)
                current_jobs().drain()

            def test_the_next(self):
                self.assertEqual(0, len(current_jobs().enqueued))
    """).assert_outcomes(passed=2)


def test_what_set_up_class_enqueues_belongs_to_the_session(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
    result = run_test("""
        import unittest
        from pytest_jobs import assert_not_enqueued
        from shop import Pay

        class TestIt(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                Pay.perform_later(1)

            @classmethod
            def tearDownClass(cls):
                Pay.perform_later(2)

            def test_it(self):
                assert_not_enqueued()

            def test_the_next(self):
                assert_not_enqueued()
    """)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "=* jobs enqueued outside of tests and never performed =*",
            "#0 Pay(1) queue='payments'",
            "#1 Pay(2) queue='payments'",
        ],
        consecutive=True,
    )


def test_a_failed_assertion_fails_the_case(run_test):
    result = run_test("""
        import unittest
        import pytest
        from pytest_jobs import assert_enqueued
        from shop import Pay

        @pytest.mark.jobs
        class TestIt(unittest.TestCase):
            def test_it(self):
                assert_enqueued(Pay)
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *AssertionError: Expected exactly 1 Pay enqueued"])


def test_the_error_of_an_inline_job_fails_the_case(pytester):
    pytester.makepyfile("""
        import unittest
        from shop import Refuse

        class TestIt(unittest.TestCase):
            def test_it(self):
                Refuse.perform_later()
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ValueError: no money"])


def test_a_case_that_failed_otherwise_fails_for_that(pytester):
    pytester.makepyfile("""
        import unittest
        from shop import Refuse

        class TestIt(unittest.TestCase):
            def test_it(self):
                Refuse.perform_later()
                self.assertEqual(1, 2)
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *AssertionError: 1 != 2", "-* Jobs that failed -*", "ValueError: no money"]
    )


def test_strict_holds_for_cases_too(pytester):
    pytester.makepyfile("""
        import unittest
        import pytest
        from shop import Pay

        @pytest.mark.jobs
        class TestIt(unittest.TestCase):
            def test_it(self):
                Pay.perform_later(1)
    """)

    result = pytester.runpytest("--jobs-strict")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["This test left 1 job that it neither looked at nor performed:"])


def test_an_isolated_asyncio_case_drains_on_its_loop(run_test):
    run_test("""
        import unittest
        import pytest
        from pytest_jobs import assert_performed, current_jobs
        from shop import fetch

        @pytest.mark.jobs
        class TestIt(unittest.IsolatedAsyncioTestCase):
            async def test_it(self):
                fetch.perform_later(3)
                await current_jobs().adrain()
                assert_performed(fetch, result=3)
    """).assert_outcomes(passed=1)
