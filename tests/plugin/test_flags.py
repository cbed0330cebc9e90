"""What is typed for one run has a flag, which goes before the ini file; what is set once has none."""

import pytest

pytestmark = pytest.mark.usefixtures("shop")


@pytest.mark.parametrize(
    ("ini", "flags", "header"),
    [
        ("jobs_mode = record", [], "mode record"),
        ("jobs_mode = off", [], "mode off"),
        ("", ["--jobs-mode=record"], "mode record"),
        ("", ["--jobs-inline"], "mode inline"),
        ("jobs_mode = record", ["--jobs-mode=inline"], "mode inline"),
        ("jobs_mode = record", ["--jobs-inline"], "mode inline"),
        ("jobs_mode = inline", ["--jobs-mode=off"], "mode off"),
        ("", ["--jobs-mode=inline", "--jobs-inline"], "mode inline"),
        ("jobs_strict = true", [], "strict"),
        ("jobs_raise = end", ["-o", "jobs_raise=enqueue"], "errors raised at enqueue"),
        ("jobs_jitter = live", ["-o", "jobs_jitter=seeded"], "jitter seeded"),
        (
            "jobs_mode = inline\njobs_raise = enqueue\njobs_jitter = live",
            ["--jobs-strict"],
            "mode inline, strict, errors raised at enqueue, jitter live",
        ),
    ],
)
def test_the_header_says_what_is_no_default_and_the_flag_goes_before_the_ini_file(
    pytester, ini, flags, header
):
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test_it(): pass")

    result = pytester.runpytest(*flags)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"jobs: {header}"])


@pytest.mark.parametrize(
    "ini", ["jobs_mode =", "jobs_strict = false\njobs_raise = end\njobs_jitter = zero"]
)
def test_the_defaults_are_not_said(pytester, run_test, ini):
    pytester.makeini(f"[pytest]\n{ini}")
    result = run_test("def test_it(): pass")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("jobs:*")


@pytest.mark.parametrize(
    ("ini", "flags", "message"),
    [
        ("jobs_mode = Record", [], "jobs_mode is 'Record'; valid are record, inline, off."),
        ("jobs_raise =", [], "jobs_raise is ''; valid are end, enqueue."),
        ("jobs_jitter = none", [], "jobs_jitter is 'none'; valid are zero, seeded, live."),
        ("", ["--jobs-mode=inlien"], "--jobs-mode is 'inlien'; valid are record, inline, off."),
        (
            "jobs_queues = a b c",
            [],
            "jobs_queues is 'a b c'; it is a file, and its environment where it has any.",
        ),
        (
            "",
            ["--jobs-report=jobs.txt"],
            (
                "--jobs-report: jobs.txt does not say which report it is: .html is the page, .json has all that "
                "was found, .sarif is for services that show findings in the code."
            ),
        ),
        (
            "jobs_apps = celery",
            [],
            "jobs_apps: 'celery' does not say where the app is: write \"celery:package.module:app\".",
        ),
        *(
            (
                ini,
                ["--jobs-inline", *flags],
                f"--jobs-inline performs every job, and {message}: drop one of the two.",
            )
            for ini, flags, message in (
                ("jobs_mode = off", [], "jobs_mode = off lets none in"),
                ("", ["--jobs-mode=off"], "--jobs-mode=off lets none in"),
                ("jobs_mode = inline", ["--jobs-mode=record"], "--jobs-mode=record keeps them"),
            )
        ),
    ],
)
def test_what_cannot_be_meant_stops_the_run(pytester, ini, flags, message):
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test_it(): print('it ran')")

    result = pytester.runpytest(*flags)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {message}" in result.stderr.str().splitlines()
    assert "it ran" not in result.stdout.str()


@pytest.mark.parametrize(
    ("ini", "flags", "message"),
    [
        ("", ["--jobs-inlien"], "unrecognized arguments: --jobs-inlien"),
        ("", ["--jobs-nothing=7"], "unrecognized arguments: --jobs-nothing=7"),
        ("jobs_strict = maybe", [], "invalid truth value 'maybe'"),
    ],
)
def test_what_pytest_does_not_know_stops_the_run(pytester, ini, flags, message):
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test_it(): print('it ran')")

    result = pytester.runpytest(*flags)

    assert result.ret != 0
    assert message in result.stderr.str()
    assert "it ran" not in result.stdout.str()


def test_an_option_without_a_flag_names_its_line_of_the_ini_file(pytester):
    pytester.makepyfile("def test_it(): print('it ran')")

    result = pytester.runpytest("--jobs-apps=django")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: unrecognized arguments: --jobs-apps=django",
            "--jobs-apps: write jobs_apps in the ini file, or -o jobs_apps=...",
        ],
        consecutive=True,
    )
