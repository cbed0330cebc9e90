"""`--jobs-strict`, and `jobs_strict`, fail a test that leaves jobs alone."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

LEAVES_ONE = """
    from shop import Pay

    def test_it(jobs):
        Pay.perform_later(7)
"""
MESSAGE = [
    "*_ test_it _*",
    "This test left 1 job that it neither looked at nor performed:",
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


def test_the_flag_fails_a_test_that_leaves_a_job(pytester):
    pytester.makepyfile(LEAVES_ONE)

    result = pytester.runpytest("--jobs-strict")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(MESSAGE, consecutive=True)


def test_so_does_the_setting(pytester, run_test):
    pytester.makeini("[pytest]\njobs_strict = true")
    result = run_test(LEAVES_ONE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(MESSAGE, consecutive=True)


@pytest.mark.parametrize("value", ["false", "no", "0"])
def test_the_setting_can_be_false(pytester, run_test, value):
    pytester.makeini(f"[pytest]\njobs_strict = {value}")
    run_test(LEAVES_ONE).assert_outcomes(passed=1)


def test_without_it_jobs_may_be_left(run_test):
    run_test(LEAVES_ONE).assert_outcomes(passed=1)


def test_tests_that_leave_nothing(pytester):
    pytester.makepyfile("""
        import pytest
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError
        from shop import Pay, send_receipt

        # Jobs that were asserted performed or looked at are not left.
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
    """)

    pytester.runpytest("--jobs-strict").assert_outcomes(passed=7)


def test_a_negative_assertion_is_no_look(pytester):
    pytester.makepyfile("""
        from shop import Pay, send_receipt

        def test_it(jobs, assert_not_enqueued):
            Pay.perform_later(7)
            assert_not_enqueued(send_receipt)
    """)

    pytester.runpytest("--jobs-strict").assert_outcomes(failed=1)


def test_a_test_that_failed_otherwise_fails_for_that(pytester):
    pytester.makepyfile("""
        from shop import Pay

        def test_it(jobs):
            Pay.perform_later(7)
            assert 1 == 2
    """)

    result = pytester.runpytest("--jobs-strict")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *assert 1 == 2"])
    result.stdout.no_fnmatch_line("*This test left*")


def test_a_marker_tightens_it(run_test):
    run_test("""
        import pytest
        from shop import Pay

        @pytest.mark.jobs(strict=True)
        def test_it():
            Pay.perform_later(7)
    """).assert_outcomes(failed=1)


def test_with_jobs_mode_it_holds_for_every_test(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record\njobs_strict = true")
    run_test("""
        from shop import Pay

        def test_it():
            Pay.perform_later(7)
    """).assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("drain", "verb"),
    [
        ("jobs.drain()", "jobs.drain()"),
        ("jobs.drain(workers=2)", "jobs.drain()"),
        ("asyncio.run(jobs.adrain())", "jobs.adrain()"),
    ],
)
def test_a_drain_that_has_nothing_to_perform_fails_the_test(pytester, drain, verb):
    pytester.makepyfile(f"""
        import asyncio

        def test_it(jobs):
            {drain}
    """)

    result = pytester.runpytest("--jobs-strict")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"Expected {verb} at *.py:4 to perform a job",
            "but it found nothing pending.",
            "",
            "Next: enqueue the job before the drain, *",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize(
    "body",
    [
        "jobs.drain(at_least=0)",
        "jobs.drain(until=jobs.clock.now())",
        "Pay.perform_later(7); jobs.drain()",
        "jobs.perform_due(); jobs.run_for(60)",
        "with jobs.inline(): jobs.drain()",
    ],
)
def test_a_test_that_says_so_may_perform_nothing(pytester, body):
    pytester.makepyfile(f"""
        from shop import Pay

        def test_it(jobs):
            {body}
    """)

    pytester.runpytest("--jobs-strict").assert_outcomes(passed=1)


def test_without_it_an_idle_drain_returns_an_empty_tally(run_test):
    run_test("""
        def test_it(jobs):
            assert jobs.drain() == {}
    """).assert_outcomes(passed=1)
