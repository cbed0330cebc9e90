"""Items that are no test functions."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

ITEM = """
    import pytest

    class Step(pytest.Item):
        def runtest(self):
            from shop import Pay
            Pay.perform_later(7)

        def reportinfo(self):
            return self.path, 0, self.name

    class Steps(pytest.File):
        def collect(self):
            yield Step.from_parent(self, name="step")

    def pytest_collect_file(parent, file_path):
        if file_path.suffix == ".steps":
            return Steps.from_parent(parent, path=file_path)
"""


def test_a_doctest_is_left_alone(pytester):
    pytester.makepyfile(
        example='''
        """
        >>> from pytest_jobs import current_jobs
        >>> current_jobs()
        Traceback (most recent call last):
        pytest_jobs.errors.NoHarnessError: No harness is open.
        ...
        """
    '''
    )

    pytester.runpytest(
        "--doctest-modules", "-o", "doctest_optionflags=ELLIPSIS IGNORE_EXCEPTION_DETAIL"
    ).assert_outcomes(passed=1)


def test_a_doctest_can_ask_for_the_fixture(pytester):
    pytester.makepyfile(
        example='''
        """
        >>> jobs = getfixture("jobs")
        >>> from shop import Pay
        >>> _ = Pay.perform_later(7)
        >>> jobs.drain()
        <Tally 1 performed>
        """
    '''
    )

    pytester.runpytest("--doctest-modules").assert_outcomes(passed=1)


def test_under_jobs_mode_a_doctest_has_a_harness_too(pytester):
    pytester.makeini("[pytest]\njobs_mode = inline")
    pytester.makepyfile(
        example='''
        """
        >>> from pytest_jobs import assert_performed
        >>> from shop import Pay
        >>> _ = Pay.perform_later(7)
        >>> assert_performed(Pay)
        <#0 Pay(7) performed>
        """
    '''
    )

    pytester.runpytest("--doctest-modules").assert_outcomes(passed=1)


def test_an_item_without_fixtures_is_left_alone(pytester):
    pytester.makeconftest(ITEM)
    pytester.makefile(".steps", one="")

    result = pytester.runpytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *NoAdapterError: No adapter is configured*"])


def test_under_jobs_mode_its_jobs_belong_to_the_session(pytester):
    pytester.makeini("[pytest]\njobs_mode = record")
    pytester.makeconftest(ITEM)
    pytester.makefile(".steps", one="")

    result = pytester.runpytest("--jobs-strict")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["=* jobs enqueued outside of tests and never performed =*", "#0 Pay(7) queue='payments'"]
    )
