"""The report on a call that loses work, leaves it half done, or does it twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from ..engine.functions import FunctionBridge
from ..engine.sameness.differences import MISSING
from ..histories.checked_job import CheckedJob
from ..histories.plans import AnyHistory
from ..histories.verdicts import Word
from ..report.difference import difference_text
from ..report.report import STORY, Report
from .explorer import HandoffVerdict

_CLAIMS: Final[Mapping[Word, str]] = {
    "LOST": "loses work",
    "HALF_DONE": "is left half done",
    "DUPLICATE": "does work twice",
    "DIVERGED": "ends neither as called nor as never called",
}
_FINDS: Final = (
    "recover= does not find this work: let it look for what the state owes, and not for what was noted "
    "as sent."
)
_OUTBOX: Final = (
    "write the message in the transaction that writes the state (an outbox, a queue in the same database), or let "
    "a recurring task find what is owed, and name it: recover=sweep, or recover='schedule'."
)
_BY_HISTORY: Final[Mapping[AnyHistory, str]] = {
    "clean": (
        "let recover= find only what is not done; nothing else was compared, since each comparison would be wrong."
    ),
    "early": (
        "enqueue as the last step, after the commit: a worker may begin at once. It does not see what is not "
        "committed, and what the call saves after that overwrites its work."
    ),
    "overtaken": (
        "let recover= leave young work alone, or make its jobs safe to repeat: check_idempotent(...) says how."
    ),
}
_TOLD_WRONGLY: Final = (
    "the caller is told that all is well: let the error pass, take the state back, or write down what is owed in "
    "the same transaction, and let recover= find it."
)
_MAY_HAVE_ARRIVED: Final = (
    "a message whose answer is lost may have arrived: make its job safe to repeat, as check_idempotent(...) says, "
    "or give it an id by which its library drops a second one."
)
#: Without anything that finds lost work these lose it.
_UNFOUND: Final = frozenset(
    ("dies", "refused", "reply_lost", "commit_unknown", "callback_fails", "lost")
)


class HandoffReport(Report):
    """Describes the simplest history of a call that fails."""

    @property
    def hint(self) -> str:
        verdict = self._verdict
        if self.history in _BY_HISTORY:
            return _BY_HISTORY[self.history]
        if self.history == "refused" and self.failure.runs[0].error is None:
            return _TOLD_WRONGLY
        if verdict.word == "DUPLICATE":
            if self.history == "enqueue_unknown":
                return _MAY_HAVE_ARRIVED
            return (
                "give the work a key that its receiver knows, or let recover= find only what is not done. If it "
                "may happen again, write repeatable=."
            )
        if verdict.word == "HALF_DONE":
            there = verdict.there or verdict.what
            wrong = f"is there without {verdict.what}" if verdict.there else "is there in part"
            return (
                f"{there} {wrong}: do both in one transaction. What cannot be undone comes after what owes it: "
                "write that down first, or let recover= ask what is there. If "
                f"{there} may stay after half a call, write remains={{{there!r}}}."
            )
        return _FINDS if verdict.recover else _OUTBOX

    @property
    def _verdict(self) -> HandoffVerdict:
        return cast(HandoffVerdict, self.failure.verdict)

    @property
    def claim(self) -> str:
        return _CLAIMS[self.failure.verdict.word]

    def _share(self) -> str:
        verdict = self._verdict
        is_unfound = (
            self.history in _UNFOUND and not verdict.recover and verdict.word != "DUPLICATE"
        )
        return super()._share() + (", and nothing finds it: no recover=" if is_unfound else "")

    def _in_short(self) -> str:
        return STORY[self.history]

    def _difference(self) -> str:
        verdict = self._verdict
        told = [difference_text(verdict.differences)]
        names = [
            name
            for name, once, now in verdict.differences
            if now == verdict.never.get(name, MISSING) != once
        ]
        if names:
            told.append(f"as if never called: {', '.join(names)}")
        return "\n".join(told)

    def _closing(self) -> list[str]:
        notes = [f"note: {note}" for note in self.exploration.notes]
        *others, replay = super()._closing()
        return [*others, *notes, replay]

    @classmethod
    def semantics_of(cls, checked: CheckedJob) -> str:
        is_call = isinstance(checked.target.bridge, FunctionBridge)
        return "" if is_call else super().semantics_of(checked)

    def _not_explored(self) -> Iterator[str]:
        yield from self.exploration.not_asked
