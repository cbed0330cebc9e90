"""Fixtures of a wider scope than a test enqueue into the session."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

TITLE = "=* jobs enqueued outside of tests and never performed =*"
ADVICE = "Perform them in the fixture, through the `session_jobs` fixture."


@pytest.fixture(params=["record", "inline"])
def mode(request, pytester):
    pytester.makeini(f"[pytest]\njobs_mode = {request.param}")
    return request.param


@pytest.fixture
def record_mode(pytester):
    pytester.makeini("[pytest]\njobs_mode = record")


@pytest.fixture
def inline_mode(pytester):
    pytester.makeini("[pytest]\njobs_mode = inline")


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_the_views_of_the_tests_do_not_contain_them(run_test, mode, scope):
    run_test(f"""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.fixture(scope={scope!r})
        def customer():
            Pay.perform_later(1)
            yield "ann"
            Pay.perform_later(2)

        class TestIt:
            def test_one(self, customer):
                Pay.perform_later(3)
                assert [record.args for record in current_jobs().enqueued] == [(3,)]
                current_jobs().drain()

            def test_two(self, customer):
                assert len(current_jobs().enqueued) == 0
    """).assert_outcomes(passed=2)


def test_the_summary_lists_what_nobody_performed(run_test, record_mode):
    result = run_test("""
        import pytest
        from shop import Pay

        @pytest.fixture(scope="module")
        def customer():
            Pay.perform_later(1)
            yield
            Pay.set(wait=60).perform_later(2)

        def test_it(customer):
            pass
    """)

    result.assert_outcomes(passed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            TITLE,
            "#0 Pay(1) queue='payments'",
            "#1 Pay(2) queue='payments' wait=1m",
            ADVICE,
            "",
            "=* 1 passed in *",
        ],
        consecutive=True,
    )


def test_inline_they_are_performed(run_test, inline_mode):
    result = run_test("""
        import pytest
        from pytest_jobs import job

        done = []

        @job
        def note(what):
            done.append(what)

        @pytest.fixture(scope="session")
        def customer():
            note.perform_later("set up")
            yield
            note.perform_later("torn down")
            assert done == ["set up", "torn down"]

        def test_it(customer):
            assert done == ["set up"]
    """)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line(TITLE)


def test_the_session_fixture_performs_them(run_test, record_mode):
    result = run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.fixture(scope="session")
        def customer(session_jobs):
            Pay.perform_later(1)
            session_jobs.drain()
            return session_jobs.performed[0].result

        def test_it(customer, jobs):
            assert customer == "paid 1"
            assert len(jobs.deliveries) == 0
    """)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line(TITLE)


def test_what_a_fixture_looked_at_is_not_listed(run_test, record_mode):
    result = run_test("""
        import pytest
        from shop import Pay

        @pytest.fixture(scope="session")
        def customer(session_jobs):
            Pay.perform_later(1)
            assert session_jobs.enqueued[0].args == (1,)

        def test_it(customer):
            pass
    """)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line(TITLE)


