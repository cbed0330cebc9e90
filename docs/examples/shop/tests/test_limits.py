"""Other people's servers are asked two at a time."""

from __future__ import annotations

from datetime import timedelta

from pytest_jobs import Jobs
from shop.models import WebhookDelivery
from shop.web import FakeClient


def enqueue(url: str, count: int) -> None:
    for number in range(count):
        WebhookDelivery.create(url, f"order {number}").deliver_later()


def test_a_third_webhook_to_a_server_waits(jobs: Jobs) -> None:
    enqueue("https://books.example/paid", 3)
    enqueue("https://toys.example/paid", 2)

    assert [record.args[0].id for record in jobs.blocked] == [3]


def test_it_goes_when_another_has_ended(jobs: Jobs, client: FakeClient) -> None:
    enqueue("https://books.example/paid", 3)

    jobs.perform(jobs.pending[0])

    assert jobs.blocked == []
    jobs.drain()
    assert len(client.requests) == 3


def test_ten_workers_ask_a_slow_server_two_at_a_time(jobs: Jobs, client: FakeClient) -> None:
    client.seconds_to_answer = 10
    enqueue("https://books.example/paid", 6)
    before = jobs.clock.freeze()

    jobs.drain(workers=10)

    assert jobs.clock.now() - before == timedelta(seconds=30)
