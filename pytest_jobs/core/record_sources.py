"""The database libraries whose models are records by themselves."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from .records import Reference

# By name, since the room that knows third parties lies above this one.
_DJANGO: Final = "pytest_jobs.integrations.django_records"
_SQLALCHEMY: Final = "pytest_jobs.integrations.sqlalchemy_records"


class _Integration(Protocol):
    def reference_of(self, cls: type) -> Reference | None: ...


def reference_of(cls: type) -> Reference | None:
    """Return how the records of a class are found, if it is a model of a library in use."""
    for name in _in_use():
        found = cast(_Integration, importlib.import_module(name)).reference_of(cls)
        if found is not None:
            return found
    return None


def _in_use() -> Iterator[str]:
    if "django.db.models" in sys.modules:
        from .commits import django_is_set_up

        if django_is_set_up():
            yield _DJANGO
    if "sqlalchemy.orm" in sys.modules:
        yield _SQLALCHEMY
