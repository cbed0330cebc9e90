"""Each option of the ini file has a flag of the same name, which goes before it."""

import sys

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
        ("jobs_raise = end", ["--jobs-raise=enqueue"], "errors raised at enqueue"),
        ("jobs_jitter = live", ["--jobs-jitter=seeded"], "jitter seeded"),
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
        ("", ["--jobs-raise=start"], "--jobs-raise is 'start'; valid are end, enqueue."),
        ("", ["--jobs-jitter=none"], "--jobs-jitter is 'none'; valid are zero, seeded, live."),
        (
            "",
            ["--jobs-queues=a b c"],
            "--jobs-queues is 'a b c'; it is a file, and its environment where it has any.",
        ),
        (
            "",
            ["--jobs-apps=celery"],
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
        (
            "",
            ["--jobs-twice", "--jobs-mode=off"],
            (
                "--jobs-twice attacks the jobs of every test, and --jobs-mode=off lets none in: drop one of the "
                "two."
            ),
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
        ("jobs_strict = maybe", [], ""),
    ],
)
def test_what_pytest_does_not_know_stops_the_run(pytester, ini, flags, message):
    pytester.makeini(f"[pytest]\n{ini}\n")
    pytester.makepyfile("def test_it(): print('it ran')")

    result = pytester.runpytest(*flags)

    assert result.ret != 0
    assert message in result.stderr.str()
    assert "it ran" not in result.stdout.str()


def test_the_file_of_the_workers_lies_where_pytest_was_started(pytester):
    config = pytester.mkdir("config")
    pytester.makeini("[pytest]\n")
    (config / "queues.yml").write_text(":queues:\n  - critical\n  - default\n", "utf-8")
    pytester.makepyfile("""
        from shop import send_receipt

        def test_it(jobs):
            send_receipt.set(queue="default").perform_later(1)
            send_receipt.set(queue="critical").perform_later(2)
            jobs.drain()
            assert [delivery.record.queue for delivery in jobs.deliveries] == ["critical", "default"]
    """)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(config)

        pytester.runpytest("--jobs-queues=queues.yml", pytester.path).assert_outcomes(passed=1)


def test_modules_that_are_one_step_are_named_by_the_flag_too(pytester):
    pytester.makeini("[pytest]\njobs_crash_atomic = nothing\n")
    pytester.makeconftest("""
        from pytest_jobs.plugin.settings.options import session_options

        def pytest_unconfigure(config):
            print("atomic:", session_options(config).crash_atomic)
    """)

    result = pytester.runpytest("-s", "--jobs-crash-atomic=a,b", "--jobs-crash-atomic", "c")

    result.stdout.fnmatch_lines(["atomic: ('a', 'b', 'c')"])


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="of Python 3.11")
def test_crashes_are_refused_on_an_old_python(pytester):
    pytester.makepyfile("def test_it(): ...")
    result = pytester.runpytest("--jobs-crash")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--jobs-crash needs Python 3.12 or newer: *"])
