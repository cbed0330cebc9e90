"""Assertions and outcomes of pytest that a job raises are those of the test."""

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

    of_each = pytest.mark.parametrize("what", ["assert", "fail", "skip", "xfail"])

    @of_each
    def test_drained(jobs, what):
        run.perform_later(what)
        jobs.drain()

    @of_each
    def test_although_errors_are_not_raised(jobs, what):
        run.perform_later(what)
        jobs.drain(raise_errors=False)

    @of_each
    @pytest.mark.jobs(mode="inline")
    def test_inline(what):
        run.perform_later(what)
"""


def test_whether_errors_are_raised_or_not(pytester):
    pytester.makepyfile(test_it=MODULE)
    result = pytester.runpytest("-ra")

    result.assert_outcomes(failed=6, skipped=3, xfailed=3)
    tests = ("drained", "although_errors_are_not_raised", "inline")
    result.stdout.fnmatch_lines_random(
        [
            "SKIPPED*not here",
            *(f"FAILED test_it.py::test_{test}[[]assert] *" for test in tests),
            *(f"FAILED test_it.py::test_{test}[[]fail] *" for test in tests),
            *(f"XFAIL test_it.py::test_{test}[[]xfail] - *not yet*" for test in tests),
        ]
    )


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
