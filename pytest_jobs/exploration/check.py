"""Checking that a job may be delivered more than once."""

from __future__ import annotations

import contextvars
import threading
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from ..errors import CriterionError, ExplorationError
from ..harness.jobs import current_jobs
from ..harness.open_harness import open_harnesses
from ..harness.records.patches import Patches
from ..harness.records.targets import Target
from ..harness.time.clock import VirtualClock
from ..harness.time.waiting import in_running_loop
from .effects.audit import audit_hook
from .engine.functions import FunctionBridge
from .engine.lines import line_tracer
from .engine.scope import Scope
from .engine.sources import Sources
from .engine.threads import follow
from .engine.unwinding import hearing_nothing_of
from .engine.watching import Unwound, lengthened
from .engine.world import Setting, TimeLimit, World, check_world, until_quiet
from .histories.explorer import Explorer
from .histories.plans import DEFAULT, HISTORIES, HistoryName
from .report.errors import Telling, note_explored
from .report.explored import Explored
from .report.replay import check_drawn_again, drawn_arguments, replay
from .report.report import explored_text

if TYPE_CHECKING:
    from ..harness.open_harness import OpenHarness


def checked_names(
    histories: Literal["all"] | Collection[str], others: Sequence[object]
) -> tuple[HistoryName, ...]:
    """Return the names of the histories that are asked for, in the order in which they are tried.

    Raises:
        CriterionError: when there are none, or one of them cannot be.
    """
    wanted = (
        [name for name in HISTORIES if others or name != "out_of_order"]
        if histories == "all"
        else [histories]
        if isinstance(histories, str)
        else list(histories)
    )
    unknown = [name for name in wanted if name not in HISTORIES]
    if unknown:
        raise CriterionError(
            f"There is no history {unknown[0]!r}: those there are, are {', '.join(HISTORIES)}."
        )
    if "out_of_order" in wanted and not others:
        raise CriterionError("out_of_order needs others=[...]: what runs between the deliveries.")
    if not wanted:
        raise CriterionError("No history is named, so nothing would be explored.")
    return tuple(name for name in HISTORIES if name in wanted)


def check_choices(depth: object, delivery: object) -> None:
    """Refuse what is no choice.

    Raises:
        CriterionError: when a value is none.
    """
    if depth not in (1, 2):
        raise CriterionError(f"depth={depth!r} is none: 1 and 2 are, the deliveries interrupted.")
    if delivery not in ("at-least-once", "as configured"):
        raise CriterionError(
            f"delivery={delivery!r} is none: 'at-least-once' and 'as configured' are."
        )


