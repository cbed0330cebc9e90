"""What the broker does with a task whose worker is killed, as far as its settings tell."""

from __future__ import annotations

from parcels.broker import broker
from parcels.tasks import track
from pytest_jobs.bridges.taskiq.bridge import TaskiqBridge


def test_a_task_outlives_its_worker() -> None:
    semantics = TaskiqBridge([broker]).delivery_semantics(track)

    assert semantics.acknowledged == "after"
    assert semantics.redelivered_on_kill
