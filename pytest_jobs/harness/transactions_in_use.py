"""Finding the database libraries whose transactions matter, without importing any that is not in use."""

from __future__ import annotations

import importlib
from typing import Final, Protocol, cast

from ..core.enqueueing.commits import django_is_set_up, sources_in_use
from ..core.foundation.settings import settings
from .commits.of_core import CoreTransactions
from .commits.transactions import Transactions

# By name, since the rooms that know third parties lie above this one.
_DJANGO = "pytest_jobs.integrations.django"
#: Django's are committed by the harness, and those of all others by the application.
_COMMITTED_BY_VERB: Final = "django"


class _Integration(Protocol):
    def transactions(self) -> Transactions: ...


def transactions_in_use() -> list[Transactions]:
    """Return new watchers of the transactions of every library that the program has imported and set up.

    And of those that were configured.
    """
    every = [*sources_in_use(), *(settings.transactions or ())]
    if not every:
        return []
    found = [_load(_DJANGO)] if django_is_set_up() else []
    sources = [source for source in every if source.name != _COMMITTED_BY_VERB]
    return [*found, CoreTransactions(sources)] if sources else found


def _load(module: str) -> Transactions:
    return cast(_Integration, importlib.import_module(module)).transactions()
