"""`--jobs-annotations=github` writes failures about jobs as annotations of GitHub."""

from __future__ import annotations

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


def annotations(pytester, *arguments):
    """Run the tests, and return the annotations."""
    pytester.makepyfile(app=APP, test_it=TESTS)
    result = pytester.runpytest("--jobs-annotations=github", *arguments)
    result.assert_outcomes(failed=5)
    return [line for line in result.outlines if line.startswith("::")]


def test_a_failure_about_jobs_is_annotated_where_it_came_about(pytester, monkeypatch):
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    check, killed, assertion, left = annotations(pytester)

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


def test_names_of_files_begin_at_the_root_of_the_repository(pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))

    assert f"file={pytester.path.name}/test_it.py," in annotations(pytester)[2]


def test_another_format_is_refused(pytester):
    result = pytester.runpytest("--jobs-annotations=gitlab")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --jobs-annotations is 'gitlab'; valid is github."])
