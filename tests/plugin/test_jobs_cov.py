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
            "job                                  delivery  places  safety",
            "app.Pay                                   3/5       -  not explored",
            "    not seen: asserted, exhausted TimeoutError",
            "app.Send                                  0/3       -  not explored",
            "    not seen: all of it",
            "3 of 8 cases of 2 jobs were seen: 37.5 %.",
            "Safety: checks explored 0 of 2 jobs.",
        ],
        consecutive=True,
    )


ASSERTIONS = """
import app, pytest, unittest

def perform(jobs):
    app.Pay.perform_later()
    jobs.drain()

def test_none(jobs):
    app.sell()
    jobs.drain()

def test_before(jobs):
    app.Pay.perform_later()
    assert jobs.pending
    jobs.drain()

def test_failing(jobs):
    perform(jobs)
    assert not jobs.performed

@pytest.fixture
def late(jobs):
    yield
    perform(jobs)

def test_fixture_that_ends(late):
    assert True
"""
ASSERTED = """
def test_{}(jobs):
    perform(jobs)
    assert len(jobs.performed) == 1
"""


def test_a_delivery_counts_as_asserted_where_an_assertion_follows_and_passes(pytester):
    pytester.makepyfile(app=APP + "\n\ndef sell():\n    Pay.perform_later()\n", test_app=ASSERTIONS)
    path = pytester.path / "job-coverage.json"

    def counts(*arguments):
        pytester.runpytest("--jobs-cov", "--jobs-cov-report=json", *arguments)
        [pay] = [
            job for job in json.loads(path.read_text("utf-8"))["jobs"] if job["name"] == "app.Pay"
        ]
        cases = {case["text"]: case["count"] for case in pay["cases"]}
        return cases["performed"], cases["asserted"], [one["count"] for one in pay["sites"]]

    assert counts() == (4, 0, [1])
    (pytester.path / "test_app.py").write_text(ASSERTIONS + ASSERTED.format("it"), "utf-8")
    assert counts() == (5, 1, [1])


def test_a_run_of_some_tests_says_that_others_did_not_run(project):
    result = project.runpytest("--jobs-cov", "-k", "paid")

    result.stdout.fnmatch_lines(["1 test did not run: deselected."])


def test_a_baseline_is_written_once_shrinks_and_lets_nothing_new_pass(project):
    def run(*arguments):
        result = project.runpytest("--jobs-cov", "--jobs-cov-baseline=gaps.txt", *arguments)
        return result.ret, result.stdout

    path = project.path / "gaps.txt"
    code, said = run()
    said.fnmatch_lines(["gaps.txt is new and has 7 lines. Commit it: further ones fail."])
    assert code == pytest.ExitCode.OK
    assert path.read_text("utf-8").splitlines()[1:] == [
        "app.Pay: asserted",
        "app.Pay: exhausted TimeoutError",
        "app.Pay: not explored",
        "app.Send: asserted",
        "app.Send: enqueued",
        "app.Send: not explored",
        "app.Send: performed",
    ]

    with (project.path / "test_app.py").open("a") as file:
        file.write(
            "\ndef test_sent(jobs):\n    app.Send.perform_later()\n    assert jobs.drain()\n"
        )
        file.write("\nimport app\n")
    code, said = run()
    said.fnmatch_lines(["3 lines of gaps.txt are gone, and it is smaller now. Commit it."])
    assert code == pytest.ExitCode.OK
    assert run("-k", "paid")[0] == pytest.ExitCode.OK

    project.makepyfile(test_app="import app\ndef test_it(jobs): app.Send.perform_later()")
    code, said = run()
    said.fnmatch_lines(["New: app.Pay: enqueued", "New: app.Pay: performed"])
    assert code == pytest.ExitCode.TESTS_FAILED
    assert len(path.read_text("utf-8").splitlines()) == 5


def test_a_baseline_that_cannot_be_read_is_a_usage_error(project):
    (project.path / "gaps.txt").mkdir()
    result = project.runpytest("--jobs-cov", "--jobs-cov-baseline=gaps.txt")

    result.stderr.fnmatch_lines(["ERROR: The baseline */gaps.txt cannot be read: *Is a directory*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_library_without_a_job_that_is_known_reaches_no_least_coverage(project):
    (project.path / "requirements.txt").write_text("dramatiq\n", "utf-8")
    project.makepyfile(actors="from wrapped import actor\n@actor\ndef mail(): ...\n")
    result = project.runpytest("--jobs-cov", "--jobs-cov-fail-under=10")

    result.stdout.fnmatch_lines(
        [
            (
                "Job coverage of Dramatiq is not known, so nobody can say that it reaches "
                "--jobs-cov-fail-under=10."
            )
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


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


def test_enough_coverage_passes_and_the_file_is_named(project):
    result = project.runpytest(
        "--jobs-cov",
        "--jobs-cov-fail-under=37.5",
        "--jobs-cov-report=json:out/jobs.json",
    )

    result.stdout.fnmatch_lines(["json: *jobs.json"])
    result.stdout.no_fnmatch_line("*not seen*")
    assert json.loads((project.path / "out/jobs.json").read_text("utf-8"))["covered"] == 3
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
            "--jobs-cov-report is 'html'; valid are term, term-all and json:FILE.",
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
