"""Makes one delivery at a time, and records it."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from contextvars import Token, copy_context
from dataclasses import dataclass
from inspect import GEN_CREATED, getgeneratorstate
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from ...errors import NothingPerformedError, RunningLoopError
from ..ledger.ledger import Ledger
from ..records.bridge import Bridge
from ..records.delivery import Delivery, own_traceback
from ..records.record import JobRecord, call_text, current_record
from ..time.clock import LoopClock, VirtualClock
from ..time.sleeps import SleepPatch
from ..time.waiting import in_running_loop
from .faults import Fault
from .leftovers import LeftTasks
from .process import InContext, Process

if TYPE_CHECKING:
    from ..time.loop import OwnLoop

Outcomes = tuple[type[BaseException], ...]


class Body(Protocol):
    """Called by a bridge with the bound body of the job, inside the library's retry wrapper."""

    #: The failed assertion, or the outcome of the test runner, that the body raised.
    outcome: BaseException | None
    #: Whether it was called at all.
    called: bool
    #: What it has returned instead of running, a coroutine or a generator, as long as nobody has begun it.
    unbegun: Any

    def __call__(self, call: Callable[[], Any], /) -> Any:
        """Run the body, or do something else in its place."""
        ...


@dataclass(slots=True, eq=False)
class RealBody:
    """Runs the body, and keeps an error that must fail the test whatever the library does with it."""

    _outcomes: Outcomes
    _fault: Fault | None
    outcome: BaseException | None = None
    called: bool = False
    unbegun: Any = None

    @property
    def faulty(self) -> bool:
        """Whether the test has set this delivery up to fail."""
        return self._fault is not None

    def __call__(self, call: Callable[[], Any], /) -> Any:
        self.called = True
        fault = self._fault
        if fault is not None and not fault.after:
            raise fault.error()
        try:
            result = call()
        except self._outcomes as outcome:
            self.outcome = outcome
            raise
        if type(result) is CoroutineType:
            awaited = self._awaited(result)
            self.unbegun = awaited, result
            return awaited
        if fault is not None:
            raise fault.error()
        if type(result) is GeneratorType or type(result) is AsyncGeneratorType:
            self.unbegun = result
        return result

    async def _awaited(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        self.unbegun = None
        try:
            result = await coroutine
        except self._outcomes as outcome:
            self.outcome = outcome
            raise
        if self._fault is not None:
            raise self._fault.error()
        return result


@dataclass(slots=True, eq=False)
class SimulatedBody:
    """Raises an error instead of running the body, or returns None for a success."""

    _error: BaseException | None
    _is_coroutine: bool
    outcome: BaseException | None = None
    called: bool = False
    unbegun: Any = None

    def __call__(self, call: Callable[[], Any], /) -> Any:
        self.called = True
        if self._error is not None:
            raise self._error
        return _succeeding() if self._is_coroutine else None


async def _succeeding() -> None:
    """Stand in for a coroutine body."""


class SeesDeliveries(Protocol):
    """Sees the deliveries of a harness, and lets the performer make them: `--jobs-audit`."""

    def deliver(
        self, performer: Performer, ledger: Ledger, record: JobRecord, body: RealBody
    ) -> Delivery:
        """Let one delivery of a record that was taken be made and recorded, and return it.

        Args:
            performer: makes the delivery.
            ledger: records it.
            record: the record to perform.
            body: runs the body.
        """
        ...

    async def adeliver(
        self,
        performer: Performer,
        ledger: Ledger,
        record: JobRecord,
        body: RealBody,
        *,
        in_real_time: bool,
    ) -> Delivery:
        """Let the delivery be made on the running event loop; see `deliver`.

        Args:
            performer: makes the delivery.
            ledger: records it.
            record: the record to perform.
            body: runs the body.
            in_real_time: whether the application makes the delivery, for which nobody waits.
        """
        ...


#: Called with the record of a delivery, and with what the delivery is a part of; returns what ends it.
Bracket: TypeAlias = Callable[[JobRecord, str], Callable[[], object]]
T = TypeVar("T")


def _with_its_body(delivery: Delivery, body: Body) -> Delivery:
    """Fail a delivery that counts as performed although its body never ran; say so with the error of another."""
    record, made = delivery.record, body.unbegun
    if type(made) is tuple:
        found = "a coroutine that nobody awaits"
        for coroutine in made:
            coroutine.close()  # or Python warns of it too
    elif type(made) is GeneratorType and getgeneratorstate(made) == GEN_CREATED:
        # A generator in brackets is a value that the body made.
        found = "a generator that nobody iterates over" * (made.gi_code.co_name != "<genexpr>")
    elif type(made) is AsyncGeneratorType and not made.ag_running and made.ag_frame is not None:
        found = "an asynchronous generator that nobody iterates over"
    else:
        found = ""
    if not found and body.called:
        return delivery
    why = (
        f"its function returned {found}: {record.bridge} calls it as a plain function, in a worker too. Write "
        "`def`, and begin inside what has to run, as in `asyncio.run(...)`."
        if found
        else f"the bridge of {record.bridge} is at fault, or something that the library calls around the body "
        "did not call it."
    )
    if delivery.status == "performed" and delivery.error is None:
        error = NothingPerformedError(
            f"{call_text(record)} was reported as performed, and its body never ran: {why}"
        )
        return Delivery(record, delivery.at_ns, "failed", error=error, handled=False)
    if found and delivery.error is not None:
        delivery.error.add_note(f"The body of {call_text(record)} never ran: {why}")
    return delivery


def runs_each_on_a_loop(record: JobRecord) -> bool:
    """Say whether the library of a job runs each coroutine on an event loop of its own, as `asyncio.run` does.

    A worker of another library has one loop, on which tasks go on that a job has left.
    """
    return bool(getattr(record.source, "loop_each", False))


class Performer:
    """Drives a bridge through one delivery of a record, on our loop or on the test's.

    `deliver` lets the spectator see the delivery; `make` makes and records it; `attempt` only makes it.
    """

    def __init__(self, clock: VirtualClock, sleeps: SleepPatch, outcomes: Outcomes) -> None:
        #: The clock of the harness.
        self.clock = clock
        #: Which threads perform a job, and what happens when a job sleeps.
        self.sleeps = sleeps
        #: The errors that fail the test whatever the library does with them.
        self.outcomes = outcomes
        #: What each delivery begins with besides its message.
        self.process = Process()
        #: The tasks that deliveries have left on an event loop that goes on, as that of a worker does.
        self.left = LeftTasks()
        self._own_loop: OwnLoop | None = None
        self._loop_clock: LoopClock = clock
        #: The faults that `jobs.fail` has set up.
        self.faults: list[Fault] = []
        #: Called with every record that is about to be performed, and with how many records there are by then.
        self.when_begun: list[Callable[[JobRecord, int], None]] = []
        #: Called with every delivery after it was recorded.
        self.when_delivered: list[Callable[[Delivery], None]] = []
        #: Sees the deliveries of the test; None if nobody does.
        self.spectator: SeesDeliveries | None = None
        #: Called at the beginning of each delivery, explored ones too.
        self.bracket: Bracket | None = None
        #: What the deliveries are a part of; empty for those of a test.
        self.history = ""

    @property
    def busy(self) -> bool:
        """Whether a delivery is being made, by any thread."""
        return bool(self.sleeps.threads)

    def deliver(
        self,
        ledger: Ledger,
        record: JobRecord,
        make_body: Callable[[JobRecord], Body] | None = None,
    ) -> Delivery:
        """Make one delivery of a record that was taken, and record it.

        Args:
            ledger: records the delivery.
            record: the record to perform.
            make_body: returns what runs instead of the body; None for the body itself.

        Raises:
            RunningLoopError: for a coroutine job inside a running loop; the record stays pending.
            BaseException: an assertion or outcome of the test runner that the job raised.
        """
        if in_running_loop() and record.source.is_coroutine(record):
            ledger.put_back([record])
            raise RunningLoopError(
                f"{call_text(record)} is a coroutine job, and a synchronous verb was to perform it inside a "
                "running event loop, which it would block: await the twin that begins with `a`, as in "
                "`await jobs.adrain()`. The job is still pending."
            )
        if make_body is not None:
            return self.make(ledger, record, make_body(record))
        body = RealBody(self.outcomes, self._fault_for(record) if self.faults else None)
        if self.spectator is not None:
            return self.spectator.deliver(self, ledger, record, body)
        return self.make(ledger, record, body)

    async def adeliver(
        self,
        ledger: Ledger,
        record: JobRecord,
        make_body: Callable[[JobRecord], Body] | None = None,
        *,
        in_real_time: bool = False,
    ) -> Delivery:
        """Make one delivery on the running event loop, where sleeping is real and warned of; see `deliver`.

        Args:
            ledger: records the delivery.
            record: the record to perform.
            make_body: returns what runs instead of the body; None for the body itself.
            in_real_time: whether a library makes it in a call of the application, where time is as it is there.
        """
        if make_body is not None:
            return await self.amake(ledger, record, make_body(record))
        body = RealBody(self.outcomes, self._fault_for(record) if self.faults else None)
        if self.spectator is not None:
            return await self.spectator.adeliver(
                self, ledger, record, body, in_real_time=in_real_time
            )
        return await self.amake(ledger, record, body, in_real_time=in_real_time)

    def _fault_for(self, record: JobRecord) -> Fault | None:
        return next((fault for fault in self.faults if fault.strikes(record)), None)

    def make(self, ledger: Ledger, record: JobRecord, body: Body) -> Delivery:
        """Make one delivery, and record it; see `deliver`.

        Args:
            ledger: records the delivery.
            record: the record to perform.
            body: what runs.
        """
        before = ledger.begin(record)
        for listener in self.when_begun:
            listener(record, before)
        try:
            delivery = self.attempt(record, body)
        except BaseException:
            ledger.put_back([record])
            raise
        return self._ended(ledger, delivery, before, body)

    async def amake(
        self,
        ledger: Ledger,
        record: JobRecord,
        body: Body,
        *,
        in_real_time: bool = False,
    ) -> Delivery:
        """Make one delivery on the running event loop, and record it; see `make`."""
        before = ledger.begin(record)
        for listener in self.when_begun:
            listener(record, before)
        try:
            delivery = await self.aattempt(record, body, in_real_time=in_real_time)
        except BaseException:
            ledger.put_back([record])
            raise
        return self._ended(ledger, delivery, before, body)

    def attempt(self, record: JobRecord, body: Body) -> Delivery:
        """Make one delivery, and do not record it.

        Raises:
            BaseException: what is neither an error of the job nor an outcome of the test runner.
        """
        delivery = self.process.begin().run(self._attempt, record, body)
        return self._explained(delivery)

    def _attempt(self, record: JobRecord, body: Body) -> Delivery:
        bridge = cast(Bridge, record.source)
        now_ns = self.clock.now_ns()
        end = None if self.bracket is None else self.bracket(record, self.history)
        token = current_record.set(record)
        thread = self.sleeps.enter()
        try:
            surrounding = self.process.surrounding
            if surrounding is not None:
                with surrounding():
                    return self._performed(bridge, record, now_ns, body)
            return self._performed(bridge, record, now_ns, body)
        except self.outcomes as outcome:
            body.outcome = outcome
            return Delivery(record, now_ns, "failed", error=outcome, handled=False)
        except Exception as error:
            # A bridge, or a lifecycle plugin, is at fault. The body may have run, so it is not pending again.
            return Delivery(record, now_ns, "failed", error=error, handled=False)
        finally:
            self._leave(token, thread)
            if end is not None:
                end()

    def _performed(self, bridge: Bridge, record: JobRecord, now_ns: int, body: Body) -> Delivery:
        delivery = bridge.perform(record, now_ns=now_ns, around=body)
        if isinstance(delivery, Delivery):
            return delivery
        try:
            return self.run(delivery)
        finally:
            self._end_loop_of(record)

    async def aattempt(
        self, record: JobRecord, body: Body, *, in_real_time: bool = False
    ) -> Delivery:
        """Make one attempt on the running event loop; see `attempt`.

        In real time the application performs the job itself: sleeps and context are those of the application.
        """
        if in_real_time:
            return await self._aattempt(record, body, in_real_time=True)
        context = self.process.begin()
        attempt = self._aattempt(record, body, in_real_time=False)
        delivery = await InContext(context, attempt)
        error = delivery.error
        if error is not None and type(error).__name__ == "SynchronousOnlyOperation":
            error.add_note(
                "An `a` verb calls a job that is not a coroutine in the thread of the event loop, where Django "
                "allows no query: write `await sync_to_async(jobs.drain)()`."
            )
        return self._explained(delivery)

    def _explained(self, delivery: Delivery) -> Delivery:
        """Say with the error of a job which context variables of the test it does not see, as in a worker."""
        error = delivery.error
        if isinstance(error, LookupError | RuntimeError) and (
            names := self.process.missing(copy_context())
        ):
            note = (
                "A delivery begins with what its message carries, and with what fixtures have set up, as a "
                f"worker does. The test has set since: {', '.join(names[:5])}. If the worker sets it too, let the "
                "fixture jobs_worker return what enters it, such as `app.app_context`."
            )
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
        return delivery

    async def _aattempt(self, record: JobRecord, body: Body, *, in_real_time: bool) -> Delivery:
        from ..time.loop import warned_sleeps

        bridge = cast(Bridge, record.source)
        now_ns = self.clock.now_ns()
        end = None if self.bracket is None else self.bracket(record, self.history)
        token = current_record.set(record)
        thread = None if in_real_time else self.sleeps.enter()
        try:
            with ExitStack() as stack:
                if not in_real_time:
                    stack.enter_context(warned_sleeps())
                    if self.process.surrounding is not None:
                        stack.enter_context(self.process.surrounding())
                delivery = bridge.perform(record, now_ns=now_ns, around=body)
                if isinstance(delivery, Delivery):
                    return delivery
                made = await delivery
                self.left.note(record)
                return made
        except self.outcomes as outcome:
            body.outcome = outcome
            return Delivery(record, now_ns, "failed", error=outcome, handled=False)
        except Exception as error:
            return Delivery(record, now_ns, "failed", error=error, handled=False)  # as in `attempt`
        finally:
            self._leave(token, thread)
            if end is not None:
                end()

    def _leave(self, token: Token[JobRecord | None], thread: int | None) -> None:
        if thread is not None:
            self.sleeps.leave(thread)
        try:  # noqa: SIM105 - `suppress` would cost more than the rest
            current_record.reset(token)
        except ValueError:
            pass  # A coroutine that is thrown away ends in the context of whoever does it.

    def _ended(self, ledger: Ledger, delivery: Delivery, before: int, body: Body) -> Delivery:
        """Record a delivery, and return it.

        Args:
            ledger: records it.
            delivery: the delivery.
            before: how many records there were when it began.
            body: what ran.

        Raises:
            BaseException: an assertion or outcome of the test runner that the job raised.
        """
        # With an error it counts as performed although the body never ran: a job may have rescued what was
        # raised before its body, such as arguments that cannot be read.
        if not body.called or body.unbegun is not None:
            delivery = _with_its_body(delivery, body)
        delivery.ended_ns = self.clock.now_ns()
        ledger.delivered(delivery, before)
        for listener in self.when_delivered:
            listener(delivery)
        if body.outcome is not None:
            raise body.outcome.with_traceback(own_traceback(body.outcome))
        return delivery

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run a coroutine on our own loop, in virtual time."""
        if self._own_loop is None:
            # It imports asyncio, which most tests never need.
            from ..time.loop import OwnLoop

            self._own_loop = OwnLoop(self._loop_clock)
        return self._own_loop.run(awaitable)

    def _end_loop_of(self, record: JobRecord) -> None:
        """End what a delivery has left on our loop, or let it go on, as the loop of its worker would."""
        own_loop = self._own_loop
        if own_loop is None:
            return
        if runs_each_on_a_loop(record):
            own_loop.end_delivery()
        elif self.left.note(record, own_loop.loop):
            own_loop.run(self.left.without_time())

    def go_on_until(self, ns: int) -> bool:
        """Let the tasks that deliveries have left on our loop go on up to a time; return whether there are any."""
        if self._own_loop is None or in_running_loop() or not self.left.any_waiting():
            return False
        seconds = max(0, ns - self.clock.now_ns()) / 1_000_000_000
        thread = self.sleeps.enter()
        try:
            self.process.begin().run(self._own_loop.run, self.left.for_seconds(seconds))
        finally:
            self.sleeps.leave(thread)
        return True

    def beside(self, loop_clock: LoopClock) -> Performer:
        """Return a copy with an event loop of its own that follows another clock; it must be closed."""
        other = copy.copy(self)
        other._own_loop = None
        other._loop_clock = loop_clock
        other.left = LeftTasks()
        return other

    def use_loop(self, loop: OwnLoop | None) -> None:
        """Run coroutines on the loop of an earlier performer; None for a new loop."""
        self._own_loop = loop

    def leave_loop(self) -> OwnLoop | None:
        """Return the loop without tasks, for the performer that comes next; None if there is none."""
        loop, self._own_loop = self._own_loop, None
        if loop is not None:
            loop.settle()
        return loop

    def close(self) -> None:
        self.left.warn()
        if self._own_loop is not None:
            self._own_loop.close()
            self._own_loop = None
