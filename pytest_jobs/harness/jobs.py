"""The harness as a test sees it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import RunningLoopError
from . import verbs
from .committing import Committing
from .describe import short_name
from .faults import Fault, Raising
from .payload_files import write_payloads
from .performer import in_running_loop
from .performing import Performing
from .queues import Queues
from .recurring import Firings, Scheduler
from .sandbox import sandbox
from .serving import Serving, checked_queues
from .simulation import Simulation
from .timeline import RetryTimeline


class Jobs(Performing, Committing):
    """Records what the application enqueues, and performs it when told to.

    The `jobs` fixture is one. Elsewhere, `pytest_jobs.open_jobs()` opens one for a block.
    """

    def fail(
        self,
        job: object,
        *,
        raising: Raising,
        times: int | None = None,
        on: Collection[int] | None = None,
        after: bool = False,
    ) -> Fault:
        """Make deliveries of a job raise an error, inside the library's retry handling.

        Args:
            job: whose deliveries.
            raising: an exception, or an exception class.
            times: how many deliveries fail; None with `on=None` for all.
            on: which attempts fail, by number from 1, as in `on=[1, 3]`.
            after: whether the body runs before the error is raised.

        Returns:
            The fault. It holds until the end of the test, or of its `with` block.

        Raises:
            CriterionError: when an argument cannot be meant.
        """
        fault = Fault(self._targets.get(job), raising, times=times, on=on, after=after)
        self._performer.faults.append(fault)
        return fault

    def record_payloads(self, directory: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write down what the application enqueued, for `check_payloads` to read with later code.

        There is one file of JSON for each job and shape of its arguments, to be committed. One that
        is there is left as it is, whatever the values, so that a second run writes nothing.

        Args:
            directory: where the files are; it is made if need be.

        Returns:
            The files that were written, without those that were there.

        Raises:
            PayloadError: when nothing was enqueued, or a job whose library writes no text.
            UnknownJobError: when a job lives inside a function.
        """
        return write_payloads(self._ledger.first_enqueues(), directory)

    def recurring(self, schedule: Firings) -> Scheduler:
        """Fire the tasks of a schedule from now on, while `run_for` lets time pass.

        Each firing enqueues a job at its time. Other verbs, and a clock that is moved by hand, fire
        nothing; what lies in the time that they pass over is missed, and listed as such. Called twice with
        the same tasks it stands for two schedulers, of which one fires each task at each time.

        Args:
            schedule: what `load_schedule` returns, or a `Schedule`.

        Returns:
            The scheduler, which has what it `fired`, what of that was `dropped`, what it `missed`, and can be
            `down()` for a block.

        Raises:
            CriterionError: when it is no schedule, shares a key with another, for another task, or has a
                task of a library whose application is not bridged.
            VerbInsideJobError: when a job calls it.
        """
        self._check_outside_jobs("recurring")
        return self._recurring.add(schedule, self._targets)

    def serve(self, queues: Queues | None) -> None:
        """Let verbs take jobs from now on as workers do that serve these queues, in their order.

        `perform_due`, `drain`, `run_for` and inline mode do so; among the jobs of one queue the order stays
        priority, then due time. A job in a queue that is not served is never taken, which the verb that
        should have performed it says. The limits of dead letters hold too, where the queues have any.

        Args:
            queues: what `load_queues` returns, or `Queues(...)`; None for all queues alike.

        Raises:
            CriterionError: when it is none of them.
            VerbInsideJobError: when a job calls it.
        """
        checked = checked_queues(queues)
        self._check_outside_jobs("serve")
        self._ledger.serve(None if checked is None else Serving(checked))
        if checked is not None and (checked.dead_max_jobs or checked.dead_timeout):
            self._dead_letters.limit(checked.dead_max_jobs, checked.dead_timeout)

    @property
    def queues(self) -> Queues | None:
        """What `serve`, the ini option or the marker put in force; None when all queues are served alike."""
        serving = self._ledger.serving
        return None if serving is None else serving.queues

    def simulate_retries(
        self,
        job: object,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        raising: Raising,
        succeed_on: int | None = None,
        limit: int = 100,
    ) -> RetryTimeline:
        """Run a job through its retries on the virtual clock, raising an error instead of its body.

        It runs in a sandbox through the library's real path: callbacks and `then=` functions are
        called, other jobs that they enqueue are not performed, and nothing of it is in the views.

        Args:
            job: the job.
            args: its positional arguments. Without any arguments None stands for each that is
                required, since the body does not run.
            kwargs: its keyword arguments.
            raising: what each attempt raises.
            succeed_on: the number of the attempt that succeeds, counted from 1; None for none.
            limit: after how many attempts a job that never gives up is stopped.
        """
        simulation = Simulation(self._targets.get(job), raising, succeed_on=succeed_on, limit=limit)
        self._check_outside_jobs("simulate_retries")
        with sandbox(self._bridges, self._clock) as ledger:
            enqueueing = simulation.enqueue(ledger, args, kwargs)
            if enqueueing is not None:
                if in_running_loop():
                    _throw_away(enqueueing)
                    raise RunningLoopError(_simulated_in_loop(job))
                self._performer.run(enqueueing)
            first = simulation.first(ledger)
            if first._bridge.is_coroutine(first) and in_running_loop():
                raise RunningLoopError(_simulated_in_loop(short_name(first.name)))
            plan = simulation.plan(ledger, self._clock, self._targets, first)
            deliveries = verbs.drive(
                plan, lambda record: self._performer.deliver(ledger, record, simulation.body)
            )
            return RetryTimeline(short_name(first.name), deliveries)

    async def asimulate_retries(
        self,
        job: object,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        raising: Raising,
        succeed_on: int | None = None,
        limit: int = 100,
    ) -> RetryTimeline:
        """Do the same on the running event loop; see `simulate_retries`."""
        simulation = Simulation(self._targets.get(job), raising, succeed_on=succeed_on, limit=limit)
        self._check_outside_jobs("asimulate_retries")
        with sandbox(self._bridges, self._clock) as ledger:
            enqueueing = simulation.enqueue(ledger, args, kwargs)
            if enqueueing is not None:
                await enqueueing
            first = simulation.first(ledger)
            plan = simulation.plan(ledger, self._clock, self._targets, first)
            deliveries = await verbs.adrive(
                plan, lambda record: self._performer.adeliver(ledger, record, simulation.body)
            )
            return RetryTimeline(short_name(first.name), deliveries)


def _simulated_in_loop(job: object) -> str:
    return (
        f"{job} is a coroutine job, and this was called inside a running event loop: write "
        "`await jobs.asimulate_retries(...)`."
    )


def _throw_away(awaitable: Awaitable[object]) -> None:
    """Close a coroutine that is not going to be awaited, so that nobody is warned of it."""
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()
