"""`jobs_raise` says where the error of an inline job is raised."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

TEST = """
    from shop import Refuse

    def test_it(jobs):
        try:
            Refuse.perform_later()
        except ValueError:
            print("raised at enqueue")
"""


def test_the_end_of_the_test_is_the_default(pytester):
    pytester.makepyfile(TEST)

    result = pytester.runpytest("--jobs-inline", "-rP")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("raised at enqueue")


def test_end_is_the_end_of_the_test(pytester):
    pytester.makeini("[pytest]\njobs_raise = end")
    pytester.makepyfile(TEST)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)


def test_enqueue_is_the_caller(pytester):
    pytester.makeini("[pytest]\njobs_raise = enqueue")
    pytester.makepyfile(TEST)

    result = pytester.runpytest("--jobs-inline", "-rP")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["raised at enqueue"])


def test_it_holds_for_inline_blocks_too(pytester, run_test):
    pytester.makeini("[pytest]\njobs_raise = enqueue")
    run_test("""
        import pytest
        from shop import Refuse

        def test_it(jobs):
            with jobs.inline():
                with pytest.raises(ValueError, match="no money"):
                    Refuse.perform_later()
    """).assert_outcomes(passed=1)


def test_a_marker_overrides_it(run_test):
    run_test("""
        import pytest
        from shop import Refuse

        @pytest.mark.jobs(mode="inline", raise_at="enqueue")
        def test_it():
            with pytest.raises(ValueError, match="no money"):
                Refuse.perform_later()
    """).assert_outcomes(passed=1)
