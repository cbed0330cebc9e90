"""The values of a question about arguments, as a payload would carry them."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from ..core.arguments.records import RecordReference, with_references
from ..errors import CriterionError
from ..harness.records.targets import Target


def values_asked(target: Target, value: Any, path: str) -> Any:
    """Return an expected value with a reference in place of every record.

    Args:
        target: the job that is asked for.
        value: what its arguments are compared with.
        path: what it is called in messages.

    Raises:
        CriterionError: when a record in it has no row, and so can be the argument of no job.
    """
    asked = with_references(value)
    # What another library pickles may be a record without a row.
    if target.bridge.name == "core":
        _check_rows(asked, path)
    return asked


def check_no_function(value: object, path: str) -> None:
    """Raise when an expectation is a function that no payload can carry: it was meant to be asked.

    Args:
        value: what arguments are compared with.
        path: what it is called in messages.

    Raises:
        CriterionError: when it is one, or has one in it.
    """
    if isinstance(value, FunctionType) and "<" in value.__qualname__:
        raise CriterionError(
            f"{path} is a function made on the spot, and arguments are compared, so nothing calls it: write "
            "where=..., or a matcher that compares equal."
        )
    for item, item_path in _items(value, path):
        check_no_function(item, item_path)


def _check_rows(value: object, path: str) -> None:
    if isinstance(value, RecordReference) and value.id is None:
        raise CriterionError(
            f"{path} is a {value.cls.__qualname__} without a row, since it was not saved, was rolled back or is "
            "deleted: no job carries it, and the question would be true of none. Ask with one that has a row."
        )
    for item, item_path in _items(value, path):
        _check_rows(item, item_path)


def _items(value: object, path: str) -> list[tuple[object, str]]:
    if isinstance(value, dict):
        return [(item, f"{path}[{key!r}]") for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [(item, f"{path}[{index}]") for index, item in enumerate(value)]
    return []
