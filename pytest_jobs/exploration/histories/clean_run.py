"""The clean run, with which every history is compared."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from ...errors import ExplorationError
from ...harness.records.home import is_of_library
from ..engine.acts import KEYS_BY_TIME, place_of_key
from ..engine.delivering import check_finished
from ..engine.memory.shared import SharedMemory
from ..engine.run import Run
from ..engine.sameness.differences import differences, not_fresh
from ..engine.watching import AtSome
from ..engine.world import TO_KNOW_THE_PACE, TimeLimit, not_put_back
from ..stores.account import Account
from .checked_job import CheckedJob
from .equivalent_points import Chosen, Surroundings, candidates, chosen
from .halves import columns_of
from .history import History, Known
from .plans import Plan

_AT_ONCE: Final = timedelta(0)
#: How much later the second clean run begins.
_LATER: Final = timedelta(seconds=12_345)
#: Further clean runs, where the second one differs: their random values, and how much later they begin. A value
#: that is computed from one of both is another one in each, and a status soon repeats.
_SEEDS: Final = (2, 3, 4)
_DELAYS: Final = (_LATER, timedelta(seconds=4_321), timedelta(days=41, seconds=7_321))
#: How many effects an error lists.
_MOST_ACTS: Final = 6
#: How often clean runs may show something by which they are made anew.
_LEARNED_AT_MOST: Final = 4


#: The idempotency keys that a run has sent, each with the name of its effect.
_Keys: TypeAlias = Sequence[tuple[str, object]]


class _Seen(NamedTuple):
    """How a clean run began, what it did, and how it ended."""

    initial: Mapping[str, Any]
    trail: Counter[tuple[str, object]]
    found: Mapping[str, Any]
    ended_well: bool


class _CleanRun(NamedTuple):
    """A clean run with which others are compared."""

    history: History
    seen: _Seen
    keys: _Keys
    #: The labels of the stores of its world.
    stores: Sequence[str]


class _SecondRun(NamedTuple):
    """How a clean run at another time, with other random values, began and ended."""

    seen: _Seen
    account: Account
    keys: _Keys
    #: Whether it did what the clean run did, at the same points, in a world with the same stores.
    is_alike: bool
    #: The points that are worth a history. None if looking at the world changed what the job did, as it may if
    #: both use one session of a database.
    chosen: Chosen | None


class _Around(NamedTuple):
    """The ends between which a job can be left."""

    never: Mapping[str, Any]
    done: Mapping[str, Any]


class Reference(Known):
    """The result of one clean run of a job with one set of arguments."""

    makes: type[History] = History

    def __init__(
        self, checked: CheckedJob, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        super().__init__(checked, args, kwargs)
        self._is_known = False
        #: Whether the first clean run did.
        self._ended_well = False
        self._is_imported = False
        #: How much was known of the services then: with other arguments, a job may show more of them.
        self._lessons = 0
        self._threads = True
        #: What is observed after the clean run.
        self.wanted: Mapping[str, Any] = {}
        self.run = Run(1)
        #: Why nobody would see what the job does twice; empty if somebody would.
        self.unseen = ""
        self._chosen: Chosen | None = None
        #: The parts of the state that end differently when the job runs later.
        self.on_time: Sequence[str] = ()
        self._around: tuple[object, _Around] | None = None
        #: The time for the search; None without a limit.
        self._limit: TimeLimit | None = None

    def refer(self, limit: TimeLimit | None) -> None:
        """Make the clean runs, the first time only.

        They differ in one thing at a time. The first two are alike, then the random values and the time are other
        ones, together first and each by itself if that makes a difference.

        Args:
            limit: the time for the search. If half of it runs out while points are looked at, or without one,
                each is tried.

        Raises:
            ExplorationError: when one fails, when the job does nothing, when two of them differ and neither
                chance nor the time is the reason, or when they leave no time for a history.
        """
        search = self.checked.engine.of_search
        if self._is_known and self._lessons == search.lessons:
            return
        self._limit = limit
        if not any(self._is_settled(limit) for _ in range(_LEARNED_AT_MOST)):
            raise ExplorationError(
                f"After {_LEARNED_AT_MOST} rounds, clean runs of the job still differ in other places than "
                "before, by chance or by the time. Leave what differs out of the state, or take it from the "
                "arguments."
            )
        self._check_time()
        self._is_known, self._lessons = True, search.lessons

    def _check_time(self) -> None:
        if self._limit is not None and self._limit.is_over:
            raise ExplorationError(
                f"{self._limit.seconds:g} s did not suffice for the clean runs of the job alone. Raise "
                "time_limit=, or make the world faster."
            )

    def _is_settled(self, limit: TimeLimit | None) -> bool:
        """Make the clean runs once; return False if they have shown something by which they compare otherwise."""
        search = self.checked.engine.of_search
        known = search.lessons, len(self.children.not_performed)
        first, clean = (None, None) if self._is_imported else self._first_run()
        clean = clean or self._clean_run()
        if self._teaches(clean, known, first):
            return False
        second = self._second_run(clean, limit)
        if first is None and not second.is_alike:
            # Either the job keeps something, or chance or the time is the reason. Two more runs like the first one
            # tell, one right after the other, since what a job keeps may come back every other time.
            for _ in range(2):
                first, clean = clean.seen, self._clean_run()
                if self._teaches(clean, known, first):
                    return False
            if second.chosen is not None:
                second = self._second_run(clean, limit)
        if second.chosen is None:
            second = self._second_run(clean, None)
        if self._learns_keys(clean.keys, second.keys):
            return False
        begun = clean.seen.initial
        if second.seen.initial != begun or differences(self.wanted, second.seen.found):
            if self._tell_apart(begun):
                return False
            second = self._second_run(clean, limit, _AT_ONCE)
            self._check_repeats(begun, second)
        by_time: set[str] = search.of(KEYS_BY_TIME, set)
        self.on_time = (*self.on_time, *(f"the key of {name}" for name in sorted(by_time)))
        self._chosen = second.chosen
        self._threads = self.checked.needs_threads()
        if self._threads:
            self.account.check_usable_in_threads()
        return True

    def _clean_run(self) -> _CleanRun:
        """Make the run with which others are compared."""
        # It learns by itself which stores there are.
        self.account = Account()
        history = self.history(learns=True)
        with history.opened():
            history.deliver_cleanly()
            check_not_refused(history)
            return self._as_clean(history, history.observed_at_end())

    def _as_clean(self, history: History, found: Mapping[str, Any]) -> _CleanRun:
        """Take a run as the clean one, while its world stands; raise if it is none."""
        # Only what such a store has from an earlier run may have made the job fail.
        self.wanted = found
        history.account.check_bound()
        self.check_succeeded(history)
        check_finished(history.runs[0])
        self._check_waited_for(history.runs[0])
        self.kept = history.memory.of_world()
        return _CleanRun(
            history, _seen(history, found), _keys_of(history), history.account.labels()
        )

    def _teaches(self, clean: _CleanRun, known: tuple[int, int], before: _Seen | None) -> bool:
        """Take what a clean run has shown; return whether it has shown by what runs are compared from now on.

        Args:
            clean: the run.
            known: how much was known before it.
            before: what the run before it has done, which was like it; None if there was none.
        """
        history = clean.history
        self.run = history.runs[0]
        if not self.run.points:
            raise ExplorationError(
                "One clean run of the job comes to no point at which it could be interrupted, since none of its "
                "lines counts and it has no effect that is seen: let trace= name the code that does the work, and "
                "atomic= only the code that is one step."
            )
        self.children.learn(history.children)
        if known != (self.checked.engine.of_search.lessons, len(self.children.not_performed)):
            return True
        self.account, self.initial = history.account, history.initial
        if before is not None:
            # First, since what a job keeps may leave it nothing to do.
            self._check_forgets(before, clean.seen)
        self.unseen = self._why_unseen() if self.wanted == history.initial else ""
        return False

    def _check_waited_for(self, run: Run) -> None:
        """Raise if a delivery ends before what it has handed over to other threads.

        Otherwise such a function begins at once, and has ended before anybody could see that nobody waits for it.
        """
        if run.hands_over:
            history = self.history()
            history.hands_over_late = True
            with history.opened():
                check_finished(history.deliver_cleanly())

    def check_succeeded(self, history: History) -> None:
        """Raise if a delivery of a clean run has failed, or if the job still asks for another one."""
        for run in history.runs:
            if run.failed:
                # Also if a later one ended well: a job that marks its work as done, and then dies by a typo,
                # returns by its own mark.
                through = "".join(f"\n  {origin.shown}" for origin in run.trace)
                # By `str`, which names a request where `repr` shows an object, and in one line.
                said = " ".join(f"{type(run.error).__name__}: {run.error}".split()).rstrip(": ")
                if self._ended_well:
                    raise ExplorationError(
                        "The world is not fresh: the first clean run of the job ends well, and the second one, "
                        f"at the same time and with the same random values, ends with {said}:"
                        f"{through or ' no line of the project raises it.'}\nIt finds what the first run has left"
                        f"{not_put_back()}. Build everything inside the world, each "
                        "time anew."
                    ) from run.error
                raise ExplorationError(
                    f"One clean run of the job ends with {said}, although nothing disturbs its delivery "
                    f"{run.number}:{through or ' no line of the project raises it.'}\nMake the world such that "
                    f"the job succeeds, or say accept=({type(run.error).__name__},) when that is how it is to end."
                ) from run.error
        if not history.runs[-1].acknowledged:
            raise ExplorationError(
                f"The clean run of the job comes to no end: each of its {len(history.runs)} deliveries asks for "
                "another one. Make the world such that the job finds what it waits for."
            )

    def _tell_apart(self, initial: Mapping[str, Any]) -> bool:
        """Find out what depends on chance, and what on the time; return whether it is new."""
        by_chance = [self._clean(self.history(seed=seed, learns=True)) for seed in _SEEDS]
        later = [self._clean(self.history(delay=delay, learns=True)) for delay in _DELAYS]
        is_new = False
        # The world may draw values as well, before the job begins.
        for clean, of in ((self.wanted, attrgetter("found")), (initial, attrgetter("initial"))):
            is_new |= self.derived.learn("chance", [clean, *map(of, by_chance)])
            # The later the run, the more of what it finds may have expired.
            for runs in (later, later[:-1]):
                is_new |= self.derived.learn("time", [clean, *map(of, runs)])
        if not is_new:
            self.on_time = [name for name, *_ in differences(self.wanted, later[0].found)]
        return is_new

    def chosen(self) -> Chosen:
        return self._chosen or Chosen.every(self.run)

    def _may_leave_points_out(self) -> bool:
        """Return whether some points may stand for others.

        In one process, deliveries share memory that nobody looks at; the order of threads is not known.
        """
        options = self.checked.options
        return not (options.every_line or options.same_process or self.run.elsewhere)

    def _second_run(
        self, clean: _CleanRun, limit: TimeLimit | None, delay: timedelta = _LATER
    ) -> _SecondRun:
        """Make a clean run at another time, with other random values.

        Within the limit it looks at the world at its points, to find those that stand for the others, if any may.
        """
        checked = self.checked
        limit = limit if self._may_leave_points_out() else None
        history = self.history(seed=2, delay=delay, learns=True)
        tried = candidates(self.run) if limit is not None else []
        memory = SharedMemory(
            checked.engine.scope.modules(),
            self.kept,
            checked.target.bridge.resolve(checked.target.job),
            checked.engine.scope.owns,
            checked.engine.served,
        )
        at_points: list[Surroundings] = []

        def look(looks: TimeLimit, index: int) -> None:
            done = len(at_points)
            # A part of the looks says nothing, and the histories need time as well.
            if tried[done] != index or looks.is_over:
                return
            if done < TO_KNOW_THE_PACE or looks.suffices(done, len(tried) - done):
                at_points.append(history.while_suspended(partial(history.surroundings, memory)))

        at_point = None
        if limit is not None:
            at_point = AtSome(partial(look, limit.half()), frozenset(tried))
        with history.opened():
            history.deliver_cleanly(at_point)
            end = history.surroundings(memory) if limit is not None else None
            found, stores = history.observed_at_end(), history.account.labels()
        run, seen = history.runs[0], _seen(history, found)
        has_points = len(run.points) == len(self.run.points) and run.points.comes_like(
            self.run.points, len(run.points) - 1
        )
        is_alike = has_points and (seen, stores) == (clean.seen, clean.stores)
        ended = _SecondRun(seen, history.account, _keys_of(history), is_alike, None)
        if end is None:
            return ended._replace(chosen=Chosen.every(self.run))
        is_as_clean = (
            has_points
            and len(at_points) == len(tried)
            and not differences(self.wanted, found)
            and history.refusal is None
        )
        return (
            ended._replace(chosen=chosen(self.run, tried, at_points, end)) if is_as_clean else ended
        )

    def _learns_keys(self, keys: _Keys, then: _Keys) -> bool:
        """Learn which idempotency keys go by the time, so that later deliveries send others; say if any is new.

        Args:
            keys: those that the clean run has sent.
            then: those of a run at another time with other random values, of which a key may be made as well.
        """
        search = self.checked.engine.of_search
        by_time: set[str] = search.of(KEYS_BY_TIME, set)
        known = len(by_time)
        if any(_changed(keys, then)):
            history = self.history(delay=_LATER, learns=True)
            self._clean(history)
            for name in _changed(keys, _keys_of(history)):
                search.learn(by_time, name)
        return len(by_time) > known

    def _check_forgets(self, first: _Seen, again: _Seen) -> None:
        """Raise if the second of two clean runs that are alike did not do the same as the first.

        What a library has that was imported by the first run may show only in the second.
        """
        begins = [name for name in again.initial if name in first.initial]
        if any(first.initial[name] != again.initial[name] for name in begins):
            raise not_fresh(first.initial, again.initial)
        only_first, only_again = first.trail - again.trail, again.trail - first.trail
        both = [name for name in again.found if name in first.found]
        differing = differences(
            {name: first.found[name] for name in both}, {name: again.found[name] for name in both}
        )
        if only_first or only_again:
            one, other = _acts_text(only_first), _acts_text(only_again)
            part, out, unseen = _acts_text(only_first or only_again), "out of the state", ""
            what = f"The first run did {one}, and the second did {other}"
        elif differing:
            name, found, then = differing[0]
            part = ": ".join(filter(None, (name, ", ".join(columns_of(found, then)))))
            what = f"{name} is {found!r} after the first run, and {then!r} after the second"
            out = self._way_out(name, self.account)
            unseen = ", or has random bytes that are none of Python's, such as those of OpenSSL"
        else:
            return
        owner = getattr(self.checked.target.job, "__self__", None)
        where = "" if is_of_library(owner) else f" (its {type(owner).__name__} is one for all runs)"
        raise ExplorationError(
            f"Two clean runs of the job at the same time and with the same random values differ in {part}, so the "
            f"job keeps something from one run to the next that the world does not build anew{unseen}. {what}. "
            f"Build in the world what the job keeps{where}{not_put_back()}, or leave what differs {out}. A "
            "library that prepares itself once a process has to do so before the check."
        )

    def _way_out(self, name: str, other: Account) -> str:
        """Return how a part of what was observed is left out."""
        unshown = self.account.item_of(name) or other.item_of(name)
        return "out of the state" if unshown is None else f"out by ignore={{{unshown.short!r}}}"

    def _check_repeats(self, begun: Mapping[str, Any], second: _SecondRun) -> None:
        if differences(begun, second.seen.initial):
            raise not_fresh(begun, second.seen.initial)
        differing = differences(self.wanted, second.seen.found)
        if differing:
            name, one, two = differing[0]
            out = self._way_out(name, second.account)
            raise ExplorationError(
                f"Two clean runs of the job with different random values end differently: {name} is {one!r} after "
                f"one and {two!r} after the other. Leave what differs {out}, or take it from the arguments."
            )

    def _why_unseen(self) -> str:
        """Return why the state and the effects of a clean run show nothing; empty if they show something."""
        acts = [act for act in self.run.point_acts if act is not None]
        if not self.account.leaves_files:
            acts = [act for act in acts if act.kind != "file" or act.tells_itself]
        nothing_seen = self.checked.options.nothing_seen
        is_idle = not any(act.tells_itself for act in acts)
        if is_idle and nothing_seen is not None and (not acts or self.checked.options.is_audit):
            error = ExplorationError(nothing_seen())
            error.idle_at = self._last_line()
            raise error
        if not acts:
            return (
                "One clean run of the job changes nothing that the world shows, and does nothing that is heard "
                "of: the state that the world yields has to show its work."
            )
        if is_idle:
            return (
                f"One clean run of the job does {acts[0].kind}: {acts[0].text}, and the state that the world "
                "yields is the same as before, so nobody would see that it is done twice: let the state show "
                "what the job changes, and begin as it is before the job."
            )
        return ""

    def _last_line(self) -> str:
        """Return the line with which the clean run has ended."""
        lines = [point for point in self.run.points if point.line]
        return f"{Path(lines[-1].filename).name}:{lines[-1].line}" if lines else ""

    def _first_run(self) -> tuple[_Seen | None, _CleanRun | None]:
        """Run the job once so that its libraries get imported, and patch those.

        Returns:
            What the run did, by which a clean run is judged that is alike; or, if it has imported nothing, the run
            itself, which is as good as a clean run.
        """
        # The modules of the traced code are known only after the run, which has changed their globals.
        engine = self.checked.engine
        scope = engine.scope
        while True:
            modules = set(sys.modules)
            engine.memory.look_at(scope.loaded_modules())
            history, clean = self.history(learns=True), None
            with history.opened():
                history.deliver_cleanly()
                found = history.observed_at_end()
                _check_ran(history.runs[0])
                seen = _seen(history, found)
                if modules.issuperset(sys.modules) and history.refusal is None:
                    clean = self._as_clean(history, found)
            if history.hangs:
                check_not_refused(history)
            engine.memory.keep_only(scope.modules())
            if not engine.sources.catch_up():
                break
            # A library was not patched yet, so that effects of the run were not seen.
        # Before another run meets what the refused one has left, such as a lock file.
        check_not_refused(history)
        self._is_imported, self._ended_well = True, seen.ended_well
        return (seen, None) if clean is None else (None, clean)

    def _clean(self, history: History) -> _Seen:
        with history.opened():
            history.deliver_cleanly()
            found = history.observed_at_end()
        return _seen(history, found)

    def history(
        self,
        *,
        seed: int = 1,
        delay: timedelta = _AT_ONCE,
        threads: bool = False,
        learns: bool = False,
    ) -> History:
        """Return a new history of the same job with the same arguments. It takes what a `History` takes.

        Raises:
            ExplorationError: when it is a clean run that `learns`, and the time for the search is over.
        """
        if learns:
            self._check_time()
        return self.makes(
            self, seed=seed, delay=delay, threads=threads or self._threads, learns=learns
        )

    def around(self) -> _Around:
        """Return what is observed an hour later if the job was never begun, and if it was done."""
        if self._around is None or self._around[0] is not self.wanted:
            history = self.history()
            with self.remembering(history):
                history.deliver_cleanly()
                history.pass_an_hour(fires=False)
                done = history.observed_at_end()
            with self.history().opened() as history:
                history.pass_an_hour(fires=False)
                self._around = self.wanted, _Around(history.observed_at_end(), done)
        return self._around[1]

    def begun_later(self, delay: timedelta) -> Mapping[str, Any]:
        """Return what is observed after a clean run that begins later."""
        return self._clean(self.history(delay=delay)).found

    def before(self) -> Mapping[str, Any]:
        """Return what is there before the job of what its world does not show."""
        with suppress(ExplorationError):
            self.around()
        return {item.state_name: content for item, content in self.account.before.items()}

    @contextmanager
    def remembering(self, history: History) -> Generator[None, None, None]:
        """Open a history whose delivery shows what is there before it, for those in which nobody looks."""
        with history.opened():
            history.account.remember_all()
            yield
        self.account.before.update(history.account.before)

    def wanted_after(self, plan: Plan, account: Account) -> Mapping[str, Any]:
        """Return what is observed if everything in a plan happens once, of what the account of its history has."""
        if not account.compared.keys() <= self.account.compared.keys():
            self.account.compared = {**account.compared, **self.account.compared}
            self.account.before = {**account.before, **self.account.before}
            self.wanted = self._clean(self.history()).found
        if plan.name != "out_of_order":
            return self.wanted
        with self.history().opened() as history:
            history.deliver_cleanly()
            history.run_other_job(plan.other)
            return history.observed_at_end()


def _seen(history: History, found: Mapping[str, Any]) -> _Seen:
    ended_well = not any(run.failed for run in history.runs) and history.refusal is None
    return _Seen(history.initial, history.trail(), found, ended_well)


def _keys_of(history: History) -> _Keys:
    """Return the idempotency keys that the first delivery of a run has sent, in its order."""
    return [
        (place_of_key(act), history.form_of(act.sent_key))
        for act in history.runs[0].acts
        if act.sent_key is not None
    ]


def _changed(keys: _Keys, then: _Keys) -> Iterator[str]:
    for (name, key), (name_then, key_then) in zip(keys, then, strict=False):
        if name == name_then and key != key_then:
            yield name


def _acts_text(acts: Counter[tuple[str, object]]) -> str:
    """Return the first few of some effects, beside those that both runs had."""
    # Each has a point before it and one after it.
    texts = [f"{kind}: {text}" for kind, text in acts]
    more = f" and {len(texts) - _MOST_ACTS} more" if len(texts) > _MOST_ACTS else ""
    return (", ".join(texts[:_MOST_ACTS]) or "nothing else") + more


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
    """Raise if nothing can be shown by a history."""
    if history.refusal is not None:
        raise ExplorationError(history.refusal)
