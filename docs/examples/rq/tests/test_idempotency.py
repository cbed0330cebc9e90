from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from invoices import bank, jobs as its, store
from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import NotIdempotent


class Gateway:
    def __init__(self) -> None:
        self.calls: list[tuple[str, int, str | None]] = []

    def __call__(self, customer: str, amount: int, key: str | None = None) -> str:
        self.calls.append((customer, amount, key))
        return f"receipt of {customer}"


@contextmanager
def books() -> Iterator[Callable[[], dict[str, object]]]:
    """Build the books and the bank anew."""
    before = dict(store.invoices)
    store.invoices.clear()
    invoice = store.add(7, "Ann", 100)
    with fake(bank, "charge", Gateway(), key="key") as gateway:
        yield lambda: {"charges": gateway.calls, "receipts": invoice.receipts}
    store.invoices.clear()
    store.invoices.update(before)


def test_a_charge_with_a_key_survives_every_redelivery() -> None:
    check_idempotent(its.charge_once, args=(7,), world=books)


def test_a_charge_without_a_key_does_not() -> None:
    with pytest.raises(NotIdempotent, match="DUPLICATE"):
        check_idempotent(its.charge, args=(7,), world=books)
