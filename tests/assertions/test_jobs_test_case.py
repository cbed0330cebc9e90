"""`JobsTestCase` is checked when it is declared, and opens a harness however it is run."""

import io
import unittest
from contextvars import ContextVar, copy_context

import pytest

from pytest_jobs import JobsTestCase, current_jobs, job, open_jobs
from pytest_jobs.errors import DeclarationError, NoHarnessError


@job
def pay(payment_id):
    if payment_id < 0:
        raise ValueError(payment_id)


def run(case):
    """Run the tests of a class, and return their result."""
    stream = io.StringIO()
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    return unittest.TextTestRunner(stream).run(suite)


def counts(result):
    return result.testsRun, len(result.failures), len(result.errors), len(result.skipped)


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("jobs_mode", "of", "record, inline, off"),
        ("jobs_raise", "never", "end, enqueue"),
        ("jobs_jitter", 0, "zero, seeded, live"),
        ("jobs_strict", "yes", "true and false"),
    ],
)
def test_an_attribute_without_a_valid_value_is_refused(name, value, valid):
    with pytest.raises(DeclarationError) as raised:
        type("Case", (JobsTestCase,), {name: value})

    assert str(raised.value) == f"Case.{name} is {value!r}; valid are {valid}."


@pytest.mark.parametrize("names", [["celry"], "celry", ("rq", "celry")])
def test_a_library_that_is_not_known_is_refused(names):
    with pytest.raises(DeclarationError) as raised:
        type("Case", (JobsTestCase,), {"jobs_ignore": names})

    assert str(raised.value).startswith(
        "Case.jobs_ignore: 'celry' is not a job library: did you mean 'celery'? The libraries are "
    )


def test_each_test_has_a_harness_of_its_own_around_set_up_and_cleanups():
    seen = []

    class Case(JobsTestCase):
        def setUp(self):
            self.addCleanup(lambda: seen.append(len(current_jobs().enqueued)))
            pay.perform_later(1)

        def tearDown(self):
            pay.perform_later(3)

        def test_first(self):
            pay.perform_later(2)
            assert current_jobs() is self.jobs
            self.assert_enqueued(pay, count=2)

        def test_second(self):
            self.assert_enqueued(pay)

    result = run(Case)

    assert counts(result) == (2, 0, 0, 0)
    assert seen == [3, 2]


def test_no_harness_stays_open_and_the_test_keeps_none():
    class Case(JobsTestCase):
        def test_it(self):
            pay.perform_later(1)

    case = Case("test_it")
    case.run(unittest.TestResult())

    assert not hasattr(case, "jobs")
    with pytest.raises(NoHarnessError):
        current_jobs()


