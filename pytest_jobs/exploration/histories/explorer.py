"""The search: the histories of a job, up to the first that ends badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import ExplorationError
from ..engine.points import Point
from ..engine.watching import Run
from ..engine.world import Setting
from .clean_run import Reference, check_not_refused
from .interruptions import CarryingOut
from .plans import HISTORIES, TWICE_INTERRUPTED, HistoryName, Plan, deeper, plans_of, possible
from .verdicts import Verdict, judge


@dataclass(frozen=True)
class Failure:
    """A history that did not end as one clean run."""

    plan: Plan
    verdict: Verdict
    runs: tuple[Run, ...]


@dataclass
class Exploration:
    """What was explored for one set of arguments."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    points: Sequence[Point] = ()
    failure: Failure | None = None
    histories: int = 0
    planned: int = 0
    depth: int = 1
    #: Histories that show nothing since a delivery waited for one that was suspended, and where it did.
    inconclusive: list[tuple[Plan, str]] = field(default_factory=list)
    #: What the job did in threads that it began, where it was not interrupted.
    elsewhere: Sequence[str] = ()
    #: Functions of the project that ran and whose lines are no points.
    untraced: Sequence[str] = ()


class Explorer:
    """Tries histories of one job with one set of arguments."""

    def __init__(
        self,
        setting: Setting,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        at_least_once: Collection[str] = (),
        others: Sequence[Callable[[], object]] = (),
        depth: int = 1,
    ) -> None:
        self._setting = setting
        self._at_least_once = at_least_once
        #: What may be called between the deliveries.
        self.others = others
        self._depth = depth
        #: The clean run.
        self.reference = Reference(setting, args, kwargs)
        self._tried: set[HistoryName] = set()
        #: The plans that were carried out and can go deeper, each with the points of its second delivery.
        self.seconds: dict[Plan, Sequence[Point]] = {}
        #: What was explored so far.
        self.exploration = Exploration(args, kwargs, depth=depth)

    def explore(self, names: Collection[HistoryName], go_on: Callable[[], bool]) -> Exploration:
        """Try the histories of some names that were not tried yet, up to the first that fails.

        Args:
            names: which.
            go_on: asked before each; the rest is left when it says no.

        Raises:
            ExplorationError: when nothing could be shown.
        """
        exploration, reference = self.exploration, self.reference
        reference.refer()
        exploration.points = reference.run.points
        exploration.elsewhere = tuple(dict.fromkeys(reference.run.elsewhere))
        plans = self.plans([name for name in names if name not in self._tried])
        self._tried.update(names)
        exploration.planned += len(plans)
        self._try_all(plans, go_on)
        if plans and self._depth > 1 and exploration.failure is None:
            plans = deeper(self.seconds)
            exploration.planned += len(plans)
            self._try_all(plans, go_on)
        exploration.untraced = self._setting.scope.untraced()
        return exploration

    def plans(self, names: Collection[HistoryName]) -> list[Plan]:
        """Return what can be tried under some names, the simplest first.

        Raises:
            ExplorationError: when none of them can come about as the library is configured.
        """
        setting = self._setting
        plans = list(plans_of(self.reference.run, names, len(self.others)))
        if not setting.as_configured:
            return plans
        plans = list(possible(plans, setting.semantics))
        if not plans:
            raise ExplorationError(
                f"By the settings of its library the job is never delivered again when it is done, so that of the "
                f"histories {', '.join(names)} none can come about: name others, such as crash, or drop "
                "delivery='as configured'."
            )
        return plans

    def _try_all(self, plans: Iterable[Plan], go_on: Callable[[], bool]) -> None:
        for plan in plans:
            if not go_on():
                break
            self.exploration.histories += 1
            self.exploration.failure = self.try_out(plan)
            if self.exploration.failure is not None:
                break

    def try_out(self, plan: Plan) -> Failure | None:
        """Carry one history out; return how it failed."""
        reference = self.reference
        # Two deliveries that are interrupted hand over to one another.
        threads = plan.second is not None
        with reference.history(threads=threads).opened() as history:
            carrying_out = CarryingOut(plan, history, self.others)
            last = carrying_out.run()
            check_not_refused(history)
            if history.inconclusive is not None:
                self.exploration.inconclusive.append((plan, history.inconclusive))
                return None
            found = carrying_out.observed()
            accepted = self._at_least_once if plan.cuts_off else ()
            wanted = reference.wanted_after(plan, self.others)
            verdict = judge(wanted, found, history.initial, last, accepted)
            runs = carrying_out.runs()
        if verdict is not None:
            return Failure(plan, verdict, runs)
        second = carrying_out.second
        if plan.second is None and plan.name in TWICE_INTERRUPTED and second is not None:
            self.seconds[plan] = second.points
        return None


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
