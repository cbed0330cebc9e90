"""The effects that may happen again."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ...errors import CriterionError, ExplorationError


def names_of(kind: str, call: Any) -> Iterator[str]:
    """Yield the names of an effect: that of its receiver, and those of the call.

    Args:
        kind: what it is done to, such as `gateway`, `enqueue` or `hooks.example`.
        call: the call as it is compared, which begins with its method, such as `charge` or `POST /paid`.
    """
    yield kind
    method = call[0] if isinstance(call, tuple) and call else call
    if not isinstance(method, str):
        return
    yield f"{kind}.{method}"
    yield f"{kind} {method}"
    verb, space, path = method.partition(" ")
    if space and path.startswith("/"):
        yield f"{verb} {kind}{path}"


class Repeatable:
    """The names of effects that may happen again, by `repeatable=`, the marker and the ini file.

    Of such an effect it counts that it has happened, in all histories. `at_least_once=` is the same for histories
    only in which an interruption leaves the job no way to know.
    """

    def __init__(
        self,
        names: Collection[str] = (),
        others: Collection[str] = (),
        parameter: str = "repeatable",
    ) -> None:
        """Take the names.

        Args:
            names: names of a check, or patterns; each has to name an effect or a part of the state.
            others: those of the whole suite, which need not.
            parameter: gives the names.

        Raises:
            CriterionError: when they are not a collection of names.
        """
        if isinstance(names, str) or not all(isinstance(one, str) for one in names):
            raise CriterionError(
                f"{parameter}={names!r} must be a collection of names of effects, as in "
                f"{parameter}={{'mail', 'enqueue shop.ship', 'POST hooks.example/*'}}."
            )
        self._parameter = parameter
        self._names = frozenset(names)
        self._unused = dict.fromkeys(names)
        self._patterns = dict.fromkeys((*names, *others))
        self._found: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._patterns)

    @property
    def used(self) -> Collection[str]:
        """The names of the check that have named something so far."""
        return self._names.difference(self._unused)

    def takes(self, kind: str, call: Any = None) -> bool:
        """Return whether an effect, or a part of the state, may have more of the same."""
        return self._take(names_of(kind, call))

    def takes_column(self, part: str, column: str) -> bool:
        """Return whether a column of a table, or a key of a mapping, is named: `Token.attempts`."""
        return self._take((f"{part}.{column}",))

    def _take(self, given: Iterable[str]) -> bool:
        names = list(given)
        self._found.update(dict.fromkeys(names))
        matching = [
            one for one in self._patterns if any(fnmatch.fnmatchcase(name, one) for name in names)
        ]
        for one in matching:
            self._unused.pop(one, None)
        return bool(matching)

    def check_used(self) -> None:
        """Raise, when all histories have passed, if one of the names is that of nothing."""
        for unused in self._unused:
            nearest = difflib.get_close_matches(unused, self._found, 1, 0.0)
            meant = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise ExplorationError(
                f"{self._parameter}={{{unused!r}}} names no effect of the job and no part of the state.{meant}"
            )
