"""Carrying out one plan in one history."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ...errors import ExplorationError
from ...harness.time.limits import error_of_limit
from ..engine.acts import Act, Unwound
from ..engine.points import Trail
from ..engine.run import Run
from ..engine.threads import Worker
from ..engine.watching import AtSome
from .history import History
from .plans import Plan


class PlanRunner:
    """Carries out one plan in one history."""

    def __init__(
        self, plan: Plan, history: History, clean: Trail, *, unwinds_last: bool = False
    ) -> None:
        self._plan = plan
        # Nothing comes after an abandoned delivery that could meet what it holds in memory.
        self._unwinds_last = unwinds_last or plan.second is not None or plan.name == "abandoned"
        #: Whether a killed delivery, when it was unwound, changed what a killed process leaves as it is, so
        #: that nothing is shown.
        self.disturbed = False
        #: The delivery that failed with an error after which the library does not deliver again; None if there is
        #: none. The check delivers again all the same.
        self.only_by_redelivery: Run | None = None
        self._history = history
        history.title = plan.name
        self._clean = clean
        self._observed: dict[str, Any] | None = None
        self._counted: int | None = None
        #: The delivery that followed an interruption.
        self.second: Run | None = None
        #: Whether a killed delivery has enqueued what a worker could perform before the next delivery.
        self.leaves_children = False

    def run(self) -> Run:
        """Carry the plan out; return the last delivery."""
        plan = self._plan
        if plan.name in ("crash", "late", "abandoned") and plan.index is not None:
            return self._crash()
        if plan.name in ("overlap", "lease_expires"):
            return self._overlap()
        if plan.act is not None:
            return self._fail(partial(self._error_of, plan.act))
        if plan.name == "limit_fires":
            return self._fail(error_of_limit)
        return self._deliver_again()

    def observed(self) -> dict[str, Any]:
        """Return what was observed at the end, before a killed delivery was unwound."""
        if self._observed is not None:
            return self._observed
        if self._plan.name != "abandoned":
            self._history.come_by_schedule(self._plan.fires)
        return self._history.observed_at_end()

    def runs(self) -> tuple[Run, ...]:
        return tuple(self._history.runs[: self._counted])

    def _deliver_again(self) -> Run:
        plan, history = self._plan, self._history
        last = history.deliver_until_acknowledged(again=False)
        if plan.name == "out_of_order":
            history.run_other_job(plan.other)
        if plan.name != "twice":
            history.restart()
        history.wait(plan.gap)
        return history.deliver_until_acknowledged() if history.comes_again(last) else last

    def _crash(self) -> Run:
        history = self._history
        ended: list[Run] = []
        before: list[dict[str, Any]] = []

        def die() -> BaseException:
            unwinds_first = not self._unwinds_last and history.is_in_block()
            memory = history.kill()
            if unwinds_first:
                before.append(history.observed())
                history.unwind_in(memory)
                return Unwound()
            history.wait(self._plan.gap)
            if self._plan.name == "abandoned":
                history.runs[-1].dropped = True
                history.pass_an_hour(fires=bool(self._plan.fires))
            elif history.comes_again_after_death(outage=self._plan.outage):
                self._let_children_come()
                self._deliver_after_crash(ended)
            # Before the exception unwinds the killed delivery, so that its `finally` blocks change nothing.
            self._observed = self.observed()
            history.unwind_in(memory)
            return Unwound()

        first = history.deliver(self._at_first(lambda: history.while_suspended(die)))
        if first.stopped_at is None:
            self._fail_to_come_to(first)
        if before:
            return self._deliver_after_unwinding(first, before[0])
        return ended[-1] if ended else first

    def _deliver_after_unwinding(self, first: Run, before: dict[str, Any]) -> Run:
        """Deliver again when the killed delivery has left its blocks, and has released what they held.

        Locks, patches and the working directory belong to a process, so that a new one finds none of them
        taken.
        """
        history = self._history
        history.restart()
        self.disturbed = first.changed_files_at_its_end or history.observed() != before
        if self.disturbed:
            return first
        history.wait(self._plan.gap)
        if not history.comes_again_after_death(outage=self._plan.outage):
            return first
        self._let_children_come()
        last = history.deliver_until_acknowledged()
        self.second = history.runs[1]
        return last

    def _let_children_come(self) -> None:
        if self._plan.early_children:
            self._history.perform_due()
        else:
            self.leaves_children = self._history.any_due

    def _deliver_after_crash(self, ended: list[Run]) -> None:
        plan, history = self._plan, self._history
        again: Worker[Run] = history.worker()

        def die_again() -> BaseException:
            memory = history.kill()
            third = history.worker()
            run = history.in_base_context(history.deliver_until_acknowledged)
            if third.do(run) == "ended":
                ended.append(third.result())
            else:
                history.give_up(third)
            # The thread that started this delivery observes the world now, before this one is unwound.
            again.pause()
            history.unwind_in(memory)
            return Unwound()

        at_point = None
        if plan.second is not None:
            at_point = self._at_second(lambda: history.while_suspended(die_again))
        state = again.do(
            history.in_base_context(lambda: history.deliver_until_acknowledged(at_point))
        )
        self.second = next((run for run in history.runs if run.number == 2), None)
        if state == "blocked":
            history.give_up(again)
        elif state == "paused":
            self._observed = history.observed_at_end()
            # While the second delivery is unwound, its thread goes on delivering until acknowledged.
            self._counted = len(history.runs)
            again.resume()
        else:
            ended.append(again.result())

    def _overlap(self) -> Run:
        plan, history = self._plan, self._history
        unfinished: list[Callable[[], None]] = []

        def overtake() -> None:
            history.wait(plan.gap)
            if history.would_wait():
                self.second = history.add_waiting_delivery()
            else:
                self._let_overtake(unfinished)

        first = history.deliver(self._at_first(lambda: history.while_suspended(overtake)))
        if self.second is None:
            self._fail_to_come_to(first)
        for finish in unfinished:
            finish()
        last = first
        for run in (self.second, first):
            if run is not None and not run.acknowledged and history.comes_again(run):
                history.restart()
                last = history.continue_after(run)
        return last

    def _let_overtake(self, unfinished: list[Callable[[], None]]) -> None:
        other: Worker[Run] = self._history.worker()

        def hand_over() -> None:
            other.pause()

        at_point = None if self._plan.second is None else self._at_second(hand_over)
        self._do_beside(lambda: self._history.deliver(at_point, again=True), other, unfinished)
        self.second = self._history.runs[1]

    def _do_beside(
        self, do: Callable[[], Run], other: Worker[Run], unfinished: list[Callable[[], None]]
    ) -> None:
        """Let another process do something while the first delivery is suspended.

        If it waits for that delivery, what lets it go on is added to `unfinished`.
        """
        history = self._history
        here = history.switch_process(None)
        state = other.do(history.in_base_context(do))
        there = history.switch_process(here)
        if state == "blocked":
            history.give_way(other)
        if state != "ended":

            def finish() -> None:
                history.switch_process(there)
                if other.resume() == "blocked":
                    history.give_up(other)

            unfinished.append(finish)

    def _error_of(self, act: Act) -> BaseException | None:
        # Not that of the clean run: the connection that is lost is the one of this delivery.
        own = self._history.runs[-1].point_acts[-1] or act
        is_before = self._plan.point is not None and self._plan.point.kind == "before"
        if not is_before:
            self._history.sink.land()
        make = own.refused if is_before else own.answer_lost
        return None if make is None else make()

    def _fail(self, make: Callable[[], BaseException | None]) -> Run:
        history = self._history
        injected: list[BaseException | None] = []

        def fail() -> BaseException | None:
            injected.append(make())
            return injected[-1]

        first = history.deliver(self._at_first(fail))
        if not injected:
            self._fail_to_come_to(first)
        if first.is_left_to_library and not history.redelivers_on_raise:
            if _is_accident(first, injected[0]):
                # What production does: the library has no rule for this error either.
                first.dropped = first.failed_otherwise = True
                return first
            self.only_by_redelivery = first
        return history.continue_after(first) if history.comes_again(first) else first

    def _fail_to_come_to(self, run: Run) -> None:
        raise ExplorationError(
            f"A delivery did not come {self._plan.point} again, as the clean run did, so the job is not "
            "deterministic: it depends on time, chance, threads or something that the world does not build anew."
        ) from run.error

    def _at_first(self, interrupt: Callable[[], BaseException | None]) -> AtSome:
        """Return what interrupts the first delivery at its point, if it comes there as the clean run did."""

        def at_end(index: int) -> BaseException | None:
            return interrupt() if self._history.runs[-1].points.are_all() else None

        def at_point(index: int) -> BaseException | None:
            came = self._history.runs[-1].points
            return interrupt() if came.comes_like(self._clean, index) else None

        if self._plan.point is not None and self._plan.point.kind == "end":
            # Each delivery comes there, however many lines it ran: a cache may have spared it some.
            return AtSome(at_end)
        return AtSome(at_point, frozenset((self._plan.index,)))

    def _at_second(self, interrupt: Callable[[], BaseException | None]) -> AtSome:
        wanted = self._plan.second_point

        def at_point(index: int) -> BaseException | None:
            point = self._history.runs[-1].points[index]
            return None if wanted is not None and point.name != wanted.name else interrupt()

        return AtSome(at_point, frozenset((self._plan.second,)))


def _is_accident(run: Run, injected: BaseException | None) -> bool:
    """Return whether a delivery failed by an error that its own code caused while it handled another one."""
    error, origin = run.error, run.origin
    is_other = error is not injected and error is not None and error.__cause__ is not injected
    return is_other and origin is not None and not origin.is_on_purpose
