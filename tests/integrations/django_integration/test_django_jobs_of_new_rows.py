"""A job that follows upon a new row of Django: `after_create_commit`."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models.signals import post_save
from django_members import Delivery, Urgent

from pytest_jobs import TestAdapter, after_create_commit, configure


@pytest.fixture(autouse=True)
def _declared(databases):
    before = list(post_save.receivers)
    after_create_commit(Delivery, Delivery.deliver_later)
    yield
    post_save.receivers = before
    post_save.sender_receivers_cache.clear()


@pytest.fixture
def adapter(transactional):
    adapter = TestAdapter()
    with connection.schema_editor() as editor:
        editor.create_model(Delivery)
        editor.create_model(Urgent)
    with configure(adapter=adapter):
        yield adapter
    with connection.schema_editor() as editor:
        editor.delete_model(Urgent)
        editor.delete_model(Delivery)


def test_a_job_is_enqueued_when_the_row_is_committed(adapter):
    with transaction.atomic():
        Delivery.objects.create(url="a")
        assert adapter.enqueued == []

    [payload] = adapter.enqueued
    assert (payload.name.rpartition(".")[2], payload.queue) == ("deliver_later", "webhooks")


def test_outside_of_a_block_the_row_is_committed_at_once(adapter):
    Delivery.objects.create(url="a")

    assert len(adapter.enqueued) == 1


def test_a_rollback_drops_it(adapter):
    with transaction.atomic():
        Delivery.objects.create(url="a")
        transaction.set_rollback(True)

    assert adapter.enqueued == []


def test_an_update_enqueues_nothing(adapter):
    delivery = Delivery.objects.create(url="a")
    delivery.url = "b"
    delivery.save()

    assert len(adapter.enqueued) == 1


def test_a_row_of_a_derived_model_is_a_row_too(adapter):
    Urgent.objects.create(url="a")

    [payload] = adapter.enqueued
    assert "django_members.Urgent" in payload.arguments


def test_rows_of_a_fixture_file_are_no_news(adapter):
    Delivery(url="a").save_base(raw=True)

    assert adapter.enqueued == []
