"""Replay tokens: naming one history, and carrying it out again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...core.arguments.encoding import decode, encode
from ...core.arguments.records import RecordReference
from ...errors import DeserializationError, ExplorationError, SerializationError
from ...harness.records.texts import short_name
from ..engine.points import Point
from .exploration import Exploration, Rest
from .explorer import Explorer
from .plans import HANDOFFS, HISTORIES, Plan, deeper, why_nothing_to_try

_DIGITS: Final = 8
_ARGUMENTS: Final = "args="
_DIGEST: Final = "drawn="
#: Stands between the two points at which deliveries are interrupted.
_AND: Final = "then"


@dataclass(frozen=True)
class Token:
    """The name of a history, as a replay line has it.

    It contains no line numbers, positions in lists or data of the test, so that it survives edits elsewhere.
    """

    #: The history, the job, and the point at which the first delivery is interrupted.
    plan: str
    #: The arguments that Hypothesis drew: as a whole if they can be encoded, otherwise their digest.
    arguments: str = ""

    def __str__(self) -> str:
        return f"{self.plan}:{self.arguments}" if self.arguments else self.plan

    @property
    def history(self) -> str:
        return self.plan.partition(":")[0]

    @property
    def job(self) -> str:
        return self.plan.partition(":")[2].partition(":")[0]

    @property
    def function(self) -> str:
        """The function in which a delivery is interrupted; empty if it is not."""
        pieces = self.plan.split(":")
        return pieces[2] if len(pieces) > 4 else ""

    def is_of(self, job: str) -> bool:
        return self.job == _bare(short_name(job))

    def drawn(self) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Return the arguments that were drawn; None if the token has none, or only a digest."""
        if not self.arguments.startswith(_ARGUMENTS):
            return None
        try:
            text = base64.urlsafe_b64decode(self.arguments.removeprefix(_ARGUMENTS)).decode()
            return decode(text, dict, find=lambda *found: RecordReference(*found).find())
        except (ValueError, DeserializationError) as error:
            raise ExplorationError(
                f"The arguments in --jobs-replay={self} cannot be read: copy the whole replay line."
            ) from error

    def begins_with(self, other: Token) -> bool:
        """Return whether it names the same history as another token, with a second delivery interrupted too."""
        return self.plan.startswith(f"{other.plan}:{_AND}:")

    @property
    def is_only_a_digest(self) -> bool:
        """Whether the arguments could not be encoded."""
        return self.arguments.startswith(_DIGEST)

    def fits(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        return self.arguments == _digest_of(args, kwargs)


def parsed_token(text: str) -> Token:
    """Return the token that was given on the command line.

    Raises:
        ValueError: when it is not valid; says why.
    """
    plan, _, arguments = text, "", ""
    for kind in (_ARGUMENTS, _DIGEST):
        head, found, tail = text.partition(f":{kind}")
        if found:
            plan, arguments = head, kind + tail
    history, _, job = plan.partition(":")
    known = (*HISTORIES, *HANDOFFS)
    if history not in known:
        raise ValueError(
            f"there is no history {history!r}: it begins with one of {', '.join(known)}"
        )
    if not job:
        raise ValueError("it names no job: copy the whole replay line of a report")
    return Token(plan, arguments)


def token_of(
    plan: Plan,
    job: str,
    others: Sequence[Callable[[], object]] = (),
    drawn: tuple[Sequence[Any], Mapping[str, Any]] | None = None,
) -> Token:
    pieces = [plan.name, _bare(short_name(job))]
    if plan.point is not None:
        pieces += _named(plan.point)
    if plan.name == "late":
        pieces.append(f"+{int(plan.gap.total_seconds())}s")
    if plan.name == "out_of_order":
        pieces.append(f"after-{other_name(others, plan.other)}")
    if plan.outage:
        pieces.append("outage")
    if plan.second_point is not None:
        pieces += [_AND, *_named(plan.second_point)]
    return Token(":".join(pieces), "" if drawn is None else _written(*drawn))


def other_name(others: Sequence[Callable[[], object]], position: int) -> str:
    """Return the name of another job, with a number if several have one name."""
    names = [_bare(getattr(other, "__name__", type(other).__name__)) for other in others]
    before = names[:position].count(names[position])
    return f"{names[position]}.{before + 1}" if before else names[position]


def _named(point: Point) -> list[str]:
    kind, function, source, turn = point.name
    digest = hashlib.sha256(f"{kind}\n{function}\n{source}".encode()).hexdigest()
    return [_bare(short_name(function)), digest[:_DIGITS], str(turn)]


def _written(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Encode arguments so that they can be read back, or at least recognised."""
    text = ""
    try:
        text = encode(tuple(args), kwargs, dict)
        is_whole = decode(text, dict, find=RecordReference) == (tuple(args), dict(kwargs))
    except (SerializationError, DeserializationError):
        is_whole = False
    if not is_whole:
        return _digest_of(args, kwargs)
    return _ARGUMENTS + base64.urlsafe_b64encode(text.encode()).decode()


def _digest_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    # A repr with an address in it never fits again. That is refused, which is better than another object.
    text = repr((tuple(args), sorted(kwargs.items())))
    return _DIGEST + hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _bare(name: str) -> str:
    """Return a name without characters that mean something to a shell."""
    return re.sub(r"[^\w.]+", "", name)


def replay(explorer: Explorer, tokens: Sequence[Token]) -> None:
    """Carry out the histories that tokens name, after the clean runs; raise if the job has one of them no more."""
    plans = [_plan(explorer, token) for token in tokens]
    exploration = explorer.exploration
    exploration.planned = exploration.histories = len(plans)
    failures = list(filter(None, map(explorer.try_out, plans)))
    if failures:
        exploration.failure = failures[0]
        exploration.rest = Rest(failures) if len(plans) > 1 else None


def drawn_arguments(
    token: Token, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments of a token; None if they have to be drawn again. Raise if the check takes others."""
    drawn = token.drawn()
    if drawn is not None and (len(drawn[0]) != len(args) or drawn[1].keys() != kwargs.keys()):
        raise ExplorationError(
            f"--jobs-replay={token} holds the arguments {drawn!r}, and the check now takes others: run the test "
            "without --jobs-replay for a new replay line."
        )
    return drawn


def check_drawn_again(token: Token, explored: Sequence[Exploration]) -> None:
    """Raise if Hypothesis did not draw the arguments of a token again."""
    if not explored:
        raise ExplorationError(
            f"The arguments of --jobs-replay={token} could not be written into it, and were not drawn again, so "
            "nothing was replayed: give them to check_idempotent instead of the strategies, or run the test "
            "without --jobs-replay."
        )


def _plan(explorer: Explorer, token: Token) -> Plan:
    checked = explorer.checked
    has_any = False
    for plan in _plans(explorer, token):
        if token_of(plan, checked.name, checked.options.others).plan == token.plan:
            return plan
        has_any = True
    if token.history == "out_of_order":
        raise ExplorationError(
            f"--jobs-replay={token} names a history that this check does not have: out_of_order needs the same "
            "others=. Run the test without --jobs-replay."
        )
    for name in explorer.exploration.known:
        if name == token.history and not has_any:
            why, _, _ = why_nothing_to_try(name).partition(". ")
            raise ExplorationError(
                f"--jobs-replay={token} names a history for which there is nothing to try any more: {why}. "
                "Run the test without --jobs-replay."
            )
    raise ExplorationError(
        f"--jobs-replay={token} names a point in {token.function} that a clean run of the job does not come to "
        "any more: the line or the effect was changed, or it comes less often. Run the test without "
        "--jobs-replay: it looks at all points, and gives a new replay line if one fails."
    )


def _plans(explorer: Explorer, token: Token) -> Iterator[Plan]:
    checked = explorer.checked
    plans = explorer.plans(explorer.exploration.known)
    # To name a plan takes longest, and a job may have thousands.
    plans = [plan for plan in plans if plan.name == token.history]
    yield from plans
    explorer.keeps_seconds = True
    for plan in plans:
        # The points of a second delivery are known only when the first was interrupted.
        named = token_of(plan, checked.name, checked.options.others)
        if token.begins_with(named) and explorer.try_out(plan) is None:
            yield from deeper(
                {one: points for one, points in explorer.seconds.items() if one == plan}
            )
