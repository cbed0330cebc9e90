"""What the call of a mock stands for, by its name."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

from ....errors import CriterionError, ExplorationError
from ...engine.acts import SourceState
from .clients import does_something, reads_by_statement
from .operators import SYMBOLS, is_repeatable

#: What a call is: an effect; a `put`, which has no further effect when it is repeated; a look-up; or nothing that
#: reaches outside, such as a line in a log, or making a client.
MockKind: TypeAlias = Literal["effect", "put", "read", "nothing"]

KINDS: Final = get_args(MockKind)
#: Under this the search keeps them.
KINDS_OF_MOCKS: Final = "kinds of mocks"
_PIECES: Final = re.compile(r"\.|\(\)")
#: Whatever is called on these, and they themselves, does nothing that a job does twice.
_QUIET: Final = re.compile(
    r"_?(log(ger|ging)?|datetime|date|time|sleep|monotonic|perf_counter|now|utcnow|random|uuid[14]?|secrets"
    r"|metrics?|stats|statsd|sentry|sentry_sdk|tracer|span|prometheus\w*|os|sys|Path|open|warnings)"
)
#: A value is read of these, or says how the other calls are made.
_SETTINGS: Final = re.compile(
    r"_?(settings|conf|config|environ|env|headers|cookies|params)", re.IGNORECASE
)
_QUIET_METHODS: Final = frozenset(
    (
        *("debug", "info", "warning", "warn", "error", "exception", "critical", "log"),
        *(
            "commit",
            "rollback",
            "flush",
            "begin",
            "refresh",
            "close",
            "connect",
            "disconnect",
            "login",
        ),
        *("acquire", "release", "lock", "unlock"),
    )
)
_READ: Final = re.compile(
    r"_*((get|find|fetch|list|load|read|look_?up|search|query|exists?|is|has|count|retrieve|describe|head|select"
    r"|filter|poll|check|verify|validate|render|format|parse|decode|download|iter|scan|peek|show|view|resolve|stream)"
    r"(_|s?$|[A-Z])|(first|all|status|json|raise_for_status|text|content|result|as_dict|to_dict|dict|model_dump"
    r"|ping|health|options)$)"
)
_PUT: Final = re.compile(r"_*(put|set|upsert|delete|replace|overwrite|remove|upload)(_|$|[A-Z])")
#: A call that makes one of these has no effect; the calls of what it returns may have one.
_CLIENT: Final = re.compile(
    r"_*((new|open|db|database|http|api|async)_)?(session|client|connection|conn|cursor|transaction|atomic)"
)
#: What is put here twice is there twice.
_QUEUE: Final = re.compile(r"queue|stream|topic|channel|bus|broker|producer", re.IGNORECASE)
_METHODS: Final[Mapping[object, MockKind]] = {
    **dict.fromkeys(("POST", "PATCH"), "effect"),
    **dict.fromkeys(("GET", "HEAD", "OPTIONS"), "read"),
    **dict.fromkeys(("PUT", "DELETE"), "put"),
}
#: A look-up that may do something, too.
_BOTH: Final = re.compile(r"_(or|and)_|^check_(in|out)")


class MockKinds:
    """Decides what the calls of mocks are, in one search."""

    def __init__(self, said: Mapping[str, MockKind] | None = None) -> None:
        """Begin with what the test says.

        Args:
            said: what the calls of some mocks are, by their names or patterns of names.
        """
        self._said: dict[str, MockKind] = dict(said or {})
        self._said_of_none = dict.fromkeys(self._said)
        self._factories: set[str] = set()
        #: The mocks that were called, and what their calls are.
        self.seen: dict[str, MockKind] = {}

    def of(self, name: str, own: str, args: Sequence[object], mode: str = "") -> MockKind:
        """Return what a call is.

        Args:
            name: the whole name of the mock, such as `shop.tasks.gateway.charge`.
            own: the part of it from where the mock was put in place, such as `gateway.charge`.
            args: the positional arguments. A request over HTTP has its method there, and a database a statement.
            mode: the mode of the open file that is written to, if one is.
        """
        kind = self._said_of(name)
        last = _PIECES.split(own)[-1]
        if kind is None and last in ("request", "stream") and args:
            kind = _METHODS.get(args[0])
        if kind is None and reads_by_statement(last, args):
            # Other statements of the same method may be effects.
            return "read"
        if kind is None and mode:
            kind = "effect" if "a" in mode else "put"
        if kind is None:
            kind = "nothing" if name in self._factories else _guessed(own)
        self.seen[name] = kind
        return kind

    def of_attribute(self, name: str, own: str) -> MockKind:
        """Return what setting an attribute is. It has no further effect when it is repeated.

        Args:
            name: the whole name of the attribute, such as `shop.tasks.gateway.timeout`.
            own: the part of it from where the mock was put in place.
        """
        kind = self._said_of(name)
        if kind is None:
            kind = (
                "nothing" if _is_quiet([piece for piece in _PIECES.split(own) if piece]) else "put"
            )
        self.seen[name] = kind
        return kind

    def learn_of(self, name: str, search: SourceState) -> None:
        """Learn that the calls on the way to an effect only return what it is called on.

        Args:
            name: the whole name of the mock that is called.
            search: the state of effect sources for it.
        """
        beginning, *rest = name.split("()")
        for piece in rest:
            if not does_something(beginning.rpartition(".")[2]):
                search.learn(self._factories, beginning)
            beginning += f"(){piece}"

    def uncounted(self) -> Iterator[str]:
        """Yield the mocks whose calls are not effects."""
        for name, kind in self.seen.items():
            if kind in ("read", "nothing") and name not in self._said:
                yield f"{name} ({kind})"

    def check_all_used(self) -> None:
        """Raise if the test says something of a mock that the job never calls.

        Raises:
            ExplorationError: names it, and the mocks that there are.
        """
        for name in self._said_of_none:
            raise ExplorationError(
                f"mocks= names {name!r}, and the job calls no mock of this name. It calls: "
                f"{', '.join(self.seen) or 'none'}."
            )

    def _said_of(self, name: str) -> MockKind | None:
        for pattern, kind in self._said.items():
            if name == pattern or fnmatch.fnmatchcase(name, pattern):
                self._said_of_none.pop(pattern, None)
                return kind
        return None


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


def kinds_of(search: SourceState) -> MockKinds:
    """Return what decides about the calls of mocks in a search.

    Args:
        search: the state of effect sources for it.
    """
    return search.of(KINDS_OF_MOCKS, MockKinds)


def _is_quiet(pieces: Sequence[str]) -> bool:
    return any(map(_QUIET.fullmatch, pieces)) or any(map(_SETTINGS.fullmatch, pieces[-2:]))


def _guessed(own: str) -> MockKind:
    pieces = [piece for piece in _PIECES.split(own) if piece]
    *owners, last = pieces or [""]
    changes_item = last in ("__setitem__", "__delitem__")
    if last in SYMBOLS:
        return "put" if is_repeatable(last) else "effect"
    if (
        (last.startswith("__") and not changes_item)
        or _is_quiet(pieces)
        or (owners and last in _QUIET_METHODS)
        or _CLIENT.fullmatch(last)
    ):
        return "nothing"
    if changes_item:
        return "put"
    if not _BOTH.search(last):
        if _READ.match(last):
            return "read"
        if _PUT.match(last) and not any(map(_QUEUE.search, owners)):
            return "put"
    # A class; the names of functions may begin so too, where services do not follow the customs of Python.
    if last[:1].isupper() and not does_something(last[:1].lower() + last[1:]):
        return "nothing"
    return "effect"
