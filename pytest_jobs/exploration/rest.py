"""What the other histories come to, once one has failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from ..errors import ExplorationError
from .explorer import Exploration, Explorer, Failure
from .plans import HISTORIES, HistoryName, Plan, deeper


@dataclass
class Rest:
    """The failing histories of one set of arguments, and what is known of the others."""

    #: The first one included.
    failures: list[Failure]
    tried: Counter[HistoryName] = field(default_factory=Counter)
    #: How many were not looked at, by name.
    left: Counter[HistoryName] = field(default_factory=Counter)
    #: How many could not be carried out, by name.
    unclear: Counter[HistoryName] = field(default_factory=Counter)

    def of(self, name: HistoryName) -> list[Failure]:
        """Return those of one name that fail."""
        return [failure for failure in self.failures if failure.plan.name == name]

    def passed(self) -> Iterator[HistoryName]:
        """Return the names of those that were all tried, and of which none fails."""
        for name in HISTORIES:
            done = self.tried[name] and not self.left[name] and not self.unclear[name]
            if done and not self.of(name):
                yield name


def look_at_the_rest(
    explorer: Explorer,
    exploration: Exploration,
    names: Collection[HistoryName],
    go_on: Callable[[], bool],
) -> Rest:
    """Try the histories that come after the first that failed.

    Args:
        explorer: what tries them.
        exploration: what it has found.
        names: which histories are wanted.
        go_on: asked before each; the rest is left when it says no.
    """
    first = exploration.failure
    if first is None:
        return Rest([])
    rest = Rest([first])
    plans = _plans(explorer, exploration, names)
    begin = plans.index(first.plan) + 1
    rest.tried.update(plan.name for plan in plans[:begin])
    for position, plan in enumerate(plans[begin:], begin):
        if not go_on():
            rest.left.update(left.name for left in plans[position:])
            break
        rest.tried[plan.name] += 1
        _try_out(explorer, plan, rest)
    rest.unclear.update(plan.name for plan, _ in exploration.inconclusive)
    return rest


def _plans(
    explorer: Explorer, exploration: Exploration, names: Collection[HistoryName]
) -> list[Plan]:
    """Return the plans in the order in which they are tried, up to the depth at which one failed."""
    plans = explorer.plans(names)
    failure = exploration.failure
    is_deeper = failure is not None and failure.plan.second is not None
    return [*plans, *deeper(explorer.seconds)] if is_deeper else plans


def _try_out(explorer: Explorer, plan: Plan, rest: Rest) -> None:
    try:
        failure = explorer.try_out(plan)
    except ExplorationError:
        rest.unclear[plan.name] += 1
    else:
        if failure is not None:
            rest.failures.append(failure)
