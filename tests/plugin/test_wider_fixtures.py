"""Fixtures of a wider scope than a test enqueue into the session."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

TITLE = "=* jobs enqueued outside of tests and never performed =*"
ADVICE = "Perform them in the fixture, through the `session_jobs` fixture."
SCOPES = """
    import pytest
    from pytest_jobs import current_jobs, job
    from shop import Pay

    done = []

    @job
    def note(what):
        done.append(what)

    def customer():
        note.perform_later("set up")
        yield "ann"
        note.perform_later("torn down")

    of_class, of_module, of_package, of_session = (
        pytest.fixture(customer, scope=scope) for scope in ("class", "module", "package", "session")
    )

    class TestIt:
        def test_one(self, of_class, of_module, of_package, of_session):
            Pay.perform_later(3)
            assert [record.args for record in current_jobs().enqueued] == [(3,)]
            current_jobs().drain()
            assert done == ["set up"] * INLINE

        def test_two(self, of_class, of_module, of_package, of_session):
            assert len(current_jobs().enqueued) == 0

    def test_after_the_class():
        assert done == (["set up"] * INLINE + ["torn down"]) * bool(INLINE)
"""


@pytest.mark.parametrize("mode", ["record", "inline"])
def test_the_views_of_the_tests_do_not_contain_them_and_inline_they_are_performed(
    pytester, run_test, mode
):
    pytester.makeini(f"[pytest]\njobs_mode = {mode}")
    result = run_test(SCOPES.replace("INLINE", "4" if mode == "inline" else "0"))

    result.assert_outcomes(passed=3)
    if mode == "inline":
        result.stdout.no_fnmatch_line(TITLE)
    else:
        result.stdout.fnmatch_lines([TITLE, *["#? note('set up')*"] * 4, "#? note('torn down')*"])


def test_the_summary_lists_what_nobody_performed_or_looked_at(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
    result = run_test("""
        import pytest
        from pytest_jobs import current_jobs
        from shop import Pay

        @pytest.fixture(scope="session")
        def performed(session_jobs):
            Pay.perform_later("performed")
            session_jobs.drain()
            return session_jobs.performed[0].result

        @pytest.fixture(scope="session")
        def looked_at(session_jobs):
            Pay.perform_later("looked at")
            assert session_jobs.enqueued[1].args == ("looked at",)

        def test_performed_and_looked_at(performed, looked_at, jobs):
            assert performed == "paid performed"
            assert len(jobs.deliveries) == 0

        @pytest.fixture(scope="class")
        def left():
            Pay.perform_later(1)
            yield
            Pay.set(wait=60).perform_later(2)

        class TestLeft:
            def test_it(self, left):
                pass

        @pytest.fixture(scope="module")
        def requested():
            Pay.perform_later(3)

        def test_requested_during_a_test(request):
            Pay.perform_later(20)
            request.getfixturevalue("requested")
            Pay.perform_later(30)

            assert [record.args for record in current_jobs().enqueued] == [(20,), (30,)]

        @pytest.fixture(scope="module", params=[4, 6])
        def parametrised(request):
            yield
            Pay.perform_later(request.param)

        def test_parametrised(parametrised):
            Pay.perform_later(40)
            assert [record.args for record in current_jobs().enqueued] == [(40,)]

        @pytest.fixture(scope="module")
        def of_one_that_is_taken_out():
            Pay.perform_later(5)

        @pytest.mark.jobs(mode="off")
        def test_taken_out(of_one_that_is_taken_out):
            pass
    """)

    result.assert_outcomes(passed=6)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            TITLE,
            "#2 Pay(1) queue='payments'",
            "#3 Pay(2) queue='payments' wait=1m",
            *(f"#{number + 1} Pay({number}) queue='payments'" for number in (3, 4, 5, 6)),
            ADVICE,
            "",
            "=* 6 passed in *",
        ],
        consecutive=True,
    )


def test_without_jobs_mode_a_wider_fixture_needs_the_session_fixture(told):
    reports = told(
        """
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
        """,
        errors=1,
        passed=1,
    )

    reports["test_refused"].fnmatch_lines(["E *NoAdapterError: No adapter is configured*"])


def test_the_error_of_an_inline_job_fails_the_fixture_or_what_follows_it(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = inline")
    result = run_test("""
        import pytest
        from shop import Pay, Refuse

        @pytest.fixture(scope="module")
        def refused():
            Refuse.perform_later("at set up")

        @pytest.fixture(scope="module")
        def broken():
            Refuse.perform_later("in a broken fixture")
            raise RuntimeError("the fixture broke")

        @pytest.fixture(scope="module")
        def other():
            Pay.perform_later(7)

        @pytest.fixture(scope="session")
        def at_last():
            yield
            Refuse.perform_later("at the end")
            Refuse.perform_later("no card")

        def test_refused(refused, at_last):
            pass

        def test_broken(broken):
            pass

        def test_other(other, at_last):
            pass
    """)

    result.assert_outcomes(errors=2, passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_refused*",
            "E *ValueError: at set up",
            "*ERROR at setup of test_broken*",
            "E *RuntimeError: the fixture broke",
            "=* jobs that failed outside of tests =*",
        ]
    )
    outside = result.stdout.str().partition("jobs that failed outside of tests")[2]
    assert "at set up" not in outside.partition("short test summary")[0]
    for text in (
        "ValueError: in a broken fixture\n",
        "ValueError: at the end\nAnother inline job failed too: ValueError: no card\n",
    ):
        assert text in outside


def test_after_the_first_failure_the_fixtures_still_enqueue_into_the_session(pytester):
    pytester.makeini("[pytest]\njobs_mode = record")
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


def test_the_next_run_in_the_process_begins_with_nothing(pytester, run_test):
    pytester.makeini("[pytest]\njobs_mode = record")
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
    pytester.runpytest("--collect-only").stdout.no_fnmatch_line(TITLE)
