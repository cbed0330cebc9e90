"""What a call of a double stands for: the one table of names for mocks, fakes, stubs and wrapped services."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, get_args

from ....core.foundation.registry import nearest_name
from ....errors import CriterionError, ExplorationError
from ...engine.acts import SourceState
from ..sql.basis.statements import changes
from .arguments import QUEUE
from .operators import SYMBOLS, is_repeatable

#: What a call is: an effect; a `put`, which has no further effect when it is repeated; a look-up; or nothing that
#: reaches outside, such as a line in a log, or making a client.
CallKind: TypeAlias = Literal["effect", "put", "read", "nothing"]

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
_LOGS: Final = re.compile(r"debug|info|warn(ing)?|error|exception|critical|log")
#: These open, hold or end something, which says nothing to a service.
_HOLDS: Final = re.compile(r"begin|connect|disconnect|login|lock|unlock|refresh|rollback")
#: So do these, unless they are told of what: `payments.commit(token)` captures money, `session.commit()` does not.
_HOLDS_ALL: Final = re.compile(r"acquire|close|commit|flush|release")
_HOW_LONG: Final = frozenset(("block", "blocking", "timeout", "wait"))
#: A method that begins with one of these does something by itself, whatever it returns.
_DOES: Final = re.compile(
    r"_*(add|append|apply|authori[sz]e|book|buy|cancel|capture|charge|commit|complete|confirm|create|credit|debit"
    r"|deduct|delete|deliver|deposit|dispatch|do|email|emit|enqueue|execute|fire|grant|increment|insert|invite"
    r"|invoke|issue|mail|make|notify|order|patch|pay|perform|place|post|print|process|publish|purchase|push|put"
    r"|record|refund|register|remove|request|reserve|run|save|schedule|sell|send|ship|start|store|submit"
    r"|subscribe|trigger|transfer|update|upload|withdraw|write)(?=_|[A-Z]|$)"
)
#: Words that are no noun as well, so that they say what is done also behind a prefix: `dao_get_user`.
_CLEAR_READS: Final = r"get|find|fetch|look_?up|is|has|exists?|retrieve|describe|select"
_CLEAR_PUTS: Final = r"delete|remove|upsert|overwrite|replace|update"
_READ: Final = re.compile(
    rf"_*(({_CLEAR_READS}|list|load|read|search|query|count|head|filter|poll|check|verify|validate|render|format"
    r"|parse|decode|download|iter|scan|peek|show|view|stream)(_|s?$|[A-Z])"
    r"|(first|all|status|json|raise_for_status|text|content|result|as_dict|to_dict|dict|model_dump|ping|health"
    r"|options)$)"
)
_PUT: Final = re.compile(rf"_*({_CLEAR_PUTS}|put|set|upload|index)(?=_|$|[A-Z])")
_PREFIXED: Final = re.compile(rf"[a-z0-9]+_+(?=({_CLEAR_READS}|{_CLEAR_PUTS})_)")
#: A look-up that may do something, too.
_BOTH: Final = re.compile(
    r"_(or|and)_|(Or|And)[A-Z]|^check_(in|out)|^load_(credits?|funds|money|points)"
)
#: What goes there twice is there twice: `remove_credit`, `put_on_queue`, `upload_rows`.
_PILES: Final = re.compile(
    r"_(on|onto|to|into|from|off|credits?|debits?|funds|money|points|stock|rows|records|events|entries|batch)(_|$)"
)
#: These give a thing a value, whatever it was: with a number, too.
_ABSOLUTE: Final = re.compile(r"_*(set|upsert|replace|overwrite|index)(_|$|[A-Z])")
_AMOUNT: Final = re.compile(r"amount|quantity|qty|delta|by|credits?|points|count", re.IGNORECASE)
#: A call that makes one of these has no effect; the calls of what it returns may have one.
_CLIENT: Final = re.compile(
    r"_*((new|open|db|database|http|api|async)_)?(session|client|connect|connection|conn|cursor|transaction|atomic)"
    r"(_?(factory|maker))?"
)
_METHODS: Final[Mapping[object, CallKind]] = {
    **dict.fromkeys(("POST", "PATCH"), "effect"),
    **dict.fromkeys(("GET", "HEAD", "OPTIONS"), "read"),
    **dict.fromkeys(("PUT", "DELETE"), "put"),
}
_RUNS_SQL: Final = re.compile(r"execute|exec|exec_driver_sql|run|sql|scalars?")


@lru_cache(1000)
def does_something(method: str) -> bool:
    """Return whether the name of a method says that it does something, rather than that it returns a client."""
    return _DOES.match(method) is not None


@lru_cache(1000)
def is_quiet(own: str) -> bool:
    """Return whether something is a logger, a clock, a metric or a setting, so that nothing done to it counts."""
    pieces = pieces_of(own)
    return any(map(_QUIET.fullmatch, pieces)) or any(map(_SETTINGS.fullmatch, pieces[-2:]))


@lru_cache(1000)
def pieces_of(own: str) -> Sequence[str]:
    return [piece for piece in _PIECES.split(own) if piece]


def guessed(
    own: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> CallKind:
    """Return what a call is, by its name and the form of its arguments. What may do harm is an effect.

    The name begins where the double was put in place, as in `gateway.charge`.
    """
    named = kwargs or {}
    *owners, last = pieces_of(own) or [""]
    changes_item = last in ("__setitem__", "__delitem__")
    if last in SYMBOLS:
        return "put" if is_repeatable(last, args) else "effect"
    if (last.startswith("__") and not changes_item) or is_quiet(own) or _CLIENT.fullmatch(last):
        return "nothing"
    if changes_item:
        return "put"
    if owners and (_LOGS.fullmatch(last) or _only_holds(last, args, named)):
        return "nothing"
    if last in ("request", "stream") and args and args[0] in _METHODS:
        return _METHODS[args[0]]
    if not _BOTH.search(last):
        # The verb stands behind a prefix: `dao_get_user` gets something.
        prefix = None if does_something(last) else _PREFIXED.match(last)
        verb = last if prefix is None else last[prefix.end() :]
        if _READ.match(verb):
            return "read"
        if _PUT.match(verb) and not any(map(QUEUE.search, owners)) and _sets(verb, args, named):
            return "put"
    # A class; the names of functions may begin so too, where services do not follow the customs of Python.
    if last[:1].isupper() and not does_something(last[:1].lower() + last[1:]):
        return "nothing"
    return "effect"


def _only_holds(method: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    if _HOLDS.fullmatch(method):
        return True
    is_told = any(not isinstance(one, bool) for one in args) or not kwargs.keys() <= _HOW_LONG
    return _HOLDS_ALL.fullmatch(method) is not None and not is_told


def _sets(verb: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a call leaves a thing in a state, so that it may come again, and neither adds nor takes.

    A number behind the first argument is an amount, which a call may take away each time; the first one names the
    thing. An update leaves the values that are literally there.
    """
    if _ABSOLUTE.match(verb):
        return True
    amounts = [one for one in args[1:] if _is_number(one)]
    amounts += [one for one in args[:1] if isinstance(one, float | Decimal)]
    amounts += [one for word, one in kwargs.items() if _is_number(one) and _AMOUNT.search(word)]
    if _PILES.search(verb) or amounts:
        return False
    if not verb.lstrip("_").startswith("update"):
        return True
    values = [*(args[1:] or (one for one in args if isinstance(one, Mapping))), *kwargs.values()]
    return bool(values) and all(map(_is_literal, values))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_literal(value: Any) -> bool:
    if isinstance(value, Mapping):
        # An operator of a document store, such as `$inc`, may add.
        adds = (
            word for word in value if str(word).startswith("$") and word not in ("$set", "$unset")
        )
        return next(adds, None) is None and all(map(_is_literal, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_literal, value))
    return isinstance(value, str | bytes | bool | int | float | Decimal | None)


