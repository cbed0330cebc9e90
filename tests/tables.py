"""Tables of values for one test, where each row needs nothing of its own: one item shows all of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest


def each_row(names: str | Sequence[str], rows: Iterable[Any]) -> Callable[[Any], Any]:
    """Call a test for each row; at the end all rows that failed are shown.

    Args:
        names: the parameters that a row fills, as for `pytest.mark.parametrize`. All rows share the fixtures.
        rows: the values; of one name the value itself.
    """
    given = [name.strip() for name in names.split(",")] if isinstance(names, str) else [*names]
    rows = [row if len(given) > 1 else (row,) for row in rows]
    assert rows, "a table without rows shows nothing"

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            failed = []
            for row in rows:
                values = dict(zip(given, row, strict=True))
                try:
                    test(**values, **fixtures)
                except Exception as error:
                    error.add_note(f"in the row {values}")
                    failed.append(error)
                except pytest.skip.Exception as skipped:
                    # It would skip the rows that follow, too, and nobody would see how many.
                    failed.append(
                        AssertionError(
                            f"{values} needs an item of its own to be skipped: {skipped}"
                        )
                    )
            if len(failed) == 1:
                raise failed[0]
            if failed:
                raise ExceptionGroup(f"{len(failed)} of {len(rows)} rows failed", failed)

        left = [it for it in inspect.signature(test).parameters.values() if it.name not in given]
        run.__signature__ = inspect.Signature(left)  # type: ignore[attr-defined]
        del run.__wrapped__  # pytest would ask it for the fixtures
        return run

    return decorate
