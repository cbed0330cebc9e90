"""The ORM broker of Django-Q2 makes rows: a job that a rollback takes back was not enqueued."""

from functools import partial

import pytest

pytest.importorskip("django_q")

from blocks_of_django import STORIES, refused
from django.db import transaction
from django.test import TestCase
from django_project import configure
from q_tasks import greet

from pytest_jobs import assert_enqueued, open_jobs
from pytest_jobs.assertions.remaining import jobs_in_this_test

configure()


@pytest.fixture(autouse=True)
def _orm_broker(monkeypatch, tables):
    from django_q.conf import Conf

    monkeypatch.setattr(Conf, "ORM", "default")


@pytest.fixture
def jobs():
    with open_jobs() as jobs:
        yield jobs


def async_task(*args):
    from django_q import tasks

    tasks.async_task(*args)


def send(number):
    async_task(greet, number)


def numbers(jobs):
    return [record.args[0] for record in jobs.enqueued]


@pytest.mark.parametrize("name", STORIES)
def test_the_harness_shows_what_the_table_has(name):
    from django_q.models import OrmQ

    STORIES[name](send)
    real = [row.task["args"][0] for row in OrmQ.objects.order_by("pk")]

    with open_jobs() as jobs:
        STORIES[name](send)
        assert numbers(jobs) == real
        assert jobs.drain(raise_errors=False).get("failed", 0) == 0
        assert len(jobs.performed) == len(real)


@pytest.mark.parametrize("name", [each for each in STORIES if not each.startswith("without_a")])
def test_a_test_case_shows_the_same(name):
    with open_jobs() as jobs:
        STORIES[name](send)
        real = numbers(jobs)

    class Case(TestCase):
        def test(self):
            with open_jobs() as jobs:
                STORIES[name](send)
                jobs.commit()
                self.shown = numbers(jobs)

    case = Case("test")
    case.debug()

    assert case.shown == real


def test_a_job_is_there_before_the_commit_and_performed_after_it(jobs, monkeypatch):
    from django_q.conf import Conf

    with transaction.atomic():
        send(1)
        assert numbers(jobs) == [1]
    assert len(jobs.pending) == 1

    with jobs.inline():
        STORIES["a_savepoint_inside"](send)
        assert len(jobs.performed) == 2

    monkeypatch.setattr(Conf, "ORM", None)
    refused(send, 7)
    assert numbers(jobs)[-1] == 7  # Another broker has it at once.


def test_a_job_that_a_rollback_took_back_is_named(jobs):
    with jobs.capture() as sent:
        refused(send, 1)

    assert (len(sent), len(jobs.pending), jobs.harness.ledger.named("q_tasks.greet")) == (0, 0, [])
    (dropped,) = jobs.dropped_by_rollback
    assert (dropped.text, dropped.using, dropped.dropped) == (
        "greet(1)",
        "default",
        "by a rollback",
    )
    line = dropped.registered_at
    assert line.startswith("tests/bridges/django_q_bridge/test_django_q_transactions.py:")
    assert [str(event) for event in jobs.events] == ["enqueued greet(1)", "removed greet(1)"]
    assert "greet(1) was dropped by a rollback" in jobs_in_this_test(jobs)
    with pytest.raises(AssertionError) as failed:
        assert_enqueued(greet)
    assert str(failed.value).splitlines()[:2] == [
        (
            "No greet was enqueued: 1 job was enqueued in a transaction that was rolled back: greet(1), enqueued "
            f"at {line}."
        ),
        "Expected exactly 1 greet enqueued",
    ]


def tell(number):
    """Enqueue in a block that is rolled back, and in another one, as a job."""
    STORIES["one_of_two_blocks"](send)


def test_a_job_enqueues_what_it_has_not_rolled_back(jobs):
    send_tell = partial(async_task, tell, 0)
    refused(lambda number: send_tell(), 1)
    send_tell()
    jobs.drain()

    (told,) = [each for each in jobs.performed if each.record.name.endswith(".tell")]
    assert [each.args for each in told.enqueued] == [(1,), (3,)]
    assert len(jobs.dropped_by_rollback) == 2
