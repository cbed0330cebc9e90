"""What the header line of a run says about Celery."""

import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import pytest
from celery import Celery

from pytest_jobs.bridges.celery.bridge import CeleryBridge


@pytest.fixture(autouse=True)
def no_other_applications(monkeypatch):
    """Hide the applications at the top of test modules that other tests have imported."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    for name, module in list(sys.modules.items()):
        if any(Celery in type(value).__mro__ for value in list(vars(module).values())):
            monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def project(monkeypatch):
    """Return a function that puts values at the top of a module."""

    def project(name, **values):
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)

    return project


def make_app(name="proj", broker="redis://127.0.0.1:1/0", **options):
    return Celery(name, broker=broker, set_as_current=False, **options)


def described(*named):
    return CeleryBridge(named).described()


def everywhere():
    app = make_app()
    return {name: {"app": app} for name in ("proj", "proj.celery", "proj.tasks")}


REDIS = "broker redis://127.0.0.1:1/0 is not contacted"
TWO = "amqp://user:secret@rabbit//;amqp://user:secret@hare//"


@pytest.mark.parametrize(
    ("modules", "text"),
    [
        (dict, ""),
        # As a worker is given it.
        (lambda: {"proj.celery": {"app": make_app()}}, f"proj.celery:app; {REDIS}"),
        (
            lambda: {
                "proj.celery": {"app": make_app()},
                "other": {"first": make_app(), "second": make_app()},
            },
            f"proj.celery:app and 2 more; {REDIS}",
        ),
        # Where it is made, though many modules import it.
        (everywhere, f"proj.celery:app; {REDIS}"),
        (
            lambda: {"proj": {"app": make_app(broker=TWO)}},
            "proj:app; brokers amqp://user:**@rabbit// and amqp://user:**@hare// are not contacted",
        ),
        (
            lambda: {"proj": {f"app{n}": make_app(broker=f"redis://host{n}/0") for n in range(4)}},
            "proj:app0 and 3 more; brokers redis://host0/0 and 3 more are not contacted",
        ),
        (lambda: {"proj": {"app": make_app(broker="memory://")}}, "proj:app"),
        (
            lambda: {"proj": {"app": make_app(broker=None, task_always_eager=True)}},
            "proj:app; task_always_eager is ignored",
        ),
    ],
)
def test_one_application_and_its_broker_are_named_and_passwords_masked(project, modules, text):
    for name, values in modules().items():
        project(name, **values)

    assert described() == text


def test_an_application_that_jobs_apps_names_comes_first(project):
    named = make_app("billing")
    project("proj.celery", app=make_app())

    assert described(named).startswith("the Celery app 'billing' and 1 more; ")


@contextmanager
def unconfigured(source, **options):
    """Make an application that has not loaded its configuration: later, each shared task would ask for it."""
    with Celery("proj", set_as_current=False) as app:
        app.config_from_object(source, **options)
        yield app


def test_a_configuration_that_was_not_loaded_yet_is_not_loaded(project):
    project("proj_settings", CELERY_BROKER_URL="redis://h/1", CELERY_TASK_ALWAYS_EAGER=True)
    with unconfigured("proj_settings", namespace="CELERY") as app:
        project("proj", app=app)

        text = described()
        assert app.configured is False
    assert text == "proj:app; broker redis://h/1 is not contacted; task_always_eager is ignored"


@pytest.mark.parametrize(
    "source", ["not_imported_yet", "not_imported_yet:settings", SimpleNamespace(configured=False)]
)
def test_settings_that_cannot_be_seen_yet_are_left_out(project, source):
    with unconfigured(source) as app:
        project("proj", app=app)

        assert described() == "proj:app"


def test_a_configuration_that_was_loaded_is_read(project):
    app = make_app()
    app.conf.update(broker_url="redis://later:1/0", task_always_eager=True)
    assert app.conf.broker_url == "redis://later:1/0"
    project("proj", app=app)

    assert (
        described()
        == "proj:app; broker redis://later:1/0 is not contacted; task_always_eager is ignored"
    )


def test_the_broker_of_the_environment_goes_before_that_of_the_settings(project, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://env:1/0")
    project("proj", app=make_app())

    assert described() == "proj:app; broker redis://env:1/0 is not contacted"
