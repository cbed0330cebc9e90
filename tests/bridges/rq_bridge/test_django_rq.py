"""django-rq: its queues are those of RQ."""

import pytest

pytest.importorskip("django")

from django_project import configure
from rq_tasks import greet

configure()
django_rq = pytest.importorskip("django_rq")


def test_a_queue_of_the_settings_is_captured(jobs):
    django_rq.get_queue("default").enqueue(greet, "Ann")
    jobs.drain()

    assert [delivery.result for delivery in jobs.performed] == ["Hello, Ann!"]


def test_a_function_under_its_decorator_is_a_job(jobs, monkeypatch):
    monkeypatch.setattr(greet, "delay", None, raising=False)
    monkeypatch.setattr(greet, "enqueue", None, raising=False)
    job = django_rq.job("default")(greet)

    job.delay("Ann")

    assert jobs.enqueued[0].job is greet


def test_the_shortcut_enqueues(jobs):
    django_rq.enqueue(greet, "Ann")

    assert jobs.enqueued[0].queue == "default"
