"""Apps: which there are, how they are named, and that everything is restored."""

import sys
from types import ModuleType

import pytest

pytest.importorskip("procrastinate")

import procrastinate
from procrastinate.exceptions import AppNotOpen
from procrastinate.testing import InMemoryConnector

from pytest_jobs import open_jobs
from pytest_jobs.bridges.opening import bridges_to
from pytest_jobs.bridges.procrastinate.bridge import ProcrastinateBridge
from pytest_jobs.errors import AmbiguousJobError, ApplicationError, CriterionError


@pytest.fixture
def module(monkeypatch):
    """Return a module that is imported for one test."""
    module = ModuleType("service_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_no_app_need_be_named(module, make_app):
    module.app = make_app()
    task = module.app.task(lambda x: x, name="found")
    with open_jobs() as jobs:
        task.defer(x=7)
        assert jobs.drain() == {"performed": 1}
        [bridge] = (bridge for bridge in jobs.harness.bridges if bridge.name == "procrastinate")
        assert bridge.described() == "service_of_a_test:app; nothing is contacted"


def test_an_app_is_an_application(module, app):
    module.app = app
    (by_name,) = bridges_to([f"procrastinate:{module.__name__}:app"])
    (by_object,) = bridges_to([app])
    task = app.task(lambda: None, name="work")

    assert by_name.identify("work") == by_object.identify(task) == "work"


def test_what_is_no_app_no_task_or_too_many_arguments_is_refused(app, jobs):
    app.task(lambda a: a, name="one")

    with pytest.raises(ApplicationError, match=r"is not a procrastinate\.App: name the object"):
        ProcrastinateBridge([object()])
    with pytest.raises(CriterionError, match=r"is not a task of .*: name what `@app\.task` made\."):
        jobs.harness.bridges[0].known(print)
    with pytest.raises(CriterionError) as caught:
        jobs.harness.bridges[0].enqueue("one", (1, 2), {})
    assert str(caught.value) == (
        "one takes 1 arguments, and args= has 2: Procrastinate passes arguments by their names."
    )


def test_a_name_of_two_tasks_is_ambiguous(make_app, open_over):
    first, second = make_app(), make_app()
    for app in (first, second):
        app.task(lambda: None, name="work")

    with open_over(first, second) as jobs, pytest.raises(AmbiguousJobError):
        jobs.harness.bridges[0].find("work")


def test_an_app_that_is_made_in_a_harness_has_its_own_connector_afterwards(make_app, open_over):
    with open_over():
        app = make_app()
        assert type(app.connector).__name__ == "Rows"

    assert type(app.connector) is type(app.job_manager.connector) is procrastinate.PsycopgConnector
    task = app.task(lambda: None, name="work")
    with pytest.raises(AppNotOpen):
        task.defer()


def test_a_connector_that_a_test_puts_in_its_place_gets_no_job(app, jobs):
    memory = InMemoryConnector()
    task = app.task(lambda: None, name="work")
    with app.replace_connector(memory):
        task.defer()

    assert (len(jobs.enqueued), memory.jobs) == (1, {})
