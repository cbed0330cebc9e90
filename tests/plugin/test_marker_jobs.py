"""`@pytest.mark.jobs(...)` opens a harness, with settings of its own."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_it_opens_a_harness_with_settings_of_which_the_nearest_win(told):
    reports = told(
        """
        import pytest
        from pytest_jobs import assert_performed, current_jobs
        from pytest_jobs.errors import NoHarnessError
        from shop import Pay, Refuse

        @pytest.mark.jobs
        def test_alone():
            Pay.perform_later(7)

            assert len(current_jobs().pending) == 1

        @pytest.mark.jobs()
        def test_with_parentheses():
            Pay.perform_later(7)

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

        @pytest.mark.jobs(mode="inline")
        class TestOfAClass:
            def test_one(self):
                Pay.perform_later(7)
                assert len(current_jobs().performed) == 1

            @pytest.mark.jobs(mode="record")
            def test_two(self):
                Pay.perform_later(7)
                assert len(current_jobs().pending) == 1

        @pytest.mark.jobs(mode="inline", strict=True, raise_at="enqueue")
        class TestTheNearestWins:
            @pytest.mark.jobs(strict=False)
            def test_all_three(self, jobs):
                with pytest.raises(ValueError):
                    Refuse.perform_later()
                Pay.set(wait=60).perform_later(7)

            def test_strict(self, jobs):
                Pay.set(wait=60).perform_later(7)

        @pytest.mark.jobs(mode="off")
        def test_mode_off_refuses_the_fixture(assert_enqueued):
            pass
        """,
        "--strict-markers",
        passed=9,
        failed=1,
        errors=1,
    )

    assert "TestTheNearestWins.test_strict" in reports
    reports["test_mode_off_refuses_the_fixture"].fnmatch_lines(
        [
            "E *UsageError: *::test_mode_off_refuses_the_fixture asks for the job harness, and its jobs*"
        ]
    )


WRONG = [
    (
        "'inline'",
        (
            " has positional arguments: write mode=, strict=, raise_at=, jitter=, queues=, repeatable= or audit=."
        ),
    ),
    ("mode='inlien'", ": mode is 'inlien'; valid are record, inline, off."),
    ("mode=None", ": mode is None; valid are record, inline, off."),
    ("raise_at='start'", ": raise_at is 'start'; valid are end, enqueue."),
    ("jitter=0", ": jitter is 0; valid are zero, seeded, live."),
    ("strict='yes'", ": strict is 'yes'; valid are true and false."),
    (
        "inline=True",
        (
            ": 'inline' is not a keyword of the marker. "
            "It takes mode, strict, raise_at, jitter, queues, repeatable, audit."
        ),
    ),
    (
        "idempotent=False",
        (
            ": 'idempotent' is not a keyword of the marker. "
            "It takes mode, strict, raise_at, jitter, queues, repeatable, audit."
        ),
    ),
    (
        "raises='enqueue'",
        (
            ": 'raises' is not a keyword of the marker: did you mean 'raise_at'? "
            "It takes mode, strict, raise_at, jitter, queues, repeatable, audit."
        ),
    ),
]


@pytest.mark.parametrize("options", ["", "jobs_mode = record", "jobs_strict = true"])
def test_a_wrong_argument_fails_the_test_alone_whatever_the_session_does(pytester, told, options):
    pytester.makeini(f"[pytest]\n{options}")
    tests = "".join(
        f"@pytest.mark.jobs({arguments})\ndef test_{number}(): pass\n\n"
        for number, (arguments, _) in enumerate(WRONG)
    )
    reports = told(
        f"import pytest\n\n{tests}@pytest.mark.jobs(mode='record')\ndef test_right(): pass",
        passed=1,
        errors=len(WRONG),
    )

    for number, (_, problem) in enumerate(WRONG):
        assert f"@pytest.mark.jobs of test_it.py::test_{number}{problem}" in str(
            reports[f"test_{number}"]
        )


GUARDED = "[pytest]\njobs_mode = record\n"


def test_mode_off_takes_the_tests_out_that_it_marks_and_no_others(pytester, run_test):
    pytester.makeini(GUARDED)
    result = run_test("""
        import pytest
        from pytest_jobs import current_jobs, open_jobs
        from pytest_jobs.errors import NoAdapterError, NoHarnessError
        from shop import Pay

        @pytest.mark.jobs(mode="off")
        def test_the_application_has_its_own_adapter_back():
            with pytest.raises(NoHarnessError):
                current_jobs()
            with pytest.raises(NoAdapterError):
                Pay.perform_later(7)

        def test_on():
            Pay.perform_later(7)
            assert len(current_jobs().pending) == 1

        @pytest.mark.jobs(mode="off")
        def test_a_block_opens_one():
            with open_jobs() as jobs:
                assert current_jobs() is jobs

        @pytest.mark.parametrize(
            "mode", ["record", pytest.param("off", marks=pytest.mark.jobs(mode="off"))]
        )
        def test_of_one_parameter_off_takes_out_that_one(mode):
            if mode == "record":
                Pay.perform_later(7)

        @pytest.mark.jobs(mode="off")
        def test_it_ends_with_its_test_also_when_that_fails():
            raise ValueError

        def test_on_again():
            Pay.perform_later(7)
            assert len(current_jobs().pending) == 1
    """)

    result.assert_outcomes(passed=6, failed=1)
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
        (["-o", "jobs_repeatable=enqueue shop.ship, test_*.mail.*"], 2),
        (["-o", "jobs_repeatable=enqueue shop.ship\n  test_*.mail.send"], 2),
    ],
)
def test_effects_may_happen_again_in_a_test_and_in_a_suite(pytester, options, passed):
    pytester.makepyfile(NOTIFIES)

    pytester.runpytest(*options).assert_outcomes(passed=passed, failed=2 - passed)
