"""Carrying out again the one history that a token names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import ExplorationError
from .explorer import Exploration, Explorer
from .plans import HISTORIES, Plan, deeper
from .tokens import Token, token_of


def replay(
    explorer: Explorer, token: Token, job: str, others: Sequence[Callable[[], object]]
) -> Exploration:
    """Carry out one history.

    Raises:
        ExplorationError: when the code has it no more.
    """
    explorer.reference.refer()
    exploration = explorer.exploration
    exploration.points = explorer.reference.run.points
    plan = _plan(explorer, token, job, others)
    exploration.planned = exploration.histories = 1
    exploration.failure = explorer.try_out(plan)
    return exploration


def drawn_arguments(
    token: Token, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments that a token holds; None when they have to be drawn again.

    Raises:
        ExplorationError: when it holds others than the check takes now.
    """
    drawn = token.drawn()
    if drawn is not None and (len(drawn[0]) != len(args) or drawn[1].keys() != kwargs.keys()):
        raise ExplorationError(
            f"--jobs-replay={token} holds the arguments {drawn!r}, and the check now takes others: run the test "
            "without --jobs-replay for a new replay line."
        )
    return drawn


def check_drawn_again(token: Token, explored: Sequence[Exploration]) -> None:
    """Refuse to pass when the arguments of a token were not among those that were drawn.

    Raises:
        ExplorationError: when they were not.
    """
    if not explored:
        raise ExplorationError(
            f"The arguments of --jobs-replay={token} could not be written into it, and were not drawn again, so "
            "nothing was replayed: give them to check_idempotent instead of the strategies, or run the test "
            "without --jobs-replay."
        )


def _plan(
    explorer: Explorer, token: Token, job: str, others: Sequence[Callable[[], object]]
) -> Plan:
    for plan in _plans(explorer, token, job):
        if token_of(plan, job, others).plan == token.plan:
            return plan
    if not token.function:
        raise ExplorationError(
            f"--jobs-replay={token} names a history that this check does not have: out_of_order needs the same "
            "others=. Run the test without --jobs-replay."
        )
    raise ExplorationError(
        f"--jobs-replay={token} names a point in {token.function} that a clean run of the job does not come to "
        "any more: the line or the effect was changed, or it comes less often. Run the test without "
        "--jobs-replay: it looks at all points, and gives a new replay line if one fails."
    )


def _plans(explorer: Explorer, token: Token, job: str) -> Iterator[Plan]:
    others = explorer.others
    plans = explorer.plans(HISTORIES)
    yield from plans
    for plan in plans:
        # The points of a second delivery are known only when the first was interrupted.
        if token.begins_with(token_of(plan, job, others)) and explorer.try_out(plan) is None:
            yield from deeper(
                {one: points for one, points in explorer.seconds.items() if one == plan}
            )
