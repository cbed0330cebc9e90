"""Keys that a sequence of a server gave, without the gaps that a rollback leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.color import no_style
from django.db.models import AutoField, QuerySet


class Keys:
    """Numbers the keys that were given in a history, in their order.

    A transaction that is rolled back leaves a gap in the sequence of its table. What comes after
    has other keys than in a clean run, and that is no difference.
    """

    def __init__(self, wrapper: Any, using: str) -> None:
        # sqlite takes the numbers back.
        self._has_gaps = wrapper.vendor != "sqlite"
        self._wrapper = wrapper
        self._using = using
        self._last: dict[type[Any], int] = {}

    def begin(self, models: Sequence[type[Any]]) -> None:
        """Let the sequences go on behind the first rows, and take those for known."""
        if not self._has_gaps:
            return
        with self._wrapper.cursor() as cursor:
            for statement in self._wrapper.ops.sequence_reset_sql(no_style(), models):
                cursor.execute(statement)
        for model in models:
            if _is_numbered(model):
                self._last[model] = max(self._keys(model), default=0)

    def renumber(self, model: type[Any], rows: list[dict[str, Any]]) -> None:
        """Put the numbers of keys in their place, in the rows of a model."""
        if not self._has_gaps:
            return
        for field in model._meta.concrete_fields:
            named = _named_by(field)
            if named in self._last:
                numbers = self._numbers(named)
                for row in rows:
                    row[field.attname] = numbers.get(row[field.attname], row[field.attname])

    def _numbers(self, model: type[Any]) -> dict[Any, int]:
        last = self._last[model]
        new = [key for key in self._keys(model) if key > last]
        return {key: last + place for place, key in enumerate(new, start=1)}

    def _keys(self, model: type[Any]) -> list[int]:
        return list(QuerySet(model, using=self._using).order_by("pk").values_list("pk", flat=True))


def _is_numbered(model: type[Any]) -> bool:
    return isinstance(model._meta.pk, AutoField)


def _named_by(field: Any) -> Any:
    """Return the model whose key a field has: its own, or that of the row that it refers to."""
    if field.primary_key and field.remote_field is None:
        return field.model
    related = field.remote_field
    if related is None or related.model is None:
        return None
    return related.model if field.target_field.primary_key else None