def test_what_the_class_enqueues_is_not_of_the_test():
    class Case(JobsTestCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            pay.perform_later(0)

        def test_it(self):
            self.assert_not_enqueued()
            assert [record.args for record in self.class_jobs.pending] == [(0,)]
            self.class_jobs.drain()

    assert counts(run(Case)) == (1, 0, 0, 0)


def test_the_harness_around_a_class_is_that_of_the_class():
    class Case(JobsTestCase):
        def test_it(self):
            assert self.jobs is not self.class_jobs

    with open_jobs() as jobs:
        result = run(Case)

        assert Case.class_jobs is jobs
    assert counts(result) == (1, 0, 0, 0)


def test_subtests_share_the_harness():
    class Case(JobsTestCase):
        def test_it(self):
            for number in (1, 2, 3):
                with self.subTest(number=number):
                    pay.perform_later(number)
                    self.assert_enqueued(pay, count=number if number != 2 else 7)

    assert counts(run(Case)) == (1, 1, 0, 0)


def test_a_skipped_test_opens_and_leaves_nothing():
    class Case(JobsTestCase):
        @unittest.skip("not today")
        def test_it(self):
            raise AssertionError

    result = run(Case)

    # Python 3.12.1 does not count a skipped test as run.
    assert counts(result)[1:] == (0, 0, 1)
    with pytest.raises(NoHarnessError):
        current_jobs()


def test_an_expected_failure_is_one():
    class Case(JobsTestCase):
        @unittest.expectedFailure
        def test_it(self):
            self.assert_enqueued(pay)

    result = run(Case)

    assert (result.wasSuccessful(), len(result.expectedFailures)) == (True, 1)


def test_a_test_that_failed_otherwise_fails_for_that_alone():
    class Case(JobsTestCase):
        jobs_mode = "inline"

        def test_it(self):
            pay.perform_later(-1)
            self.fail("otherwise")

    result = run(Case)

    assert counts(result) == (1, 1, 0, 0)
    assert result.failures[0][1].endswith("AssertionError: otherwise\n")


def test_an_unused_fault_is_an_error():
    class Case(JobsTestCase):
        def test_it(self):
            self.jobs.fail(pay, raising=OSError)

    ((_, text),) = run(Case).errors

    assert "UnusedFaultError" in text


def test_raise_at_enqueue_raises_in_the_test():
    class Case(JobsTestCase):
        jobs_mode = "inline"
        jobs_raise = "enqueue"

        def test_it(self):
            with pytest.raises(ValueError):
                pay.perform_later(-1)

    assert counts(run(Case)) == (1, 0, 0, 0)


def test_a_failure_shows_the_line_of_the_test_last():
    class Case(JobsTestCase):
        def test_it(self):
            self.assert_enqueued(pay)

    ((_, text),) = run(Case).failures

    assert text.splitlines()[3].strip("~^ ") in (
        "self.assert_enqueued(pay)",
        "",
        "AssertionError: No pay was enqueued, and no other job.",
    )
    assert text.count("  File ") == 1


def test_strict_holds_for_tests_and_for_the_class():
    class Case(JobsTestCase):
        jobs_strict = True

        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            pay.perform_later(0)

        def test_it(self):
            pay.perform_later(1)

    result = run(Case)

    (_, test), (_, of_class) = *result.failures, *result.errors
    assert test == (
        "AssertionError: This test left pay(1) that it neither looked at nor performed:\n"
        "left: 1\n"
        "#  job  arguments  queue    wait  attempt  state\n"
        "0  pay  1          default  -     1        pending\n"
        "\n"
        "Next: assert them (assert_enqueued), perform them (jobs.drain()), or set `jobs_strict = False` in a "
        "class of their own if they do not matter here.\n"
        "See: python -m pytest_jobs explain left-alone\n"
    )
    assert "left pay(0) that" in of_class


def test_the_time_is_given_back():
    class Case(JobsTestCase):
        def test_it(self):
            pay.set(wait=3600).perform_later(1)
            self.jobs.drain()
            assert self.jobs.clock.frozen

    with open_jobs() as outer:
        assert counts(run(Case)) == (1, 0, 0, 0)
        assert not outer.clock.frozen


def test_an_application_that_cannot_be_found_is_an_error_of_each_test():
    class Case(JobsTestCase):
        @classmethod
        def setUpClass(cls):
            """Open nothing."""

        jobs_apps = ("django:too:much",)

        def test_first(self): ...

        def test_second(self): ...

    result = run(Case)

    assert len(result.errors) == 2
    assert "ApplicationError" in result.errors[0][1]


@job
async def fetch(page):
    return page


@pytest.mark.parametrize("order", [0, 1])
def test_the_order_of_the_bases_is_no_matter(order):
    bases = (JobsTestCase, unittest.IsolatedAsyncioTestCase)

    async def test_it(self):
        fetch.perform_later(1)
        self.assert_enqueued(fetch)

    case = type("Case", bases[::-1] if order else bases, {"test_it": test_it})

    assert counts(run(case)) == (1, 0, 0, 0)


def test_debug_opens_a_harness_and_lets_errors_out():
    class Case(JobsTestCase):
        def test_it(self):
            pay.perform_later(1)
            self.assert_enqueued(pay, args=[2])

    with pytest.raises(AssertionError, match="Expected exactly 1 pay enqueued"):
        Case("test_it").debug()
    with pytest.raises(NoHarnessError):
        current_jobs()


@pytest.mark.parametrize("how", ["run", "debug"])
def test_a_delivery_has_what_set_up_has_set_and_not_the_body(how):
    tenant, seen = ContextVar("tenant", default="nobody"), []

    @job
    def look():
        seen.append(tenant.get())

    class Case(JobsTestCase):
        def setUp(self):
            tenant.set("of setUp")

        def test_it(self):
            tenant.set("of the body")
            look.perform_later()
            self.jobs.drain()

    copy_context().run(getattr(Case("test_it"), how))

    assert seen == ["of setUp"]


def test_a_runner_whose_result_does_not_count_is_no_problem():
    class Sparse:
        def __init__(self):
            self.heard = []

        def __getattr__(self, name):
            if name in ("errors", "failures"):
                raise AttributeError(name)
            return lambda *arguments: self.heard.append(name)

    class Case(JobsTestCase):
        def test_it(self):
            self.jobs.fail(pay, raising=OSError)

    result = Sparse()
    Case("test_it").run(result)

    assert result.heard.count("addError") == 1


def test_it_runs_without_a_result_too():
    class Case(JobsTestCase):
        def test_it(self):
            self.assert_not_enqueued()

    assert Case("test_it").run().wasSuccessful()


def test_every_assertion_is_there():
    class Case(JobsTestCase):
        def test_it(self):
            pay.perform_later(-1)
            self.assert_not_performed(pay)
            self.jobs.drain(raise_errors=False)
            self.assert_failed(pay, error=ValueError)
            with pytest.raises(AssertionError, match="Expected exactly 1 pay retried"):
                self.assert_retried(pay)
            with pytest.raises(AssertionError, match="Expected exactly 1 pay discarded"):
                self.assert_discarded(pay)

    assert counts(run(Case)) == (1, 0, 0, 0)
