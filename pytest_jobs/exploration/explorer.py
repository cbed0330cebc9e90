"""The search: which histories there are, and the first that ends badly."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, get_args

from ..errors import ExplorationError
from .acts import Act
from .history import History, Setting, differences
from .module_globals import ModuleGlobals, Place
from .points import Point
from .verdicts import Verdict, judge
from .watching import Reach, Run, Unwound

HistoryName: TypeAlias = Literal[
    "twice",
    "restart",
    "crash",
    "effect_fails",
    "reply_lost",
    "overlap",
    "late",
    "lease_expires",
    "out_of_order",
]

#: Every history, in the order in which they are tried: the simplest first.
HISTORIES: Final[tuple[HistoryName, ...]] = get_args(HistoryName)
DEFAULT: Final[tuple[HistoryName, ...]] = HISTORIES[:6]

_AT_ONCE: Final = timedelta(0)
_NEXT_DAY: Final = timedelta(hours=25)
_LATER: Final = (timedelta(hours=1), _NEXT_DAY, timedelta(days=40))
_LEASE: Final = timedelta(seconds=3_700)
_CUT_OFF: Final = frozenset(("crash", "effect_fails", "reply_lost", "late", "lease_expires"))


@dataclass(frozen=True)
class Plan:
    """One history that is to be tried."""

    name: HistoryName
    #: Where the first delivery is interrupted; None when it is not.
    index: int | None = None
    point: Point | None = None
    gap: timedelta = _AT_ONCE
    act: Act | None = None
    #: The position of the other job, of `out_of_order`.
    other: int = 0

    @property
    def cuts_off(self) -> bool:
        """Whether a delivery is cut off, so that what may happen at least once may happen twice."""
        return self.name in _CUT_OFF and self.index is not None


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
    ) -> None:
        self._setting = setting
        self._args = args
        self._kwargs = kwargs
        self._at_least_once = at_least_once
        self._others = others
        self._kept: frozenset[Place] = frozenset()

    def explore(
        self,
        names: Collection[HistoryName],
        go_on: Callable[[], bool],
    ) -> Exploration:
        """Try the histories of some names, up to the first that fails.

        Args:
            names: which.
            go_on: asked before each; the rest is left when it says no.

        Raises:
            ExplorationError: when nothing could be shown.
        """
        exploration = Exploration(self._args, self._kwargs)
        self._refer()
        exploration.points = self._reference_run.points
        plans = [plan for plan in self._plans() if plan.name in names]
        exploration.planned = len(plans)
        for plan in plans:
            if not go_on():
                break
            exploration.histories += 1
            exploration.failure = self._try_out(plan)
            if exploration.failure is not None:
                break
        return exploration

    def _try_out(self, plan: Plan) -> Failure | None:
        """Carry one history out; return how it failed."""
        with self._history().opened() as history:
            last = self._carry_out(plan, history)
            _check_not_refused(history)
            found = history.observed() if self._found is None else self._found
            accepted = self._at_least_once if plan.cuts_off else ()
            wanted = self._wanted_after(plan)
            verdict = judge(wanted, found, history.initial, last, accepted)
            runs = tuple(history.runs)
        return None if verdict is None else Failure(plan, verdict, runs)

    # The clean run

    def _refer(self) -> None:
        """Make one clean run, and another at another time with other random values.

        Raises:
            ExplorationError: when it fails, does nothing, or comes out differently.
        """
        # Which modules count is known when they have run, and then they bear the traces of it.
        scope = self._setting.scope
        globals_before = ModuleGlobals(scope.loaded_modules())
        self._clean(self._history())
        globals_before.heed_only(scope.modules())
        globals_before.restart()
        history = self._history()
        with history.opened():
            run = history.deliver_until_acknowledged(again=False)
            _check_not_refused(history)
            if not run.acknowledged:
                raise ExplorationError(
                    f"One clean run of the job ends with {run.error!r}: make the world such that the job "
                    "succeeds in it, or say accept=... when that is how it is to end."
                ) from run.error
            self._wanted = history.observed()
            self._kept = self._belonging_to_world(history)
            nothing_happened = self._wanted == history.initial
        self._reference_run = history.runs[0]
        if nothing_happened and not any(self._reference_run.point_acts):
            raise ExplorationError(
                "One clean run of the job changes nothing that the world shows, and does nothing that is heard "
                "of: the state that the world yields has to show its work."
            )
        self._check_fresh(history)
        other, initial = self._clean(self._history(seed=2, delay=timedelta(seconds=12_345)))
        differing = differences(self._wanted, other)
        if differing:
            name, first, second = differing[0]
            raise ExplorationError(
                f"Two clean runs of the job end differently, so it is not deterministic: {name} is {first!r} "
                f"after one and {second!r} after the other. Leave what differs out of the state, or take it "
                "from the arguments."
            )
        if initial != history.initial:
            self._not_fresh(history.initial, initial)

    def _clean(self, history: History) -> tuple[dict[str, Any], dict[str, Any]]:
        with history.opened():
            history.deliver_until_acknowledged(again=False)
            return history.observed(), history.initial

    def _check_fresh(self, first: History) -> None:
        with self._history().opened() as again:
            if again.initial != first.initial:
                self._not_fresh(first.initial, again.initial)

    def _not_fresh(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
        name, one, two = differences(first, second)[0]
        raise ExplorationError(
            f"The world is not fresh: {name} is {one!r} when it is entered for the first time, and {two!r} "
            "when it is entered again. Build everything inside the world, each time anew."
        )

    def _belonging_to_world(self, history: History) -> frozenset[Place]:
        """Return the globals whose reset changes the snapshot."""
        belonging = set()
        for place in sorted(history.globals.changed()):
            before = history.observed()
            history.globals.only(place)
            if history.observed() != before:
                belonging.add(place)
        return frozenset(belonging)

    def _history(self, *, seed: int = 1, delay: timedelta = _AT_ONCE) -> History:
        return History(
            self._setting, self._args, self._kwargs, seed=seed, delay=delay, kept=self._kept
        )

    def _wanted_after(self, plan: Plan) -> Mapping[str, Any]:
        if plan.name != "out_of_order":
            return self._wanted
        with self._history().opened() as history:
            history.deliver_until_acknowledged(again=False)
            history.between(self._others[plan.other])
            return history.observed()

    # The histories

    def _plans(self) -> Iterator[Plan]:
        points = self._reference_run.points
        acts = self._reference_run.point_acts
        indexed = list(enumerate(zip(points, acts, strict=True)))
        yield Plan("twice")
        yield Plan("restart")
        yield from (Plan("crash", index, point) for index, (point, _) in indexed)
        for index, (point, act) in indexed:
            if act is not None and point.kind == "before":
                yield Plan("effect_fails", index, point, act=act)
        for index, (point, act) in indexed:
            if act is not None and point.kind == "after" and act.answer_lost is not None:
                yield Plan("reply_lost", index, point, act=act)
        yield from (Plan("overlap", index, point) for index, (point, _) in indexed)
        yield from (Plan("late", gap=gap) for gap in _LATER)
        yield from (Plan("late", index, point, _NEXT_DAY) for index, (point, _) in indexed)
        yield from (Plan("lease_expires", index, point, _LEASE) for index, (point, _) in indexed)
        yield from (Plan("out_of_order", other=other) for other in range(len(self._others)))

    def _carry_out(self, plan: Plan, history: History) -> Run:
        self._found: dict[str, Any] | None = None
        if plan.name in ("crash", "late") and plan.index is not None:
            return self._crash(plan, history)
        if plan.name in ("overlap", "lease_expires"):
            return self._overlap(plan, history)
        if plan.act is not None:
            return self._fail(plan, plan.act, history)
        history.deliver_until_acknowledged(again=False)
        if plan.name == "out_of_order":
            history.between(self._others[plan.other])
        if plan.name != "twice":
            history.restart()
        history.wait(plan.gap)
        return history.deliver_until_acknowledged()

    def _crash(self, plan: Plan, history: History) -> Run:
        ended: list[Run] = []

        def die() -> BaseException:
            history.kill()
            history.wait(plan.gap)
            ended.append(history.deliver_until_acknowledged())
            self._found = history.observed()
            return Unwound()

        first = history.deliver(_at(plan, lambda: history.inside(die)))
        return ended[0] if ended else self._missed(plan, first)

    def _overlap(self, plan: Plan, history: History) -> Run:
        others: list[Run] = []

        def overtake() -> None:
            history.wait(plan.gap)
            if history.would_wait():
                others.append(history.waited())
            else:
                others.append(history.elsewhere(lambda: history.deliver(again=True)))

        first = history.deliver(_at(plan, lambda: history.inside(overtake)))
        if not others:
            return self._missed(plan, first)
        last = first
        for run in (others[0], first):
            if not run.acknowledged:
                history.restart()
                last = history.go_on_after(run)
        return last

    def _fail(self, plan: Plan, act: Act, history: History) -> Run:
        make = act.refused if plan.name == "effect_fails" else act.answer_lost
        hit = []

        def fail() -> BaseException | None:
            hit.append(plan)
            return None if make is None else make()

        first = history.deliver(_at(plan, fail))
        if not hit:
            return self._missed(plan, first)
        return history.go_on_after(first)

    def _missed(self, plan: Plan, run: Run) -> Run:
        raise ExplorationError(
            f"A delivery did not come {plan.point} again, as the clean run did, so the job is not deterministic: "
            "it depends on time, chance, threads or something that the world does not build anew."
        ) from run.error


def _check_not_refused(history: History) -> None:
    if history.refusal is not None:
        raise ExplorationError(history.refusal)


def _at(plan: Plan, interrupt: Callable[[], BaseException | None]) -> Reach:
    """Return what interrupts a delivery at the point of a plan, once."""
    waiting = [True]

    def reach(index: int, point: Point) -> BaseException | None:
        if not waiting or index != plan.index:
            return None
        waiting.clear()
        if plan.point is not None and point.name != plan.point.name:
            return None
        return interrupt()

    return reach
