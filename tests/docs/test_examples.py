"""The example projects are green, as their users would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from reached_rows import reached_rows

ROOT = Path(__file__).parents[2] / "docs" / "examples"
EXAMPLES = sorted(ROOT.rglob("pyproject.toml"))


#: These perform their jobs without a harness.
WITHOUT_HARNESS = {"before"}
#: By project: the jobs with rules, callbacks and schedules that its tests do not show.
MISSING: dict[str, dict[str, str]] = {
    "celery": {"send_reminder": "autoretry_for ServerBusy, exhausted"},
    "rq": {"charge_once": "retry, exhausted", "await_payment": "exhausted"},
    "shop": {"ApplicationJob": "exhausted RecordNotFound"},
}


@pytest.mark.parametrize("project", EXAMPLES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_an_example_project_is_green_and_its_tests_reach_all_but_what_is_listed(project, tmp_path):
    pytest.importorskip("jinja2")
    written = tmp_path / "jobs.html"

    run = _run(project, tmp_path, f"--jobs-report={written}")

    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout.splitlines()[-1]
    rows = reached_rows(written.read_text("utf-8"))
    unreached = [job for job, how, _ in rows if how == "in no harness"]
    assert bool(unreached) == (project.parent.name in WITHOUT_HARNESS), unreached
    shown = {job.rpartition(".")[2]: missing for job, _, missing in rows if missing}
    assert shown == MISSING.get(project.parent.relative_to(ROOT).as_posix(), {})


#: The bug that a project has on purpose, as the audit names it.
PLANTED = {
    "apscheduler": "DUPLICATE gym.outside.outside.bank.charge in jobs:renew(",
    "arq": "DUPLICATE thumbs.outside.Bank().charge in charge(",
    "celery": "DUPLICATE mailing.outside.postman.send in send_welcome(",
    "django": "LOST mail in send_receipt(",
    "django_q": "DUPLICATE visits.outside.outside.bank.charge in bill(",
    "dramatiq": "DUPLICATE tickets.office.office.gateway.charge in charge(",
    "fastapi": "LOST cinema.outside.outside.mails.send in pay_back(",
    "huey": "DUPLICATE letters.mailer.outbox.mailer.send in send_issue(",
    "oban": "DUPLICATE bakery.outside.outside.bank.charge in Charge(",
    "procrastinate": "DUPLICATE letters.outside.bank.charge in letters:charge(",
    "rq": "DUPLICATE invoices.bank.charge in charge(",
    "saq": "DUPLICATE conftest.outside.bank.charge in charge(",
    "shop": "LOST shop.mail.outbox.send in CampaignMail(",
    "taskiq": "LOST enqueue mail in track(",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_an_audit_finds_the_planted_bug_of_an_example_project_and_breaks_no_test(name, tmp_path):
    # The shop has as many tests as all others together: one that reaches the bug, and two that broke in an audit.
    tests = ["campaigns", "limits", "shipments"] if name == "shop" else []
    files = [f"tests/test_{one}.py" for one in tests]
    run = _run(ROOT / name / "pyproject.toml", tmp_path, "--jobs-audit", "-vv", *files)

    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout + run.stderr
    # Which of several tests a job is checked in depends on what they cost, and so do its arguments.
    assert f"- {PLANTED[name]}" in run.stdout
    assert " failed" not in run.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", PLANTED)
def test_a_readme_that_shows_a_finding_shows_the_planted_bug(name):
    text = (ROOT / name / "README.md").read_text("utf-8")

    shown = re.findall(r"^- ([A-Z]+ .*? in [\w:]+\()", text, re.MULTILINE)
    assert shown in ([], [PLANTED[name]])


def _run(project, tmp_path, *arguments):
    declared = tomllib.loads(project.read_text("utf-8")).get("project", {})
    for wanted in declared.get("dependencies", ()):
        _need(Requirement(wanted))
    environment = {**os.environ, "PYTEST_ADDOPTS": f"-o cache_dir={tmp_path / 'cache'}"}
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(
        command, cwd=project.parent, env=environment, capture_output=True, text=True, check=False
    )


def _need(wanted: Requirement) -> None:
    """Skip where the project could not be installed: tox has an environment for each."""
    try:
        version = distribution(wanted.name).version
    except PackageNotFoundError:
        pytest.skip(f"{wanted.name} is not installed")
    if not wanted.specifier.contains(version, prereleases=True):
        pytest.skip(f"the project wants {wanted}, and this is {version}")
