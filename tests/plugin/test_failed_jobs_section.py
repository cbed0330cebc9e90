"""A test that failed shows the tracebacks of the jobs that failed in it, in a section of its report."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_it_shows_the_job_its_error_and_where_that_was_raised(run_test):
    result = run_test("""
        from shop import Refuse

        def test_it(jobs):
            jobs.clock.move_to(NOON)
            Refuse.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2

        from datetime import UTC, datetime
        NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert 1 == 2",
            "",
            "*.py:7: AssertionError",
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


def test_a_test_that_passed_shows_none(pytester):
    pytester.makepyfile("""
        from shop import Refuse

        def test_it(jobs):
            Refuse.perform_later()
            jobs.drain(raise_errors=False)
    """)

    result = pytester.runpytest("-rA")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*Jobs that failed*")


def test_a_test_without_failed_jobs_shows_none(run_test):
    result = run_test("""
        from shop import Pay, Sync

        def test_it(jobs):
            Pay.perform_later(7)
            Sync.perform_later(1)
            jobs.drain()
            assert 1 == 2
    """)

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*Jobs that failed*")


def test_a_test_without_a_harness_shows_none(run_test):
    result = run_test("def test_it(): assert 1 == 2")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*Jobs that failed*")


def test_the_error_that_failed_the_test_is_not_repeated(run_test):
    result = run_test("""
        from shop import Refuse

        def test_it(jobs):
            Refuse.perform_later()
            jobs.drain()
    """)

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*Jobs that failed*")
    assert result.stdout.str().count("raise ValueError(reason)") == 1


def test_exhausted_jobs_are_shown_retried_and_discarded_ones_not(run_test):
    result = run_test("""
        from pytest_jobs import Job, discard_on
        from shop import Sync

        @discard_on(KeyError)
        class Drop(Job):
            def perform(self):
                raise KeyError

        def test_it(jobs):
            Sync.perform_later(9)
            Drop.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["-* Jobs that failed -*", "TimeoutError: attempt 3"])
    result.stdout.no_fnmatch_line("TimeoutError: attempt 2")
    result.stdout.no_fnmatch_line("KeyError")


def test_of_many_the_last_three_are_shown(run_test):
    result = run_test("""
        from shop import Refuse

        def test_it(jobs):
            for reason in ["one", "two", "three", "four"]:
                Refuse.perform_later(reason)
            jobs.drain(raise_errors=False)
            assert 1 == 2
    """)

    assert result.stdout.str().count("Traceback (most recent call last):") == 3
    result.stdout.no_fnmatch_line("ValueError: one")
    result.stdout.fnmatch_lines(["ValueError: two", "ValueError: three", "ValueError: four"])


def test_the_cause_of_an_error_is_shown(run_test):
    result = run_test("""
        from pytest_jobs import job

        @job
        def charge():
            try:
                {}["card"]
            except KeyError as error:
                raise RuntimeError("no card") from error

        def test_it(jobs):
            charge.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2
    """)

    result.stdout.fnmatch_lines(
        [
            "KeyError: 'card'",
            "The above exception was the direct cause of the following exception:",
            "RuntimeError: no card",
        ]
    )


def test_no_frame_of_ours_is_shown(run_test):
    result = run_test("""
        from shop import Refuse, fetch
        from pytest_jobs import job

        @job
        async def refuse_later():
            raise ValueError("no page")

        def test_it(jobs):
            Refuse.perform_later()
            refuse_later.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2
    """)

    result.stdout.fnmatch_lines(["ValueError: no money", "ValueError: no page"])
    result.stdout.no_fnmatch_line('*File "*pytest_jobs/*')
    result.stdout.no_fnmatch_line('*File "*asyncio/*')


def test_it_is_shown_for_an_error_while_fixtures_are_set_up(run_test):
    result = run_test("""
        import pytest
        from shop import Refuse

        @pytest.fixture
        def broken(jobs):
            Refuse.perform_later()
            jobs.drain(raise_errors=False)
            raise RuntimeError("the fixture broke")

        def test_it(broken):
            pass
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E *RuntimeError: the fixture broke", "-* Jobs that failed -*", "ValueError: no money"]
    )


def test_show_capture_no_hides_it(pytester):
    pytester.makepyfile("""
        from shop import Refuse

        def test_it(jobs):
            Refuse.perform_later()
            jobs.drain(raise_errors=False)
            assert 1 == 2
    """)

    result = pytester.runpytest("--show-capture=no")

    result.stdout.no_fnmatch_line("*Jobs that failed*")
