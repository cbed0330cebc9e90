"""`jobs_mode` opens a harness in every test, or in none."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def set_mode(pytester, mode):
    pytester.makeini(f"[pytest]\njobs_mode = {mode}")


def test_record_gives_every_test_a_harness(pytester, run_test):
    set_mode(pytester, "record")
    run_test("""
        from pytest_jobs import current_jobs
        from shop import Pay

        def test_record_keeps_what_a_test_enqueues_although_it_asks_for_nothing():
            Pay.perform_later(7)

            assert len(current_jobs().pending) == 1

        def test_the_next():
            assert len(current_jobs().enqueued) == 0

        def test_a_test_that_asks_for_the_fixture_too_has_the_same(jobs, assert_enqueued, job_harness):
            assert current_jobs() is jobs is job_harness
    """).assert_outcomes(passed=3)


def test_inline_performs_what_a_test_enqueues(pytester, run_test):
    set_mode(pytester, "inline")
    run_test("""
        from pytest_jobs import current_jobs
        from shop import Pay

        def test_it():
            Pay.perform_later(7)

            assert len(current_jobs().performed) == 1
    """).assert_outcomes(passed=1)


def test_off_opens_none_but_where_a_marker_says_so(pytester, run_test):
    set_mode(pytester, "off")
    run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoAdapterError, NoHarnessError
        from shop import Pay

        def test_off_opens_none():
            with pytest.raises(NoHarnessError):
                current_jobs()
            with pytest.raises(NoAdapterError):
                Pay.perform_later(7)

        @pytest.mark.jobs(mode="record")
        def test_a_marker_overrides_off():
            Pay.perform_later(7)

            assert len(current_jobs().pending) == 1

        @pytest.mark.jobs(mode="inline")
        def test_inline(jobs):
            Pay.perform_later(7)

            assert len(jobs.performed) == 1
    """).assert_outcomes(passed=3)


def test_off_refuses_the_fixture(pytester, run_test):
    set_mode(pytester, "off")
    result = run_test("""
        def test_it(jobs):
            pass
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            (
                "E *UsageError: test_off_refuses_the_fixture.py::test_it asks for the job harness, and its jobs "
                "mode is off: take the fixture out, or set the mode to record with "
                "@pytest.mark.jobs(mode='record')."
            )
        ]
    )


def test_off_refuses_the_harness_of_the_session(pytester, run_test):
    set_mode(pytester, "off")
    result = run_test("""
        def test_it(session_jobs):
            pass
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            (
                "E *UsageError: A fixture asks for the harness of the session, and the jobs mode is off: take "
                "`session_jobs` out, or set jobs_mode to record."
            )
        ]
    )


def test_the_harness_is_open_before_all_other_fixtures(pytester, run_test):
    set_mode(pytester, "record")
    run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.fixture(autouse=True)
        def early():
            Pay.perform_later(1)

        @pytest.fixture
        def late(early):
            Pay.perform_later(2)

        def test_it(late):
            assert [record.args for record in current_jobs().enqueued] == [(1,), (2,)]
    """).assert_outcomes(passed=1)


def test_it_is_open_until_the_other_fixtures_are_torn_down(pytester, run_test):
    set_mode(pytester, "record")
    run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.fixture(autouse=True)
        def order():
            yield
            Pay.perform_later(1)
            assert len(current_jobs().enqueued) == 1

        def test_it():
            pass
    """).assert_outcomes(passed=1)


def test_nothing_can_be_set_to_nothing(pytester, run_test):
    set_mode(pytester, "")
    run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError

        def test_it():
            with pytest.raises(NoHarnessError):
                current_jobs()
    """).assert_outcomes(passed=1)


def test_a_fixture_that_is_named_jobs_is_left_alone(pytester, run_test):
    set_mode(pytester, "record")
    run_test("""
        import pytest
        from pytest_jobs import assert_enqueued
        from shop import Pay

        @pytest.fixture
        def jobs():
            return ["plumber"]

        def test_it(jobs):
            Pay.perform_later(7)
            assert_enqueued(Pay)
            assert jobs == ["plumber"]
    """).assert_outcomes(passed=1)
