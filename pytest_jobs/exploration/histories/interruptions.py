"""Carrying a history out as it is planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import ExplorationError
from ..engine.acts import Act
from ..engine.points import Point
from ..engine.threads import Aside
from ..engine.watching import Reach, Run, Unwound
from .history import History
from .plans import Plan


class CarryingOut:
    """One plan, carried out in one history."""

    def __init__(
        self, plan: Plan, history: History, others: Sequence[Callable[[], object]]
    ) -> None:
        self._plan = plan
        self._history = history
        self._others = others
        self._observed: dict[str, Any] | None = None
        self._counted: int | None = None
        #: The delivery that followed an interruption.
        self.second: Run | None = None

    def run(self) -> Run:
        """Carry it out; return the last delivery."""
        plan = self._plan
        if plan.name in ("crash", "late") and plan.index is not None:
            return self._crash()
        if plan.name in ("overlap", "lease_expires"):
            return self._overlap()
        if plan.act is not None:
            return self._fail(plan.act)
        return self._whole()

    def observed(self) -> dict[str, Any]:
        """Return what was observed when it had ended, before anything dead was cleared away."""
        return self._history.observed() if self._observed is None else self._observed

    def runs(self) -> tuple[Run, ...]:
        """Return the deliveries that had been made by then."""
        return tuple(self._history.runs[: self._counted])

    def _whole(self) -> Run:
        plan, history = self._plan, self._history
        last = history.deliver_until_acknowledged(again=False)
        if plan.name == "out_of_order":
            history.between(self._others[plan.other])
        if plan.name != "twice":
            history.restart()
        history.wait(plan.gap)
        return history.deliver_until_acknowledged() if history.comes_again(last) else last

    def _crash(self) -> Run:
        history = self._history
        ended: list[Run] = []

        def die() -> BaseException:
            history.kill()
            history.wait(self._plan.gap)
            if history.comes_again_after_death(outage=self._plan.outage):
                self._after_crash(ended)
            self._observed = self.observed()
            return Unwound()

        first = history.deliver(_at(self._plan, lambda: history.inside(die)))
        if first.stopped_at is None:
            self._missed(first)
        return ended[-1] if ended else first

    def _after_crash(self, ended: list[Run]) -> None:
        plan, history = self._plan, self._history
        again: Aside[Run]

        def die_again() -> BaseException:
            history.kill()
            third = history.apart(history.deliver_until_acknowledged)
            if third.start() == "ended":
                ended.append(third.result())
            else:
                history.give_up(third)
            # What was observed by now is what counts, and who began this one observes it.
            again.pause()
            return Unwound()

        reach = None if plan.second is None else _at_second(plan, lambda: history.inside(die_again))
        again = history.apart(lambda: history.deliver_until_acknowledged(reach=reach))
        state = again.start()
        self.second = next((run for run in history.runs if run.number == 2), None)
        if state == "blocked":
            history.give_up(again)
        elif state == "paused":
            self._observed = history.observed()
            # Where the second delivery is cleared away, what delivers until it is acknowledged goes on.
            self._counted = len(history.runs)
            again.resume()
        else:
            ended.append(again.result())

    def _overlap(self) -> Run:
        plan, history = self._plan, self._history
        rest: list[Callable[[], None]] = []

        def overtake() -> None:
            history.wait(plan.gap)
            if history.would_wait():
                self.second = history.waited()
            else:
                self._let_overtake(rest)

        first = history.deliver(_at(plan, lambda: history.inside(overtake)))
        if self.second is None:
            self._missed(first)
        for finish in rest:
            finish()
        last = first
        for run in (self.second, first):
            if run is not None and not run.acknowledged and history.comes_again(run):
                history.restart()
                last = history.go_on_after(run)
        return last

    def _let_overtake(self, rest: list[Callable[[], None]]) -> None:
        plan, history = self._plan, self._history
        other: Aside[Run]

        def hand_over() -> None:
            other.pause()

        reach = None if plan.second is None else _at_second(plan, hand_over)
        other = history.apart(lambda: history.deliver(reach, again=True))
        here = history.exchange(None)
        state = other.start()
        self.second = history.runs[1]
        there = history.exchange(here)
        if state == "blocked":
            history.give_way(other)
        if state != "ended":

            def finish() -> None:
                history.exchange(there)
                if other.resume() == "blocked":
                    history.give_up(other)

            rest.append(finish)

    def _fail(self, act: Act) -> Run:
        plan, history = self._plan, self._history
        make = act.refused if plan.name == "effect_fails" else act.answer_lost
        hit = []

        def fail() -> BaseException | None:
            hit.append(plan)
            return None if make is None else make()

        first = history.deliver(_at(plan, fail))
        if not hit:
            self._missed(first)
        return history.go_on_after(first) if history.comes_again(first) else first

    def _missed(self, run: Run) -> None:
        raise ExplorationError(
            f"A delivery did not come {self._plan.point} again, as the clean run did, so the job is not "
            "deterministic: it depends on time, chance, threads or something that the world does not build anew."
        ) from run.error


def _at(plan: Plan, interrupt: Callable[[], BaseException | None]) -> Reach:
    return _once(plan.index, plan.point, interrupt)


def _at_second(plan: Plan, interrupt: Callable[[], BaseException | None]) -> Reach:
    return _once(plan.second, plan.second_point, interrupt)


def _once(
    wanted: int | None, named: Point | None, interrupt: Callable[[], BaseException | None]
) -> Reach:
    """Return what interrupts a delivery at a point, once."""
    waiting = [True]

    def reach(index: int, point: Point) -> BaseException | None:
        if not waiting or index != wanted:
            return None
        waiting.clear()
        if named is not None and point.name != named.name:
            return None
        return interrupt()

    return reach
