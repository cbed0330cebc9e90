"""Checking that the work which a call hands off is neither lost nor half done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from ..core.foundation.vocabulary import in_our_words
from ..errors import CriterionError
from .check import Check, checked_world
from .effects.doubles.call_kinds import CallKind
from .engine.delivering import accepted
from .engine.world import World
from .handoff.explorer import HandoffExplorer
from .handoff.handoff_report import HandoffReport
from .handoff.history import SCHEDULE, HandoffOptions
from .histories.plans import HANDOFFS, HandoffName
from .histories.repeatable import Repeatable
from .report.audience import current_audience
from .report.explored import Explored
from .stores.account import Ignore
from .worlds.here import Here, nothing_seen

#: The sessions of Django, which expire by themselves, and which a client does not miss.
_SESSIONS: Final = ("Session", "django_session")
#: A recover that repeats what a clean call did is always looked for.
DEFAULT: Final[tuple[HandoffName, ...]] = HANDOFFS[1:]


def _checked_names(histories: Collection[str]) -> tuple[HandoffName, ...]:
    wanted = [histories] if isinstance(histories, str) else list(histories)
    unknown = [name for name in wanted if name not in DEFAULT]
    if unknown or not wanted:
        got = f"got {unknown[0]!r}" if unknown else "and none is named"
        raise CriterionError(f"A history must be one of {', '.join(DEFAULT)}, {got}.")
    return tuple(name for name in DEFAULT if name in wanted)


def _checked_recover(recover: Any) -> tuple[Any, ...]:
    several = tuple(recover) if isinstance(recover, list | tuple) else (recover,)
    given = tuple(each for each in several if each is not None)
    for each in given:
        if isinstance(each, str) and each != SCHEDULE:
            raise CriterionError(
                f"recover={each!r} is not a job or a function: pass what finds lost work, several in a list, or "
                f'"{SCHEDULE}" for what the schedules of the project fire.'
            )
    return given


@in_our_words(CriterionError, by_position="args")
def check_handoff(
    producer: Any,
    *,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    world: World | None = None,
    recover: Callable[[], object] | Literal["schedule"] | Sequence[Any] | object | None = None,
    within: timedelta = timedelta(hours=1),
    histories: Collection[HandoffName] = DEFAULT,
    ignore: Collection[str] = (),
    remains: Collection[str] = (),
    repeatable: Collection[str] = (),
    accept: Collection[type[BaseException]] = (),
    failed: Callable[[Any], bool] | None = None,
    mocks: Mapping[str, CallKind] | None = None,
    trace: object = None,
    atomic: Iterable[object] = (),
    time_limit: float = 10.0,
) -> Explored:
    """Interrupt a call that hands work off in every bad way, and fail unless its work is done, or never begun.

    Nobody makes the call again. What it has enqueued is performed, `recover=` looks for what was lost, and then
    the end is compared with that of a clean call, and with that of no call. A caller that was told of no error
    must find all work done.

    Args:
        producer: what hands work off: a function, a coroutine function, a method such as `client.post`, or a job
            that enqueues others.
        args: its positional arguments; Hypothesis strategies among them are searched.
        kwargs: its keyword arguments, likewise.
        world: as for `check_idempotent`. Default: `here()`, copies of what the test's fixtures have built.
        recover: what finds lost work: a callable or a job, called at once and after `within`, several in a list,
            or "schedule" for the recurring tasks of the project. None if nothing does.
        within: how long what follows may take. What is due later stays in the queue, and is compared.
        histories: the names of those to try. All by default; `lost` then only where the library, as configured,
            may lose a message that it has accepted, and with `recover=`.
        ignore: names or patterns of tables, keys, files and whole stores that are left out.
        remains: names or patterns of effects, and of parts of the state, that may stay after half a call, such as
            a row that says what was tried. A column, as `Token.attempts`, is not compared at all.
        repeatable: those that may happen again in each history.
        accept: exceptions with which the call may end, as it does when all is well.
        failed: returns whether a result tells the caller that the call has failed. By default a `status_code` of
            400 or more does.
        mocks: what the calls of doubles are, as for `check_idempotent`.
        trace: modules, functions or classes whose lines count, instead of the code of the project.
        atomic: modules, functions or classes that are one step.
        time_limit: seconds of computing for one set of arguments.

    Returns:
        What was explored.

    Warns:
        PartialExploration: when something that was asked for was left out.

    Raises:
        NotIdempotent: when a history ends badly: `LostEffect`, `HalfDone`, `DuplicateEffect` or `DivergedState`.
            Its `report` has everything.
        ExplorationError: when nothing can be shown: the clean call fails or changes nothing, `recover=` fails, or
            the world is not fresh.
    """
    names = _checked_names(histories)
    world = checked_world(world, args, kwargs, mocks)
    options = HandoffOptions(
        world=world,
        names=names,
        repeatable=Repeatable(repeatable, current_audience().repeatable()),
        accept=accepted(accept),
        ignore=Ignore(ignore, optional=_SESSIONS),
        trace=trace,
        atomic=atomic,
        mocks=mocks or {},
        as_configured=True,
        time_limit=time_limit,
        by_name=names != DEFAULT,
        nothing_seen=nothing_seen if isinstance(world, Here) else None,
        recover=_checked_recover(recover),
        within=within,
        remains=Repeatable(remains, parameter="remains"),
        failed=failed,
    )
    return HandoffCheck(producer, args, kwargs, options).made()


class HandoffCheck(Check):
    """One check of a call."""

    explorer = HandoffExplorer
    report = HandoffReport
