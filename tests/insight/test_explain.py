"""`python -m pytest_jobs explain ANCHOR` prints the page of a message, without a network."""

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pytest_jobs import errors
from pytest_jobs.__main__ import main
from pytest_jobs.assertions import messages
from pytest_jobs.insight.explain import entries

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text("utf-8"))


@pytest.fixture
def explain(capsys):
    """Return a function that runs the command and returns its exit code, its output and its errors."""

    def explain(*arguments):
        code = main(["explain", *arguments])
        return (code, *capsys.readouterr())

    return explain


def test_a_section_of_the_messages_is_printed_as_text(explain):
    code, printed, _ = explain("other-priority")

    assert code == 0
    assert printed == (
        "Other priority\n"
        "==============\n\n"
        "Remedy: correct the priority of the job, or the one that is chosen when it is enqueued, or the "
        "expectation.\n\n"
        "- The job was enqueued with another priority than the test expects.\n\n"
        f"```text\n{_pinned('it_has_another_priority').partition(f'{chr(10)}Next: ')[0]}```\n"
    )


def test_an_error_has_its_cause_its_remedy_and_its_messages(explain):
    code, printed, _ = explain("NotDeadError")

    assert code == 0
    assert printed.startswith(
        "NotDeadError\n"
        "============\n\n"
        "Cause: `redrive` of a job that was not given up, was redriven already, or is beyond a limit\n"
        "Remedy: look at `jobs.dead`; `redeliver` for a second delivery whatever became of it\n"
    )


def test_an_error_that_is_also_another_says_so(explain):
    assert "A kind of TypeError.\nCause: " in explain("CriterionError")[1]


def test_the_texts_of_an_error_follow(explain):
    printed = explain("CriterionError")[1]

    assert (
        "- There is no such criterion. Remedy: Use one of those that the message lists.\n"
        in printed
    )
    assert _pinned("a_parameter_is_unknown") in printed


def test_a_chapter_of_the_errors_is_a_page_too(explain):
    printed = explain("time")[1]

    assert re.findall(r"(?m)^(\w+):$", printed) == [
        "ClockError",
        "NaiveDatetimeError",
        "ClockConflictError",
    ]


def test_links_are_printed_without_their_targets(explain):
    assert (
        "Cause: current attributes: an attribute without a default was read"
        in explain("ContextError")[1]
    )


@pytest.mark.parametrize(
    "written",
    ["left-alone", "Left-Alone", "#left-alone", "docs/reference/messages.md#left-alone"],
)
def test_a_link_and_capitals_are_understood(explain, written):
    assert explain(written)[1].startswith("Left alone\n")


@pytest.mark.parametrize(
    ("word", "head"),
    [
        ("DUPLICATE", "DuplicateEffect\n"),
        ("HALF_DONE", "HalfDone\n"),
        ("STUCK", "StuckJob\n"),
        ("JOB301", "JOB301 "),
        ("job301", "JOB301 "),
    ],
)
def test_a_verdict_of_a_check_and_the_number_of_a_rule_have_a_page(explain, word, head):
    assert explain(word)[1].startswith(head)


def test_the_page_of_a_rule_says_what_is_wrong_and_how_to_switch_it_off(explain):
    printed = explain("JOB301")[1]

    assert printed.startswith(
        "JOB301 error-swallowed\n======================\n\nA job swallows every error.\n"
    )
    assert "`# jobs: ignore[JOB301]`" in printed


def test_an_error_may_have_its_module_in_front(explain):
    assert explain("pytest_jobs.errors.WaitError")[1].startswith("WaitError\n")


def test_an_unknown_anchor_suggests_the_nearest(explain):
    code, printed, complaint = explain("other-argument")

    assert (code, printed) == (2, "")
    assert complaint == (
        "No message, error or rule is called 'other-argument'. The nearest is other-arguments. "
        "`python -m pytest_jobs explain` lists all of them.\n"
    )


def test_a_word_suggests_the_anchors_that_have_it(explain):
    assert explain("queue")[2].startswith(
        "No message, error or rule is called 'queue'. The nearest is other-queue. "
    )
    assert explain("commit")[2].startswith(
        "No message, error or rule is called 'commit'. The nearest are waiting-for-commit, "
    )


def test_a_word_that_is_near_to_nothing_suggests_nothing(explain):
    assert explain("zzz")[2] == (
        "No message, error or rule is called 'zzz'. `python -m pytest_jobs explain` lists all of them.\n"
    )


def test_without_an_anchor_all_are_listed(explain):
    code, printed, _ = explain()

    assert code == 0
    assert {"NoAdapterError", "WaitError", "left-alone", "other-arguments"} <= set(printed.split())


def test_each_failure_of_an_assertion_has_a_page():
    anchors = {one.anchor for one in vars(messages).values() if isinstance(one, messages.Advice)}

    assert anchors - entries().keys() == set()


def test_each_error_and_warning_has_a_page():
    names = {
        name
        for name, kind in vars(errors).items()
        if inspect.isclass(kind)
        and issubclass(kind, errors.JobsError | errors.JobsWarning)
        and kind is not errors.JobsError
    }

    assert names - entries().keys() == set()


def test_a_wheel_has_the_pages_where_the_command_looks_for_them():
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]

    assert included == {
        f"docs/reference/{name}": f"pytest_jobs/insight/pages/{name}"
        for name in ("errors.md", "messages.md", "lint")
    }


def test_the_pages_of_another_folder_can_be_read(tmp_path):
    for name in ("errors.md", "messages.md"):
        tmp_path.joinpath(name).write_text(f"# {name}\n\n## One of {name}\n\nText.\n", "utf-8")

    assert list(entries(tmp_path))[:3] == ["one-of-errors.md", "one-of-messages.md", "JOB101"]


def test_the_command_is_a_script_too(monkeypatch, capsys):
    module, _, name = PROJECT["project"]["scripts"]["pytest-jobs"].partition(":")
    monkeypatch.setattr(sys, "argv", ["pytest-jobs", "explain", "JOB301"])

    assert getattr(importlib.import_module(module), name)() == 0
    assert capsys.readouterr().out.startswith("JOB301 ")


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])

    assert left.value.code == 0
    assert capsys.readouterr().out == f"pytest-jobs {PROJECT['project']['version']}\n"


def test_the_help_names_each_topic_and_shows_how_it_is_used(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    printed = capsys.readouterr().out

    assert left.value.code == 0
    assert "print what a failure or an error means, and what to do" in printed
    assert "find habits of jobs that will hurt" in printed
    assert "python -m pytest_jobs explain other-arguments\n" in printed


def test_without_a_topic_the_command_names_them(capsys):
    with pytest.raises(SystemExit):
        main([])

    assert "{explain,doctor,init,lint,compat}" in capsys.readouterr().err


@pytest.mark.wide
def test_python_m_runs_it():
    command = [sys.executable, "-m", "pytest_jobs", "explain", "left-alone"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)

    assert run.stdout.startswith("Left alone\n==========\n")


def _pinned(name):
    return ROOT.joinpath("tests", "messages", "gallery", f"{name}.txt").read_text("utf-8")