class CallKinds:
    """Decides what calls are, by what the test says, and otherwise by their names."""

    def __init__(self, said: Mapping[str, CallKind] | None = None) -> None:
        self._said: dict[str, CallKind] = dict(said or {})
        self._said_of_none = dict.fromkeys(self._said)
        self._factories: set[str] = set()
        #: What was called.
        self._seen: dict[str, None] = {}
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
        method, first = pieces_of(own)[-1], next(iter(args), None)
        # A statement of SQLAlchemy says so itself.
        is_select = getattr(first, "is_select", None) is True
        if _RUNS_SQL.fullmatch(method) and (
            is_select or (isinstance(first, str) and not changes(first))
        ):
            # Other statements of the same method may be effects.
            kind = "read"
        elif mode:
            kind = "effect" if "a" in mode else "put"
        else:
            kind = guessed(own, args, kwargs)
            if is_lazy and kind == "effect" and not does_something(method):
                kind = "read"
        self._guessed[name, kind] = None
        return kind

    def of_attribute(self, name: str, own: str) -> CallKind:
        """Return what setting an attribute is, by its names as in `of`. Repeating it has no further effect."""
        return self.said_of(name) or ("nothing" if is_quiet(own) else "put")

    def of_request(self, name: str, by_method: CallKind, guess: CallKind | None) -> CallKind:
        """Return what a request over HTTP is. Its name is as in `auth.example POST /oauth/token`.

        A guess is what its address or its body says, which the result of the check prints.
        """
        kind = self.said_of(name)
        if kind is None and guess is not None:
            self._guessed[name, guess] = None
        return kind or guess or by_method

    def said_of(self, name: str) -> CallKind | None:
        """Return what the test says of a name; None if it says nothing."""
        self._seen[name] = None
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
        if kind not in get_args(CallKind):
            raise CriterionError(
                f"mocks={{{name!r}: {kind!r}}}: a call of a mock must be one of "
                f"{', '.join(get_args(CallKind))}."
            )


def kinds_of(search: SourceState) -> CallKinds:
    """Return what decides about calls in a search."""
    return search.of(CallKinds, CallKinds)
