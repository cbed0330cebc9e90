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
        check_idempotent(remind, args=(7,), world=world, histories=HISTORIES)

    def test_enqueued(assert_enqueued):
        assert_enqueued(remind, args=(7,))

    def test_strict(jobs):
        remind.perform_later(7)

    def test_of_its_own():
        assert 1 == 2
"""


@pytest.fixture
def annotated(pytester, monkeypatch):
    """Return a function that runs a test and returns the annotations."""
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    pytester.makepyfile(app=APP)

    def annotated(name, *arguments, histories="['twice']"):
        pytester.makepyfile(test_it=TESTS.replace("HISTORIES", histories))
        result = pytester.runpytest("--jobs-annotations=github", f"test_it.py::{name}", *arguments)
        result.assert_outcomes(failed=1)
        return [line for line in result.outlines if line.startswith("::")]

    return annotated


def test_a_check_is_annotated_at_the_job(annotated):
    [line] = annotated("test_idempotent")

    assert line.startswith(
        "::error file=app.py,line=8,title=DUPLICATE sent::test_it.py::test_idempotent: "
    )
    assert "%0A" in line


def test_a_kill_is_annotated_at_the_line_that_was_killed(annotated):
    [line] = annotated("test_idempotent", histories="['crash']")

    assert line.startswith("::error file=app.py,line=10,title=DUPLICATE sent::")


def test_an_assertion_about_jobs_is_annotated_at_its_line(annotated):
    [line] = annotated("test_enqueued")

    assert line.startswith(
        "::error file=test_it.py,line=13,title=AssertionError::test_it.py::test_enqueued: "
    )


def test_a_test_that_leaves_jobs_is_annotated_at_its_definition(annotated):
    [line] = annotated("test_strict", "--jobs-strict")

    assert line.startswith(
        "::error file=test_it.py,line=15,title=Failed::test_it.py::test_strict: "
    )


def test_a_failure_that_has_nothing_to_do_with_jobs_is_not_annotated(annotated):
    assert annotated("test_of_its_own") == []


def test_names_of_files_begin_at_the_root_of_the_repository(annotated, pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))

    [line] = annotated("test_enqueued")

    assert f"file={pytester.path.name}/test_it.py," in line


def test_another_format_is_refused(pytester):
    result = pytester.runpytest("--jobs-annotations=gitlab")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --jobs-annotations is 'gitlab'; valid is github."])
