"""Lists cut into pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from ..errors import BatchError

T = TypeVar("T")


def slices(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut what may be long into lists, one for each job.

    `itertools.batched` of Python 3.12 makes tuples; lists are what a payload is written with.

    Args:
        items: anything that can be gone through; it is read as the lists are.
        size: how many a list has, the last one perhaps fewer; at least 1.

    Raises:
        BatchError: when the size is no number of items.
    """
    given: Any = size
    if type(given) is not int or given < 1:
        raise BatchError(f"slices(size={size!r}) cuts nothing: write an int of at least 1.")
    return _cut(iter(items), size)


def _cut(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while piece := list(islice(items, size)):
        yield piece
