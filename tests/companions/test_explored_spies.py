"""Mocks that pytest-mock puts in place."""

from __future__ import annotations

import types

import pytest

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect

pytest.importorskip("pytest_mock")


class Gateway:
    def charge(self, order, idempotency_key=None):
        raise NotImplementedError("the real one costs money")


class Shop:
    gateway = Gateway()

    @staticmethod
    def total(order):
        return order * 100


db: dict[str, object] = {}


def world():
    db.clear()
    yield lambda: dict(db)


def charge_the_total(order):
    db["total"] = Shop.total(order)
    Shop.gateway.charge(order, idempotency_key=order)


def charge(order):
    if not db.get("done"):
        Shop.gateway.charge(order)
        db["done"] = True


def test_a_spy_is_no_act(mocker):
    total = mocker.spy(Shop, "total")
    mocker.patch.object(Shop, "gateway")

    explored = check_idempotent(charge_the_total, args=(7,), world=world)

    total.assert_not_called()
    points = [point for point in explored.explorations[0].points if point.kind != "line"]
    assert not any("total" in point.text.partition("(")[0] for point in points)


def test_a_mock_has_the_name_that_the_test_gave(mocker):
    mocker.patch(f"{__name__}.Shop.gateway.charge", return_value=types.SimpleNamespace(id="ch_1"))

    with pytest.raises(DuplicateEffect, match=rf"DUPLICATE {__name__}\.Shop\.gateway\.charge \["):
        check_idempotent(charge, args=(7,), world=world)
