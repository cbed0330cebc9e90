"""What job libraries do after a commit waits like any other callback."""

from __future__ import annotations

from functools import partial

import pytest

pytest.importorskip("django")

from django.db import transaction

from pytest_jobs.assertions.asserts import AssertEnqueued
from pytest_jobs.harness.jobs import Jobs


@pytest.fixture
def open_with(test_case):
    """Return what opens a harness with one bridge."""
    from pytest_jobs.integrations.django.transactions import DjangoTransactions

    return lambda bridge: Jobs([bridge], transactions=[DjangoTransactions()])


def test_delay_on_commit_of_celery(open_with):
    celery = pytest.importorskip("celery")
    from pytest_jobs.bridges.celery import bridge

    app = celery.Celery(
        "shop", broker="redis://localhost:1", task_cls="celery.contrib.django.task:DjangoTask"
    )

    @app.task
    def send(number, copy=False):
        pass

    with open_with(bridge([app])) as jobs:
        send.delay_on_commit(7)
        send.apply_async_on_commit((8,), countdown=3)
        assert [found.text for found in jobs.waiting_for_commit] == [
            "send.delay(7)",
            "send.apply_async((8,), countdown=3)",
        ]
        path, _, _ = jobs.waiting_for_commit[0].registered_at.rpartition(":")
        assert path.endswith("test_django_commits_of_libraries.py")
        with pytest.raises(AssertionError, match=r"2 callbacks wait for commit: send\.delay\(7\)"):
            AssertEnqueued(lambda: jobs)(send)

        assert [record.args for record in jobs.commit()] == [(7,), (8,)]
        AssertEnqueued(lambda: jobs)(send, args=[7])


def test_enqueue_of_django_tasks(open_with):
    tasks = pytest.importorskip("django_tasks")
    import django_tasks_of_commits

    from pytest_jobs.bridges.django.bridge import bridge

    assert tasks
    send = django_tasks_of_commits.send
    with open_with(bridge([])) as jobs:
        transaction.on_commit(partial(send.enqueue, 7))
        assert [found.text for found in jobs.waiting_for_commit] == ["send.enqueue(7)"]

        assert [record.args for record in jobs.commit()] == [(7,)]
