"""What a worker does with a task that fails or is lost, by the settings of the task."""

import pytest

from pytest_jobs.bridges.celery.bridge import CeleryBridge
from pytest_jobs.harness.records.bridge import DeliverySemantics


@pytest.mark.parametrize(
    ("options", "acknowledged", "on_kill", "on_outage"),
    [
        ({}, "before", False, False),
        ({"acks_late": True}, "after", False, True),
        ({"acks_late": True, "reject_on_worker_lost": True}, "after", True, True),
        ({"reject_on_worker_lost": True}, "before", False, False),
        ({"acks_late": True, "acks_on_failure_or_timeout": False}, "after", False, True),
    ],
)
def test_by_the_options_of_the_task(app, options, acknowledged, on_kill, on_outage):
    @app.task(**options)
    def work():
        """Do nothing."""

    assert CeleryBridge([app]).delivery_semantics(work) == DeliverySemantics(
        acknowledged=acknowledged,
        redelivered_on_raise=False,
        redelivered_on_kill=on_kill,
        redelivered_on_outage=on_outage,
    )


def test_by_the_settings_of_the_application(app):
    app.conf.task_acks_late = True
    app.conf.task_reject_on_worker_lost = True

    @app.task
    def work():
        """Do nothing."""

    semantics = CeleryBridge([app]).delivery_semantics(work)

    assert (semantics.acknowledged, semantics.redelivered_on_kill) == ("after", True)
