"""Installing the plugin changes nothing for tests that ask for nothing."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


def test_tests_without_a_job_fixture_are_left_alone(run_test):
    run_test("""
        import time

        import pytest
        from pytest_jobs import TestAdapter, configure, current_jobs
        from pytest_jobs.errors import NoHarnessError
        from shop import Pay

        def test_a_test_without_a_job_fixture_has_no_harness():
            assert time.sleep.__module__ == "time"
            with pytest.raises(NoHarnessError):
                current_jobs()

        adapter = TestAdapter()

        def test_the_adapter_of_the_application_is_kept():
            with configure(adapter=adapter):
                Pay.perform_later(7)

            assert len(adapter.enqueued) == 1
    """).assert_outcomes(passed=2)


def test_the_core_refuses_to_enqueue_and_says_which_line_to_write(run_test):
    result = run_test("""
        from shop import Pay

        def test_it():
            Pay.perform_later(7)
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *pytest_jobs.errors.NoAdapterError: No adapter is configured, so this job has nowhere to go.",
            "E *",
            "E *In a test, ask for the `jobs` fixture, or set `jobs_mode = record` in the pytest",
            "E *configuration. In a program, write `pytest_jobs.configure(adapter=...)` first.",
        ],
        consecutive=True,
    )


def test_nothing_is_printed(run_test):
    result = run_test("def test_it(): pass")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*jobs:*")
    result.stdout.no_fnmatch_line("*= jobs *")


def test_no_guard_is_registered(pytester):
    config = pytester.parseconfigure()

    assert config.pluginmanager.get_plugin("pytest_jobs_guard") is None


def test_the_flags_and_settings_are_listed(pytester):
    result = pytester.runpytest("--help")

    result.stdout.fnmatch_lines(
        [
            "background jobs:",
            "  --jobs-inline *",
            "  --jobs-strict *",
            "  jobs_mode (string):*",
            "  jobs_strict (bool):*",
            "  jobs_raise (string):*",
            "  jobs_jitter (string):*",
        ]
    )


def test_the_marker_is_listed(pytester):
    result = pytester.runpytest("--markers", "--strict-markers")

    result.stdout.fnmatch_lines(
        [
            (
                "@pytest.mark.jobs(mode='record'|'inline'|'off', strict=bool, raise_at='end'|'enqueue', "
                "jitter='zero'|'seeded'|'live', queues=file, repeatable=names, audit=bool): open a job harness "
                "for the test, with these settings. audit=False keeps --jobs-audit away, and repeatable names "
                "effects that may happen again in checks; these two alone open none."
            )
        ]
    )
