"""A `unittest.TestCase` cannot ask for fixtures: a marker opens the harness, and the assertions find it."""

from __future__ import annotations

import unittest

import pytest

from pytest_jobs import assert_enqueued, assert_not_enqueued, assert_performed, current_jobs
from shop.jobs import ProcessOrder, ProcessPayment
from shop.models import Customer, Order


@pytest.mark.jobs
class OrderTest(unittest.TestCase):
    def setUp(self) -> None:
        self.order = Order.place(Customer.create("ann@example.org"), 4200)

    def test_an_order_is_processed_later(self) -> None:
        assert_enqueued(ProcessOrder, args=[self.order.id])
        assert_not_enqueued(ProcessPayment)

    def test_an_order_is_paid(self) -> None:
        current_jobs().drain()

        assert_performed(ProcessPayment)
        self.assertEqual(Order.find(self.order.id).status, "paid")  # noqa: PT009
