"""`--jobs-lint` finds habits of jobs in the source, and in the deliveries of the tests."""

from __future__ import annotations

import pytest

pytest.importorskip("celery")

from pytest_jobs.insight.lint.pages import page_of
from pytest_jobs.insight.lint.watching import WATCHED

_TWICE = "    jobs.drain()\n    jobs.perform(jobs.redeliver(jobs.performed[0].record))\n"
#: Another bad and good example, which the page does not show.
BENT = (
    "from datetime import date\n\nfrom celery import Celery\n\napp = Celery('shop', broker='memory://')\n\n\n"
    "@app.task\ndef report(day: date | None) -> None: ...\n\n\n"
    "def test_it_reports(jobs):\n    report.delay(date(2030, 1, 1).isoformat())\n" + _TWICE
)
WHOLE = (
    "from datetime import date\n\nfrom pytest_jobs import job\n\n\n@job\ndef report(day: date) -> None: ...\n\n\n"
    "def test_it_reports(jobs):\n    report.perform_later(date(2030, 1, 1))\n" + _TWICE
)
EXAMPLES = [
    *(pytest.param(page.id, page.bad, page.good, id=page.id) for page in map(page_of, WATCHED)),
    pytest.param("JOB292", BENT, WHOLE, id="JOB292-date"),
]
SWALLOWS = (
    "from pytest_jobs import job\n\n\n@job\ndef bill(order_id: int) -> None:\n"
    "    try:\n        print(order_id)\n    except Exception:\n        pass\n"
)
TWICE = (
    "from app import bill\n\n\ndef test_it(jobs):\n    bill.perform_later(7)\n    jobs.drain()\n"
    "    jobs.perform(jobs.redeliver(jobs.performed[0].record))\n"
)


def rules_in(result):
    return {line.split()[1] for line in result.outlines if line.partition(" ")[2].startswith("JOB")}


@pytest.mark.parametrize(("rule_id", "bad", "good"), EXAMPLES)
def test_a_planted_fault_is_seen_by_its_rule_and_by_no_other(rule_id, bad, good, pytester):
    # Celery knows tasks by the names of their modules, for as long as the process lives.
    pytester.makepyfile(test_planted=bad)

    result = pytester.runpytest("--jobs-lint")

    result.assert_outcomes(passed=1)
    assert rules_in(result) == {rule_id}
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(("rule_id", "bad", "good"), EXAMPLES)
def test_in_a_mended_twin_nothing_is_seen(rule_id, bad, good, pytester):
    pytester.makepyfile(test_mended=good)

    result = pytester.runpytest("--jobs-lint")

    result.assert_outcomes(passed=1)
    assert rules_in(result) == set()
    assert result.ret == pytest.ExitCode.OK


def test_the_source_is_linted_too_and_the_summary_says_how_much_was_looked_at(pytester):
    pytester.makepyfile(app=SWALLOWS, test_app=TWICE)

    result = pytester.runpytest("--jobs-lint")

    result.stdout.fnmatch_lines(
        [
            "*--jobs-lint*",
            "app.py:8:5: JOB301 `except Exception` swallows every error of bill: *",
            "1 finding in 1 job of 2 files. `python -m pytest_jobs explain JOB301` says more.",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_ini_file_switches_it_on(pytester):
    pytester.makeini("[pytest]\njobs_lint = true\n")
    pytester.makepyfile(app=SWALLOWS, test_app=TWICE)

    assert rules_in(pytester.runpytest()) == {"JOB301"}


def test_without_the_option_nothing_is_looked_at(pytester):
    pytester.makepyfile(app=SWALLOWS, test_app=TWICE)

    result = pytester.runpytest()

    result.stdout.no_fnmatch_line("*--jobs-lint*")
    assert result.ret == pytest.ExitCode.OK


def test_settings_switch_watched_rules_off(pytester):
    pytester.makepyprojecttoml('[tool.pytest-jobs.lint]\nignore = ["JOB3"]\n')
    pytester.makepyfile(
        app=SWALLOWS,
        test_app="from app import bill\ndef test_it(jobs):\n    bill.perform_later(7)\n    jobs.drain()\n",
    )

    result = pytester.runpytest("--jobs-lint")

    assert rules_in(result) == set()
    assert result.ret == pytest.ExitCode.OK


def test_a_mistake_in_the_settings_is_a_usage_error(pytester):
    pytester.makepyprojecttoml("[tool.pytest-jobs.lint]\nmax-payload = -1\n")
    pytester.makepyfile(test_app="def test_it(): pass")

    result = pytester.runpytest("--jobs-lint")

    result.stderr.fnmatch_lines(
        ["ERROR: *max-payload of ?tool.pytest-jobs.lint? must be a number*"]
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_baseline_lets_known_findings_pass(pytester):
    pytester.makepyfile(baselined=SWALLOWS, test_app=TWICE.replace("app", "baselined"))

    flags = ("--jobs-lint", "--jobs-baseline=known.json")
    assert pytester.runpytest(*flags, "--jobs-update-baseline").ret == pytest.ExitCode.TESTS_FAILED
    file = pytester.path / "known.json"
    file.write_text(file.read_text("utf-8").replace('"reason": ""', '"reason": "old"'), "utf-8")

    result = pytester.runpytest_subprocess(*flags)

    result.stdout.fnmatch_lines(["no findings in 1 job of 2 files. known.json accepts 1 finding."])
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--jobs-baseline=known.txt"],
            "ERROR: --jobs-baseline says *: add --jobs-audit or --jobs-lint.",
        ),
        (
            ["--jobs-lint", "--jobs-baseline=known.txt"],
            "ERROR: *known.txt is not a baseline of this version *",
        ),
    ],
)
def test_a_mistake_with_the_baseline_is_a_usage_error(pytester, arguments, said):
    pytester.makefile(".txt", known="mine")

    result = pytester.runpytest(*arguments)

    result.stderr.fnmatch_lines([said])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.slow
def test_the_workers_of_xdist_send_what_they_saw(pytester):
    pytest.importorskip("xdist")
    test = (
        "from app import bill\n\n\n"
        "def test_once(jobs):\n    bill.perform_later(7)\n    jobs.drain()\n\n\n"
        "def test_again(jobs):\n    bill.perform_later(list(range(9999)))\n    jobs.drain()\n"
    )
    pytester.makepyfile(
        app=SWALLOWS.replace("pass", "raise").replace("order_id: int", "order_id"), test_app=test
    )

    result = pytester.runpytest_subprocess("-n2", "--jobs-lint")

    result.assert_outcomes(passed=2)
    assert rules_in(result) == {"JOB291"}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
