"""Checking idempotency, as type checkers see it."""

from collections.abc import Callable, Iterator
from typing import Any

from pytest_jobs import check_idempotent, fake, job, sqlite_world


@job
def send_receipt(order_id: int) -> None: ...


class Gateway:
    def charge(self, number: int) -> None: ...


class Module:
    gateway = Gateway()


def world() -> Iterator[Callable[[], Any]]:
    with sqlite_world("") as rows, fake(Module, "gateway", Gateway(), key="key") as gateway:
        yield lambda: {"rows": rows("orders"), "calls": gateway.calls}


explored = check_idempotent(send_receipt, args=(7,), world=world, histories=["crash", "twice"])
number: int = explored.histories

check_idempotent(send_receipt, world=world, histories="all", accept=[ValueError])
check_idempotent(send_receipt)
check_idempotent(send_receipt, world=world, histories=["thrice"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
