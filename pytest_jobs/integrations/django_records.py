"""The models of Django as records: named by their primary key, and by their database if it is another."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, router
from django.db.models import Model

from ..core.arguments.records import RecordWork, Reference


def reference_of(cls: type) -> Reference | None:
    """Return how the records of a class are found, if it is a model of an installed application."""
    options = getattr(cls, "_meta", None)
    if (
        not issubclass(cls, Model)
        or options is None
        or options.abstract
        or options.apps is not apps
    ):
        return None
    return Reference(cls, _identify, partial(_find, cls), partial(_afind, cls))


def _identify(record: Any) -> object:
    """Return the primary key, with the alias of the database where that is not the default; None without a row."""
    key = record.pk
    if key is None or record._state.adding:
        return None
    using = router.db_for_write(type(record), instance=record)
    # A key of several fields is a tuple itself.
    return (key, using) if using != DEFAULT_DB_ALIAS or isinstance(key, tuple) else key


def _find(cls: Any, identifier: object, work: RecordWork) -> object:
    key, using = _place_of(identifier)
    try:
        return cls._base_manager.using(using).get(pk=key)
    except cls.DoesNotExist:
        return None


async def _afind(cls: Any, identifier: object, work: RecordWork) -> object:
    key, using = _place_of(identifier)
    try:
        return await cls._base_manager.using(using).aget(pk=key)
    except cls.DoesNotExist:
        return None


def _place_of(identifier: object) -> tuple[Any, str]:
    return identifier if isinstance(identifier, tuple) else (identifier, DEFAULT_DB_ALIAS)
