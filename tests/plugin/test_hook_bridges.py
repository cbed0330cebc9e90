"""`pytest_jobs_bridges` brings further bridges in, for each harness anew."""

STUB = """
    import pytest

    log = []

    class StubBridge:
        capabilities = frozenset()

        def __init__(self, name):
            self.name = name

        def install(self, sink, draw):
            log.append(f"{self.name} installed")

        def uninstall(self):
            log.append(f"{self.name} uninstalled")

        def identify(self, job):
            return None
"""


def test_they_are_installed_and_removed_with_the_harness(pytester, run_test):
    pytester.makeconftest(
        STUB
        + """
    def pytest_jobs_bridges(config):
        assert isinstance(config, pytest.Config)
        return [StubBridge("one"), StubBridge("two")]
    """
    )
    run_test("""
        from conftest import log

        def test_with(jobs):
            assert log == ["one installed", "two installed"]

        def test_after():
            assert log[2:] == ["two uninstalled", "one uninstalled"]

        def test_again(jobs):
            assert log[4:] == ["one installed", "two installed"]
    """).assert_outcomes(passed=3)


def test_whoever_opens_a_harness_has_them(pytester, run_test):
    pytester.makeconftest(
        STUB
        + """
    def pytest_jobs_bridges():
        return [StubBridge("stub")]
    """
    )
    run_test("""
        import contextlib

        from conftest import log
        from pytest_jobs import JobsTestCase, check_idempotent, open_jobs

        def note():
            pass

        def test_a_check():
            with contextlib.suppress(Exception):
                check_idempotent(note)
            assert log == ["stub installed", "stub uninstalled"]

        def test_a_block():
            with open_jobs() as jobs:
                assert {"core", "stub"} <= {bridge.name for bridge in jobs.harness.bridges}

        class TestCase(JobsTestCase):
            @classmethod
            def setUpClass(cls):
                log.clear()
                super().setUpClass()
                assert log == ["stub installed"]

            def test_it(self):
                assert "stub" in {bridge.name for bridge in self.jobs.harness.bridges}
    """).assert_outcomes(passed=3)


def test_a_hook_may_have_none(pytester, told):
    pytester.makeconftest("""
        given = [None, [], ()]

        def pytest_jobs_bridges():
            return given.pop()
    """)
    told(
        """
        import pytest
        from pytest_jobs import job

        @job
        def ping(): pass

        @pytest.mark.parametrize("time", range(3))
        def test_it(jobs, assert_enqueued, time):
            ping.perform_later()
            assert_enqueued(ping)
        """,
        passed=3,
    )


def test_one_that_cannot_be_installed_leaves_no_harness_open(pytester, run_test):
    pytester.makeconftest(
        STUB
        + """
    class Broken(StubBridge):
        def install(self, sink, draw):
            raise RuntimeError("no such library")

    broken = True

    def pytest_jobs_bridges():
        return [StubBridge("one"), Broken("two")] if broken else []
    """
    )
    result = run_test("""
        import conftest
        import pytest
        import time
        from pytest_jobs import current_jobs
        from pytest_jobs.errors import NoHarnessError

        def test_it(jobs):
            pass

        def test_after():
            with pytest.raises(NoHarnessError):
                current_jobs()
            assert conftest.log == ["one installed", "one uninstalled"]
            assert time.sleep.__module__ == "time"
    """)

    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["E *RuntimeError: no such library"])
