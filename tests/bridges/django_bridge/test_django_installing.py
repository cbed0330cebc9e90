"""What the Django bridge patches, and that it puts everything back."""

from importlib import import_module

import pytest

pytest.importorskip("django.conf", reason="Django is not installed")

from django.test import override_settings

from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def patched(package, tasks, task_backends):
    """Return the classes whose attributes are replaced."""
    return [type(task_backends[alias]) for alias in ("default", "immediate", "unreachable")]


def contents(owners):
    return [dict(vars(owner)) for owner in owners]


def test_settings_that_cannot_be_read_do_not_matter_before_a_task_is_made(bridge, patched, tasks):
    before = contents(patched)
    with override_settings(TASKS=5), Jobs([bridge]):
        pass

    assert contents(patched) == before


def test_a_backend_that_cannot_be_imported_is_an_error_of_django_when_it_is_used(
    bridge, tasks, package
):
    error = import_module(package).task_backends.exception_class
    settings = {"default": {"BACKEND": "nowhere.Backend"}}
    with override_settings(TASKS=settings), Jobs([bridge]), pytest.raises(error, match="nowhere"):
        tasks.add.enqueue(1)


def test_a_bridge_can_be_uninstalled_twice_and_installed_again(bridge, tasks):
    for _ in range(2):
        with Jobs([bridge]) as jobs:
            tasks.add.enqueue(1)
        bridge.uninstall()
        assert len(jobs.enqueued) == 1


def test_the_inner_of_two_bridges_gets_the_tasks_also_of_other_settings(
    jobs, bridge, tasks, patched, package
):
    before = contents(patched)
    other = {"default": {"BACKEND": f"{package}.backends.immediate.ImmediateBackend"}}
    tasks.add.enqueue(1)
    with Jobs([type(bridge)()]) as inner, override_settings(TASKS=other):
        tasks.add.enqueue(2)
    assert contents(patched) == before
    tasks.add.enqueue(3)

    assert [record.args for record in inner.enqueued] == [(2,)]
    assert [record.args for record in jobs.enqueued] == [(1,), (3,)]
