"""How tests reach each job, and which of its cases count as seen."""

from __future__ import annotations

import pytest

from pytest_jobs.insight.reached.cases import Cases
from pytest_jobs.insight.reached.reached import jobs_reached
from pytest_jobs.insight.seen.session import (
    SeenCheck,
    SeenDelivery,
    SeenFiring,
    SeenJob,
    SeenRecord,
    SeenSession,
    SeenTest,
    SeenTimeline,
)
from pytest_jobs.insight.source.project import Project as Source
from pytest_jobs.insight.source.tree import Tree

SOURCE = """\
from pytest_jobs import (
    Job,
    after_discard,
    after_perform,
    before_perform,
    discard_on,
    rescue_from,
    retry_on,
)
from pytest_jobs.errors import Halt


@discard_on(LookupError)
@retry_on(TimeoutError, OSError, attempts=3)
@retry_on(ConnectionError, attempts=3)
class Pay(Job):
    @before_perform
    def look(self):
        if self.args:
            raise Halt

    @after_perform
    def note(self): ...

    @after_discard
    def keep(self, error): ...

    @rescue_from(ValueError)
    def mend(self, error): ...

    def perform(self): ...


class Send(Job):
    def perform(self): ...
"""
PAY, SEND = 31, 35


class Project:
    """A project of two jobs, and what a session has seen of them."""

    def __init__(self, path, imported):
        self.path = path
        self._imported = imported
        (path / "app.py").write_text(SOURCE, "utf-8")
        self.test = SeenTest("test_app.py::test_it")

    def job(self, name="app.Pay", line=PAY, file=None, bridge="core"):
        return SeenJob(bridge, name, str(file or self.path / "app.py"), line)

    def enqueued(self, job=None, origin="enqueue"):
        sequence = len(self.test.records)
        self.test.records.append(
            SeenRecord(
                sequence, job or self.job(), "Pay()", None, origin, 1, 0, None, None, None, "taken"
            )
        )
        return sequence

    def delivered(self, status, *errors, aftermath=()):
        self.test.deliveries.append(delivery(self.enqueued(), status, *errors, aftermath=aftermath))

    def reached(self, jobs=(), **options):
        with self._imported([path.name for path in self.path.glob("*.py")]) as running:
            source = Source(Tree(self.path), base=self.path, jobs=jobs, exclude=(), running=running)
            return jobs_reached(source, Cases(source), SeenSession([self.test]), **options)

    def ways(self, **options):
        """Return what the tests do with each job; without jobs that other tests have declared."""
        jobs = self.reached(**options).jobs
        return {
            job.name: job.ways for job in jobs if job.ways or job.file.startswith(f"{self.path}/")
        }

    @property
    def seen(self):
        """The cases that were seen of the first job."""
        [pay] = [job for job in self.reached().jobs if job.name == "app.Pay"]
        return [case.text for case in pay.cases if case.is_seen]


def delivery(record, status, *errors, aftermath=()):
    error = f"{errors[0]}: no" if errors else ""
    return SeenDelivery(record, status, 0, 0, None, error, [*errors], [*aftermath])


@pytest.fixture
def project(tmp_path, imported):
    return Project(tmp_path, imported)


def test_a_job_that_no_test_touches_has_no_way_and_no_case(project):
    assert project.seen == []
    assert project.ways() == {"app.Pay": set(), "app.Send": set()}


def test_each_way_of_a_job_is_told(project):
    project.delivered("performed")
    project.test.timelines.append(SeenTimeline(project.job(), [delivery(1, "performed")]))
    project.test.checks.append(SeenCheck(project.job(), is_handoff=False))

    assert project.ways(others={"app.Pay": ["delivered", "called"], "app.Send": ["mocked"]}) == {
        "app.Pay": {"enqueued", "delivered", "simulated", "checked", "called"},
        "app.Send": {"mocked"},
    }


def test_a_job_without_a_way_is_unreached_and_one_with_a_check_alone_is_only_checked(project):
    project.test.checks.append(SeenCheck(project.job(), is_handoff=False))
    reached = project.reached()

    assert "app.Send" in [job.name for job in reached.unreached]
    assert [job.name for job in reached.only_checked] == ["app.Pay"]


