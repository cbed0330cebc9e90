"""Checking that a job may be delivered more than once."""

from __future__ import annotations

import contextvars
import random
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from ..core.foundation.vocabulary import in_our_words
from ..errors import CriterionError, ExplorationError, NotIdempotent
from ..harness.time.waiting import in_running_loop, off_the_loop
from .effects.doubles.call_kinds import CallKind, check_mocks, kinds_of
from .engine.delivering import accepted
from .engine.ending.log import log_kept_apart, report_handler
from .engine.engine import Engine
from .engine.scope import Scope
from .engine.world import TimeLimit, World, check_world, sharing_resources
from .histories.checked_job import CheckedJob, Options, open_search, target_of
from .histories.exploration import Exploration
from .histories.explorer import Explorer
from .histories.plans import (
    AS_CONFIGURED,
    DEFAULT,
    EVERY_JOB_HAS,
    HISTORIES,
    TWICE_INTERRUPTED,
    AnyHistory,
    HistoryName,
    why_nothing_to_try,
)
from .histories.repeatable import Repeatable
from .histories.replay import check_drawn_again, drawn_arguments, parsed_token, replay
from .histories.verdicts import ERRORS
from .report.audience import current_audience, kept_state
from .report.explored import Explored, note_explored
from .report.report import Report, report_on
from .stores.account import Ignore
from .worlds.here import Here, copied_text, copy_test, here, nothing_seen