def check_arguments(args: object, kwargs: object) -> None:
    """Check that the arguments of a job come in a list and a mapping.

    Raises:
        ExplorationError: when they do not.
    """
    if isinstance(args, str | bytes) or not isinstance(args, Iterable):
        raise ExplorationError(
            f"args={args!r} are no arguments: write them in a tuple, as in args=({args!r},)."
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise ExplorationError(
            f"kwargs={kwargs!r} are no keyword arguments: write a mapping, as in kwargs={{'user_id': 7}}."
        )


#: One history each, without a point at which anything is interrupted.
_QUICK: Final = frozenset(("twice", "restart"))
#: So much of the time for one set of arguments is spent on what else fails, once something has.
_SHARE_OF_THE_REST: Final = 0.25


def check_idempotent(
    job: Any,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    world: World,
    histories: Literal["all"] | Collection[HistoryName] = DEFAULT,
    at_least_once: Collection[str] = (),
    accept: Collection[type[BaseException]] = (),
    others: Sequence[Callable[[], object]] = (),
    trace: object = None,
    atomic: Iterable[object] = (),
    same_process: bool = False,
    depth: Literal[1, 2] = 1,
    delivery: Literal["at-least-once", "as configured"] = "at-least-once",
    time_limit: float = 10.0,
    allow_partial: bool = False,
) -> Explored:
    """Deliver a job in every bad way, and fail unless each ends as one clean run does.

    The first failing history is the simplest: they are tried in a fixed order, each at every line
    and around every effect of the job.

    Args:
        job: a job of the core or of a bridge, or a plain or coroutine function.
        args: its positional arguments; Hypothesis strategies among them are searched.
        kwargs: its keyword arguments, likewise.
        world: a generator function that builds everything afresh and yields a callable which
            returns the state, by name; or what returns such a context manager.
        histories: the names of those to try, or "all". Six by default.
        at_least_once: names of state, or kinds of effect, of which more than one clean run makes
            is accepted where a delivery was cut off.
        accept: exceptions with which a delivery may end.
        others: for `out_of_order`: what is called between the deliveries, with the world in force.
        trace: modules, functions or classes whose lines count, instead of the code of the project.
        atomic: modules, functions or classes that are one step.
        same_process: whether all deliveries share the memory of one process.
        depth: how many deliveries are interrupted in one history: with 2, the delivery after a crash
            is killed as well, and two deliveries overtake one another.
        delivery: "as configured" to deliver again only where the library would, by the settings of
            the job.
        time_limit: seconds of computing for one set of arguments.
        allow_partial: whether what the time does not suffice for is left out, instead of failing.

    Returns:
        What was explored.

    Warns:
        PartialExploration: when something that was asked for was left out.

    Raises:
        NotIdempotent: when a history ends otherwise, one class for each kind of difference.
            Its `report` tells all.
        ExplorationError: when nothing can be shown: the world is not fresh, the job is not
            deterministic, or nothing that it does is seen.
    """
    names = checked_names(histories, others)
    check_choices(depth, delivery)
    check_world(world)
    check_arguments(args, kwargs)
    options = _Options(
        world=world,
        at_least_once=at_least_once,
        accept=tuple(accept),
        others=others,
        trace=trace,
        atomic=atomic,
        same_process=same_process,
        names=names,
        depth=depth,
        delivery=delivery,
        time_limit=time_limit,
        allow_partial=allow_partial,
    )
    run = partial(_check, job, tuple(args), dict(kwargs or {}), options)
    explored = _in_a_thread(run) if in_running_loop() else run()
    warning = note_explored(explored, chosen=trace is not None)
    if warning is not None:
        warnings.warn(warning, stacklevel=2)
    return explored


@dataclass(frozen=True, kw_only=True)
class _Options:
    world: World
    at_least_once: Collection[str]
    accept: tuple[type[BaseException], ...]
    others: Sequence[Callable[[], object]]
    trace: object
    atomic: Iterable[object]
    same_process: bool
    names: Sequence[HistoryName]
    depth: int
    delivery: str
    time_limit: float
    allow_partial: bool


def _check(job: Any, args: tuple[Any, ...], kwargs: dict[str, Any], options: _Options) -> Explored:
    draws = any(map(_is_strategy, (*args, *kwargs.values())))
    with _setting(job, options) as (setting, name):
        telling = Telling(setting, name, options.names, options.others, draws=draws)
        token = telling.token()
        if token is not None and not telling.is_meant(token):
            return Explored((), options.names, name, "other")

        explorers: dict[str, Explorer] = {}

        def explore(
            names: Sequence[HistoryName], args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> None:
            if token is None or not token.is_only_a_digest or token.fits(args, kwargs):
                key = repr((args, kwargs))
                if key not in explorers:
                    explorers[key] = _explorer(setting, args, kwargs, options)
                _explore(explorers[key], telling, names, options)

        drawn = None if token is None or not draws else drawn_arguments(token, args, kwargs)
        try:
            if draws and drawn is None:
                for names in _rounds(options):
                    _search(partial(explore, names), args, kwargs)
            else:
                explore(options.names, *(drawn or (args, kwargs)))
        except BaseException as error:
            telling.complete(error, TimeLimit(options.time_limit * _SHARE_OF_THE_REST))
            raise
        explorations = [explorer.exploration for explorer in explorers.values()]
        if token is not None:
            check_drawn_again(token, explorations)
    return Explored(explorations, options.names, name, "passes" if token is not None else "")


def _rounds(options: _Options) -> list[Sequence[HistoryName]]:
    """Return the histories in the order in which all arguments are tried with them: the quick ones first."""
    if options.delivery == "as configured":
        return [options.names]
    quick: Sequence[HistoryName] = [name for name in options.names if name in _QUICK]
    return [names for names in (quick, options.names) if names]


def _explorer(
    setting: Setting, args: tuple[Any, ...], kwargs: dict[str, Any], options: _Options
) -> Explorer:
    return Explorer(
        setting,
        args,
        kwargs,
        at_least_once=options.at_least_once,
        others=options.others,
        depth=options.depth,
    )


def _explore(
    explorer: Explorer, telling: Telling, names: Sequence[HistoryName], options: _Options
) -> None:
    token = telling.token()
    if token is None:
        exploration = explorer.explore(names, TimeLimit(options.time_limit))
    else:
        exploration = replay(explorer, token, telling.job, options.others)
    failure = exploration.failure
    if failure is not None:
        raise telling.error(explorer, exploration, failure) from failure.verdict.error
    if exploration.inconclusive and not options.allow_partial:
        plan, call = exploration.inconclusive[0]
        raise ExplorationError(
            f"{len(exploration.inconclusive)} of {exploration.planned} histories show nothing. In {plan.name}, "
            f"with the first delivery {plan.point}, the other waited without end at {call}. "
            "It waits for something in the memory of this process, which no two workers share: build it in the "
            "world or keep it in a module, say same_process=True when all deliveries share one process, or accept "
            "that these show nothing by allow_partial=True."
        )
    if exploration.histories < exploration.planned and not options.allow_partial:
        raise ExplorationError(
            f"{options.time_limit} s did not suffice: {explored_text(exploration, options.names)} Raise "
            "time_limit=, make the world faster, or accept a part by allow_partial=True."
        )


@contextmanager
def _setting(job: Any, options: _Options) -> Generator[tuple[Setting, str], None, None]:
    with ExitStack() as stack:
        harness = _harness(stack)
        target = harness.targets.find(job) or _function_target(job, harness, stack)
        bridge, name = target.bridge, target.name
        body = bridge.resolve(target.job)
        scope = Scope(body, options.world, options.trace, options.atomic)
        tracer = line_tracer(scope)
        patches = Patches()
        stack.callback(patches.restore)
        sources = Sources(patches)
        sources.catch_up()
        follow(patches)
        audit_hook.install()
        stack.enter_context(hearing_nothing_of(Unwound))
        stack.enter_context(harness.clock.excursion())
        harness.clock.freeze()
        harness.clock.advance_ns(int(until_quiet(harness.clock.now()).total_seconds() * 1e9))
        stack.enter_context(harness.performer.sleeps.passing_time(_passing(harness.clock)))
        tracer.open()
        stack.callback(tracer.close)
        bridges = tuple(dict.fromkeys((*harness.bridges, bridge)))
        yield (
            Setting(
                bridges=bridges,
                bridge=bridge,
                job=target.job,
                world=options.world,
                scope=scope,
                tracer=tracer,
                clock=harness.clock,
                sleeps=harness.performer.sleeps,
                sources=sources,
                accept=options.accept,
                same_process=options.same_process,
                as_configured=options.delivery == "as configured",
                depth=options.depth,
            ),
            name,
        )


def _passing(clock: VirtualClock) -> Callable[[int], None]:
    """Return what comes of the sleeps of what is explored."""
    return lambda ns: clock.advance_ns(lengthened(ns))


def _harness(stack: ExitStack) -> OpenHarness:
    """Return the harness that is open, or one for this check."""
    if open_harnesses.any_open():
        return current_jobs()
    from ..bridges.opening import open_jobs

    return stack.enter_context(open_jobs())


def _function_target(job: Any, harness: OpenHarness, stack: ExitStack) -> Target:
    """Return a plain function as a job of a bridge of its own."""
    if not callable(job) or isinstance(job, type):
        raise CriterionError(
            f"{job!r} is no job of what is bridged here, and no function: name a job, or a function."
        )
    bridge = FunctionBridge(job)
    bridge.install(harness.ledger, lambda: 0.0)
    stack.callback(bridge.uninstall)
    return Target(bridge, job, bridge.identify(job) or "")


def _is_strategy(value: object) -> bool:
    return any(base.__module__.startswith("hypothesis.") for base in type(value).__mro__)


def _search(
    explore: Callable[[tuple[Any, ...], dict[str, Any]], None],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Let Hypothesis search the arguments; it never draws where a delivery is interrupted."""
    from hypothesis import HealthCheck, given, settings, strategies

    def strategy(value: Any) -> Any:
        return value if _is_strategy(value) else strategies.just(value)

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        strategies.tuples(*map(strategy, args)),
        strategies.fixed_dictionaries({name: strategy(value) for name, value in kwargs.items()}),
    )
    def search(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        explore(args, kwargs)

    search()


def _in_a_thread(run: Callable[[], Explored]) -> Explored:
    """Run a check off the event loop that runs here."""
    ended: list[Explored] = []
    failed: list[BaseException] = []
    context = contextvars.copy_context()

    def work() -> None:
        try:
            ended.append(context.run(run))
        except BaseException as error:
            failed.append(error)

    worker = threading.Thread(target=work, name="pytest-jobs-exploration")
    worker.start()
    worker.join()
    if failed:
        raise failed[0]
    return ended[0]
