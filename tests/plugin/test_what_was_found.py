"""What a session has found, in files of `--jobs-report` and beside the lines of a change."""

from __future__ import annotations

import json

import pytest

APP = """\
from pytest_jobs import job

sent = []


@job
def remind(user_id):
    address = f"{user_id}@example.org"
    sent.append(address)
    return address
"""
TESTS = """
    import pytest
    from app import remind, sent
    from pytest_jobs import check_idempotent

    def world():
        sent.clear()
        yield lambda: {"sent": list(sent)}

    def test_idempotent():
        check_idempotent(remind, args=(7,), world=world, histories=["twice"])

    def test_killed():
        check_idempotent(remind, args=(7,), world=world, histories=["crash"])

    def test_enqueued(assert_enqueued):
        assert_enqueued(remind, args=(7,))

    @pytest.mark.jobs(strict=True)
    def test_strict(jobs):
        remind.perform_later(7)

    def test_of_its_own():
        assert 1 == 2
"""


@pytest.fixture
def annotations(pytester, monkeypatch):
    """Return a function that runs the tests as GitHub does, and returns the annotations."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)

    def annotations(*arguments):
        pytester.makepyfile(app=APP, test_it=TESTS)
        result = pytester.runpytest(*arguments)
        result.assert_outcomes(failed=5)
        return [line for line in result.outlines if line.startswith("::")]

    return annotations


def test_a_failure_about_jobs_is_annotated_where_it_came_about(annotations):
    check, killed, assertion, left = annotations()

    assert check.startswith(
        "::error file=app.py,line=8,title=DUPLICATE sent::test_it.py::test_idempotent: "
    )
    assert "%0A" in check
    # At the line that was killed, that of the assertion, and the definition of the test.
    assert killed.startswith("::error file=app.py,line=10,title=DUPLICATE sent::")
    assert assertion.startswith(
        "::error file=test_it.py,line=16,title=AssertionError::test_it.py::test_enqueued: "
    )
    assert left.startswith(
        "::error file=test_it.py,line=18,title=Failed::test_it.py::test_strict: "
    )


def test_names_of_files_begin_at_the_root_of_the_repository(pytester, annotations, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))

    assert f"file={pytester.path.name}/test_it.py," in annotations()[2]


SWALLOWS = """

@job
def bill(user_id: int):
    try:
        remind(user_id)
    except Exception:
        pass
"""


def test_one_file_has_failures_and_findings_together(pytester):
    pytester.makepyfile(app=APP + SWALLOWS, test_it=TESTS)
    flags = ("--jobs-report=found.json", "--jobs-report=found.sarif")

    result = pytester.runpytest_subprocess("--jobs-lint", *flags)

    result.stdout.fnmatch_lines(
        ["*- jobs report: *found.json -*", "*- jobs report: *found.sarif -*"]
    )
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))
    assert found.keys() == {"version", "failures", "lint"}
    assert [(one["rule"], one["path"], one["line"]) for one in found["failures"]][:2] == [
        ("DUPLICATE sent", "app.py", 8),
        ("DUPLICATE sent", "app.py", 10),
    ]
    rules = {one["rule"] for one in found["lint"]["findings"]}
    results = json.loads((pytester.path / "found.sarif").read_text("utf-8"))["runs"][0]["results"]
    assert {one["ruleId"] for one in results} == {"DUPLICATE", "AssertionError", "Failed", *rules}
    assert "JOB301" in rules


def test_without_findings_the_file_says_so(pytester):
    pytester.makepyfile("def test_it(): pass")

    pytester.runpytest("--jobs-report=found.json").assert_outcomes(passed=1)

    assert json.loads((pytester.path / "found.json").read_text("utf-8"))["failures"] == []
