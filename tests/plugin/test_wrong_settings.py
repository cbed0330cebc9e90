"""A wrong setting stops the run at start-up, and the valid values are named."""

import pytest


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("jobs_mode = inlien", "jobs_mode is 'inlien'; valid are record, inline, off."),
        ("jobs_mode = Record", "jobs_mode is 'Record'; valid are record, inline, off."),
        ("jobs_raise = start", "jobs_raise is 'start'; valid are end, enqueue."),
        ("jobs_raise =", "jobs_raise is ''; valid are end, enqueue."),
        ("jobs_jitter = none", "jobs_jitter is 'none'; valid are zero, seeded, live."),
        ("jobs_strict = maybe", None),
    ],
)
def test_a_wrong_value_stops_the_run(pytester, run_test, setting, message):
    pytester.makeini(f"[pytest]\n{setting}")
    result = run_test("def test_it(): print('it ran')")

    assert result.ret == (pytest.ExitCode.USAGE_ERROR if message else result.ret) != 0
    if message:
        result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert "it ran" not in result.stdout.str()


def test_inline_and_off_exclude_each_other(pytester):
    pytester.makeini("[pytest]\njobs_mode = off")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest("--jobs-inline")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: --jobs-inline performs every job, and jobs_mode = off lets none in: drop one of the two."
        ]
    )


@pytest.mark.parametrize("flag", ["--jobs-inlien", "--jobs-nothing=7"])
def test_an_unknown_flag_stops_the_run(pytester, flag):
    result = pytester.runpytest(flag)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*unrecognized arguments: {flag}*"])
