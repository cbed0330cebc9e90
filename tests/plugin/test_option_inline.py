"""`--jobs-inline` performs each job of every test as soon as it is enqueued."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_jobs_are_performed_where_they_are_enqueued(pytester):
    pytester.makepyfile("""
        import pytest
        from pytest_jobs import Job, assert_performed
        from shop import Pay, Sync

        def test_a_test_that_asks_for_nothing_has_its_jobs_performed():
            Pay.perform_later(7)

            assert_performed(Pay, result="paid 7")

        def test_so_has_one_that_asks_for_the_harness(jobs):
            Pay.perform_later(7)

            assert len(jobs.performed) == 1
            assert len(jobs.pending) == 0

        def test_what_is_due_later_waits(jobs):
            Pay.set(wait=60).perform_later(7)
            Sync.perform_later()

            assert [record.attempt for record in jobs.pending] == [1, 2]
            jobs.drain()
            assert len(jobs.performed) == 2

        order = []

        class Parent(Job):
            def perform(self):
                Child.perform_later()
                order.append("parent")

        class Child(Job):
            def perform(self):
                order.append("child")

        def test_a_job_that_is_enqueued_by_a_job_runs_after_it():
            Parent.perform_later()

            assert order == ["parent", "child"]

        @pytest.mark.jobs(mode="record")
        def test_a_marker_overrides_it(jobs):
            Pay.perform_later(7)

            assert len(jobs.pending) == 1
    """)

    pytester.runpytest("--jobs-inline").assert_outcomes(passed=5)


def test_the_error_of_a_job_fails_the_test_at_its_end(pytester):
    pytester.makepyfile("""
        from shop import Refuse

        def test_it():
            Refuse.perform_later()
            print("the test went on")
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ValueError: no money", "the test went on"])


def test_each_further_error_is_noted(pytester):
    pytester.makepyfile("""
        from shop import Refuse

        def test_it():
            Refuse.perform_later("first")
            Refuse.perform_later("second")
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *ValueError: first", "E *Another inline job failed too: ValueError: second"]
    )


def test_it_overrides_jobs_mode_record(pytester):
    pytester.makeini("[pytest]\njobs_mode = record")
    pytester.makepyfile("""
        from shop import Pay

        def test_it(jobs):
            Pay.perform_later(7)

            assert len(jobs.performed) == 1
    """)

    pytester.runpytest("--jobs-inline").assert_outcomes(passed=1)


def test_an_error_in_a_fixture_is_raised_at_the_end_of_the_test(pytester):
    pytester.makepyfile("""
        import pytest
        from shop import Refuse

        @pytest.fixture
        def refused():
            Refuse.perform_later()

        def test_it(refused):
            pass
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ValueError: no money"])


def test_an_error_while_fixtures_are_torn_down_is_raised_there(pytester):
    pytester.makepyfile("""
        import pytest
        from shop import Pay, Refuse

        @pytest.fixture
        def refused():
            yield
            Refuse.perform_later()

        def test_it(refused):
            Pay.perform_later(7)

        def test_after(jobs):
            Pay.perform_later(7)

            assert len(jobs.performed) == 1
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "E *ValueError: no money"])


def test_an_error_of_a_test_that_failed_is_not_raised_once_more(pytester):
    pytester.makepyfile("""
        from shop import Refuse

        def test_it():
            Refuse.perform_later()
            assert 1 == 2
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *assert 1 == 2", "*Jobs that failed*", "ValueError: no money"])


@pytest.mark.parametrize("outcome", ["skip", "xfail"])
def test_an_error_of_a_test_that_was_skipped_is_not_raised(pytester, outcome):
    pytester.makepyfile(f"""
        import pytest
        from shop import Refuse

        def test_it():
            Refuse.perform_later()
            pytest.{outcome}("half-way")
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(**{"skipped" if outcome == "skip" else "xfailed": 1})


def test_an_error_in_a_fixture_that_failed_is_shown_there(pytester):
    pytester.makepyfile("""
        import pytest
        from shop import Refuse

        @pytest.fixture
        def broken():
            Refuse.perform_later()
            raise RuntimeError("the fixture broke")

        def test_it(broken):
            pass
    """)

    result = pytester.runpytest("--jobs-inline")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E *RuntimeError: the fixture broke", "*Jobs that failed*", "ValueError: no money"]
    )
