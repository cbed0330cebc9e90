"""Django's own tasks and those of the backport can be used side by side."""

import family_tasks
import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from django.test import override_settings

from pytest_jobs.harness.jobs import Jobs

if len(family_tasks.installed()) < 2:
    pytest.skip("only one of the two families is installed", allow_module_level=True)

BUILTIN, BACKPORT = family_tasks.PACKAGES


@pytest.fixture
def both():
    """Return the tasks of both, with a backend of each in the settings."""
    builtin, backport = family_tasks.load(BUILTIN), family_tasks.load(BACKPORT)
    settings = family_tasks.settings_of(BUILTIN)
    settings["other"] = {**family_tasks.settings_of(BACKPORT)["default"]}
    with override_settings(TASKS=settings):
        yield builtin.add, backport.add.using(backend="other")


def test_both_are_recorded_and_performed(both):
    from pytest_jobs.bridges.django.bridge import DjangoBridge

    with Jobs([DjangoBridge()]) as jobs:
        results = [task.enqueue(1, second=2) for task in both]
        jobs.drain()
        for result in results:
            result.refresh()

    assert [type(result).__module__ for result in results] == [
        "django.tasks.base",
        "django_tasks.base",
    ]
    assert [result.return_value for result in results] == [3, 3]
    assert [record.name for record in jobs.enqueued] == [f"{BUILTIN}.add", f"{BACKPORT}.add"]


def test_a_backend_of_one_family_can_be_made_by_the_handler_of_the_other(both):
    """The two handlers read the same settings."""
    from django_tasks import task_backends

    from pytest_jobs.bridges.django.bridge import DjangoBridge

    builtin, _ = both
    with Jobs([DjangoBridge()]) as jobs:
        task_backends["default"].enqueue(builtin, [1], {})

    assert len(jobs.enqueued) == 1
    assert task_backends["default"].results == []
