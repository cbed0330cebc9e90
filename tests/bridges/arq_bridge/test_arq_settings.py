"""Worker settings: which there are, how they are named, and what is no such thing."""

import sys
from types import ModuleType

import pytest

pytest.importorskip("arq")

from arq import cron, func

from pytest_jobs import open_jobs
from pytest_jobs.bridges.arq import is_settings
from pytest_jobs.bridges.arq.bridge import ArqBridge
from pytest_jobs.bridges.opening import bridges_to
from pytest_jobs.errors import AmbiguousJobError, ApplicationError, CriterionError


async def add(ctx, a):
    return a


async def other(ctx):
    """Do nothing."""


@pytest.fixture
def module(monkeypatch):
    """Return a module that is imported for one test."""
    module = ModuleType("service_of_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.mark.parametrize("as_settings", [lambda given: type("Settings", (), given), dict])
def test_settings_of_a_module_are_found(module, client, run, as_settings):
    module.settings = as_settings({"functions": [func(add, name="found add")]})
    with open_jobs() as jobs:
        run(client.enqueue_job("found add", 7))
        jobs.drain()

        assert jobs.performed[0].record.job is add


def test_only_lists_of_settings_are_read(module, client, run):
    module.Settings = type("Settings", (), {"functions": [add], "cron_jobs": property(list)})
    with open_jobs() as jobs:
        run(client.enqueue_job("add", 7))

        assert jobs.enqueued[0].job is add


def test_named_settings_are_applications(settings, module):
    module.Settings = settings(add)
    (by_name,) = bridges_to([f"arq:{module.__name__}:Settings"])
    (by_object,) = bridges_to([module.Settings])

    assert by_name.identify(add) == by_object.identify(add) == "add"


def test_what_is_no_settings_is_refused(module):
    module.thing = object()
    with pytest.raises(ApplicationError, match="which is no WorkerSettings of arq"):
        bridges_to([f"arq:{module.__name__}:thing"])
    with pytest.raises(ApplicationError, match="is not worker settings of arq: name the class"):
        ArqBridge([module.thing])


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"functions": [add]}, True),
        ({"functions": ["arq.worker.func"]}, True),
        ({"cron_jobs": [cron(add)]}, True),
        ({"functions": []}, False),
        ({"functions": [print]}, False),
        ({"functions": [add], "cron_jobs": [print]}, False),
        ({"functions": 7}, False),
        ({}, False),
    ],
)
def test_settings_are_known_by_their_functions(attributes, expected):
    assert is_settings(type("Settings", (), attributes)) is expected
    assert is_settings(attributes) is expected
    assert not is_settings(type("Settings", (), attributes)())


def test_a_dictionary_with_a_queue_is_settings_of_saq():
    assert not is_settings({"queue": object(), "functions": [add]})


def test_a_name_of_two_functions_is_ambiguous(open_over, settings):
    first, second = settings(func(add, name="work")), settings(func(other, name="work"))
    with open_over(first, second) as jobs, pytest.raises(AmbiguousJobError) as caught:
        jobs.harness.bridges[0].find("work")

    assert str(caught.value) == (
        "'work' names a function of each of Settings and Settings, so it can mean any of them: name the function "
        "itself."
    )


def test_a_function_that_no_worker_has_is_an_error(open_over, settings):
    with open_over(settings(add)) as jobs, pytest.raises(CriterionError) as caught:
        jobs.harness.bridges[0].known(other)

    assert str(caught.value) == (
        f"{other!r} is not among the functions of Settings: add it to `functions` of the worker settings, and "
        "import the module that defines them."
    )


def test_what_arq_makes_of_a_function_is_a_job_too(open_over, settings):
    function = func(add, name="sum")
    with open_over(settings(function)) as jobs:
        assert (
            jobs.harness.bridges[0].identify(function)
            == jobs.harness.bridges[0].identify(add)
            == "sum"
        )
