"""`JobsTestCase` under pytest has the harness of the plugin, and without pytest one of its own."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("shop")

CASES = """
    import unittest
    from pytest_jobs import JobsTestCase, assert_enqueued, current_jobs
    from shop import Pay, Refuse, fetch

    class OrderTest(JobsTestCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            Pay.perform_later(0)

        def setUp(self):
            Pay.perform_later(1)

        def test_what_was_enqueued(self):
            self.assert_enqueued(Pay, args=[1])
            assert_enqueued(Pay, args=[1])
            self.assertIs(self.jobs, current_jobs())
            self.assertIsNot(self.jobs, self.class_jobs)

        def test_subtests(self):
            for number in (2, 3):
                with self.subTest(number=number), self.jobs.capture() as sent:
                    Pay.perform_later(number)
                    self.assert_enqueued(Pay, args=[number], within=sent)

        @unittest.skip("not today")
        def test_skipped(self): ...

    class FetchTest(JobsTestCase, unittest.IsolatedAsyncioTestCase):
        async def test_on_its_loop(self):
            fetch.perform_later(3)
            await self.jobs.adrain()
            self.assert_performed(fetch, result=3)

    class InlineTest(JobsTestCase):
        jobs_mode = "inline"

        def test_inline(self):
            Pay.perform_later(1)
            self.assert_performed(Pay, result="paid 1")

    class PlainTest(unittest.TestCase):
        def test_nothing_is_open(self):
            from pytest_jobs.errors import NoHarnessError
            with self.assertRaises(NoHarnessError):
                current_jobs()
"""
FAILING = """
    from pytest_jobs import JobsTestCase
    from shop import Pay, Refuse

    class FailingTest(JobsTestCase):
        def test_an_assertion(self):
            self.assert_enqueued(Pay)

    class RefusedTest(JobsTestCase):
        jobs_mode = "inline"

        def test_a_job(self):
            Refuse.perform_later()
"""


@pytest.fixture
def unittest_run(pytester):
    """Return a function that runs `python -m unittest` in a process without pytest."""

    def run(*arguments):
        script = (
            "import sys; sys.modules['pytest'] = None; import unittest; unittest.main(module=None)"
        )
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", script, "-v", *arguments],
            cwd=pytester.path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_cases_pass_under_unittest_without_pytest(pytester, unittest_run):
    pytester.makepyfile(test_cases=CASES)

    result = unittest_run("test_cases")

    assert result.stderr.endswith("OK (skipped=1)\n"), result.stderr
    assert result.stderr.count(" ... ok\n") == 5


def test_python_m_unittest_finds_them(pytester):
    pytester.makepyfile(test_cases=CASES)
    result = subprocess.run(
        [sys.executable, "-m", "unittest"],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, "OK (skipped=1)" in result.stderr) == (0, True), result.stderr
    assert re.search(
        r"Ran [56] tests", result.stderr
    )  # Python 3.12.1 does not count the skipped one.


@pytest.mark.wide
def test_cases_pass_under_pytest(pytester):
    pytester.makepyfile(test_cases=CASES)

    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=5, skipped=1)


def test_cases_pass_where_every_test_has_a_harness(pytester):
    pytester.makeini("[pytest]\njobs_mode = record")
    pytester.makepyfile(test_cases=CASES.partition("class PlainTest")[0])

    result = pytester.runpytest()

    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines(
        ["=* jobs enqueued outside of tests and never performed =*", "#0 Pay(0) queue='payments'"]
    )


def test_cases_pass_without_the_plugin(pytester):
    pytester.makepyfile(test_cases=CASES)

    pytester.runpytest("-p", "no:jobs").assert_outcomes(passed=5, skipped=1)


def test_failures_under_unittest(pytester, unittest_run):
    pytester.makepyfile(test_cases=FAILING)

    result = unittest_run("test_cases")

    assert result.returncode == 1
    assert result.stderr.endswith("FAILED (failures=1, errors=1)\n")
    assert "AssertionError: No Pay was enqueued, and no other job.\n" in result.stderr
    assert "\nValueError: no money\n" in result.stderr
    assert "asserts.py" not in result.stderr


def test_failures_under_pytest(pytester):
    pytester.makepyfile(test_cases=FAILING)

    result = pytester.runpytest()

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E *AssertionError: No Pay was enqueued, and no other job.",
            "*test_cases.py:6: AssertionError",
        ]
    )
    result.stdout.fnmatch_lines(["E *ValueError: no money", "*- jobs in this test -*"])


FLAGS = """
    import pytest
    from pytest_jobs import JobsTestCase
    from shop import Pay

    class TestFlags(JobsTestCase):
        def test_inline(self):
            Pay.perform_later(1)
            self.assert_performed(Pay)

        def test_strict(self):
            Pay.set(wait=60).perform_later(1)

    class TestTheClass(JobsTestCase):
        jobs_mode = "record"
        jobs_strict = False

        def test_goes_before_the_flags(self):
            Pay.perform_later(1)
            self.assert_not_performed(Pay)

        @pytest.mark.jobs(mode="inline")
        def test_and_a_marker_before_both(self):
            Pay.perform_later(1)
            self.assert_performed(Pay)

    class TestBoth(JobsTestCase):
        @pytest.fixture(autouse=True)
        def _enqueue(self, jobs):
            Pay.perform_later(1)
            yield
            assert jobs.performed

        def test_fixtures_and_the_case_have_the_same_harness(self):
            self.assert_enqueued(Pay)
            self.jobs.drain(at_least=0)
"""


@pytest.mark.parametrize(
    ("flags", "failed"),
    [
        ([], {"test_inline"}),
        (["--jobs-inline"], set()),
        (["--jobs-inline", "--jobs-strict"], {"test_strict"}),
    ],
)
def test_flags_hold_for_cases_unless_the_class_or_a_marker_says_another(told, flags, failed):
    reports = told(FLAGS, *flags, passed=5 - len(failed), failed=len(failed))

    assert {name.rpartition(".")[2] for name in reports} == failed


def test_a_case_that_is_to_have_no_harness_is_told_so(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = off")
    result = run_test("""
        from pytest_jobs import JobsTestCase

        class Off(JobsTestCase):
            def test_it(self): ...
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*Off::test_it asks for the job harness, and its jobs mode is off*"]
    )


@pytest.mark.slow
def test_the_applications_of_a_class_are_bridged(pytester):
    pytest.importorskip("celery")
    pytester.makepyfile(
        tasks="""
        from celery import Celery

        app = Celery("tasks", broker="redis://127.0.0.1:1/0")

        @app.task
        def add(a, b):
            return a + b
        """,
        test_cases="""
        from pytest_jobs import JobsTestCase
        from tasks import add, app

        class Named(JobsTestCase):
            jobs_apps = ["celery:tasks:app"]

            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                add.delay(0, 0)

            def test_it(self):
                add.delay(1, 2)
                self.jobs.drain()
                self.assert_performed(add, args=[1, 2], result=3)
                self.assertEqual(len(self.class_jobs.pending), 1)

        class Itself(Named):
            jobs_apps = [app]
        """,
    )
    plain = subprocess.run(
        [sys.executable, "-m", "unittest"],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (plain.returncode, "Ran 2 tests" in plain.stderr) == (0, True), plain.stderr
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
    pytester.makeini("[pytest]\njobs_apps = celery:tasks:app")
    pytester.runpytest_subprocess("-k", "Named").assert_outcomes(passed=1, deselected=1)
