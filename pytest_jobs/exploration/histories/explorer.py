"""The search: the histories of a job, up to the first that fails, and then the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from ...errors import ExplorationError
from ...harness.records.progress import Work
from ...harness.records.texts import short_name
from ..engine.ending.log import log_kept_apart
from ..engine.points import Point
from ..engine.run import Run
from ..engine.world import TimeLimit
from .checked_job import CheckedJob
from .clean_run import Reference, check_not_refused
from .exploration import Exploration, Failure, Rest
from .history import History
from .plan_runner import PlanRunner
from .plans import TWICE_INTERRUPTED, AnyHistory, Plan, by_worth, deeper, plans_of, possible
from .stretches import Chosen
from .verdicts import Verdict, judge

#: How long a history takes is known when so many were carried out.
_TO_KNOW_THE_PACE: Final = 8


class Explorer:
    """Tries histories of one job with one set of arguments."""

    runs: type[PlanRunner] = PlanRunner
    refers: type[Reference] = Reference
    #: Whether the lines of the job count if it lies in an installed package.
    traces_installed = True

    def __init__(
        self, checked: CheckedJob, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self.checked = checked
        self.reference = self.refers(checked, args, kwargs)
        self._tried: set[AnyHistory] = set()
        #: The keys of the plans that were carried out.
        self._done: set[object] = set()
        #: Whether points are tried that others stand for: a replay names any.
        self.tries_all = False
        #: Whether the points of second deliveries are wanted.
        self.keeps_seconds = checked.options.depth > 1
        #: The plans that were carried out and can go deeper, each with the points of its second delivery.
        self.seconds: dict[Plan, Sequence[Point]] = {}
        options = checked.options
        #: What was explored so far.
        self.exploration = Exploration(args, kwargs, options.names, options.depth)

    def refer(self, limit: TimeLimit) -> None:
        """Make the clean runs, the first time."""
        with log_kept_apart():
            self.reference.refer(limit)
        self.exploration.reference = self.reference.run
        self.exploration.library = self.checked.target.bridge.name
        self.exploration.add_unshown(self.reference.account)
        self.exploration.unseen = self.reference.unseen
        self.exploration.not_performed = self.reference.children.not_performed
        self.exploration.by_chance = list(self.reference.derived.found["chance"])
        self.exploration.by_time = list(self.reference.derived.found["time"])
        self.exploration.on_time = self.reference.on_time
        if not self.tries_all:
            self.exploration.chosen = self.chosen()
        plans = self.plans(self.exploration.names)
        possible = {plan.name for plan in plans}
        self.exploration.nothing_to_try = [
            name for name in self.exploration.names if name not in possible
        ]

    def explore(self, names: Collection[AnyHistory], limit: TimeLimit) -> None:
        """Try the histories of some names that were not tried yet, up to the first that fails."""
        self.refer(limit)
        exploration = self.exploration
        exploration.elsewhere = tuple(dict.fromkeys(self.reference.run.elsewhere))
        plans = self.plans([name for name in names if name not in self._tried])
        self._tried.update(names)
        exploration.planned += len(plans)
        self._try_all(plans, limit)
        if plans and exploration.depth > 1 and exploration.failure is None:
            plans = deeper(self.seconds)
            exploration.planned += len(plans)
            self._try_all(plans, limit)
        exploration.untraced = self.checked.engine.scope.untraced()

    def explore_rest(self, limit: TimeLimit, *, one_of_each: bool = False) -> None:
        """Try the histories that come after the first that failed, to report what else fails."""
        exploration, first = self.exploration, self.exploration.failure
        if first is None:
            return
        plans = self.plans(exploration.names)
        if first.plan.second is not None:
            plans += deeper(self.seconds)
        rest = exploration.rest = Rest([first])
        rest.tried.update(plan.name for plan in plans if plan.key in self._done)
        others = [plan for plan in plans if plan.key not in self._done]
        failed = {first.plan.name}
        name = f"what else fails in {short_name(self.checked.name)}"
        with Work(name, "histories", len(others)) as work:
            for position, plan in enumerate(others):
                if not limit():
                    rest.left.update(left.name for left in others[position:])
                    break
                if one_of_each and plan.name in failed:
                    # For an audit, which makes a check of each job of a suite.
                    rest.left[plan.name] += 1
                    continue
                work.step(plan)
                rest.tried[plan.name] += 1
                try:
                    failure = self.try_out(plan)
                except ExplorationError:
                    rest.unclear[plan.name] += 1
                else:
                    if failure is not None:
                        rest.failures.append(failure)
                        failed.add(plan.name)
                    exploration.tried.append(plan)
        rest.unclear.update(plan.name for plan, _ in exploration.inconclusive)
        exploration.planned = len(plans)
        exploration.histories = rest.tried.total() - rest.unclear.total()

    def plans(self, names: Collection[AnyHistory]) -> list[Plan]:
        """Return the plans of some names, the simplest first; raise if the library, as configured, has none."""
        options = self.checked.options
        chosen = self.chosen()
        plans = list(plans_of(self.reference.run, chosen, names, len(options.others)))
        if not options.as_configured:
            return plans
        plans = list(possible(plans, self.checked.semantics))
        if not plans:
            raise ExplorationError(
                f"By the settings of its library the job is never delivered again when it is done, so that of the "
                f"histories {', '.join(names)} none can come about: name others, such as crash, or drop "
                "delivery='as configured'."
            )
        return plans

    def chosen(self) -> Chosen:
        return Chosen.every(self.reference.run) if self.tries_all else self.reference.chosen()

    def _try_all(self, plans: Sequence[Plan], limit: TimeLimit) -> None:
        exploration = self.exploration
        waiting, before = deque(plans), limit.computed
        with Work(f"check of {short_name(self.checked.name)}", "histories", len(plans)) as work:
            while waiting and exploration.failure is None and limit():
                plan = waiting.popleft()
                work.step(plan)
                exploration.histories += 1
                self._done.add(plan.key)
                exploration.failure = self.try_out(plan)
                exploration.tried.append(plan)
                done = len(plans) - len(waiting)
                if done == _TO_KNOW_THE_PACE and not limit.suffices(done, len(waiting)):
                    waiting = deque(by_worth(waiting))
        exploration.seconds += limit.computed - before

    def try_out(self, plan: Plan, *, unwinds_last: bool = False) -> Failure | None:
        """Carry one plan out; return how it failed.

        It is carried out once more if the end of a killed delivery disturbed what came after it. Then that
        delivery is unwound only when the verdict is taken.
        """
        new = self.reference.history(threads=plan.needs_threads)
        with log_kept_apart() as log, new.opened() as history:
            runner = self.runs(plan, history, self.reference.run.points, unwinds_last=unwinds_last)
            last = runner.run()
            check_not_refused(history)
            if history.inconclusive is not None:
                self.exploration.inconclusive.append((plan, history.inconclusive))
                return None
            found = runner.observed()
            # What the queue held until then may have been refused.
            check_not_refused(history)
            history.account.check_bound()
            self.exploration.add_unshown(history.account)
            verdict = self.judged(plan, history, last, found)
            runs = runner.runs()
        if runner.disturbed:
            return self.try_out(plan, unwinds_last=True)
        if verdict is not None:
            return Failure(plan, verdict, runs, log, tuple(history.children))
        failed = runner.only_by_redelivery
        if failed is not None:
            where = f" at {failed.origin}" if failed.origin is not None else ""
            self.exploration.only_by_redelivery.setdefault(
                f"{type(failed.error).__name__}{where}", {}
            )[plan.name] = None
        second = runner.second
        goes_deeper = plan.second is None and plan.name in TWICE_INTERRUPTED
        if self.keeps_seconds and goes_deeper and second is not None:
            self.seconds[plan] = second.points
        return None

    def judged(
        self, plan: Plan, history: History, last: Run, found: Mapping[str, Any]
    ) -> Verdict | None:
        """Return the verdict on a history; None if it ended as it should."""
        options = self.checked.options
        return judge(
            self.reference.wanted_after(plan, history.account.compared),
            found,
            history.initial,
            last,
            options.at_least_once if plan.cuts_off else (),
            options.repeatable,
            history.failed_child,
        )
