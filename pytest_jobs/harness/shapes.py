"""What arguments look like, without their values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

#: Where a library writes what an object stands for: the core, and Celery.
_KINDS = ("~", "t", "__type__")


def shape_of_call(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return the shape of a call as text: two calls of one shape are read by the same code.

    Args:
        args: the positional arguments, as JSON has them.
        kwargs: the keyword arguments, likewise.
    """
    positional = [_shape(value) for value in args]
    named = {name: _shape(value) for name, value in kwargs.items()}
    return json.dumps([positional, named], sort_keys=True)


def _shape(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _shape_of_object(value)
    if isinstance(value, list):
        shapes = {json.dumps(_shape(item), sort_keys=True) for item in value}
        return ["some", *sorted(shapes)]
    return type(value).__name__


def _shape_of_object(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("~") == "tuple":
        return {"tuple": [_shape(item) for item in value["v"]]}
    tagged = "~" in value or "__type__" in value
    return {
        key: item if tagged and key in _KINDS and isinstance(item, str) else _shape(item)
        for key, item in value.items()
    }
