"""The jobs that are measured, ours and Huey's, on a small payload and on a real one."""

from __future__ import annotations

from typing import Any

from huey import MemoryHuey

from pytest_jobs import Job, retry_on, sidekiq_backoff

SMALL: tuple[tuple[Any, ...], dict[str, Any]] = ((7,), {})
REAL: tuple[tuple[Any, ...], dict[str, Any]] = (
    (
        7,
        "ann@example.org",
        {"items": [{"sku": "a", "qty": 2, "price": 10.5}] * 5, "note": "please"},
    ),
    {"locale": "en", "retry": True},
)

queueing_huey = MemoryHuey("queueing")
immediate_huey = MemoryHuey("immediate", immediate=True)


class Small(Job):
    def perform(self, number: int) -> None:
        """Do nothing."""


class Real(Job):
    queue = "payments"

    def perform(
        self,
        number: int,
        email: str,
        order: dict[str, Any],
        *,
        locale: str = "en",
        retry: bool = False,
    ) -> None:
        """Do nothing."""


class Failing(Job):
    def perform(self, number: int) -> None:
        raise ValueError(number)


@retry_on(ConnectionError, wait=sidekiq_backoff, attempts=26)
class Sidekiq(Job):
    def perform(self, number: int) -> None:
        """Do nothing."""


def small(number):
    """Do nothing, for Huey."""


def real(number, email, order, *, locale="en", retry=False):
    """Do nothing, for Huey."""


queued_small = queueing_huey.task()(small)
queued_real = queueing_huey.task()(real)
immediate_small = immediate_huey.task()(small)
immediate_real = immediate_huey.task()(real)

#: Name, arguments, our job, Huey's queued task, Huey's immediate task.
PAYLOADS = (
    ("small", SMALL, Small, queued_small, immediate_small),
    ("real", REAL, Real, queued_real, immediate_real),
)
