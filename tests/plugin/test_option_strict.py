"""`--jobs-strict`, and `jobs_strict`, fail a test that leaves jobs alone."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

LEAVES_ONE = """
    from shop import Pay

    def test_it(jobs):
        Pay.perform_later(7)
"""
MESSAGE = [
    "This test left Pay(7) that it neither looked at nor performed:",
    "left: 1",
    "#  job  arguments  queue     wait  attempt  state",
    "0  Pay  7          payments  -     1        pending",
    "",
    (
        "Next: assert them (assert_enqueued), perform them (jobs.drain()), or mark the test with "
        "@pytest.mark.jobs(strict=False) if they do not matter here."
    ),
    "See: python -m pytest_jobs explain left-alone",
    "-* jobs in this test -*",
]
IDLE = ["It was expected to perform a job.", "", "Next: enqueue the job before the drain, *"]


def test_the_flag_fails_tests_that_leave_a_job_or_drain_nothing_and_no_others(told):
    reports = told(
        """
        import asyncio
        import pytest
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError
        from shop import Pay, send_receipt

        # Jobs that were asserted, performed or looked at are not left.
        def test_asserted(jobs, assert_enqueued):
            Pay.perform_later(7)
            assert_enqueued(Pay)

        def test_performed(jobs):
            Pay.perform_later(7)
            jobs.drain()

        def test_looked_at(jobs):
            Pay.perform_later(7)
            assert jobs.enqueued[0].args == (7,)

        def test_compared(jobs):
            assert jobs.enqueued == []

        def test_nothing(jobs):
            pass

        @pytest.mark.jobs(strict=False)
        def test_a_marker_loosens_it(jobs):
            Pay.perform_later(7)

        def test_it_opens_no_harness_by_itself():
            with pytest.raises(NoHarnessError):
                current_jobs()

        # One that says so may perform nothing.
        def test_at_least_0(jobs):
            jobs.drain(at_least=0)

        def test_until(jobs):
            jobs.drain(until=jobs.clock.now())

        def test_of_other_verbs(jobs):
            jobs.perform_due()
            jobs.run_for(60)

        def test_of_a_block(jobs):
            with jobs.inline():
                jobs.drain()

        def test_left(jobs):
            Pay.perform_later(7)

        def test_a_negative_assertion_is_no_look(jobs, assert_not_enqueued):
            Pay.perform_later(7)
            assert_not_enqueued(send_receipt)

        def test_failed_otherwise(jobs):
            Pay.perform_later(7)
            assert 1 == 2

        def test_drained(jobs):
            jobs.drain()

        def test_drained_by_workers(jobs):
            jobs.drain(workers=2)

        def test_drained_on_a_loop(jobs):
            asyncio.run(jobs.adrain())
        """,
        "--jobs-strict",
        passed=11,
        failed=6,
    )

    reports["test_left"].fnmatch_lines(MESSAGE, consecutive=True)
    reports["test_a_negative_assertion_is_no_look"].fnmatch_lines(MESSAGE)
    reports["test_failed_otherwise"].fnmatch_lines(["E *assert 1 == 2"])
    reports["test_failed_otherwise"].no_fnmatch_line("*This test left*")
    for name, line in (
        ("drained", "jobs.drain() at *.py:61"),
        ("drained_by_workers", "jobs.drain() at *.py:64"),
        ("drained_on_a_loop", "jobs.adrain() at *.py:67"),
    ):
        reports[f"test_{name}"].fnmatch_lines(
            [f"{line} found nothing pending.", *IDLE], consecutive=True
        )


@pytest.mark.parametrize("value", ["true", "false", "no", "0"])
def test_so_does_the_setting_and_a_marker_overrides_it(pytester, told, value):
    pytester.makeini(f"[pytest]\njobs_strict = {value}")
    failed = int(value == "true")
    reports = told(
        f"""{LEAVES_ONE}
    import pytest

    @pytest.mark.jobs(strict=True)
    def test_a_marker_tightens_it():
        Pay.perform_later(7)
    """,
        passed=1 - failed,
        failed=1 + failed,
    )

    for report in reports.values():
        report.fnmatch_lines(MESSAGE, consecutive=True)
    assert "test_a_marker_tightens_it" in reports


def test_without_it_jobs_may_be_left_and_an_idle_drain_returns_an_empty_tally(told):
    told(
        f"""{LEAVES_ONE}
    def test_another(jobs):
        assert jobs.drain() == {{}}
    """,
        passed=2,
    )


def test_with_jobs_mode_it_holds_for_every_test(pytester, told):
    pytester.makeini("[pytest]\njobs_mode = record\njobs_strict = true")
    told(LEAVES_ONE.replace("jobs)", ")"), failed=1)
