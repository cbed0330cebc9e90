"""The search: the histories of a job, up to the first that fails, and then the others."""

from __future__ import annotations

import inspect
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from ...errors import ExplorationError
from ...harness.records.progress import Work
from ...harness.records.texts import short_name
from ..engine.ending.log import HistoryLog, log_kept_apart
from ..engine.points import Point
from ..engine.run import Run
from ..engine.world import TO_KNOW_THE_PACE, TimeLimit
from ..stores.account import UNSHOWN
from .checked_job import CheckedJob
from .clean_run import Reference, check_not_refused
from .exploration import Exploration, Failure, Rest
from .halves import Half, Place, halves, other_values
from .history import History
from .plan_runner import PlanRunner
from .plans import (
    TWICE_INTERRUPTED,
    AnyHistory,
    Plan,
    deeper,
    loses,
    most_telling_first,
    plans_of,
    possible,
)
from .verdicts import Verdict, abandoned, counting_differences, has_only_more, judge

#: How many histories are tried after the first that failed, for the report alone.
_MOST_OF_THE_REST: Final = 20


@dataclass(frozen=True)
class _Ended:
    """A history that was carried out, and whose world is gone."""

    history: History
    runner: PlanRunner
    last: Run
    found: Mapping[str, Any]
    runs: tuple[Run, ...]
    log: HistoryLog


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
        #: Whether the points of second deliveries are wanted.
        self.keeps_seconds = checked.options.depth > 1
        #: The plans that were carried out and can go deeper, each with the points of its second delivery.
        self.seconds: dict[Plan, Sequence[Point]] = {}
        #: The values that are other ones after any later delivery; None before that was looked at.
        self._late: Mapping[Place, Any] | None = None
        #: Whether no schedule of the project brings the job again, as was tried.
        self._is_unscheduled = False
        options = checked.options
        #: What was explored so far.
        self.exploration = Exploration(args, kwargs, options.names, options.depth)

    def refer(self, limit: TimeLimit | None) -> None:
        """Make the clean runs, the first time. Without a limit no point stands for others: a replay names any."""
        with log_kept_apart():
            self.reference.refer(limit)
        self.exploration.reference = self.reference.run
        self.exploration.library = self.checked.target.bridge.name
        self.exploration.may_be_lost = loses(self.checked.semantics)
        self.exploration.add_unshown(self.reference.account)
        self.exploration.unseen = self.reference.unseen
        self.exploration.not_performed = self.reference.children.not_performed
        self.exploration.by_chance = list(self.reference.derived.found["chance"])
        self.exploration.by_time = list(self.reference.derived.found["time"])
        self.exploration.on_time = self.reference.on_time
        self.exploration.chosen = None if limit is None else self.reference.chosen()
        plans = self.plans(self.exploration.names)
        possible = {plan.name for plan in plans}
        self.exploration.nothing_to_try = [
            name
            for name in self.exploration.names
            if name not in possible and (name != "abandoned" or self.checked.options.by_name)
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
        """Try the histories that come after the first that failed, to report what else fails.

        They are limited by their number, so that a report is the same on a busy machine; the time limit ends what
        hangs.
        """
        exploration, first = self.exploration, self.exploration.failure
        if first is None:
            return
        plans = self.plans(exploration.names)
        if first.plan.second is not None:
            plans += deeper(self.seconds)
        rest = exploration.rest = Rest([first])
        rest.tried.update(plan.name for plan in plans if plan.key in self._done)
        new = (plan for plan in plans if plan.key not in self._done)
        others = _by_turns(most_telling_first(new))
        failed = {first.plan.name}
        name = f"what else fails in {short_name(self.checked.name)}"
        with Work(name, "histories", len(others)) as work:
            for position, plan in enumerate(others):
                if position >= _MOST_OF_THE_REST or not limit():
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
        chosen = self.reference.chosen()
        semantics = self.checked.semantics
        plans = list(plans_of(self.reference.run, chosen, names, len(options.others), semantics))
        if not options.as_configured:
            return plans
        plans = list(possible(plans, semantics))
        if not plans:
            raise ExplorationError(
                "By the settings of its library a job that has begun is not delivered again, so that of the "
                f"histories {', '.join(names)} none can come about: name others, such as abandoned, or drop "
                "delivery='as configured'."
            )
        return plans

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
                if done == TO_KNOW_THE_PACE and not limit.suffices(done, len(waiting)):
                    waiting = deque(most_telling_first(waiting))
        exploration.seconds += limit.computed - before

    def try_out(self, plan: Plan) -> Failure | None:
        """Carry one plan out; return how it failed."""
        ended = self._carried_out(plan)
        if isinstance(ended, str):
            self.exploration.inconclusive.append((plan, ended))
            return None
        self.exploration.add_unshown(ended.history.account)
        history, runner = ended.history, ended.runner
        with log_kept_apart():
            # Only now, when the world of the history is gone: it may take another history.
            verdict = self.judged(plan, history, ended.last, ended.found)
            if verdict is not None and self._is_done_by_schedule(plan, verdict):
                verdict = None
        if verdict is not None:
            return Failure(plan, verdict, ended.runs, ended.log, tuple(history.children))
        failed = runner.only_by_redelivery
        if failed is not None:
            where = f" at {failed.origin}" if failed.origin is not None else ""
            self.exploration.only_by_redelivery.setdefault(
                f"{type(failed.error).__name__}{where}", {}
            )[plan.name] = None
        if runner.leaves_children and (failure := self.try_out(replace(plan, early_children=True))):
            return failure
        second = runner.second
        goes_deeper = plan.second is None and plan.name in TWICE_INTERRUPTED
        if self.keeps_seconds and goes_deeper and second is not None:
            self.seconds[plan] = second.points
        return None

    def _is_done_by_schedule(self, plan: Plan, verdict: Verdict) -> bool:
        """Return whether a schedule of the project brings the job again, and it ends as one clean run then.

        It may come twice: at the first time a lock of the delivery that was cut off may still be held.
        """
        happened_twice = any(
            name.endswith(" calls") and has_only_more(once, now)
            for name, once, now in verdict.differences
        )
        is_final = happened_twice or not plan.cuts_off or plan.second is not None
        if is_final or self._is_unscheduled or self.exploration.is_of_call:
            return False
        with suppress(ExplorationError), self.checked.engine.scope.noting_nothing():
            for times in (1, 2):
                again = self._carried_out(replace(plan, fires=times))
                if isinstance(again, str):
                    break
                last = again.history.by_schedule
                if last is None:
                    self._is_unscheduled = True
                    break
                if self.judged(plan, again.history, last, again.found) is None:
                    note = "the work was done at some points only when a schedule brought the job again."
                    self.exploration.notes[f"{plan.name}: {note}"] = None
                    return True
        return False

    def _carried_out(self, plan: Plan, *, unwinds_last: bool = False) -> _Ended | str:
        """Carry one plan out; if it shows nothing, return the line at which one delivery waited for another.

        It is carried out once more if the end of a killed delivery disturbed what came after it. Then that
        delivery is unwound only when the world was observed.
        """
        new = self.reference.history(threads=plan.needs_threads)
        with log_kept_apart() as log, new.opened() as history:
            runner = self.runs(plan, history, self.reference.run.points, unwinds_last=unwinds_last)
            last = runner.run()
            check_not_refused(history)
            if history.inconclusive is not None:
                return history.inconclusive
            found = runner.observed()
            # What the queue held until then may have been refused.
            check_not_refused(history)
            history.account.check_bound()
            runs = runner.runs()
        if runner.disturbed:
            return self._carried_out(plan, unwinds_last=True)
        return _Ended(history, runner, last, found, runs, log)

    def judged(
        self, plan: Plan, history: History, last: Run, found: Mapping[str, Any]
    ) -> Verdict | None:
        """Return the verdict on a history; None if it ended as it should."""
        options = self.checked.options
        # Before both ends of an abandoned job are looked at: it shows the clean run what else was written.
        wanted = self.reference.wanted_after(plan, history.account)
        if plan.name == "abandoned":
            return self._left_half_done(plan, found)

        def verdict(late: Mapping[Place, Any], before: Mapping[str, Any]) -> Verdict | None:
            return judge(
                wanted,
                {**{name: before[name] for name in wanted if name in before}, **found},
                {**before, **history.initial},
                last,
                options.at_least_once if plan.cuts_off else (),
                options.repeatable,
                history.failed_child,
                late,
            )

        first = verdict({}, {})
        if first is None or not first.differences:
            return first
        late = self._other_when_late()
        is_unshown = any(name.endswith(UNSHOWN) for name, *_ in first.differences)
        before = self.reference.before() if is_unshown else {}
        again = verdict(late, before) if late or before else first
        return None if again is None or self._is_by_the_clock(plan, history, found) else again

    def _is_by_the_clock(self, plan: Plan, history: History, found: Mapping[str, Any]) -> bool:
        """Return whether a history ends as a clean run that begins with its last delivery.

        Of the others nothing is left then. A test may have chosen the only second at which the job does something.
        """
        gap_ns = history.runs[-1].at_ns - history.runs[0].at_ns
        if plan.gap or not gap_ns or not self.reference.on_time:
            return False
        with suppress(ExplorationError):
            later = self.reference.begun_later(timedelta(microseconds=gap_ns // 1000))
            return not counting_differences(later, found, self.checked.options.repeatable)
        return False

    def _left_half_done(self, plan: Plan, found: Mapping[str, Any]) -> Verdict | None:
        """Return the verdict on a job that was killed and never came again."""
        never, done = self.reference.around()
        repeatable = self.checked.options.repeatable
        if not all(counting_differences(end, found, repeatable) for end in (never, done)):
            return None
        left = [half for half in halves(never, found, done) if not repeatable.takes(half.name)]
        if left:
            late = self._other_when_late()
            left = [half for half in left if half.place not in late]
        if left:
            left = self._not_taken_up(plan, left)
        if left:
            return abandoned(left)
        self.exploration.half_done += 1
        return None

    def _not_taken_up(self, plan: Plan, left: list[Half]) -> list[Half]:
        """Return what stays as it is although the schedules of the project fire within the hour."""
        again: object = None
        with suppress(ExplorationError), self.checked.engine.scope.noting_nothing():
            # Otherwise a recurring task does not run in the world of this test, and so takes up nothing.
            again = self._carried_out(replace(plan, fires=True))
        if not isinstance(again, _Ended):
            return left
        never, done = self.reference.around()
        stays = {(half.place, repr(half.now)) for half in halves(never, again.found, done)}
        return [half for half in left if (half.place, repr(half.now)) in stays]

    def _other_when_late(self) -> Mapping[Place, Any]:
        """Return the values that are other ones after any later delivery, and so no harm of what came before it.

        A delivery that is killed before the first line of the job's body has done nothing, whatever the library
        and the handlers of its signals wrote before. What its redelivery leaves differently comes from the clock.
        """
        if self._late is None:
            self._late = {}
            plan = self._killed_before_body()
            with suppress(ExplorationError):
                ended = None if plan is None else self._carried_out(plan)
                if plan is not None and isinstance(ended, _Ended):
                    wanted = self.reference.wanted_after(plan, ended.history.account)
                    self._late = other_values(
                        counting_differences(wanted, ended.found, self.checked.options.repeatable)
                    )
        return self._late

    def _killed_before_body(self) -> Plan | None:
        """Return the history in which a delivery is killed before the body's first line, and comes again."""
        target = self.checked.target
        body = inspect.unwrap(target.bridge.resolve(target.job))
        name = getattr(body, "__qualname__", "")
        lines = [
            (index, point)
            for index, point in enumerate(self.reference.run.points)
            if point.kind == "line"
        ]
        own = [each for each in lines if each[1].function == name]
        plans: Iterable[Plan] = [Plan("crash", *each) for each in (own or lines)[:1]]
        if self.checked.options.as_configured:
            plans = possible(plans, self.checked.semantics)
        return next(iter(plans), None)


def _by_turns(plans: Iterable[Plan]) -> list[Plan]:
    """Return plans so that the first of each name come first, then the second ones, and so on."""
    turns: Counter[AnyHistory] = Counter()
    found = []
    for plan in plans:
        turns[plan.name] += 1
        found.append((turns[plan.name], plan))
    return [plan for _, plan in sorted(found, key=lambda one: one[0])]
