"""An empty box office for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tickets.office import Gateway, office


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    yield
    for each in (office.prices, office.paid, office.mails, office.reminded):
        each.clear()
    office.gateway = Gateway()
