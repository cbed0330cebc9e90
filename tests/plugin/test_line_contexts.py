"""With --jobs-report each delivery has a context of its own in the data of coverage."""

from __future__ import annotations

import sys

import pytest

coverage = pytest.importorskip("coverage")
pytest.importorskip("jinja2")

APP = """\
from pytest_jobs import job, retry_on

rows = {}


@retry_on(TimeoutError)
@job
def pay(user_id):
    if user_id not in rows:
        rows[user_id] = 0
        raise TimeoutError
    if rows[user_id]:
        return "again"
    rows[user_id] = 1
    return "paid"
"""
RAISED, AGAIN, PAID = 11, 13, 15
TESTS = """
from app import pay, rows


def test_paid(jobs):
    rows.clear()
    pay.perform_later(7)
    jobs.drain()
    jobs.perform(jobs.redeliver(jobs.performed[0].record))
"""
NAME = "job:app.pay"


@pytest.fixture
def project(pytester):
    pytester.makepyfile(app=APP, test_app=TESTS)
    return pytester


def contexts_of(project, line):
    """Return the contexts in which a line of the application ran, without those of our test session."""
    data = coverage.CoverageData(basename=str(project.path / ".coverage"))
    data.read()
    [file] = [name for name in data.measured_files() if name.endswith("/app.py")]
    return set(data.contexts_by_lineno(file)[line])


CORES = [
    "ctrace",
    pytest.param(
        "sysmon",
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12"),
        ],
    ),
]


@pytest.mark.wide
@pytest.mark.parametrize("core", CORES)
def test_a_line_shows_the_attempts_that_reached_it(project, core, monkeypatch):
    monkeypatch.setenv("COVERAGE_CORE", core)
    run = project.run(
        sys.executable,
        "-m",
        "coverage",
        "run",
        "-m",
        "pytest",
        "--jobs-report=jobs.html",
        "-W",
        "error",
    )

    run.assert_outcomes(passed=1)
    assert contexts_of(project, RAISED) == {f"{NAME}|attempt:1|test"}
    assert contexts_of(project, PAID) == {f"{NAME}|attempt:2|test"}
    assert contexts_of(project, AGAIN) == {f"{NAME}|attempt:2|test, again"}


@pytest.mark.slow
def test_the_context_of_the_test_is_in_force_again_afterwards(project):
    pytest.importorskip("pytest_cov")
    project.makepyfile(test_app=TESTS + "    pay(7)\n")

    project.runpytest_subprocess(
        "--cov=app", "--cov-context=test", "--jobs-report=jobs.html", "--cov-report="
    ).assert_outcomes(passed=1)

    assert contexts_of(project, AGAIN) == {
        f"{NAME}|attempt:2|test, again",
        "test_app.py::test_paid|run",
    }


@pytest.mark.slow
def test_a_history_of_a_check_is_named(project):
    project.makepyfile(
        test_app="from pytest_jobs import check_idempotent\n"
        "from app import pay, rows\n\n"
        "def world():\n"
        "    rows.clear()\n"
        "    rows[7] = 0\n"
        "    yield lambda: {'rows': dict(rows)}\n\n"
        "def test_it():\n"
        "    check_idempotent(pay, args=(7,), world=world, histories=['twice', 'crash'])\n"
    )

    project.run(
        sys.executable, "-m", "coverage", "run", "-m", "pytest", "--jobs-report=jobs.html"
    ).assert_outcomes(passed=1)

    assert contexts_of(project, AGAIN) >= {f"{NAME}|attempt:1|twice, again"}
    assert contexts_of(project, PAID) >= {f"{NAME}|attempt:1|crash, again"}


@pytest.mark.slow
def test_a_setting_of_coverage_that_decides_on_contexts_is_named_once(project):
    project.path.joinpath("taken.ini").write_text(
        "[run]\ndynamic_context = test_function\n", "utf-8"
    )

    result = project.run(
        sys.executable,
        "-m",
        "coverage",
        "run",
        "--rcfile=taken.ini",
        "-m",
        "pytest",
        "--jobs-report=jobs.html",
    )

    result.assert_outcomes(passed=1)
    said = [line for line in result.outlines if "dynamic_context of coverage decides" in line]
    assert len(said) == 1
