"""`--jobs-cov` measures which jobs the tests reach, writes it, and fails a session that has too little."""

from __future__ import annotations

import json

import pytest

APP = """
from pytest_jobs import Job, retry_on


@retry_on(TimeoutError, attempts=2)
class Pay(Job):
    def perform(self, error=False):
        if error:
            raise TimeoutError


class Send(Job):
    def perform(self): ...
"""
TESTS = """
from app import Pay


def test_paid(jobs):
    Pay.perform_later()
    jobs.drain()


def test_retried(jobs):
    jobs.simulate_retries(Pay, raising=TimeoutError(), succeed_on=2)
"""


@pytest.fixture
def project(pytester):
    pytester.makepyfile(app=APP, test_app=TESTS)
    return pytester


def test_a_table_says_what_is_missing(project):
    result = project.runpytest("--jobs-cov")

    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*= job coverage =*",
            "job                             cases  missing",
            "app.Pay                           3/5  exhausted TimeoutError, check_idempotent",
            "app.Send                          0/3  all: no harness saw it",
            "3 of 8 cases of 2 jobs were seen: 37.5 %.",
        ],
        consecutive=True,
    )


def test_jobs_outside_of_the_rootdir_are_named(project, monkeypatch):
    example = project.mkdir("example")
    (project.path / "test_app.py").rename(example / "test_app.py")
    monkeypatch.syspath_prepend(project.path)

    result = project.runpytest("--jobs-cov", f"--rootdir={example}", example)

    result.stdout.fnmatch_lines(
        ["Not counted, since they lie outside of the rootdir of pytest: app.Pay in */app.py."]
    )
    result.stdout.no_fnmatch_line("0 jobs were found *")


def test_too_little_coverage_fails_the_session_and_says_so(project):
    project.makeini("[pytest]\njobs_cov = true\njobs_cov_fail_under = 38\n")

    result = project.runpytest()

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["Job coverage is 37.5 %, below jobs_cov_fail_under=38."])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_without_jobs_the_least_coverage_is_not_reached(pytester):
    pytester.makepyfile(test_app="def test_it(): pass")

    result = pytester.runpytest("--jobs-cov", "--jobs-cov-fail-under=1")

    result.stdout.fnmatch_lines(
        [
            "0 jobs were found in this project, so nothing was measured.",
            "Job coverage is 0.0 %, below --jobs-cov-fail-under=1.",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_enough_coverage_passes_and_the_files_are_named(project):
    result = project.runpytest(
        "--jobs-cov",
        "--jobs-cov-fail-under=37.5",
        "--jobs-cov-report=xml:out/jobs.xml",
        "--jobs-cov-report=json",
    )

    result.stdout.fnmatch_lines(["xml: *jobs.xml", "json: *job-coverage.json"])
    result.stdout.no_fnmatch_line("*missing*")
    assert "<coverage " in (project.path / "out" / "jobs.xml").read_text("utf-8")
    assert json.loads((project.path / "job-coverage.json").read_text("utf-8"))["covered"] == 3
    assert result.ret == pytest.ExitCode.OK


def test_without_the_option_nothing_is_measured(project):
    result = project.runpytest()

    result.stdout.no_fnmatch_line("*job coverage*")


@pytest.mark.slow
def test_the_workers_of_xdist_measure_together(project):
    pytest.importorskip("xdist")

    result = project.runpytest_subprocess("--jobs-cov", "-n", "2")

    result.stdout.fnmatch_lines(["3 of 8 cases of 2 jobs were seen: 37.5 %."])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--jobs-cov", "--jobs-cov-fail-under=much"],
            "--jobs-cov-fail-under is 'much'; valid are numbers from 0 to 100.",
        ),
        (
            ["--jobs-cov", "--jobs-cov-report=html"],
            "--jobs-cov-report is 'html'; valid are term, term-all, xml:FILE and json:FILE.",
        ),
        (
            ["--jobs-cov-fail-under=50"],
            (
                "--jobs-cov-fail-under says what becomes of job coverage, and this run does not measure it: "
                "add --jobs-cov."
            ),
        ),
    ],
)
def test_wrong_values_are_refused(pytester, arguments, message):
    result = pytester.runpytest(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
