"""The histories of a handoff: which are tried, how each is carried out, and its verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from ...harness.records.texts import short_name
from ..engine.acts import Act
from ..engine.run import Run
from ..engine.sameness.differences import MISSING
from ..engine.world import TimeLimit
from ..histories.checked_job import CheckedJob
from ..histories.exploration import Failure
from ..histories.explorer import Explorer
from ..histories.history import History
from ..histories.plan_runner import PlanRunner
from ..histories.plans import HANDOFFS, AnyHistory, HandoffName, Plan
from ..histories.verdicts import Verdict, Word, counted, has_only_more, what_of
from .history import MESSAGES, HandoffHistory, HandoffOptions, HandoffReference

#: After these the work is to be done, whatever the caller was told.
_MUST_BE_DONE: Final = frozenset(("early", "lost"))
_TOLD_THOUGH_DONE: Final = (
    "refused: the caller is told of an error although the work is done: a second click does "
    "it twice"
)
_Difference = tuple[str, Any, Any]


@dataclass(frozen=True)
class HandoffVerdict(Verdict):
    """How the end of a history differs from that of a clean call, and from that of no call."""

    #: What is observed if the call is never made, and at the end of the history.
    never: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    #: The names of what finds lost work; empty if nothing does.
    recover: str = ""
    #: The part that is there although another one is missing, of a call that is left half done.
    there: str = ""

    def __str__(self) -> str:
        return f"{self.word} {self.there} without {self.what}" if self.there else super().__str__()


class HandoffRunner(PlanRunner):
    """Carries out one plan for a call."""

    _history: HandoffHistory

    def run(self) -> Run:
        plan, history = self._plan, self._history
        if plan.name == "dies":
            return self._crash()
        if plan.name == "early":
            return self._meanwhile(history.take)
        if plan.name == "overtaken":
            return self._meanwhile(history.recover_meanwhile)
        if plan.name == "callback_fails":
            return self._fail(partial(RuntimeError, "a callback or a receiver has failed"))
        if plan.act is not None and plan.name != "lost":
            return self._fail(partial(self._error_of, plan.act))
        first = history.deliver_cleanly()
        if plan.name == "lost" and not history.lose(first.point_acts[cast(int, plan.index)]):
            self._fail_to_come_to(first)
        return first

    def _meanwhile(self, do: Callable[[], Run]) -> Run:
        """Let others do something at a point of the call, while it stands still."""
        history, came = self._history, False
        unfinished: list[Callable[[], None]] = []

        def interrupt() -> None:
            nonlocal came
            came = True
            self._do_beside(do, history.worker(), unfinished)

        first = history.deliver(self._at_first(lambda: history.while_suspended(interrupt)))
        if not came:
            self._fail_to_come_to(first)
        for finish in unfinished:
            finish()
        return first


class HandoffExplorer(Explorer):
    """Tries histories of one call with one set of arguments."""

    runs = HandoffRunner
    refers = HandoffReference
    #: A client of a web framework calls the project.
    traces_installed = False
    reference: HandoffReference

    def __init__(
        self, checked: CheckedJob, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        super().__init__(checked, args, kwargs)
        self.exploration.known = HANDOFFS[1:]
        self._terms = cast(HandoffOptions, checked.options)
        # Before a history begins, which has a queue of its own for each of them.
        self._recoveries = list(self._terms.recoveries(checked.engine))
        self._in_turn: Sequence[Mapping[str, Any]] = ()
        self._repeated: list[_Difference] = []
        self._is_repaired = False

    def refer(self, limit: TimeLimit | None) -> None:
        super().refer(limit)
        reference, notes = self.reference, self.exploration.notes
        # What recover does again after a clean call would make each comparison a wrong one.
        self._repeated = [
            each
            for each in reference.differing(reference.plain, reference.wanted)
            if _repeats(each)
        ]
        for name in map(short_name, reference.children.hands_off):
            notes[f"{name} hands off work too, and was not killed: check_handoff({name}, ...)"] = (
                None
            )

    def plans(self, names: Collection[AnyHistory]) -> list[Plan]:
        if self._repeated:
            return [Plan("clean")]
        order = {name: place for place, name in enumerate(HANDOFFS)}
        plans = [plan for plan in self._all_plans() if plan.name in names]
        return sorted(plans, key=lambda plan: order[plan.name])  # type: ignore[index]

    def _all_plans(self) -> Iterator[Plan]:
        run, chosen, terms = self.reference.run, self.reference.chosen(), self._terms
        points = run.points
        for index in chosen.killed:
            yield Plan("dies", index, points[index])
        for callback in run.callbacks:
            # One that only enqueues fails as `refused` does, and one without an effect cannot fail.
            acts = (run.point_acts[index] for index in callback if index in chosen.acts)
            if any(act is not None and act.kind != "enqueue" for act in acts):
                yield Plan("callback_fails", callback.start, points[callback.start])
        if self._recoveries:
            # At the first of them the call has done nothing.
            for index in chosen.killed[1:]:
                yield Plan("overtaken", index, points[index])
        has_rows = False
        for index in chosen.acts:
            act, point = run.point_acts[index], points[index]
            if act is None:
                continue
            is_message, is_after = act.kind == "enqueue", point.kind == "after"
            # One that comes with a commit cannot be refused alone.
            is_row = is_message and act.of_database
            has_rows |= is_row
            if is_message and is_after and not is_row:
                yield Plan("early", index, point, act=act)
                may_vanish = isinstance(act.value, tuple) and act.value[0] in self.reference.losable
                if terms.by_name or (terms.recover and may_vanish):
                    yield Plan("lost", index, point, act=act)
            if has_rows and is_after and act.is_commit and index + 1 < len(points):
                yield Plan("early", index + 1, points[index + 1])
            if not is_after and act.refused is not None and not act.of_database:
                yield Plan("refused", index, point, act=act)
            if is_after and act.answer_lost is not None and not is_row:
                yield Plan(_unanswered(act), index, point, act=act)

    # Verdicts

    def explore(self, names: Collection[AnyHistory], limit: TimeLimit) -> None:
        super().explore(names, limit)
        if self._recoveries and self.exploration.failure is None and not self._is_repaired:
            self.exploration.notes["recover= was seen to repair nothing in any history"] = None

    def try_out(self, plan: Plan) -> Failure | None:
        failure = super().try_out(plan)
        if failure is None or plan.name != "overtaken":
            return failure
        # Only now, when the world of the history is gone, and mostly there is no need.
        found = cast(HandoffVerdict, failure.verdict).found
        # Nothing is wrong if it ended as if one had come after the other.
        if not self._in_turn:
            self._in_turn = list(self.reference.in_turn())
        ends = (self.reference.differing(wanted, found) for wanted in self._in_turn)
        return failure if all(ends) else None

    def judged(
        self, plan: Plan, history: History, last: Run, found: Mapping[str, Any]
    ) -> Verdict | None:
        reference, first = self.reference, history.runs[0]
        clean = reference.wanted_after(plan, history.account)
        if plan.name == "clean":
            return self._verdict("DUPLICATE", self._repeated, found)
        off_clean = reference.differing(clean, found)
        if not off_clean:
            if any(child.when == "recover" and child.run.acted for child in history.children):
                self._is_repaired = True
            if plan.name == "refused" and self._terms.told_error(first):
                self.exploration.notes[_TOLD_THOUGH_DONE] = None
            return None
        differing = reference.differing(reference.never, found)
        off_never = [each for each in differing if not self._may_remain(each)]
        may_be_undone = plan.name not in _MUST_BE_DONE and self._terms.told_error(first)
        if may_be_undone and not off_never:
            return None
        return self._worded(off_clean, off_never, found)

    def _may_remain(self, difference: _Difference) -> bool:
        """Return whether a part may stay after half a call."""
        name, before, now = difference
        remains, kind = self._terms.remains, name.removesuffix(" calls")
        more = (counted(now) or {}).keys() - (counted(before) or {}).keys()
        forms = [remains.takes(kind, form) for form in more] if kind != name else []
        return (bool(forms) and all(forms)) or remains.takes(kind)

    def _worded(
        self,
        off_clean: Sequence[_Difference],
        off_never: Sequence[_Difference],
        found: Mapping[str, Any],
    ) -> HandoffVerdict:
        """Return the verdict in a word, and what it is said of.

        DUPLICATE: something is there more often than after a clean call. LOST: the own work of the call is there,
        and what its messages lead to is not. HALF_DONE: a part of its own work is there, and the part that is
        missing is named.
        """
        reference = self.reference
        never = reference.never
        off = sorted(off_clean, key=_rank)

        def is_undone(each: _Difference) -> bool:
            return bool(never.get(each[0], MISSING) == each[2])

        # What is still there since nothing has deleted it is no duplicate.
        if all(has_only_more(each[1], each[2]) and not is_undone(each) for each in off):
            return self._verdict("DUPLICATE", off, found)
        unmade = [each for each in off if self._lacks_own_work(*each)]
        if not off_never or not unmade or reference.recover_does_all:
            return self._verdict("LOST", off, found)
        there = min(off_never, key=_rank)
        known, wanted = {name for name, *_ in off}, reference.wanted
        is_effect = there[0].endswith(" calls") and there[0] not in known
        if is_effect or any(
            is_undone(each) or never.get(each[0], MISSING) == each[1] for each in off
        ):
            # The parts of the call that are there as after a clean call, while others are not.
            others = [(name, wanted.get(name, MISSING), now) for name, _, now in off_never]
            others = [each for each in others if each[0] not in known]
            return self._verdict("HALF_DONE", [*off, *others], found, unmade[0], there)
        if all(_is_between(never.get(name, MISSING), now, clean) for name, clean, now in off):
            return self._verdict("HALF_DONE", off, found, unmade[0])
        return self._verdict("DIVERGED", off, found)

    def _lacks_own_work(self, name: str, clean: Any, now: Any) -> bool:
        """Return whether something is missing in a part that the call itself does, rather than its messages.

        A message may change a row of the call since then, so rows are counted.
        """
        if name in MESSAGES:
            return False
        mid = self.reference.mid.get(name, MISSING)
        before, own, found, done = map(
            counted, (self.reference.never.get(name, MISSING), mid, now, clean)
        )
        if before is None or own is None or found is None or done is None or not done - found:
            return bool(mid != now)
        if name.endswith(" calls"):
            return bool(own - before - found)
        return bool(found - done - own) or found.total() < own.total()

    def _verdict(
        self,
        word: Word,
        differing: Sequence[_Difference],
        found: Mapping[str, Any],
        what: _Difference | None = None,
        there: _Difference | None = None,
    ) -> HandoffVerdict:
        return HandoffVerdict(
            word,
            what_of(what or differing[0]),
            tuple(differing),
            never=self.reference.never,
            found=found,
            recover=self._terms.recover_text,
            there="" if there is None else what_of(there),
        )


def _unanswered(act: Act) -> HandoffName:
    """Return the history in which the answer of an effect is lost that has happened."""
    if act.kind == "enqueue":
        return "enqueue_unknown"
    return "commit_unknown" if act.of_database else "reply_lost"


def _rank(difference: _Difference) -> tuple[bool, bool, str]:
    """Effects come before state, since they cannot be undone, and messages last: they only lead to work."""
    name = difference[0]
    return name in MESSAGES, not name.endswith(" calls"), name


def _is_between(never: Any, now: Any, clean: Any) -> bool:
    """Return whether some of several pieces are there, as of a loop."""
    little, some, much = counted(never), counted(now), counted(clean)
    if little is None or some is None or much is None:
        return False
    return little.total() <= some.total() < much.total()


def _repeats(difference: _Difference) -> bool:
    """Return whether something was added that is equal to what was there, such as a second mail of one text."""
    before, now = counted(difference[1]), counted(difference[2])
    if before is None or now is None:
        return False
    return any(item in before for item in now - before)
