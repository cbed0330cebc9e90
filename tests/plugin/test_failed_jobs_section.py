"""A test that failed shows the tracebacks of the jobs that failed in it, in a section of its report."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

NONE = "*Jobs that failed*"
PERFORM_AND_FAIL = """
    from shop import Refuse

    def test_it(jobs):
        Refuse.perform_later()
        jobs.drain(raise_errors=False)
        assert 1 == 2
"""


def test_it_shows_the_job_its_error_and_where_that_was_raised(pytester):
    pytester.makepyfile(PERFORM_AND_FAIL)
    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert 1 == 2",
            "",
            "*.py:6: AssertionError",
            "-* Jobs that failed -*",
            "Traceback (most recent call last):",
            '  File "*shop.py", line 18, in perform',
            "    refuse(reason)",
        ],
        consecutive=True,
    )
    result.stdout.fnmatch_lines(
        [
            '  File "*shop.py", line 22, in refuse',
            "    raise ValueError(reason)",
            "ValueError: no money",
            "-* jobs in this test -*",
            "failed: 1",
            "  #0 Refuse() failed: ValueError: no money",
            "=* short test summary info =*",
        ],
        consecutive=True,
    )


def test_each_failed_test_shows_the_jobs_that_failed_in_it_for_good(told):
    reports = told(
        """
        import pytest
        from pytest_jobs import Job, discard_on, job
        from shop import Pay, Refuse, Sync

        @discard_on(KeyError)
        class Drop(Job):
            def perform(self):
                raise KeyError

        @job
        def charge():
            try:
                {}["card"]
            except KeyError as error:
                raise RuntimeError("no card") from error

        @job
        async def refuse_later():
            raise ValueError("no page")

        def test_passed(jobs):
            Refuse.perform_later()
            jobs.drain(raise_errors=False)

        def test_no_job_failed(jobs):
            Pay.perform_later(7)
            Sync.perform_later(1)
            jobs.drain()
            assert 1 == 2

        def test_no_harness():
            assert 1 == 2

        def test_the_error_that_failed_the_test_is_not_repeated(jobs):
            Refuse.perform_later()
            jobs.drain()

        def test_exhausted_retried_and_discarded(jobs):
            Sync.perform_later(9)
            Drop.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2

        def test_of_many(jobs):
            for reason in ["one", "two", "three", "four"]:
                Refuse.perform_later(reason)
            jobs.drain(raise_errors=False)
            assert 1 == 2

        def test_a_cause(jobs):
            charge.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2

        def test_frames_of_ours(jobs):
            Refuse.perform_later()
            refuse_later.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2

        @pytest.fixture
        def broken(jobs):
            Refuse.perform_later()
            jobs.drain(raise_errors=False)
            raise RuntimeError("the fixture broke")

        def test_setup(broken):
            pass
        """,
        "-rA",
        passed=1,
        failed=7,
        errors=1,
    )

    for name in ("no_job_failed", "no_harness", "the_error_that_failed_the_test_is_not_repeated"):
        reports[f"test_{name}"].no_fnmatch_line(NONE)
    not_repeated = reports["test_the_error_that_failed_the_test_is_not_repeated"]
    assert str(not_repeated).count("raise ValueError(reason)") == 1

    exhausted = reports["test_exhausted_retried_and_discarded"]
    exhausted.fnmatch_lines(["-* Jobs that failed -*", "TimeoutError: attempt 3"])
    exhausted.no_fnmatch_line("TimeoutError: attempt 2")
    exhausted.no_fnmatch_line("KeyError")

    many = reports["test_of_many"]
    assert str(many).count("Traceback (most recent call last):") == 3
    many.no_fnmatch_line("ValueError: one")
    many.fnmatch_lines(["ValueError: two", "ValueError: three", "ValueError: four"])

    reports["test_a_cause"].fnmatch_lines(
        [
            "KeyError: 'card'",
            "The above exception was the direct cause of the following exception:",
            "RuntimeError: no card",
        ]
    )
    frames = reports["test_frames_of_ours"]
    frames.fnmatch_lines(["ValueError: no money", "ValueError: no page"])
    frames.no_fnmatch_line('*File "*pytest_jobs/*')
    frames.no_fnmatch_line('*File "*asyncio/*')
    reports["test_setup"].fnmatch_lines(
        ["E *RuntimeError: the fixture broke", "-* Jobs that failed -*", "ValueError: no money"]
    )


def test_one_that_passed_shows_none(pytester):
    pytester.makepyfile(PERFORM_AND_FAIL.replace("assert 1 == 2", ""))
    pytester.runpytest("-rA").stdout.no_fnmatch_line(NONE)


def test_show_capture_no_hides_it(told):
    told(PERFORM_AND_FAIL, "--show-capture=no", failed=1)["test_it"].no_fnmatch_line(NONE)