def checked_names(
    histories: Literal["all"] | Collection[str],
    others: Sequence[object],
    depth: object,
    delivery: object,
) -> tuple[AnyHistory, ...]:
    """Return the names of the histories that are asked for, in the order in which they are tried.

    Raises:
        CriterionError: when there are none, or one is unknown, or when `depth` or `delivery` is none of its few
            values, or has no effect in these histories.
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
            f"A history must be one of {', '.join(HISTORIES)}, got {unknown[0]!r}."
        )
    if "out_of_order" in wanted and not others:
        raise CriterionError("out_of_order needs others=[...]: what runs between the deliveries.")
    if not wanted:
        raise CriterionError("No history is named, so nothing would be explored.")
    if depth not in (1, 2):
        raise CriterionError(f"depth must be 1 or 2, the deliveries interrupted, got {depth!r}.")
    if delivery not in ("at-least-once", "as configured"):
        raise CriterionError(
            f"delivery must be 'at-least-once' or 'as configured', got {delivery!r}."
        )
    if depth == 2 and not {*wanted} & {*TWICE_INTERRUPTED}:
        raise CriterionError(
            f"depth=2 interrupts the second delivery of {' and of '.join(TWICE_INTERRUPTED)}, and histories= has "
            "neither of them: add one, or leave depth= out."
        )
    if others and "out_of_order" not in wanted:
        raise CriterionError(
            "others= are called in out_of_order only, which is not among the histories: add it to histories=, or "
            "write histories='all'."
        )
    return tuple(name for name in HISTORIES if name in wanted)


def checked_world(world: World | None, args: object, kwargs: object, mocks: object) -> World:
    """Return the world of a check: that of the test where none is given.

    Raises:
        ExplorationError: when it is none, or the arguments do not come in a list and a mapping.
        CriterionError: when `mocks` does not say what calls are.
    """
    world = here() if world is None else world
    if not isinstance(world, Here):
        check_world(world)
    if isinstance(args, str | bytes) or not isinstance(args, Iterable):
        raise ExplorationError(
            f"args={args!r} are not arguments: write them in a tuple, as in args=({args!r},)."
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise ExplorationError(
            f"kwargs={kwargs!r} are not keyword arguments: write a mapping, as in kwargs={{'user_id': 7}}."
        )
    check_mocks({} if mocks is None else mocks)
    return world


#: Histories without a point of interruption: there is one of each.
_QUICK: Final = frozenset(("twice", "restart"))
#: What notes of Hypothesis on our own function contain.
_SEARCH_NOTES: Final = ("search(", "@reproduce_failure")


@in_our_words(CriterionError, by_position="args")
def check_idempotent(
    job: Any,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    world: World | None = None,
    histories: Literal["all"] | Collection[HistoryName] = DEFAULT,
    at_least_once: Collection[str] = (),
    repeatable: Collection[str] = (),
    accept: Collection[type[BaseException]] = (),
    others: Sequence[Callable[[], object]] = (),
    ignore: Collection[str] = (),
    trace: object = None,
    atomic: Iterable[object] = (),
    mocks: Mapping[str, CallKind] | None = None,
    same_process: bool = False,
    every_line: bool = False,
    depth: Literal[1, 2] = 1,
    delivery: Literal["at-least-once", "as configured"] = "at-least-once",
    time_limit: float = 10.0,
    allow_partial: bool = False,
) -> Explored:
    """Deliver a job in every bad way, and fail unless each history ends as one clean run does.

    The histories are tried in a fixed order, the simplest first, each at every line and around every
    effect of the job.

    Args:
        job: a job of the core or of a bridge, or a plain or coroutine function.
        args: its positional arguments; Hypothesis strategies among them are searched.
        kwargs: its keyword arguments, likewise.
        world: a generator function that builds everything afresh and yields a callable which
            returns the state, by name; or what returns such a context manager. Default: `here()`, copies
            of what the test's fixtures have built.
        histories: the names of those to try, or "all". Six by default.
        at_least_once: names of state, or kinds of effect, that may happen more often than in one
            clean run if a delivery was cut off.
        repeatable: names or patterns of effects, and of parts of the state, that may happen again in each
            history, such as `mail`, `enqueue shop.ship`, `POST hooks.example/*` or `subprocess.cp`. It is compared
            that they happen, and not how often.
        accept: exceptions with which a delivery may end.
        others: for `out_of_order`: what is called between the deliveries, with the world in force.
        ignore: names or patterns of tables, keys, files and whole stores that the job writes and the
            world does not show: they are compared all the same, unless they are named here. Of copies of what
            the test has, they are left out as well.
        trace: modules, functions or classes whose lines count, instead of the code of the project.
        atomic: modules, functions or classes that are one step.
        mocks: by the name of a double, such as `shop.tasks.crm.tag`, or the place of a request, such as
            `auth.example POST /oauth/token`, or by a pattern: whether a call is an "effect", a "put" (which has
            no further effect when it is repeated), a "read", or "nothing". By default the name decides.
        same_process: whether all deliveries share the memory of one process.
        every_line: whether every point is tried. By default one point stands for all that are equivalent to it:
            see "What a check proves".
        depth: how many deliveries are interrupted in one history: with 2, the delivery after a crash
            is killed as well, and two deliveries overtake one another.
        delivery: "as configured" to deliver again only where the library would, by the settings of
            the job.
        time_limit: seconds of computing for one set of arguments. In real time it may take six times as long.
        allow_partial: whether histories are left out if the time does not suffice, instead of failing.

    Returns:
        What was explored.

    Warns:
        PartialExploration: when something that was asked for was left out.

    Raises:
        NotIdempotent: when a history ends differently, one class for each kind of difference.
            Its `report` has everything.
        ExplorationError: when nothing can be shown: the world is not fresh, the job is not
            deterministic, or nothing that it does is seen.
    """
    if histories is DEFAULT and delivery == "as configured":
        histories = AS_CONFIGURED
    names = checked_names(histories, others, depth, delivery)
    world = checked_world(world, args, kwargs, mocks)
    options = Options(
        world=world,
        names=names,
        at_least_once=at_least_once,
        repeatable=Repeatable(repeatable, current_audience().repeatable()),
        accept=accepted(accept),
        others=others,
        ignore=Ignore(ignore),
        trace=trace,
        atomic=atomic,
        mocks=mocks or {},
        same_process=same_process,
        every_line=every_line,
        depth=depth,
        as_configured=delivery == "as configured",
        time_limit=time_limit,
        allow_partial=allow_partial,
        by_name=not {*names} >= EVERY_JOB_HAS,
        nothing_seen=nothing_seen if isinstance(world, Here) else None,
        is_audit=bool(current_audience().audit),
    )
    return Check(job, args, kwargs, options).made()


class Check:
    """One check: it explores one set of arguments after another, and reports on those that fail."""

    explorer: type[Explorer] = Explorer
    report: type[Report] = Report
    _checked: CheckedJob

    def __init__(
        self, job: Any, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: Options
    ) -> None:
        limit: object = options.time_limit
        if not isinstance(limit, int | float):
            raise CriterionError(
                f"time_limit must be a number of seconds such as 10, got {limit!r}."
            )
        self._job = job
        self._args, self._kwargs = tuple(args), dict(kwargs or {})
        self._options = options
        #: Those of the histories to replay. Several are of one set of arguments.
        self._tokens = [parsed_token(text) for text in current_audience().replays]
        self._token = next(iter(self._tokens), None)
        given: list[tuple[int | str, Any]] = [*enumerate(self._args), *self._kwargs.items()]
        #: The positions and the names of the arguments that Hypothesis draws.
        self._drawn = [place for place, value in given if _is_strategy(value)]
        #: By the arguments.
        self._explorers: dict[str, Explorer] = {}
        self._failed: dict[int, tuple[NotIdempotent, Explorer]] = {}

    def made(self) -> Explored:
        """Make the check in the test that runs: return what was explored, and warn of what was not."""
        with sharing_resources():
            if isinstance(self._options.world, Here):
                copy_test()
            if in_running_loop():
                # In this thread although an event loop runs here: only the main thread handles signals.
                with off_the_loop():
                    explored = contextvars.copy_context().run(self._in_engine)
            else:
                explored = self._in_engine()
        warning = note_explored(explored, chosen=self._options.trace is not None)
        if warning is not None:
            warnings.warn(warning, stacklevel=4)
        return explored

    def _in_engine(self) -> Explored:
        options = self._options
        scope = Scope(options.world, options.trace, options.atomic)
        with Engine.opened(
            scope,
            current_audience().sources(),
            kept=kept_state(),
            time_limit=options.time_limit,
        ) as engine:
            target = target_of(engine, self._job)
            body = target.bridge.resolve(target.job)
            if self.explorer.traces_installed or not scope.is_installed(body):
                scope.add(body)
            open_search(engine, options.mocks)
            self._checked = CheckedJob(target, options, engine)
            before = report_handler.set(current_audience().log)
            try:
                return self._searched()
            finally:
                report_handler.reset(before)

    def _searched(self) -> Explored:
        checked, options, token = self._checked, self._options, self._token
        draws = bool(self._drawn)
        if token is not None and not (token.is_of(checked.name) and bool(token.arguments) is draws):
            return Explored((), options.names, checked.name, "other")
        drawn = (
            None if token is None or not draws else drawn_arguments(token, self._args, self._kwargs)
        )
        failed: BaseException | None = None
        try:
            if draws and drawn is None:
                self._search_arguments()
            else:
                self._explore(options.names, *(drawn or (self._args, self._kwargs)))
        except BaseException as raised:
            failed = raised
        if failed is not None:
            # Here no error is being handled, so that none of the deliveries that follow shows it as its context.
            self._complete(failed)
            self._announce()
            raise failed
        explorations = self._explorations
        for exploration in explorations:
            exploration.world = copied_text()
        kinds = kinds_of(checked.engine.of_search)
        if token is not None:
            check_drawn_again(token, explorations)
        else:
            kinds.check_all_used()
            if not current_audience().audit:
                options.ignore.check_used()
            options.check_used()
            self._check_something_tried()
        self._announce()
        return Explored(
            explorations,
            options.names,
            checked.name,
            "passes" if token is not None else "",
            guesses=tuple(kinds.uncounted()),
        )

    @property
    def _explorations(self) -> list[Exploration]:
        return [explorer.exploration for explorer in self._explorers.values()]

    def _announce(self) -> None:
        """Pass on what was explored to whoever collects it, such as `--jobs-report`."""
        for call in current_audience().when_checked:
            call(self._checked.target, self._explorations)

    def _explore(
        self, names: Sequence[AnyHistory], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Try histories with one set of arguments. `_complete` gives the error of one that fails its report."""
        token, options = self._token, self._options
        if token is not None and token.is_only_a_digest and not token.fits(args, kwargs):
            return
        key = repr((args, kwargs))
        if key not in self._explorers:
            self._explorers[key] = self.explorer(self._checked, args, kwargs)
            self._explorers[key].exploration.semantics = self.report.semantics_of(self._checked)
        explorer = self._explorers[key]
        exploration = explorer.exploration
        # The clean runs are a part of it.
        limit = TimeLimit(options.time_limit)
        try:
            explorer.refer(limit if token is None else None)
            if exploration.unseen and not self._drawn:
                raise ExplorationError(exploration.unseen)
            if token is None:
                explorer.explore(names, limit)
            else:
                replay(explorer, self._tokens)
        except ExplorationError as refusal:
            if self._drawn:
                refusal.add_note(f"Hypothesis drew the arguments {exploration.call}.")
            raise
        if exploration.failure is not None:
            verdict = exploration.failure.verdict
            error = ERRORS[verdict.word]()
            self._failed[id(error)] = error, explorer
            raise error from verdict.error
        if options.allow_partial:
            return
        if exploration.inconclusive:
            plan, call = exploration.inconclusive[0]
            raise ExplorationError(
                f"{len(exploration.inconclusive)} of {exploration.planned} histories show nothing. In "
                f"{plan.name}, with the first delivery {plan.point}, the other waited without end at {call}. "
                "It waits for something in the memory of this process, which no two workers share: build it in "
                "the world or keep it in a module, say same_process=True when all deliveries share one process, "
                "or accept that these show nothing by allow_partial=True."
            )
        if exploration.histories < exploration.planned:
            raise ExplorationError(
                f"{options.time_limit:g} s did not suffice: {exploration} {exploration.time_for_all}Raise "
                "time_limit=, let trace= name the code that matters and atomic= what is one step, make the world "
                "faster, or accept a part by allow_partial=True."
            )

    def _complete(self, raised: BaseException) -> None:
        """Give the errors that are about to leave the check their reports.

        Only now, since Hypothesis makes many errors and raises the simplest. The search ends first:
        the histories after the failure are tried, so that the report has everything.
        """
        go_on = TimeLimit(self._options.time_limit)
        for error in _errors_in(raised):
            # Hypothesis shows a call of our own function, and how to reproduce that.
            notes = getattr(error, "__notes__", [])
            notes[:] = [note for note in notes if not any(ours in note for ours in _SEARCH_NOTES)]
            if id(error) not in self._failed:
                continue
            failed, explorer = self._failed[id(error)]
            exploration = explorer.exploration
            exploration.world = copied_text()
            if self._token is None:
                with log_kept_apart():
                    explorer.explore_rest(go_on, one_of_each=bool(current_audience().audit))
            if exploration.failure is not None:
                exploration.failure.log.show()
                failed.report = report_on(
                    self._checked, exploration, exploration.failure, self._drawn, self.report
                )
                failed.args = (str(failed.report),)
                exploration.replay = failed.report.replay

    def _check_something_tried(self) -> None:
        """Check that the job does something, and that each history had something to try.

        With arguments that are drawn, some may be harmless, but not all.
        """
        explorations = self._explorations
        if all(one.unseen for one in explorations):
            raise ExplorationError(explorations[0].unseen)
        if not self._options.by_name or current_audience().audit:
            return
        for name in explorations[0].nothing_to_try:
            if all(name in one.nothing_to_try for one in explorations):
                raise ExplorationError(
                    f"The check names {name}, and there is nothing to try: {why_nothing_to_try(name)}, or leave "
                    f"{name} out of histories=."
                )

    def _search_arguments(self) -> None:
        """Let Hypothesis search the arguments. It never draws the points: those are all tried."""
        from hypothesis import HealthCheck, Phase, core, given, seed, settings, strategies

        def strategy(value: Any) -> Any:
            return value if _is_strategy(value) else strategies.just(value)

        args = strategies.tuples(*map(strategy, self._args))
        kwargs = strategies.fixed_dictionaries(
            {name: strategy(value) for name, value in self._kwargs.items()}
        )
        # It would explain the failure by lines of ours.
        phases = [phase for phase in settings().phases if phase is not Phase.explain]

        def searching(names: Sequence[AnyHistory]) -> Any:
            # Two bugs would leave as a group of errors, and the reader mends one at a time.
            @settings(
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
                report_multiple_bugs=False,
                phases=phases,
            )
            @given(args, kwargs)
            def search(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
                self._explore(names, args, kwargs)

            return search

        # Each round draws the same arguments, so that all are explored by all names, and by the quick ones first.
        is_fixed = settings().derandomize or core.global_force_seed is not None
        number = random.getrandbits(64)
        names = self._options.names
        quick: Sequence[AnyHistory] = [
            name for name in names if name in _QUICK and not self._options.as_configured
        ]
        for some in filter(None, (quick, names)):
            search = searching(some)
            (search if is_fixed else seed(number)(search))()


def _errors_in(raised: BaseException) -> Generator[BaseException, None, None]:
    if isinstance(raised, BaseExceptionGroup):
        for inner in raised.exceptions:
            yield from _errors_in(inner)
    else:
        yield raised


def _is_strategy(value: object) -> bool:
    return any(base.__module__.startswith("hypothesis.") for base in type(value).__mro__)
