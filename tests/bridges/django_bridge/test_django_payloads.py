"""Django tasks are recorded, and read by the tasks of later."""

import json

import pytest

from pytest_jobs import check_payloads
from pytest_jobs.errors import IncompatiblePayload


@pytest.fixture
def recorded(tasks, jobs, tmp_path):
    tasks.echo.using(priority=7).enqueue(1, [2], name="x")
    (path,) = jobs.record_payloads(tmp_path)
    return path


def changed(path, **values):
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "payload": {**data["payload"], **values}}))


def refused(folder):
    with pytest.raises(IncompatiblePayload) as raised:
        check_payloads(folder, perform=True)
    return str(raised.value)


def test_what_a_file_holds(recorded, tasks):
    assert json.loads(recorded.read_text("ascii")) == {
        "format": 1,
        "library": "django",
        "job": f"{tasks.__name__}.echo",
        "parameters": [],
        "payload": {
            "task": f"{tasks.__name__}.echo",
            "args": [1, [2]],
            "kwargs": {"name": "x"},
            "backend": "default",
            "queue": "mail",
            "priority": 7,
        },
    }


def test_a_task_is_performed(recorded, jobs):
    assert check_payloads(recorded.parent, perform=True) == (recorded,)
    assert len(jobs.deliveries) == 0


def test_tasks_that_take_a_context_or_are_coroutine_functions(tasks, jobs, tmp_path):
    tasks.tell.enqueue("now")
    tasks.tell_later.enqueue("later")
    jobs.record_payloads(tmp_path)

    assert len(check_payloads(tmp_path, perform=True)) == 2


def test_a_task_that_is_gone(recorded, tasks):
    changed(recorded, task=f"{tasks.__name__}.gone")

    assert "  because:   No job has this name any more.\n" in refused(recorded.parent)
