"""What the calls of doubles, and requests over HTTP, count as in one search."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from ....core.foundation.registry import nearest_name
from ....errors import CriterionError, ExplorationError
from ...engine.acts import SourceState
from .verbs import CallKind, does_something, guessed, is_quiet, pieces_of, reads_by_statement

KINDS: Final = get_args(CallKind)
#: Under this the search keeps them.
KINDS_OF_CALLS: Final = "kinds of calls"


class CallKinds:
    """Decides what calls are, by what the test says, and otherwise by their names."""

    def __init__(self, said: Mapping[str, CallKind] | None = None) -> None:
        self._said: dict[str, CallKind] = dict(said or {})
        self._said_of_none = dict.fromkeys(self._said)
        self._factories: set[str] = set()
        #: What was called, and what the calls were.
        self._seen: dict[str, dict[CallKind, None]] = {}
        #: What was guessed of calls, most often by their names.
        self._guessed: dict[tuple[str, str], None] = {}

    def of(
        self,
        name: str,
        own: str,
        args: Sequence[object],
        kwargs: Mapping[str, Any] | None = None,
        *,
        mode: str = "",
        known: CallKind | None = None,
        is_lazy: bool = False,
    ) -> CallKind:
        """Return what a call is.

        Args:
            name: the whole name of what is called, such as `shop.tasks.gateway.charge`.
            own: the part of it from where the double was put in place, such as `gateway.charge`.
            args: the positional arguments. A request over HTTP has its method there, and a database a statement.
            kwargs: the keyword arguments.
            mode: the mode of the open file that is written to, if one is.
            known: what the double itself says; None if its name decides.
            is_lazy: whether the function runs when its items are asked for.
        """
        is_factory = name in self._factories
        kind = self.said_of(name) or ("nothing" if is_factory else known)
        if kind is not None:
            return kind
        if reads_by_statement(pieces_of(own)[-1], args):
            # Other statements of the same method may be effects.
            kind = "read"
        elif mode:
            kind = "effect" if "a" in mode else "put"
        else:
            kind = guessed(own, args, kwargs)
            if is_lazy and kind == "effect" and not does_something(pieces_of(own)[-1]):
                kind = "read"
        self._guessed[name, kind] = None
        return kind

    def of_attribute(self, name: str, own: str) -> CallKind:
        """Return what setting an attribute is. It has no further effect when it is repeated.

        Args:
            name: the whole name of the attribute, such as `shop.tasks.gateway.timeout`.
            own: the part of it from where the double was put in place.
        """
        return self.said_of(name) or ("nothing" if is_quiet(own) else "put")

    def of_request(self, name: str, by_method: CallKind, guess: CallKind | None) -> CallKind:
        """Return what a request over HTTP is.

        Args:
            name: its host, method and path, as in `auth.example POST /oauth/token`.
            by_method: what its method says.
            guess: what its address or its body says, which the result of the check prints; None for nothing.
        """
        kind = self.said_of(name)
        if kind is None and guess is not None:
            self._guessed[name, guess] = None
        return kind or guess or by_method

    def said_of(self, name: str) -> CallKind | None:
        """Return what the test says of a name; None if it says nothing."""
        self._seen.setdefault(name, {})
        for pattern, kind in self._said.items():
            if name == pattern or fnmatch.fnmatchcase(name, pattern):
                self._said_of_none.pop(pattern, None)
                return kind
        return None

    def note(self, name: str, guess: str) -> None:
        """Note a guess that the result of the check prints."""
        self._guessed[name, guess] = None

    def learn_of(self, name: str, search: SourceState) -> None:
        """Learn that the calls on the way to an effect only return what it is called on."""
        beginning, *rest = name.split("()")
        for piece in rest:
            if not does_something(beginning.rpartition(".")[2]):
                search.learn(self._factories, beginning)
            beginning += f"(){piece}"

    def uncounted(self) -> Iterator[str]:
        """Yield the calls that do not count, or not when they are repeated, because of their names."""
        for name, kind in self._guessed:
            is_own = pieces_of(name)[-1].startswith("__") and kind == "nothing"
            if kind != "effect" and not is_own:
                yield f"{name} ({kind})"

    def check_all_used(self) -> None:
        """Raise if the test says something of a call that the job never makes.

        Raises:
            ExplorationError: names it, the nearest name and all that there are.
        """
        for name in self._said_of_none:
            near = nearest_name(name, self._seen)
            meant = f" Did you mean {near!r}?" if near else ""
            raise ExplorationError(
                f"mocks= names {name!r}, and the job calls no double of this name and sends no such request."
                f"{meant} It calls: {', '.join(self._seen) or 'none'}."
            )


def check_mocks(mocks: object) -> None:
    """Check the parameter `mocks`.

    Raises:
        CriterionError: when it is not a mapping of names to kinds.
    """
    if not isinstance(mocks, Mapping):
        raise CriterionError(
            "mocks must be a mapping of the names of mocks, as in mocks={'shop.crm.tag': 'effect'}, got "
            f"{mocks!r}."
        )
    for name, kind in mocks.items():
        if kind not in KINDS:
            raise CriterionError(
                f"mocks={{{name!r}: {kind!r}}}: a call of a mock must be one of {', '.join(KINDS)}."
            )


def kinds_of(search: SourceState) -> CallKinds:
    """Return what decides about calls in a search."""
    return search.of(KINDS_OF_CALLS, CallKinds)