def test_a_fixture_requested_during_a_test_enqueues_into_the_session(run_test, record_mode):
    result = run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.fixture(scope="module")
        def customer():
            Pay.perform_later(1)

        def test_it(request):
            Pay.perform_later(2)
            request.getfixturevalue("customer")
            Pay.perform_later(3)

            assert [record.args for record in current_jobs().enqueued] == [(2,), (3,)]
    """)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([TITLE, "#0 Pay(1) queue='payments'"])


def test_without_jobs_mode_a_wider_fixture_needs_the_session_fixture(run_test):
    result = run_test("""
        import pytest
        from shop import Pay

        @pytest.fixture(scope="module")
        def refused():
            Pay.perform_later(1)

        @pytest.fixture(scope="module")
        def customer(session_jobs):
            Pay.perform_later(1)
            session_jobs.drain()
            return session_jobs.performed[0].result

        def test_refused(refused):
            pass

        def test_it(customer, jobs):
            assert customer == "paid 1"
            assert len(jobs.enqueued) == 0
    """)

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["E *NoAdapterError: No adapter is configured*"])


def test_the_error_of_an_inline_job_fails_the_fixture(run_test, inline_mode):
    result = run_test("""
        import pytest
        from shop import Pay, Refuse

        @pytest.fixture(scope="module")
        def customer():
            Refuse.perform_later()

        @pytest.fixture(scope="module")
        def other():
            Pay.perform_later(7)

        def test_it(customer):
            pass

        def test_other(other):
            pass
    """)

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*ERROR at setup of test_it*", "E *ValueError: no money"])
    result.stdout.no_fnmatch_line("*jobs that failed outside of tests*")


def test_one_while_a_fixture_is_torn_down_fails_the_run(run_test, inline_mode):
    result = run_test("""
        import pytest
        from shop import Refuse

        @pytest.fixture(scope="session")
        def customer():
            yield
            Refuse.perform_later()
            Refuse.perform_later("no card")

        def test_it(customer):
            pass
    """)

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "=* jobs that failed outside of tests =*",
            "ValueError: no money",
            "Another inline job failed too: ValueError: no card",
        ],
        consecutive=True,
    )


def test_one_in_a_fixture_that_failed_is_not_that_of_the_next(run_test, inline_mode):
    result = run_test("""
        import pytest
        from shop import Pay, Refuse

        @pytest.fixture(scope="module")
        def broken():
            Refuse.perform_later()
            raise RuntimeError("the fixture broke")

        @pytest.fixture(scope="module")
        def other():
            Pay.perform_later(7)

        def test_it(broken):
            pass

        def test_other(other):
            pass
    """)

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "E *RuntimeError: the fixture broke",
            "=* jobs that failed outside of tests =*",
            "ValueError: no money",
        ]
    )


def test_a_parametrised_fixture_is_torn_down_into_the_session_too(run_test, record_mode):
    result = run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.fixture(scope="module", params=[1, 2])
        def customer(request):
            yield
            Pay.perform_later(request.param)

        def test_it(customer):
            Pay.perform_later(3)
            assert [record.args for record in current_jobs().enqueued] == [(3,)]
    """)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [TITLE, "#0 Pay(1) queue='payments'", "#1 Pay(2) queue='payments'", ADVICE],
        consecutive=True,
    )


def test_after_the_first_failure_the_fixtures_still_enqueue_into_the_session(pytester, record_mode):
    pytester.makepyfile("""
        import pytest
        from shop import Pay

        @pytest.fixture(scope="session")
        def customer():
            yield
            Pay.perform_later(1)

        def test_it(customer):
            assert 1 == 2

        def test_never(customer):
            pass
    """)

    result = pytester.runpytest("-x")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([TITLE, "#0 Pay(1) queue='payments'", ADVICE])


def test_a_test_that_is_taken_out_has_no_harness(run_test, record_mode):
    result = run_test("""
        import pytest
        from shop import Pay

        @pytest.fixture(scope="module")
        def customer():
            Pay.perform_later(1)

        @pytest.mark.jobs(mode="off")
        def test_it(customer):
            pass
    """)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([TITLE, "#0 Pay(1) queue='payments'"])


def test_the_next_run_in_the_process_begins_with_nothing(pytester, run_test, record_mode):
    run_test("""
        import pytest
        from shop import Pay

        @pytest.fixture(scope="session", autouse=True)
        def customer(session_jobs):
            assert len(session_jobs.enqueued) == 0
            Pay.perform_later(1)

        def test_it():
            pass
    """).assert_outcomes(passed=1)
    pytester.runpytest().assert_outcomes(passed=1)


def test_without_tests_nothing_is_listed(pytester, record_mode):
    result = pytester.runpytest("--collect-only")

    result.stdout.no_fnmatch_line(TITLE)
