"""The histories that are to be tried."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import zip_longest
from typing import Final, Literal, TypeAlias, get_args

from ...harness.records.bridge import DeliverySemantics
from ..engine.acts import Act
from ..engine.points import Point, spread
from ..engine.run import Run
from .equivalent_points import Chosen

HistoryName: TypeAlias = Literal[
    "twice",
    "restart",
    "crash",
    "abandoned",
    "effect_fails",
    "reply_lost",
    "overlap",
    "late",
    "lease_expires",
    "limit_fires",
    "out_of_order",
]
#: Of a call that hands work off, and that nobody repeats: see `handoff`.
HandoffName: TypeAlias = Literal[
    "clean",
    "early",
    "dies",
    "refused",
    "enqueue_unknown",
    "reply_lost",
    "commit_unknown",
    "callback_fails",
    "overtaken",
    "lost",
]
AnyHistory: TypeAlias = HistoryName | HandoffName

#: Every history of a job, in the order in which they are tried: the simplest first.
HISTORIES: Final[tuple[HistoryName, ...]] = get_args(HistoryName)
DEFAULT: Final[tuple[HistoryName, ...]] = (
    "twice",
    "restart",
    "crash",
    "effect_fails",
    "reply_lost",
    "overlap",
)
#: By default with `delivery="as configured"`: where a library loses a job, it is not a crash that comes.
AS_CONFIGURED: Final[tuple[HistoryName, ...]] = tuple(
    name for name in HISTORIES if name in {*DEFAULT, "abandoned"}
)
#: Every history of a handoff, likewise.
HANDOFFS: Final[tuple[HandoffName, ...]] = get_args(HandoffName)
#: A check of all of these asks for everything, and for the others wherever a job has effects. One that names
#: only some picks them, and each must have something to try.
EVERY_JOB_HAS: Final[frozenset[AnyHistory]] = frozenset(("twice", "restart", "crash", "overlap"))
#: The histories whose second delivery is interrupted as well, with `depth=2`.
TWICE_INTERRUPTED: Final[tuple[AnyHistory, ...]] = ("crash", "overlap")

_FORGOTTEN: Final = (
    "by the settings of its library a job that has begun is not delivered again. "
    "Drop delivery='as configured'"
)
_FAKES: Final = "Fake or wrap what it calls"
_NOTHING_TO_TRY: Final[Mapping[AnyHistory, str]] = {
    "crash": "by the settings of its library a job whose worker is killed is not delivered again. Name abandoned",
    "effect_fails": f"a clean run of the job has no effect that could fail. {_FAKES}",
    "reply_lost": f"a clean run of the job has no effect whose answer could be lost. {_FAKES}",
    "limit_fires": "the library sets the job no time limit that the harness knows. Declare one",
    "abandoned": "the library delivers a job again whose worker was killed. Let the job have another library",
    "early": "a clean call enqueues no message that a worker sees before it ends. Let it enqueue one",
    "refused": f"a clean call enqueues nothing that could be refused, and has no effect that could fail. {_FAKES}",
    "enqueue_unknown": "a clean call enqueues no message whose acceptance could be unknown. Let it enqueue one",
    "commit_unknown": "a clean call commits nothing on a server, and the commit of sqlite has no answer to lose. "
    "Let the test use the server of production",
    "callback_fails": "a clean call has no on_commit callback, signal receiver or after_commit listener that does "
    "more than enqueue. Drop it",
    "overtaken": "there is no recover= that could run while the call is under way. Name a callable or a job",
    "lost": "a clean call enqueues no message that could be lost. Let it enqueue one",
}


def why_nothing_to_try(name: AnyHistory) -> str:
    """Return why a job gives no history of a name to try, and what would change that."""
    return _NOTHING_TO_TRY.get(name, _FORGOTTEN)


_AT_ONCE: Final = timedelta(0)
_NEXT_DAY: Final = timedelta(hours=25)
_LATER: Final = (timedelta(hours=1), _NEXT_DAY, timedelta(days=40))
#: Whole minutes, as the other gaps, so that no delivery begins at a whole minute if the first does not.
_LEASE: Final = timedelta(minutes=62)
_CUT_OFF: Final = frozenset(
    ("crash", "effect_fails", "reply_lost", "late", "lease_expires", "limit_fires")
)
_OVERLAPPING: Final = frozenset(("overlap", "lease_expires"))
_KILLED: Final = frozenset(("crash", "late", "abandoned"))
#: Something else runs while a delivery stands still, and may have to wait for it.
_BESIDE: Final = frozenset(("early", "overtaken"))
_FAILING: Final = frozenset(("effect_fails", "reply_lost"))


@dataclass(frozen=True)
class Plan:
    """Describes one history that is to be tried."""

    name: AnyHistory
    #: The point at which the first delivery is interrupted, by its index; None for nowhere.
    index: int | None = None
    point: Point | None = None
    gap: timedelta = _AT_ONCE
    act: Act | None = None
    #: The position of the other job, of `out_of_order`.
    other: int = 0
    #: The point at which the second delivery is interrupted; None for nowhere.
    second: int | None = None
    second_point: Point | None = None
    #: Whether the whole worker is lost, rather than the process that runs the job.
    outage: bool = False
    #: How often the schedules of the project bring the job again afterwards; where it is abandoned, whether all of
    #: them fire for an hour. Either may take up what was left.
    fires: int = 0
    #: Whether what a killed delivery has enqueued is performed before the next delivery. Workers do either.
    early_children: bool = False

    @property
    def key(self) -> object:
        """What tells it from the other plans of one job."""
        return self.name, self.index, self.gap, self.other, self.second, self.outage

    def __str__(self) -> str:
        return self.name if self.point is None else f"{self.name} {self.point}"

    @property
    def needs_threads(self) -> bool:
        """Whether something runs beside a delivery and may wait for it, so that each has a thread of its own."""
        return self.second is not None or self.name in _BESIDE

    @property
    def cuts_off(self) -> bool:
        """Whether a delivery is cut off, so that an effect declared `at_least_once` may happen twice."""
        return self.name in _CUT_OFF and self.index is not None


def plans_of(
    run: Run,
    chosen: Chosen,
    names: Collection[AnyHistory],
    others: int,
    semantics: DeliverySemantics,
) -> Iterator[Plan]:
    """Yield the plans for a job, the simplest first."""
    return (plan for plan in _all_plans(run, chosen, others, semantics) if plan.name in names)


def stands_for_all(chosen: Chosen, names: Collection[AnyHistory]) -> str:
    """Return how many points the histories of some names try for all points; "" if they try each."""
    asked = frozenset(names)
    return chosen.text(
        crashes=bool(asked & _KILLED),
        overlaps=bool(asked & _OVERLAPPING),
        effects=bool(asked & _FAILING),
    )


def loses(semantics: DeliverySemantics) -> bool:
    """Return whether a library may lose a job whose worker dies."""
    return not (semantics.redelivered_on_kill and semantics.redelivered_on_outage)


def possible(plans: Iterable[Plan], semantics: DeliverySemantics) -> Iterator[Plan]:
    """Drop the histories that a library, as configured, can never produce."""
    for plan in plans:
        if plan.index is None or plan.name in _OVERLAPPING:
            if semantics.acknowledged == "after":
                yield plan
        elif plan.name not in ("crash", "late") or semantics.redelivered_on_kill:
            yield plan
        elif semantics.redelivered_on_outage:
            # A worker that is killed alone leaves the job abandoned.
            yield replace(plan, outage=True)


def _all_plans(
    run: Run, chosen: Chosen, others: int, semantics: DeliverySemantics
) -> Iterator[Plan]:
    points = run.points
    acts = [
        (index, points[index], act)
        for index in chosen.acts
        if (act := run.point_acts[index]) is not None
    ]
    yield Plan("twice")
    yield Plan("restart")
    yield from (Plan("crash", index, points[index]) for index in chosen.killed)
    if loses(semantics):
        outage = semantics.redelivered_on_kill
        for index in chosen.killed:
            yield Plan("abandoned", index, points[index], outage=outage)
    for index, point, act in acts:
        if point.kind == "before" and act.refused is not None:
            yield Plan("effect_fails", index, point, act=act)
    for index, point, act in acts:
        if point.kind == "after" and act.answer_lost is not None:
            yield Plan("reply_lost", index, point, act=act)
    yield from (Plan("overlap", index, points[index]) for index in chosen.overtaken)
    yield from (Plan("late", gap=gap) for gap in _LATER)
    yield from (Plan("late", index, points[index], _NEXT_DAY) for index in chosen.killed)
    yield from (Plan("lease_expires", index, points[index], _LEASE) for index in chosen.overtaken)
    if run.has_limit:
        # An error may be caught, or not, at two lines between which nothing happens.
        for index in chosen.acts:
            if points[index].kind != "end":
                yield Plan("limit_fires", index, points[index])
    yield from (Plan("out_of_order", other=other) for other in range(others))


def most_telling_first(plans: Iterable[Plan]) -> list[Plan]:
    """Return plans in the order in which they are tried if there is no time for all.

    First those that are interrupted nowhere, then those beside effects and awaits, in each history; then
    those at other lines, coarse to fine, so that each part of the job gets its share.
    """
    lines: dict[object, list[Plan]] = {}
    first: list[Plan] = []
    beside: list[Plan] = []
    for plan in plans:
        if plan.point is None:
            first.append(plan)
        elif plan.point.kind == "line":
            lines.setdefault((plan.name, plan.outage), []).append(plan)
        else:
            beside.append(plan)
    in_turn = zip_longest(*map(spread, lines.values()))
    fine = [plan for turn in in_turn for plan in turn if plan is not None]
    return [*first, *beside, *fine]


def deeper(seconds: Mapping[Plan, Sequence[Point]]) -> list[Plan]:
    """Return the plans in which the second delivery is interrupted as well."""
    return [
        replace(plan, second=index, second_point=point)
        for plan, points in seconds.items()
        for index, point in enumerate(points)
    ]
