"""A webhook is a `later` twin of a model's method, with rules that it has from its base."""

from __future__ import annotations

import pytest

from pytest_jobs import Jobs
from pytest_jobs.errors import RecordNotFoundError
from pytest_jobs.types import AssertDiscarded, AssertEnqueued, AssertPerformed, AssertRetried
from shop.models import WebhookDelivery
from shop.web import FakeClient, Request, ServerUnavailable


@pytest.fixture
def delivery() -> WebhookDelivery:
    return WebhookDelivery.create("https://books.example/paid", "order 1")


def test_a_webhook_can_be_delivered_now(delivery: WebhookDelivery, client: FakeClient) -> None:
    delivery.deliver()

    assert client.requests == [Request("https://books.example/paid", "order 1")]


def test_a_webhook_can_be_delivered_later(
    jobs: Jobs, delivery: WebhookDelivery, client: FakeClient, assert_enqueued: AssertEnqueued
) -> None:
    delivery.deliver_later()

    assert_enqueued(WebhookDelivery.deliver_later, args=[delivery], queue="webhooks")
    assert client.requests == []
    jobs.drain()
    assert client.requests == [Request("https://books.example/paid", "order 1")]


def test_options_can_be_set_for_one_webhook(
    delivery: WebhookDelivery, assert_enqueued: AssertEnqueued
) -> None:
    delivery.deliver_later.set(wait=60, queue="patient", priority=5)()

    assert_enqueued(WebhookDelivery.deliver_later, queue="patient", wait=60, priority=5)


def test_a_server_that_has_a_problem_is_asked_again(
    jobs: Jobs,
    delivery: WebhookDelivery,
    client: FakeClient,
    assert_retried: AssertRetried,
    assert_performed: AssertPerformed,
) -> None:
    client.answers = [503, 502]
    delivery.deliver_later()

    jobs.drain()

    first, second = assert_retried(WebhookDelivery.deliver_later, error=ServerUnavailable, count=2)
    done = assert_performed(WebhookDelivery.deliver_later, attempt=3)
    assert (first.next, second.next) == (second.record, done.record)
    assert WebhookDelivery.find(delivery.id).status == "delivered"


def test_a_webhook_that_was_withdrawn_is_not_delivered(
    jobs: Jobs, delivery: WebhookDelivery, client: FakeClient, assert_discarded: AssertDiscarded
) -> None:
    delivery.deliver_later()
    delivery.withdraw()

    jobs.drain()

    assert_discarded(WebhookDelivery.deliver_later, error=RecordNotFoundError)
    assert client.requests == []
