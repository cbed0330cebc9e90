"""The fixture `job_harness`, and `jobs`, its alias."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_tests_with_the_fixture(run_test):
    run_test("""
        import pytest
        from pytest_jobs import assert_enqueued, assert_performed, current_jobs
        from pytest_jobs.errors import NoAdapterError, NoHarnessError
        from shop import Pay

        def test_the_two_are_one_harness(jobs, job_harness):
            Pay.perform_later(7)

            assert jobs is job_harness
            assert [record.args for record in jobs.enqueued] == [(7,)]

        @pytest.mark.parametrize("payment_id", [1, 2])
        def test_each_test_has_a_harness_of_its_own(jobs, payment_id):
            Pay.perform_later(payment_id)

            assert [record.args for record in jobs.enqueued] == [(payment_id,)]

        def test_it_can_be_requested_dynamically(request):
            jobs = request.getfixturevalue("jobs")
            Pay.perform_later(7)
            jobs.drain()

            request.getfixturevalue("assert_performed")(Pay, result="paid 7")
            assert current_jobs() is jobs

        @pytest.fixture
        def order(jobs):
            Pay.perform_later(1)

        def test_jobs_that_fixtures_of_the_test_enqueue_belong_to_it(order, jobs):
            assert len(jobs.enqueued) == 1

        def test_it_is_the_harness_of_the_importable_assertions(jobs):
            Pay.perform_later(7)
            assert_enqueued(Pay)
            jobs.drain()
            assert_performed(Pay)

        # It is closed after the test.
        def test_with(jobs):
            Pay.perform_later(7)

        def test_without():
            with pytest.raises(NoHarnessError):
                current_jobs()
            with pytest.raises(NoAdapterError):
                Pay.perform_later(7)
    """).assert_outcomes(passed=8)


def test_a_project_with_a_fixture_named_jobs_loses_nothing_else(pytester, run_test):
    pytester.makeconftest("""
        import pytest

        @pytest.fixture
        def jobs():
            return ["plumber", "carpenter"]
    """)
    run_test("""
        from shop import Pay

        def test_theirs(jobs):
            assert jobs == ["plumber", "carpenter"]

        def test_all_the_others(
            jobs, job_harness, jobs_clock, session_jobs, assert_enqueued, assert_performed,
            assert_retried, assert_discarded, assert_failed, assert_not_enqueued,
            assert_not_performed,
        ):
            assert jobs == ["plumber", "carpenter"]

            Pay.perform_later(7)
            assert_enqueued(Pay, args=(7,))
            job_harness.drain()
            assert_performed(Pay)
            assert jobs_clock is job_harness.clock
    """).assert_outcomes(passed=2)


def test_a_project_can_widen_the_fixture(pytester, told):
    pytester.makeconftest("""
        import pytest

        @pytest.fixture
        def jobs(jobs):
            jobs.clock.advance(60)
            return jobs
    """)
    reports = told(
        """
        import pytest
        from shop import Pay, Refuse

        def test_it(jobs):
            assert jobs.clock.frozen
            Pay.perform_later(7)
            jobs.drain()

        @pytest.mark.jobs(raise_at="end", mode="inline")
        def test_one_that_is_requested_dynamically_answers_for_its_jobs(request):
            request.getfixturevalue("jobs")
            Refuse.perform_later()
        """,
        passed=1,
        failed=1,
    )

    for report in reports.values():
        report.fnmatch_lines(["E *ValueError: no money"])


def test_a_test_does_not_keep_its_harness(pytester):
    pytester.makepyfile("""
        import gc
        import weakref
        from shop import Pay

        kept = []

        def test_with(jobs):
            Pay.perform_later(7)
            kept.append(weakref.ref(jobs))

        def test_after():
            gc.collect()

            assert kept[0]() is None
    """)

    # In the same process pytester would keep what hooks are called with.
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_fixtures_are_listed_with_what_they_are(pytester):
    result = pytester.runpytest("--fixtures", "-q")

    # pytest sorts them by the text of their line numbers.
    result.stdout.fnmatch_lines_random(
        [
            "job_harness -- *",
            "    What the test enqueues, recorded; performed when told to, on a virtual clock.",
            "jobs -- *",
            "    The same as `job_harness`, for projects that have no fixture of this name.",
            "jobs_clock -- *",
            "session_jobs [[]session scope] -- *",
            "assert_enqueued -- *",
            '    Assert that a job was enqueued: `assert_enqueued(Pay, params={"payment_id": 7})`.',
        ]
    )
