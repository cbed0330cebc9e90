"""`@pytest.mark.jobs(...)` opens a harness, with settings of its own."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_alone_it_opens_a_harness(pytester):
    pytester.makepyfile("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.mark.jobs
        def test_it():
            Pay.perform_later(7)

            assert len(current_jobs().pending) == 1

        @pytest.mark.jobs()
        def test_with_parentheses():
            Pay.perform_later(7)
    """)

    pytester.runpytest("--strict-markers").assert_outcomes(passed=2)


def test_mode_inline_performs_in_the_tests_that_it_marks(run_test):
    run_test("""
        import pytest
        from pytest_jobs import assert_performed, current_jobs
        from pytest_jobs.errors import NoHarnessError
        from shop import Pay

        @pytest.mark.jobs(mode="inline")
        def test_mode_inline_performs():
            Pay.perform_later(7)
            assert_performed(Pay)

        def is_open():
            try:
                current_jobs()
            except NoHarnessError:
                return False
            return True

        @pytest.mark.parametrize(
            "expected", [False, pytest.param(True, marks=pytest.mark.jobs), False]
        )
        def test_of_one_parameter_it_holds_for_that_one(expected):
            assert is_open() == expected
    """).assert_outcomes(passed=4)


def test_mode_off_takes_the_tests_out_that_it_marks(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
    run_test("""
        import pytest
        from pytest_jobs import current_jobs, open_jobs
        from shop import Pay

        @pytest.mark.jobs(mode="off")
        def test_mode_off_takes_a_test_out():
            with open_jobs() as jobs:
                assert current_jobs() is jobs

        @pytest.mark.parametrize(
            "mode", ["record", pytest.param("off", marks=pytest.mark.jobs(mode="off"))]
        )
        def test_of_one_parameter_off_takes_out_that_one(mode):
            if mode == "record":
                Pay.perform_later(7)
    """).assert_outcomes(passed=3)


def test_mode_off_refuses_the_fixture(run_test):
    result = run_test("""
        import pytest

        @pytest.mark.jobs(mode="off")
        def test_it(assert_enqueued):
            pass
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E *UsageError: *::test_it asks for the job harness, and its jobs*"]
    )


def test_of_a_class_it_holds_for_its_tests(run_test):
    run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.mark.jobs(mode="inline")
        class TestIt:
            def test_one(self):
                Pay.perform_later(7)
                assert len(current_jobs().performed) == 1

            @pytest.mark.jobs(mode="record")
            def test_two(self):
                Pay.perform_later(7)
                assert len(current_jobs().pending) == 1
    """).assert_outcomes(passed=2)


def test_the_nearest_wins_setting_by_setting(run_test):
    run_test("""
        import pytest
        from shop import Pay, Refuse

        pytestmark = pytest.mark.jobs(mode="inline", strict=True)

        @pytest.mark.jobs(raise_at="enqueue")
        class TestIt:
            @pytest.mark.jobs(strict=False)
            def test_all_three(self, jobs):
                with pytest.raises(ValueError):
                    Refuse.perform_later()
                Pay.set(wait=60).perform_later(7)

            def test_strict(self, jobs):
                Pay.set(wait=60).perform_later(7)
    """).assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            "'inline'",
            (
                " has positional arguments: write mode=, strict=, raise_at=, jitter=, queues=, repeatable=, "
                "idempotent=, crash= or audit=."
            ),
        ),
        ("mode='inlien'", ": mode is 'inlien'; valid are record, inline, off."),
        ("mode=None", ": mode is None; valid are record, inline, off."),
        ("raise_at='start'", ": raise_at is 'start'; valid are end, enqueue."),
        ("jitter=0", ": jitter is 0; valid are zero, seeded, live."),
        ("strict='yes'", ": strict is 'yes'; it is True or False."),
        (
            "inline=True",
            (
                ": 'inline' is not a keyword of the marker. "
                "It takes mode, raise_at, jitter, queues, repeatable, strict, idempotent, crash, audit."
            ),
        ),
        (
            "raises='enqueue'",
            (
                ": 'raises' is not a keyword of the marker: did you mean 'raise_at'? "
                "It takes mode, raise_at, jitter, queues, repeatable, strict, idempotent, crash, audit."
            ),
        ),
    ],
)
def test_a_wrong_argument_fails_the_test_alone(run_test, arguments, problem):
    result = run_test(f"""
        import pytest

        @pytest.mark.jobs({arguments})
        def test_it():
            pass

        @pytest.mark.jobs(mode="record")
        def test_another():
            pass
    """)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "@pytest.mark.jobs of test_a_wrong_argument_fails_the_test_alone.py::test_it"
            + problem.replace("[", "[[]")
        ]
    )


