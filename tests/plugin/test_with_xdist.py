"""Under pytest-xdist every worker has harnesses of its own, and its findings reach the report."""

import pytest

pytestmark = [
    pytest.mark.usefixtures("shop", "without_colour"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_tests_run_in_several_processes(pytester):
    pytester.makepyfile("""
        import pytest
        from shop import Pay

        @pytest.mark.parametrize("payment_id", range(8))
        def test_it(jobs, assert_enqueued, payment_id):
            Pay.perform_later(payment_id)
            assert assert_enqueued(Pay).args == (payment_id,)
            jobs.drain()
    """)

    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=8)


def test_the_section_of_failed_jobs_and_the_findings_outside_of_tests_are_shown(pytester):
    pytester.makeini("[pytest]\njobs_mode = inline")
    pytester.makepyfile("""
        import pytest
        from shop import Pay, Refuse

        @pytest.fixture(scope="module")
        def customer():
            Pay.set(wait=3600).perform_later(1)
            yield
            Refuse.perform_later("no card")

        def test_it(customer):
            Refuse.perform_later()
            assert 1 == 2
    """)

    result = pytester.runpytest_subprocess("-n", "2")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert 1 == 2",
            "-* Jobs that failed -*",
            "ValueError: no money",
            "=* jobs enqueued outside of tests and never performed =*",
            "#0 Pay(1) queue='payments' wait=1h",
            "=* jobs that failed outside of tests =*",
            "ValueError: no card",
        ]
    )


def test_a_job_that_failed_outside_of_tests_fails_the_run(pytester):
    pytester.makeini("[pytest]\njobs_mode = inline")
    pytester.makepyfile("""
        import pytest
        from shop import Refuse

        @pytest.fixture(scope="module")
        def customer():
            yield
            Refuse.perform_later("no card")

        def test_it(customer):
            pass
    """)

    result = pytester.runpytest_subprocess("-n", "2")

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_wrong_settings_stop_the_run(pytester):
    pytester.makeini("[pytest]\njobs_mode = inlien")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest_subprocess("-n", "2")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: jobs_mode is 'inlien'; valid are record, inline, off."])
