"""Finding the database libraries whose transactions matter, without importing any that is not in use."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Protocol, cast

from .transactions import Transactions

# By name, since the rooms that know third parties lie above this one.
_DJANGO = "pytest_jobs.integrations.django"


class _Integration(Protocol):
    def transactions(self) -> Transactions: ...


def transactions_in_use() -> list[Transactions]:
    """Return new watchers of the transactions of every library that the program has imported and set up."""
    return [_load(_DJANGO)] if _django_is_set_up() else []


def _django_is_set_up() -> bool:
    if "django.db" not in sys.modules:
        return False
    configured = sys.modules["django.conf"].settings.configured
    return bool(configured) or bool(os.environ.get("DJANGO_SETTINGS_MODULE"))


def _load(module: str) -> Transactions:
    return cast(_Integration, importlib.import_module(module)).transactions()
