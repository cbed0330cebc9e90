"""An interrupt ends the run, and everything is restored all the same."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")

CONFTEST = """
    import time
    import pytest
    from pytest_jobs import current_jobs
    from pytest_jobs.core.foundation.settings import settings
    from pytest_jobs.errors import NoHarnessError

    real = time.time()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(config):
        assert time.sleep.__module__ == "time"
        assert time.time() < real + 3600
        assert settings._adapter is None
        with pytest.raises(NoHarnessError):
            current_jobs()
        print("all restored")
"""


@pytest.mark.parametrize("mode", ["", "inline"])
@pytest.mark.parametrize("where", ["test", "job", "fixture"])
def test_an_interrupt_passes_through(pytester, where, mode):
    pytester.makeini(f"[pytest]\njobs_mode = {mode}")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(f"""
        import pytest
        from pytest_jobs import job

        @job
        def interrupt():
            raise KeyboardInterrupt

        @pytest.fixture
        def interrupted(jobs):
            if {where!r} == "fixture":
                raise KeyboardInterrupt

        def test_it(jobs, interrupted):
            jobs.clock.advance(10 * 24 * 3600)
            if {where!r} == "test":
                raise KeyboardInterrupt
            interrupt.perform_later()
            jobs.drain()

        def test_never():
            print("it went on")
    """)

    result = pytester.runpytest("-s", no_reraise_ctrlc=True)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*", "all restored"])
    result.stdout.no_fnmatch_line("*it went on*")


def test_a_system_exit_passes_through(run_test):
    run_test("""
        import pytest
        from pytest_jobs import job

        @job
        def leave():
            raise SystemExit(3)

        def test_it(jobs):
            leave.perform_later()
            with pytest.raises(SystemExit):
                jobs.drain()
            assert len(jobs.pending) == 1
    """).assert_outcomes(passed=1)
