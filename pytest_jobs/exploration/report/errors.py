"""What a check says in the end: an error with its report, or a note and a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...errors import NotIdempotent, PartialExploration
from ...harness.records.bridge import Bridge
from ..engine.audience import CheckNote, audience, current_audience
from ..engine.functions import FunctionBridge
from ..engine.world import Setting
from ..histories.explorer import Exploration, Explorer, Failure, look_at_the_rest
from ..histories.plans import HISTORIES, HistoryName
from ..histories.verdicts import ERRORS
from .explored import Explored
from .replay import Token, other_name, parsed_token, token_of
from .report import Report


def semantics_text(bridge: Bridge, job: object) -> str:
    """Return in one line what becomes of a job that raises, and of one that is killed."""
    if isinstance(bridge, FunctionBridge):
        return "delivery: at least once, as brokers do; a plain function has no library of its own."
    found = bridge.delivery_semantics(job)
    library = "the core" if bridge.name == "core" else bridge.name
    raises = (
        "delivered again" if found.redelivered_on_raise else "delivered again only by a retry rule"
    )
    killed = _becomes(found.redelivered_on_kill)
    outage = _becomes(found.redelivered_on_outage)
    ends = (
        f"when it is killed, {killed}"
        if killed == outage
        else f"when its process is killed, {killed}; when the machine goes, {outage}"
    )
    return (
        f"delivery: {library} acknowledges this job {found.acknowledged} it runs; "
        f"when it raises, it is {raises}; {ends}."
    )


def _becomes(redelivered: bool) -> str:
    return "delivered again" if redelivered else "lost"


class Telling:
    """Makes the errors of one check."""

    def __init__(
        self,
        setting: Setting,
        job: str,
        names: Sequence[HistoryName],
        others: Sequence[Callable[[], object]],
        *,
        draws: bool,
    ) -> None:
        """Be ready.

        Args:
            setting: in which the job is delivered.
            job: its name.
            names: the histories that were asked for.
            others: the other jobs.
            draws: whether Hypothesis draws the arguments.
        """
        self._setting = setting
        #: The name of the job.
        self.job = job
        self._names = names
        self._others = others
        self._draws = draws
        self._told: dict[int, tuple[NotIdempotent, Report, Explorer]] = {}

    def token(self) -> Token | None:
        """Return what is to be replayed; None for nothing."""
        text = current_audience().replay
        return None if text is None else parsed_token(text)

    def is_meant(self, token: Token) -> bool:
        """Say whether it is this check that a token is of."""
        return token.is_of(self.job) and bool(token.arguments) is self._draws

    def error(
        self, explorer: Explorer, exploration: Exploration, failure: Failure
    ) -> NotIdempotent:
        """Return the error of a history that failed."""
        drawn = (exploration.args, exploration.kwargs) if self._draws else None
        plan = failure.plan
        reader = current_audience()
        report = Report(
            self.job,
            exploration,
            failure,
            explorer.reference.run,
            self._names,
            token_of(plan, self.job, self._others, drawn),
            semantics_text(self._setting.bridge, self._setting.job),
            reader,
            other_name(self._others, plan.other) if plan.name == "out_of_order" else "",
            is_replay=reader.replay is not None,
        )
        error = ERRORS[failure.verdict.word](str(report))
        error.report = report
        self._told[id(error)] = error, report, explorer
        return error

    def complete(self, raised: BaseException, go_on: Callable[[], bool]) -> None:
        """Look at the histories after the first that failed, for the errors that get out.

        Of a search by Hypothesis that is done for the simplest arguments only.
        """
        for error in _errors_in(raised):
            if id(error) not in self._told:
                continue
            told, report, explorer = self._told[id(error)]
            if not report.is_replay:
                report.rest = look_at_the_rest(explorer, report.exploration, self._names, go_on)
                report.exploration.histories = sum(report.rest.tried.values())
            told.args = (str(report),)


def note_explored(explored: Explored, *, chosen: bool) -> PartialExploration | None:
    """Leave a note of a check that passed; return what is to be warned of.

    Args:
        explored: what it explored.
        chosen: whether the test says which lines count, so that it is no wonder that others do not.
    """
    left_out = tuple(
        dict.fromkeys(text for one in explored.explorations for text in _left_out(one))
    )
    untraced = tuple(
        dict.fromkeys(f"lines of {name}" for one in explored.explorations for name in one.untraced)
    )
    reader = audience.get()
    if reader is not None:
        not_asked = tuple(name for name in HISTORIES if name not in explored.names)
        note = CheckNote(
            explored.job, explored.histories, not_asked, (*left_out, *untraced), explored.replay
        )
        reader.notes.append(note)
    warned_of = left_out if chosen else (*left_out, *untraced)
    if not warned_of or explored.replay:
        return None
    return PartialExploration(
        f"The check of {explored.job} passed, and did not explore: {'; '.join(warned_of)}."
    )


def _left_out(exploration: Exploration) -> Iterator[str]:
    left = exploration.planned - exploration.histories
    if left > 0:
        yield f"{left} of {exploration.planned} histories, for want of time"
    if exploration.inconclusive:
        waited = dict.fromkeys(call for _, call in exploration.inconclusive)
        yield (
            f"{len(exploration.inconclusive)} histories in which one delivery waited for another "
            f"at {', '.join(waited)}"
        )
    if exploration.elsewhere:
        yield f"interruptions in other threads, at {', '.join(exploration.elsewhere)}"


def _errors_in(raised: BaseException) -> Iterator[BaseException]:
    if isinstance(raised, BaseExceptionGroup):
        for inner in raised.exceptions:
            yield from _errors_in(inner)
    else:
        yield raised
