"""A test that fails while it is set up leaves nothing open."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

AFTER = """
    import time
    import pytest
    from pytest_jobs import current_jobs
    from pytest_jobs.errors import NoAdapterError, NoHarnessError
    from shop import Pay, Refuse, rest

    real = time.time()

    def test_after():
        assert time.sleep.__module__ == "time"
        assert time.time() < real + 3600
        with pytest.raises(NoHarnessError):
            current_jobs()
        with pytest.raises(NoAdapterError):
            Pay.perform_later(7)
"""


@pytest.mark.parametrize(
    "trouble",
    [
        "raise RuntimeError('broken')",
        "Refuse.perform_later(); jobs.drain()",
        "assert jobs.enqueued[0]",
        "pytest.fail('broken')",
    ],
)
def test_nothing_is_left_when_a_fixture_fails(run_test, trouble):
    run_test(
        f"""
    import pytest

    @pytest.fixture
    def broken(jobs):
        jobs.clock.advance(10 * 24 * 3600)
        {trouble}

    def test_it(broken):
        pass
    """
        + AFTER
    ).assert_outcomes(errors=1, passed=1)


def test_the_error_of_a_job_in_a_fixture_is_an_error_of_the_set_up(run_test):
    result = run_test("""
        import pytest
        from shop import Refuse

        @pytest.fixture
        def refused(jobs):
            Refuse.perform_later()
            jobs.drain()

        def test_it(refused):
            pass
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", "E *ValueError: no money"])


@pytest.mark.parametrize(
    "trouble",
    [
        "assert 1 == 2",
        "raise RuntimeError",
        "pytest.fail('broken')",
        "pytest.skip('not here')",
        "pytest.xfail('not yet')",
        "jobs.fail(Pay, raising=OSError)",
        "rest.perform_later(5); Refuse.perform_later(); jobs.drain()",
    ],
)
def test_nothing_is_left_when_the_test_fails(run_test, trouble):
    result = run_test(
        f"""
    def test_it(jobs):
        jobs.clock.advance(10 * 24 * 3600)
        {trouble}
    """
        + AFTER
    )

    assert result.parseoutcomes()["passed"] == 1
    assert len(result.parseoutcomes()) == 2


def test_nothing_is_left_when_a_fixture_fails_at_the_end(run_test):
    run_test(
        """
    import pytest

    @pytest.fixture
    def broken(jobs):
        yield
        jobs.clock.advance(10 * 24 * 3600)
        raise RuntimeError

    def test_it(broken):
        pass
    """
        + AFTER
    ).assert_outcomes(errors=1, passed=2)
