"""Which cases of a job something that was seen shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ..seen.session import SeenDelivery
from .cases import Case

_RULES: Final = ("retried", "exhausted", "discarded", "rescued")
_SUCCESS: Final = frozenset(("performed",))


def shown_by(delivery: SeenDelivery, cases: Sequence[Case]) -> Iterator[Case]:
    """Yield the cases that a delivery shows, other than that the job was performed.

    Args:
        delivery: a delivery, or an attempt of a simulation.
        cases: the cases of the job.
    """
    for kind in _RULES:
        rules = [case for case in cases if case.kind == kind and delivery.status in case.statuses]
        nearest = _nearest(rules, delivery.error_classes)
        if nearest is not None:
            yield nearest
    for case in cases:
        if case.kind in ("callback", "halted") and _ran(case, delivery):
            yield case


def _ran(case: Case, delivery: SeenDelivery) -> bool:
    if case.name:
        return case.name in delivery.aftermath
    # A rescued job counts as performed, and what follows a success does not run.
    is_rescued = delivery.error and case.statuses == _SUCCESS
    return delivery.status in case.statuses and not is_rescued


def _nearest(rules: Sequence[Case], error_classes: Sequence[str]) -> Case | None:
    """Return the rule whose error is nearest to the one that was raised; the first among equals.

    A rule whose errors are not known matches every error, after the others.
    """
    best, best_distance = None, len(error_classes) + 1
    for rule in rules:
        if rule.kind == "rescued" and not error_classes:
            continue
        known = [error_classes.index(name) for name in rule.errors if name in error_classes]
        distance = min(known) if known else len(error_classes)
        if (known or not rule.errors) and distance < best_distance:
            best, best_distance = rule, distance
    return best
