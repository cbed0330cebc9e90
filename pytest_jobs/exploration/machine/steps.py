"""The steps of a machine, as scripts call them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

from hypothesis.stateful import RuleBasedStateMachine

from ...errors import ExplorationError
from ...harness.records.texts import short_repr
from ..engine.acts import Act, Unwound
from ..engine.points import Point
from ..engine.run import Run
from .session import Interruption, MachineRun, Session

#: These lines run while a module is imported, under a lock that a killed worker would keep.
_IMPORTING: Final = "<module>"


@dataclass
class DrawnPoint:
    """The point at a position among those of its kind: the points are unknown before the delivery.

    Positions are counted from 1; 0 is at none.
    """

    kind: Literal["effect", "line"]
    position: int

    def is_at(self, point: Point, act: Act | None) -> bool:
        """Return whether this is the point. Called for each point in turn, until it is."""
        if (self.kind == "effect") != (act is not None) or point.function == _IMPORTING:
            return False
        self.position -= 1
        return self.position == 0


#: A point that was drawn, or the name by which a script calls it.
At: TypeAlias = DrawnPoint | str


def name_of(point: Point) -> str:
    """Return what scripts call a point: its text, its function, and how often it has come."""
    moment = "" if point.kind == "line" else f"{point.kind} "
    return f"{moment}{effect_name_of(point)}"


def effect_name_of(point: Point) -> str:
    """Return the same without `before` or `after`."""
    time = f", time {point.hit}" if point.hit > 1 else ""
    return f"{point.text} in {point.function}{time}"


class MachineSteps(RuleBasedStateMachine):
    """The steps that scripts, the rules of Hypothesis and rules of the user can take."""

    _jobs_session: Session
    _jobs_run: MachineRun
    #: The last step, as a call.
    _jobs_step: str = ""

    @property
    def state(self) -> Any:
        """The state of the world, as its snapshot callable returns it."""
        return self._jobs_session.state()

    def enqueue(self, job: str, /, *args: Any, **kwargs: Any) -> str | None:
        """Enqueue a job.

        Args:
            job: its name among `jobs`.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Returns:
            Its label, for other steps; None if its library did not take it.

        Raises:
            ExplorationError: when the machine has no such job.
        """
        shown = [repr(job), *map(repr, args)]
        self._note_step("enqueue", *shown, *(f"{name}={value!r}" for name, value in kwargs.items()))
        return self._jobs_session.enqueue(job, args, kwargs)

    def perform(self, job: str) -> None:
        """Deliver a job that is due, without an interruption.

        Args:
            job: its label, such as `pay#2`.

        Raises:
            ExplorationError: when it is not pending, or not due.
        """
        self._note_step("perform", repr(job))
        self._note_error(self._jobs_session.deliver(job))

    def crash(self, job: str, at: str) -> None:
        """Deliver a job that is due, and kill its worker at a point. The job is pending again.

        Args:
            job: its label.
            at: the point, such as `db.commit() in pay`, before that line runs, or
                `after gateway: charge(7) in pay`.

        Raises:
            ExplorationError: when the delivery does not come to the point.
        """
        self._crash(job, at)

    def effect_fails(self, job: str, at: str) -> None:
        """Deliver a job that is due, and let an effect raise instead of happening.

        Args:
            job: its label.
            at: the effect, such as `gateway: charge(7) in pay`.

        Raises:
            ExplorationError: when the delivery does not come to the effect.
        """
        self._effect_fails(job, at)

    def reply_lost(self, job: str, at: str) -> None:
        """Deliver a job that is due, and let an effect happen and raise all the same.

        Args:
            job: its label.
            at: the effect.

        Raises:
            ExplorationError: when the delivery does not come to the effect, or it has no answer.
        """
        self._reply_lost(job, at)

    def overlap(self, job: str, at: str) -> None:
        """Deliver a job that is due, and at a point of that delivery a second time, from beginning to end.

        The second delivery runs in another process. If it finds a lock held, it is pending again.

        Args:
            job: its label.
            at: the point, as for `crash`.

        Raises:
            ExplorationError: when the first delivery does not come to the point, or both use one
                connection.
        """
        self._overlap(job, at)

    def deliver_again(self, job: str) -> None:
        """Deliver a job again that is done.

        Args:
            job: its label.

        Raises:
            ExplorationError: when it is not done.
        """
        self._note_step("deliver_again", repr(job))
        self._note_error(self._jobs_session.deliver_again(job))

    def restart(self) -> None:
        """Let the following deliveries run in a new process, which has nothing in memory yet."""
        self._note_step("restart")
        self._jobs_session.restart()

    def advance(self, seconds: float) -> None:
        """Let virtual time pass without a delivery.

        Args:
            seconds: how much.
        """
        self._note_step("advance", f"seconds={seconds!r}")
        self._jobs_session.wait(timedelta(seconds=seconds))

    def drain(self) -> None:
        """Deliver everything until nothing is pending, and check the invariants after each delivery.

        Raises:
            PoisonJob: when a job is never done.
            ExplorationError: when there is no end.
        """
        self._note_step("drain")
        self._jobs_session.drain(self._check_invariants)

    # Interrupting

    def _crash(self, job: str, at: At) -> None:
        def kill(point: Point, act: Act | None) -> BaseException:
            self._jobs_session.kill()
            return Unwound()

        self._interrupt("crash", job, at, kill)

    def _overlap(self, job: str, at: At) -> None:
        def pause(point: Point, act: Act | None) -> BaseException | None:
            return None if self._jobs_session.pause() else Unwound()

        self._interrupt("overlap", job, at, pause)

    def _effect_fails(self, job: str, at: At) -> None:
        self._fail("effect_fails", job, at, lambda act: act.refused, is_after=False)

    def _reply_lost(self, job: str, at: At) -> None:
        self._fail("reply_lost", job, at, lambda act: act.answer_lost, is_after=True)

    def _fail(
        self,
        step: str,
        job: str,
        at: At,
        error_of: Callable[[Act], Callable[[], Exception] | None],
        *,
        is_after: bool,
    ) -> None:
        def maker(point: Point, act: Act | None) -> Callable[[], Exception] | None:
            is_its_time = point.kind == ("after" if is_after else "before")
            return None if act is None or not is_its_time else error_of(act)

        def fail(point: Point, act: Act | None) -> BaseException | None:
            # Only here, since making the error of a database breaks its connection.
            make = maker(point, act)
            return None if make is None else make()

        self._interrupt(
            step, job, at, fail, effect_name_of, lambda point, act: maker(point, act) is not None
        )

    def _interrupt(
        self,
        step: str,
        job: str,
        at: At,
        interrupt: Callable[[Point, Act | None], BaseException | None],
        named: Callable[[Point], str] = name_of,
        counts: Callable[[Point, Act | None], bool] = lambda point, act: True,
    ) -> None:
        """Interrupt a delivery once, at a point.

        Args:
            step: what scripts call that.
            job: the label of the job.
            at: the point.
            interrupt: called there; returns the error to raise, or None.
            named: returns what scripts call a point.
            counts: returns whether a point can be chosen at all.
        """

        def is_at(point: Point, act: Act | None) -> bool:
            if not counts(point, act):
                return False
            return at.is_at(point, act) if isinstance(at, DrawnPoint) else named(point) == at

        # A position beyond the last point interrupts nothing, so the step is a plain `perform`.
        self._note_step("perform", repr(job))
        interruption = Interruption(is_at, interrupt)
        run = self._jobs_session.deliver(job, interruption)
        if interruption.point is not None:
            self._note_step(step, repr(job), f"at={named(interruption.point)!r}")
        elif not isinstance(at, DrawnPoint):
            came_to = "".join(f"\n  {name_of(point)}" for point in run.points)
            raise ExplorationError(
                f"{job} did not come to {at!r} in this step. It came to:{came_to or ' none'}"
            )
        self._note_error(run)

    # The script that is printed

    def _note_step(self, step: str, *arguments: str) -> None:
        self._jobs_step = f"{step}({', '.join(arguments)})"

    def _note_error(self, run: Run) -> None:
        if run.error is not None:
            self._jobs_step += f"  # it raised {short_repr(run.error)}"

    def _check_invariants(self) -> None:
        for invariant in self._jobs_run.options.invariants:
            if all(met(self) for met in invariant.preconditions):
                invariant.function(self)
