"""What a check says of attributes and lists of a double that a real client would keep for itself."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DivergedState

app = SimpleNamespace(client=None, done=None)


def world():
    app.done = set()
    client = SimpleNamespace(timeout=5, pay=lambda order, key: None)
    with fake(app, "client", client, key="key"):
        yield lambda: {"done": set(app.done)}


def world_with_a_mock():
    app.done, app.client = set(), Mock(outbox=[])
    yield lambda: {"done": set(app.done)}


def pay_with_patience(order):
    timeout = app.client.timeout
    app.client.timeout = 60
    try:
        app.client.pay(order, key=order)
    finally:
        app.client.timeout = timeout
    app.done.add(order)


def mark_and_mail(order):
    if order not in app.done:
        app.done.add(order)
        app.client.outbox.append(order)


def test_an_attribute_is_one_for_all_processes():
    with pytest.raises(DivergedState, match=r"DIVERGED client\.timeout"):
        check_idempotent(pay_with_patience, args=(1,), world=world)


def test_a_list_of_a_mock_is_not_compared():
    check_idempotent(mark_and_mail, args=(1,), world=world_with_a_mock)
