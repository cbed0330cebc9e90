"""The header says what is in force, where it is not the default."""

import pytest


@pytest.mark.parametrize(
    ("settings", "flags", "line"),
    [
        ("jobs_mode = record", [], "jobs: mode record"),
        ("jobs_mode = inline", [], "jobs: mode inline"),
        ("jobs_mode = off", [], "jobs: mode off"),
        ("", ["--jobs-inline"], "jobs: mode inline"),
        ("jobs_mode = record", ["--jobs-inline"], "jobs: mode inline"),
        ("", ["--jobs-strict"], "jobs: strict"),
        ("jobs_strict = true", [], "jobs: strict"),
        ("jobs_raise = enqueue", [], "jobs: errors raised at enqueue"),
        ("jobs_jitter = seeded", [], "jobs: jitter seeded"),
        (
            "jobs_mode = inline\njobs_raise = enqueue\njobs_jitter = live",
            ["--jobs-strict"],
            "jobs: mode inline, strict, errors raised at enqueue, jitter live",
        ),
    ],
)
def test_what_is_no_default_is_shown(pytester, settings, flags, line):
    pytester.makeini(f"[pytest]\n{settings}")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest(*flags)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([line])


@pytest.mark.parametrize(
    "settings",
    ["", "jobs_mode =", "jobs_strict = false\njobs_raise = end\njobs_jitter = zero"],
)
def test_the_defaults_are_not(pytester, run_test, settings):
    pytester.makeini(f"[pytest]\n{settings}")
    result = run_test("def test_it(): pass")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("jobs:*")
