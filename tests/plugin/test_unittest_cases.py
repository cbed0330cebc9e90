"""`unittest.TestCase` has a harness by marker or by `jobs_mode`."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_a_marked_case_or_method_has_one(told):
    reports = told(
        """
        import unittest
        import pytest
        from pytest_jobs import assert_enqueued, assert_performed, current_jobs
        from pytest_jobs.errors import NoHarnessError
        from shop import Pay, Refuse, fetch

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

        class TestMethods(unittest.TestCase):
            @pytest.mark.jobs(mode="inline")
            def test_with(self):
                Pay.perform_later(1)
                self.assertEqual(1, len(current_jobs().performed))

            def test_without(self):
                with self.assertRaises(NoHarnessError):
                    current_jobs()

        @pytest.mark.jobs
        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def test_it_drains_on_its_loop(self):
                fetch.perform_later(3)
                await current_jobs().adrain()
                assert_performed(fetch, result=3)

        @pytest.mark.jobs
        class TestFailing(unittest.TestCase):
            def test_an_assertion(self):
                assert_enqueued(Pay)

            @pytest.mark.jobs(strict=True)
            def test_strict(self):
                Pay.perform_later(1)

            @pytest.mark.jobs(mode="inline")
            def test_an_inline_job(self):
                Refuse.perform_later()

            @pytest.mark.jobs(mode="inline")
            def test_otherwise(self):
                Refuse.perform_later()
                self.assertEqual(1, 2)
        """,
        passed=5,
        failed=4,
    )

    for name, lines in {
        "an_assertion": ["E *AssertionError: No Pay was enqueued, and no other job."],
        "strict": ["This test left Pay(1) that it neither looked at nor performed:"],
        "an_inline_job": ["E *ValueError: no money"],
        "otherwise": [
            *("E *AssertionError: 1 != 2", "-* Jobs that failed -*", "ValueError: no money"),
        ],
    }.items():
        reports[f"TestFailing.test_{name}"].fnmatch_lines(lines)


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
