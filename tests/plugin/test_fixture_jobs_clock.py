"""The fixture `jobs_clock`."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_the_clock_is_that_of_a_harness(run_test):
    run_test("""
        from datetime import UTC, datetime, timedelta
        import time

        from pytest_jobs import current_jobs
        from shop import Pay

        NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

        def test_it_is_the_clock_of_the_harness(jobs, jobs_clock):
            assert jobs_clock is jobs.clock
            assert not jobs_clock.frozen

            jobs_clock.move_to(NOON)
            Pay.set(wait=90).perform_later(7)
            jobs_clock.advance(90)

            assert datetime.now(UTC) == NOON + timedelta(seconds=90)
            assert jobs.perform_due()["performed"] == 1

        def test_it_opens_a_harness_by_itself(jobs_clock):
            assert current_jobs().clock is jobs_clock
    """).assert_outcomes(passed=2)


def test_the_next_test_has_the_time_of_the_system(run_test):
    run_test("""
        import time
        from datetime import UTC, datetime

        real = time.time()

        def test_moves(jobs_clock):
            jobs_clock.advance(10 * 24 * 3600)
            assert time.time() > real + 9 * 24 * 3600

        def test_fails(jobs_clock):
            jobs_clock.advance(10 * 24 * 3600)
            raise ValueError

        def test_after():
            assert time.time() < real + 3600

        def test_after_with_a_clock(jobs_clock):
            assert not jobs_clock.frozen
            assert jobs_clock.now().timestamp() < real + 3600
    """).assert_outcomes(passed=3, failed=1)


def test_the_duration_of_a_test_is_real(pytester):
    pytester.makepyfile("""
        def test_moves(jobs_clock):
            jobs_clock.advance(10 * 24 * 3600)
    """)
    reports = pytester.inline_run().getreports("pytest_runtest_logreport")

    assert len(reports) == 3
    assert all(report.duration < 3600 for report in reports)
