"""Which task survives a worker that is killed, and which does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_jobs import check_idempotent, django_world, fake
from pytest_jobs.errors import DuplicateEffect
from visits.models import Visit
from visits.outside import outside
from visits.tasks import bill, remind

pytestmark = pytest.mark.django_db
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Bank:
    def charge(self, patient: str, cents: int) -> None:
        """Take the money."""


class Texts:
    def send(self, patient: str, text: str, key: str) -> None:
        """Send a text message."""


def world() -> Iterator[Callable[[], dict[str, Any]]]:
    with (
        django_world([Visit], rows=[Visit(pk=1, patient="Ann", at=NOON)]) as database,
        fake(outside, "bank", Bank()) as bank,
        fake(outside, "texts", Texts(), key="key") as texts,
    ):
        yield lambda: {**database.snapshot(), "charged": bank.calls, "texts": texts.calls}


def test_a_patient_can_be_reminded_twice() -> None:
    check_idempotent(remind, args=(1,), world=world)


def test_a_patient_may_be_charged_twice() -> None:
    with pytest.raises(DuplicateEffect, match=r"charge"):
        check_idempotent(bill, args=(1,), world=world)