def test_a_retry_is_no_enqueue(project):
    project.enqueued(origin="retry")
    project.enqueued(origin="redelivery")

    assert project.ways()["app.Pay"] == set()


def test_a_delivery_that_succeeds_shows_the_callbacks_around_it(project):
    project.delivered("performed")

    assert project.seen == ["before_perform look", "after_perform note"]


@pytest.mark.parametrize(
    ("errors", "rule"),
    [
        (["TimeoutError", "OSError", "Exception"], "retry_on TimeoutError, OSError"),
        (["ConnectionError", "OSError", "Exception"], "retry_on ConnectionError"),
        (["PermissionError", "OSError", "Exception"], "retry_on TimeoutError, OSError"),
    ],
)
def test_a_retry_shows_the_rule_whose_error_is_nearest(project, errors, rule):
    project.delivered("retried", *errors)

    assert [text for text in project.seen if text.startswith("retry_on")] == [rule]


def test_an_exhausted_delivery_shows_its_rule_and_what_ran_after_it(project):
    project.delivered("exhausted", "TimeoutError", "OSError", aftermath=["keep"])

    assert project.seen == [
        "exhausted TimeoutError, OSError",
        "before_perform look",
        "after_discard keep",
    ]


def test_a_discarded_a_rescued_and_a_halted_delivery_show_their_cases(project):
    project.delivered("discarded", "KeyError", "LookupError")
    project.delivered("performed", "ValueError", "Exception")
    project.delivered("halted", "Halt")

    assert project.seen == [
        "discard_on LookupError",
        "before_perform look",
        "rescue_from ValueError",
        "halted",
    ]


def test_simulated_retries_show_rules_and_not_that_the_job_was_delivered(project):
    attempts = [delivery(1, "retried", "TimeoutError"), delivery(2, "performed")]
    project.test.timelines.append(SeenTimeline(project.job(), attempts))

    assert project.ways()["app.Pay"] == {"simulated"}
    assert "retry_on TimeoutError, OSError" in project.seen


def test_a_firing_shows_the_recurring_task_of_its_key(project):
    project.path.joinpath("recurring.yml").write_text(
        "a:\n  class: app.Pay\n  schedule: every day\nb:\n  class: app.Pay\n  schedule: every day\n",
        "utf-8",
    )
    project.test.firings.append(SeenFiring("b", 0, [project.enqueued()]))

    assert project.seen == ["recurring b"]


def test_a_function_that_a_check_performs_is_the_job_at_its_place(project):
    function = project.job("app.Pay.perform", bridge="functions")
    project.test.checks.append(SeenCheck(function, is_handoff=False))

    assert project.ways()["app.Pay"] == {"checked"}


def test_a_function_that_hands_work_off_is_no_job(project):
    view = project.job("views.place", 1, project.path / "views.py", "functions")
    project.test.checks.append(SeenCheck(view, is_handoff=True))

    assert project.ways().keys() == {"app.Pay", "app.Send"}


@pytest.mark.parametrize("place", ["more.py", "tests/helpers.py", "test_it.py"])
def test_a_job_that_no_registry_has_counts_when_tests_reach_it(project, place):
    project.enqueued(project.job("bill", 1, project.path / place, "rq"))

    assert project.ways()["bill"] == {"enqueued"}


def test_a_function_that_the_settings_name_is_a_job(project):
    project.path.joinpath("more.py").write_text("def bill(): ...\n", "utf-8")

    assert "more.bill" in [job.name for job in project.reached(jobs=["more.*"]).unreached]
    check = SeenCheck(project.job("bill", 1, project.path / "more.py", "functions"), False)
    project.test.checks.append(check)
    assert project.ways(jobs=["more.*"])["more.bill"] == {"checked"}


def test_jobs_of_files_that_are_left_out_are_not_called_unreached(project):
    assert project.ways(exclude=["app.py"]) == {}


def test_jobs_of_a_library_that_is_left_alone_are_not_called_unreached(project):
    assert project.ways(ignore=["core"]) == {}
