"""Jobs of which no rule says anything: two have one name, or the library itself cannot describe one."""

from __future__ import annotations

import importlib
import sys

import pytest

from pytest_jobs.insight.lint.linter import lint
from pytest_jobs.insight.lint.settings import LintSettings
from pytest_jobs.insight.source.running import running_jobs


@pytest.fixture
def looked_at(tmp_path, imported):
    """Return a function that writes a module, imports it as often as is said, and lints it."""

    def looked_at(text, times=1):
        (tmp_path / "app.py").write_text(text, "utf-8")
        with imported(["app.py"]):
            # What holds the former module holds its jobs.
            former = []
            for _ in range(times - 1):
                former.append(sys.modules.pop("app"))
                importlib.import_module("app")
            running = running_jobs(tmp_path)
            return lint([tmp_path], LintSettings(), base=tmp_path, running=running)

    return looked_at


def test_of_two_classes_of_one_name_the_module_says_which_is_the_job(looked_at):
    found = looked_at(
        "from pytest_jobs import Job\n\n\nclass Pay(Job):\n    def perform(self):\n"
        "        try:\n            pay()\n        except Exception:\n            pass\n",
        times=2,
    )

    assert (found.jobs, [one.rule for one in found.found]) == (1, ["JOB301"])
    assert found.handoffs.shared == []


def test_actors_of_two_brokers_that_share_a_name_are_said(looked_at):
    found = looked_at(
        "import dramatiq\nfrom dramatiq.brokers.stub import StubBroker\n\n"
        "shop, mail = StubBroker(), StubBroker()\n\n\n"
        "@dramatiq.actor(actor_name='tidy', broker=shop)\ndef tidy_shop(): ...\n\n\n"
        "@dramatiq.actor(actor_name='tidy', broker=mail)\ndef tidy_mail(): ...\n\n\n"
        "@dramatiq.actor(broker=mail)\ndef send(): ...\n",
    )

    assert found.jobs == 1
    [said] = found.handoffs.lines()
    assert said.startswith("Not looked at: 'tidy' names a task of each of <dramatiq.brokers.stub.")


def test_a_job_that_its_library_cannot_describe_is_said(looked_at):
    found = looked_at(
        "from celery import Celery\n\napp = Celery('shop', broker='memory://')\n\n\n"
        "@app.task(autoretry_for=(OSError,), retry_backoff='soon')\ndef push(): ...\n"
    )

    [said] = found.handoffs.lines()
    assert said == (
        "Not looked at: 'app.push', since celery cannot say what it is: "
        "ValueError(\"could not convert string to float: 'soon'\")."
    )