@pytest.mark.parametrize("options", ["", "jobs_mode = record", "jobs_twice = true"])
def test_a_wrong_argument_fails_its_test_whatever_the_session_does(pytester, run_test, options):
    pytester.makeini(f"[pytest]\n{options}")
    run_test("""
        import pytest

        @pytest.mark.jobs(mod="inline")
        def test_it():
            pass

        def test_another():
            pass
    """).assert_outcomes(passed=1, errors=1)


GUARDED = "[pytest]\njobs_mode = record\n"


def test_mode_off_gives_the_application_its_own_adapter_back_under_the_guard(pytester, run_test):
    pytester.makeini(GUARDED)
    result = run_test("""
        import pytest
        from pytest_jobs import TestAdapter, configure, current_jobs
        from pytest_jobs.errors import NoAdapterError, NoHarnessError
        from shop import Pay

        @pytest.mark.jobs(mode="off")
        def test_off():
            with pytest.raises(NoHarnessError):
                current_jobs()
            with pytest.raises(NoAdapterError):
                Pay.perform_later(7)

        def test_on():
            Pay.perform_later(7)
            assert len(current_jobs().pending) == 1
    """)

    result.assert_outcomes(passed=2)
    result.stdout.no_fnmatch_line("*never performed*")


def test_mode_off_keeps_wider_fixtures_guarded(pytester, run_test):
    pytester.makeini(GUARDED)
    result = run_test("""
        import pytest
        from pytest_jobs.errors import NoAdapterError
        from shop import Pay

        @pytest.fixture(scope="module", params=[1, 2])
        def seed(request):
            Pay.perform_later(request.param)
            yield
            Pay.perform_later(10 * request.param)

        @pytest.mark.jobs(mode="off")
        def test_off(seed):
            with pytest.raises(NoAdapterError):
                Pay.perform_later(7)
    """)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*jobs enqueued outside of tests and never performed*",
            *(f"*Pay({n})*" for n in (1, 10, 2, 20)),
        ]
    )


def test_mode_off_ends_with_its_test_also_when_it_fails(pytester, run_test):
    pytester.makeini(GUARDED)
    run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.mark.jobs(mode="off")
        def test_off():
            raise ValueError

        def test_on():
            Pay.perform_later(7)
            assert len(current_jobs().pending) == 1
    """).assert_outcomes(passed=1, failed=1)


NOTIFIES = """
import pytest
from unittest.mock import Mock

from pytest_jobs import check_idempotent, job

mail = Mock(spec=["send"])

@job
def thank(number):
    mail.send(number)

def test_plain():
    check_idempotent(thank, args=(7,))

@pytest.mark.jobs(repeatable=["*.mail.send", "never seen"])
def test_marked():
    check_idempotent(thank, args=(7,))
"""


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ([], 1),
        (["--jobs-repeatable", "enqueue shop.ship, test_*.mail.*"], 2),
        (["-o", "jobs_repeatable=enqueue shop.ship\n  test_*.mail.send"], 2),
    ],
)
def test_effects_may_happen_again_in_a_test_and_in_a_suite(pytester, options, passed):
    pytester.makepyfile(NOTIFIES)

    pytester.runpytest(*options).assert_outcomes(passed=passed, failed=2 - passed)
