"""The clean run, with which every history is compared."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from ...errors import ExplorationError
from ..engine.delivering import check_finished
from ..engine.memory import SharedMemory
from ..engine.processes import GlobalName, ModuleGlobals
from ..engine.sameness.differences import differences, not_fresh
from ..engine.watching import AtSome, Run
from ..stores.account import Account, Item
from .checked_job import CheckedJob
from .history import History
from .plans import Plan
from .stretches import Chosen, Sight, candidates, chosen

_AT_ONCE: Final = timedelta(0)


class _SecondRun(NamedTuple):
    """How a second clean run began and ended."""

    found: Mapping[str, Any]
    initial: Mapping[str, Any]
    account: Account
    #: The points that are worth a history. None if looking at the world changed what the job did, as it may if
    #: both use one session of a database.
    chosen: Chosen | None


class Reference:
    """The result of one clean run of a job with one set of arguments."""

    def __init__(
        self, checked: CheckedJob, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self._checked = checked
        self._args = args
        self._kwargs = kwargs
        self._kept: frozenset[GlobalName] = frozenset()
        self._known = False
        #: How much was known of the services then: with other arguments, a job may show more of them.
        self._lessons = 0
        self._threads = True
        self._initial: Mapping[str, Any] | None = None
        #: What is observed after the clean run.
        self.wanted: Mapping[str, Any] = {}
        self.run = Run(1)
        #: Why nobody would see what the job does twice; empty if somebody would.
        self.unseen = ""
        #: What the clean run did to stores.
        self.account = Account()
        self._chosen: Chosen | None = None

    def refer(self) -> None:
        """Make one clean run, and another one at another time with other random values; the first time only.

        Raises:
            ExplorationError: when it fails, does nothing, or the second one ends differently.
        """
        search = self._checked.engine.of_search
        if self._known and self._lessons == search.lessons:
            return
        while self._imports_libraries():
            pass
        history = self.history(learns=True)
        with history.opened():
            run = history.deliver_cleanly()
            check_not_refused(history)
            # Only what such a store has from an earlier run may have made the job fail.
            self.wanted = history.observed_at_end()
            history.account.check_bound()
            _check_succeeded(history)
            check_finished(run)
            self._kept = history.memories.of_world()
            nothing_happened = self.wanted == history.initial
        self.run = history.runs[0]
        if not self.run.points:
            raise ExplorationError(
                "One clean run of the job comes to no point at which it could be interrupted, since none of its "
                "lines counts and it has no effect that is seen: let trace= name the code that does the work, and "
                "atomic= only the code that is one step."
            )
        if nothing_happened:
            self.unseen = self._why_unseen()
        self.account = history.account
        second = self._second_run(looks=self._may_leave_points_out())
        if second.chosen is None:
            second = self._second_run(looks=False)
        self._check_repeats(history, second)
        self._known, self._lessons = True, search.lessons
        self._initial = history.initial
        self._chosen = second.chosen
        self._threads = self._checked.needs_threads()
        if self._threads:
            self.account.check_usable_in_threads()

    def chosen(self) -> Chosen:
        """Return the points that are worth a history."""
        return self._chosen or Chosen.every(self.run)

    def _may_leave_points_out(self) -> bool:
        """Return whether some points may stand for others.

        In one process, deliveries share memory that nobody looks at; the order of threads is not known.
        """
        options = self._checked.options
        return not (options.every_line or options.same_process or self.run.elsewhere)

    def _second_run(self, *, looks: bool) -> _SecondRun:
        """Make a clean run at another time, with other random values.

        Args:
            looks: whether to look at the world at its points, to find those that stand for the others.
        """
        checked = self._checked
        history = self.history(seed=2, delay=timedelta(seconds=12_345), learns=True)
        tried = candidates(self.run) if looks else []
        memory = SharedMemory(
            checked.engine.scope.modules(),
            self._kept,
            checked.target.bridge.resolve(checked.target.job),
            checked.engine.scope.owns,
            checked.engine.served,
        )
        sights: list[Sight] = []

        def look(index: int) -> None:
            sights.append(history.while_suspended(partial(history.sight, memory)))

        at_point = AtSome(frozenset(tried), look) if looks else None
        with history.opened():
            history.deliver_cleanly(at_point)
            end = history.sight(memory) if looks else None
            found = history.observed_at_end()
        ended = _SecondRun(found, history.initial, history.account, None)
        if end is None:
            return ended._replace(chosen=Chosen.every(self.run))
        run = history.runs[0]
        is_as_clean = (
            len(run.points) == len(self.run.points)
            and run.points.comes_like(self.run.points, len(run.points) - 1)
            and len(sights) == len(tried)
            and not differences(self.wanted, found)
            and history.refusal is None
        )
        return ended._replace(chosen=chosen(self.run, tried, sights, end)) if is_as_clean else ended

    def _check_repeats(self, first: History, second: _SecondRun) -> None:
        """Raise if two clean runs begin or end differently."""
        if second.initial != first.initial:
            raise not_fresh(first.initial, second.initial)
        differing = differences(self.wanted, second.found)
        if differing:
            name, one, two = differing[0]
            unshown = self.account.item_of(name) or second.account.item_of(name)
            out = "out of the state" if unshown is None else f"out by ignore={{{unshown.short!r}}}"
            raise ExplorationError(
                f"Two clean runs of the job end differently, so it is not deterministic: {name} is {one!r} "
                f"after one and {two!r} after the other. Leave what differs {out}, or take it from the "
                "arguments."
            )

    def _why_unseen(self) -> str:
        """Return why the state and the effects of a clean run show nothing; empty if they show something."""
        acts = [act for act in self.run.point_acts if act is not None]
        nothing_seen = self._checked.options.nothing_seen
        if not acts and nothing_seen is not None:
            raise ExplorationError(nothing_seen())
        if not acts:
            return (
                "One clean run of the job changes nothing that the world shows, and does nothing that is heard "
                "of: the state that the world yields has to show its work."
            )
        if not any(act.tells_itself for act in acts):
            return (
                f"One clean run of the job does {acts[0].kind}: {acts[0].text}, and the state that the world "
                "yields is the same as before, so nobody would see that it is done twice: let the state show "
                "what the job changes, and begin as it is before the job."
            )
        return ""

    def _imports_libraries(self) -> bool:
        """Run the job once so that its libraries get imported, and patch those.

        Returns:
            True if that run may have failed only because a library was not patched yet.

        Raises:
            ExplorationError: when it did what shows nothing.
        """
        # The modules of the traced code are known only after the run, which has changed their globals.
        engine = self._checked.engine
        scope = engine.scope
        modules = scope.loaded_modules()
        globals_before = ModuleGlobals(modules)
        engine.remember_locks(modules)
        engine.remember_process(modules)
        history = self.history(learns=True)
        with engine.noting_imports(globals_before.add):
            self._clean(history)
        _check_ran(history.runs[0])
        if history.hangs:
            check_not_refused(history)
        globals_before.keep_only(scope.modules())
        globals_before.restart()
        engine.process_memory.keep_only(scope.modules())
        # The globals are those from before, and a lock among them belongs to the loop of that run.
        engine.renew_process()
        if engine.sources.catch_up() and history.refusal is not None:
            return True
        # Before another run meets what the refused one has left, such as a lock file.
        check_not_refused(history)
        return False

    def _clean(self, history: History) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        with history.opened():
            history.deliver_cleanly()
            return history.observed_at_end(), history.initial

    def history(
        self,
        *,
        seed: int = 1,
        delay: timedelta = _AT_ONCE,
        threads: bool = False,
        learns: bool = False,
    ) -> History:
        """Return a new history of the same job with the same arguments.

        Args:
            seed: the seed of its random values.
            delay: how much later than others it begins.
            threads: whether overlapping deliveries get threads of their own even if they need none.
            learns: whether it shows what a process keeps.
        """
        return History(
            self._checked,
            self._args,
            self._kwargs,
            seed=seed,
            delay=delay,
            kept=self._kept,
            threads=threads or self._threads,
            clean=self.account,
            learns=learns,
            initial=None if learns else self._initial,
        )

    def wanted_after(
        self, plan: Plan, compared: Mapping[Item, tuple[str, str]]
    ) -> Mapping[str, Any]:
        """Return what is observed if everything in a plan happens once.

        Args:
            plan: the plan.
            compared: what was written in its history without the world showing it.
        """
        if not compared.keys() <= self.account.compared.keys():
            self.account.compared = {**compared, **self.account.compared}
            self.wanted, _ = self._clean(self.history())
        if plan.name != "out_of_order":
            return self.wanted
        with self.history().opened() as history:
            history.deliver_cleanly()
            history.run_other_job(plan.other)
            return history.observed_at_end()


def _check_succeeded(history: History) -> None:
    """Raise if a delivery of a clean run has failed, or if the job still asks for another one."""
    for run in history.runs:
        if run.failed:
            through = "".join(f"\n  {origin.shown}" for origin in run.trace)
            raise ExplorationError(
                f"One clean run of the job ends with {run.error!r}, although nothing disturbs its delivery "
                f"{run.number}:{through or ' no line of the project raises it.'}\nMake the world such that the job "
                f"succeeds, or say accept=({type(run.error).__name__},) when that is how it is to end."
            ) from run.error
    if not history.runs[-1].acknowledged:
        raise ExplorationError(
            f"The clean run of the job comes to no end: each of its {len(history.runs)} deliveries asks for another "
            "one. Make the world such that the job finds what it waits for."
        )


def _check_ran(run: Run) -> None:
    """Raise if the call of the job has only made something that nobody runs."""
    result = None if run.delivery is None else run.delivery.result
    if run.awaitable is not None:
        for unused in (result, run.awaitable):
            if inspect.iscoroutine(unused):
                unused.close()
        raise ExplorationError(
            "The job has returned a coroutine that nobody awaits, so it does nothing. Await it in a coroutine "
            "function, or call `asyncio.run` in the job."
        )
    if inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise ExplorationError(
            "The job is a function with `yield`, and nobody asks for what it yields, so it does nothing. Check a "
            "function that iterates over it."
        )


def check_not_refused(history: History) -> None:
    """Raise if nothing can be shown by a history.

    Raises:
        ExplorationError: says why.
    """
    if history.refusal is not None:
        raise ExplorationError(history.refusal)
