"""Assertions and outcomes of pytest that a job raises are those of the test."""

import pytest

MODULE = """
    import pytest
    from pytest_jobs import discard_on, job, retry_on

    @discard_on(AssertionError)
    @retry_on(Exception, attempts=9)
    @job
    def run(what):
        if what == "assert":
            assert 1 == 2, "not so"
        if what == "fail":
            pytest.fail("not so")
        if what == "skip":
            pytest.skip("not here")
        if what == "xfail":
            pytest.xfail("not yet")
"""
OUTCOMES = {
    "assert": {"failed": 1},
    "fail": {"failed": 1},
    "skip": {"skipped": 1},
    "xfail": {"xfailed": 1},
}


@pytest.mark.parametrize("what", OUTCOMES)
def test_in_a_drained_job(run_test, what):
    run_test(
        MODULE
        + f"""
    def test_it(jobs):
        run.perform_later({what!r})
        jobs.drain()
    """
    ).assert_outcomes(**OUTCOMES[what])


@pytest.mark.parametrize("what", OUTCOMES)
def test_although_errors_are_not_raised(run_test, what):
    run_test(
        MODULE
        + f"""
    def test_it(jobs):
        run.perform_later({what!r})
        jobs.drain(raise_errors=False)
    """
    ).assert_outcomes(**OUTCOMES[what])


@pytest.mark.parametrize("what", OUTCOMES)
def test_in_an_inline_job(pytester, what):
    pytester.makepyfile(
        MODULE
        + f"""
    def test_it():
        run.perform_later({what!r})
    """
    )

    pytester.runpytest("--jobs-inline").assert_outcomes(**OUTCOMES[what])


def test_the_message_of_the_job_is_shown(pytester):
    pytester.makepyfile(
        MODULE
        + """
    def test_it(jobs):
        run.perform_later("skip")
        jobs.drain()
    """
    )

    pytester.runpytest("-rs").stdout.fnmatch_lines(["SKIPPED*not here"])


def test_an_exit_ends_the_run(run_test):
    result = run_test("""
        import pytest
        from pytest_jobs import job

        @job
        def stop():
            pytest.exit("enough", returncode=7)

        def test_it(jobs):
            stop.perform_later()
            jobs.drain()

        def test_never():
            pass
    """)

    assert result.ret == 7
    result.stdout.fnmatch_lines(["*Exit: enough*"])
