"""`jobs_mode` opens a harness in every test, or in none."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_record_gives_every_test_a_harness_around_all_other_fixtures(pytester, told):
    pytester.makeini("[pytest]\njobs_mode = record")
    told(
        """
        import pytest
        from pytest_jobs import assert_enqueued, current_jobs
        from shop import Pay

        def test_record_keeps_what_a_test_enqueues_although_it_asks_for_nothing():
            Pay.perform_later(7)

            assert len(current_jobs().pending) == 1

        def test_the_next():
            assert len(current_jobs().enqueued) == 0

        def test_a_test_that_asks_for_the_fixture_too_has_the_same(jobs, assert_enqueued, job_harness):
            assert current_jobs() is jobs is job_harness

        class TestFixtures:
            @pytest.fixture(autouse=True)
            def early(self):
                Pay.perform_later(1)
                yield
                Pay.perform_later(3)
                assert [record.args for record in current_jobs().enqueued] == [(1,), (2,), (3,)]

            @pytest.fixture
            def late(self, early):
                Pay.perform_later(2)

            def test_it(self, late):
                assert [record.args for record in current_jobs().enqueued] == [(1,), (2,)]

        class TestAnotherFixture:
            @pytest.fixture
            def jobs(self):
                return ["plumber"]

            def test_one_that_is_named_jobs_is_left_alone(self, jobs):
                Pay.perform_later(7)
                assert_enqueued(Pay)
                assert jobs == ["plumber"]
        """,
        passed=5,
    )


def test_inline_performs_what_a_test_enqueues(pytester, told):
    pytester.makeini("[pytest]\njobs_mode = inline")
    told(
        """
        from pytest_jobs import current_jobs
        from shop import Pay

        def test_it():
            Pay.perform_later(7)

            assert len(current_jobs().performed) == 1
        """,
        passed=1,
    )


def test_off_opens_none_but_where_a_marker_says_so(pytester, told):
    pytester.makeini("[pytest]\njobs_mode = off")
    reports = told(
        """
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

        def test_off_refuses_the_fixture(jobs):
            pass

        def test_off_refuses_the_harness_of_the_session(session_jobs):
            pass
        """,
        passed=3,
        errors=2,
    )

    assert (
        "UsageError: test_it.py::test_off_refuses_the_fixture asks for the job harness, and its jobs mode is off: "
        "take the fixture out, or set the mode to record with @pytest.mark.jobs(mode='record').\n"
    ) in f"{reports['test_off_refuses_the_fixture']}\n"
    assert (
        "UsageError: A fixture asks for the harness of the session, and the jobs mode is off: take `session_jobs` "
        "out, or set jobs_mode to record.\n"
    ) in f"{reports['test_off_refuses_the_harness_of_the_session']}\n"


def test_nothing_can_be_set_to_nothing(pytester, told):
    pytester.makeini("[pytest]\njobs_mode = ")
    told(
        """
        import pytest
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError

        def test_it():
            with pytest.raises(NoHarnessError):
                current_jobs()
        """,
        passed=1,
    )
