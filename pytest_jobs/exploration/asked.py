"""What a check is asked to explore."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from ..errors import CriterionError, ExplorationError
from .forked import check_available
from .plans import HISTORIES, HistoryName


def checked_names(
    histories: Literal["all"] | Collection[str], others: Sequence[object]
) -> tuple[HistoryName, ...]:
    """Return the names of the histories that are asked for, in the order in which they are tried.

    Raises:
        CriterionError: when there are none, or one of them cannot be.
    """
    wanted = (
        [name for name in HISTORIES if others or name != "out_of_order"]
        if histories == "all"
        else [histories]
        if isinstance(histories, str)
        else list(histories)
    )
    unknown = [name for name in wanted if name not in HISTORIES]
    if unknown:
        raise CriterionError(
            f"There is no history {unknown[0]!r}: those there are, are {', '.join(HISTORIES)}."
        )
    if "out_of_order" in wanted and not others:
        raise CriterionError("out_of_order needs others=[...]: what runs between the deliveries.")
    if not wanted:
        raise CriterionError("No history is named, so nothing would be explored.")
    return tuple(name for name in HISTORIES if name in wanted)


def check_choices(depth: object, delivery: object, crash_backend: object) -> None:
    """Refuse what is no choice.

    Raises:
        CriterionError: when a value is none, or two of them do not go together.
    """
    if depth not in (1, 2):
        raise CriterionError(f"depth={depth!r} is none: 1 and 2 are, the deliveries interrupted.")
    if delivery not in ("at-least-once", "as configured"):
        raise CriterionError(
            f"delivery={delivery!r} is none: 'at-least-once' and 'as configured' are."
        )
    if crash_backend not in ("nested", "fork"):
        raise CriterionError(f"crash_backend={crash_backend!r} is none: 'nested' and 'fork' are.")
    if crash_backend == "fork":
        check_available()
        if depth == 2:
            raise CriterionError("crash_backend='fork' kills one worker: leave depth=2 out.")


def check_arguments(args: object, kwargs: object) -> None:
    """Check that the arguments of a job come in a list and a mapping.

    Raises:
        ExplorationError: when they do not.
    """
    if isinstance(args, str | bytes) or not isinstance(args, Iterable):
        raise ExplorationError(
            f"args={args!r} are no arguments: write them in a tuple, as in args=({args!r},)."
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise ExplorationError(
            f"kwargs={kwargs!r} are no keyword arguments: write a mapping, as in kwargs={{'user_id': 7}}."
        )
