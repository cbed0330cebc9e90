"""The seed's pattern *Testing*: its own tests, in the words of this package.

The test of retries cannot work in Ruby: the block that it asserts about performs every attempt at once.
"""

from __future__ import annotations

import pytest

from pytest_jobs import Job, job, retry_on

ORDERS = {}


class Order:
    def __init__(self, number):
        self.number = number
        self.status = "pending"
        ORDERS[number] = self


@job(queue="mailers")
def send_confirmation(number):
    return f"order {number} is confirmed"


@retry_on(ConnectionError, wait=5, attempts=5)
class ProcessOrder(Job):
    def perform(self, number):
        ORDERS[number].status = "processed"
        send_confirmation.perform_later(number)


@pytest.fixture
def order():
    ORDERS.clear()
    return Order(7)


def test_it_processes_the_order(jobs, order):
    ProcessOrder.perform_now(order.number)

    assert order.status == "processed"


def test_it_sends_a_confirmation(jobs, assert_enqueued, order):
    ProcessOrder.perform_now(order.number)

    assert_enqueued(send_confirmation, args=(order.number,))


@pytest.fixture
def failed_once(jobs, order):
    jobs.clock.freeze()
    ProcessOrder.perform_later(order.number)
    with jobs.fail(ProcessOrder, raising=ConnectionError("network is unreachable"), on=[1]):
        jobs.perform_due()


def test_on_a_network_error_it_has_failed_once(failed_once, assert_retried):
    assert_retried(ProcessOrder, error=ConnectionError)


def test_on_a_network_error_it_is_due_again_in_five_seconds(failed_once, assert_retried):
    assert_retried(ProcessOrder, wait=5)


def test_on_a_network_error_the_next_is_attempt_two_of_five(failed_once, jobs):
    timeline = jobs.simulate_retries(ProcessOrder, args=(7,), raising=ConnectionError())

    assert (jobs.scheduled[0].attempt, len(timeline.attempts)) == (2, 5)


def test_when_the_network_is_back_the_order_is_processed(failed_once, jobs, order):
    jobs.drain()

    assert order.status == "processed"


def test_it_is_enqueued_with_the_right_arguments(jobs, assert_enqueued, order):
    ProcessOrder.perform_later(order.number)

    assert_enqueued(ProcessOrder, args=(order.number,), queue="default")
