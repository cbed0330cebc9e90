"""The findings of an audit by kind. The kinds that were right most often on public projects come first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

from ...exploration.engine.points import Origin, Point
from ...exploration.engine.run import Run
from ...exploration.histories.exploration import Failure
from ...exploration.histories.halves import are_files, columns_of, is_effect
from ...exploration.histories.replay import token_of
from ...exploration.histories.verdicts import Verdict, precise, what_of
from ...exploration.report.hints import Habits, hint
from ...exploration.report.report import quoted
from ...exploration.stores.account import UNSHOWN
from ...harness.records.texts import short_name, shortened
from ...insight.lint.rules.rule import Finding as Fault

#: A word with a number, such as the id in an address.
_DATA: Final = re.compile(r"\w*\d\w*")
#: What is called or asked for: data of the test follows.
_VERB: Final = re.compile(r"[\w.]+(\(\)\.[\w.]+)*(?=\()|[A-Z]+\b")
#: How wide the call of a job is shown.
_WIDTH = 100


class Kind(Enum):
    """What is wrong, the first rank first."""

    KILLED = "Lost, stuck or half done when the worker is killed"
    EFFECT_FAILS = "Lost, stuck or half done when an effect fails"
    STATE = "Another state when it is done twice"
    LATE_GUARD = (
        "Repeated when the worker is killed or an effect fails, and not by a plain second delivery"
    )
    OUTSIDE = "Repeated outside: without a key that the receiver knows, this may be by design"
    OWN_DOUBLE = "Seen only through a double of your own code, which may hide what prevents it"


@dataclass(frozen=True)
class Finding:
    """One history of one job that does not end as it should."""

    kind: Kind
    job: str
    call: str
    #: The verdict without data of the test, such as `LOST mail` or `DIVERGED Order: status`.
    verdict: str
    history: str
    #: The point of a kill, or else the effect that fails, is repeated or writes what differs. No data of the test.
    at: str
    #: Its file and line.
    file: str
    line: int
    #: The line of the effect that goes wrong, also where another line is the one that is killed.
    source: str
    hint: str
    #: The function of the project in whose place a double lies; empty if there is none.
    stands_for: str
    replay: str
    #: What the library does with a job whose worker is killed.
    semantics: str

    @property
    def place(self) -> str:
        """The line as it is shown."""
        return f"{Path(self.file).name}:{self.line}"

    @property
    def key(self) -> tuple[str, ...]:
        """What stays the same when lines move, and when another test shows it: columns may be others there."""
        return self.kind.name.lower(), self.job, self.verdict.partition(": ")[0]

    @property
    def token(self) -> str:
        """What names its history in the replay line."""
        return self.replay.rpartition("--jobs-replay=")[2]

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        values = {name: value for name, value in vars(self).items() if name != "kind"}
        return {"kind": self.kind.name.lower(), **values}

    @property
    def rank(self) -> tuple[int, bool, str]:
        """By this findings are in order: what a library never brings back is before what it delivers again."""
        return list(Kind).index(self.kind), self.history != "abandoned", self.job

    @property
    def traits(self) -> set[object]:
        """What it has in common with all that has the same cause, in whatever jobs."""
        kind, _, verdict = self.key
        return {(kind, verdict, self.place), (kind, verdict, self.source)}


def causes(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return those together that have one cause: the same goes wrong at one line, whatever jobs come to it.

    In one job an effect that is lost at one line has one cause, whether a kill or an error shows it.
    """
    found: list[tuple[set[object], list[Finding]]] = []
    for finding in findings:
        traits = {*finding.traits, (finding.job, finding.key[2], finding.source)}
        same = [finding]
        for each in [each for each in found if not traits.isdisjoint(each[0])]:
            found.remove(each)
            traits |= each[0]
            same += each[1]
        found.append((traits, sorted(same, key=lambda one: one.rank)))
    return sorted((same for _, same in found), key=lambda same: same[0].rank)


def findings_of(report: Any, job: str) -> Iterator[Finding]:
    """Yield the findings of a check that has failed: at most one of each history.

    Args:
        report: the report of the check.
        job: the name of the job.
    """
    exploration, audience = report.exploration, report.audience
    failures: Sequence[Failure] = (
        [report.failure] if exploration.rest is None else exploration.rest.failures
    )
    by_twice = {str(failure.verdict) for failure in failures if failure.plan.name == "twice"}
    by_crash = tuple(
        name.removesuffix(UNSHOWN)
        for failure in failures
        if failure.plan.name == "crash"
        for name, _, _ in failure.verdict.differences
    )
    known: set[tuple[object, ...]] = set()
    for failure in failures:
        plan, verdict = failure.plan, failure.verdict
        # What a second delivery does wrong anyway goes wrong after a kill as well.
        if plan.name != "twice" and str(verdict) in by_twice:
            continue
        # Nor is it told twice what a later delivery meets wrongly, and nobody takes up without one.
        if plan.name == "abandoned" and verdict.what.startswith(by_crash):
            continue
        does = Habits.of(failure, exploration.reference)
        kind = _kind_of(failure, does.stands_for)
        part, columns = _part_of(verdict, f"{audience.folder}{os.sep}")
        wrong = _effect_of(verdict, columns, exploration.reference)
        source = wrong if verdict.word != "POISON" or verdict.origin is None else verdict.origin
        # What happens too often and what does not happen have two causes.
        key = kind, verdict.word == "DUPLICATE", part, str(source)
        if key in known:
            continue
        known.add(key)
        point = _without_data(plan.point or wrong, exploration.reference)
        is_kill = plan.name in ("crash", "abandoned")
        yield Finding(
            kind,
            job,
            shortened(f"{short_name(job)}{exploration.call}", _WIDTH),
            f"{verdict.word} {part}{': ' if columns else ''}{', '.join(columns)}",
            plan.name,
            str(point) if is_kill else "" if point.kind == "line" else point.text,
            point.filename,
            point.line,
            _shown(source),
            hint(verdict.word, plan.name, does),
            does.stands_for,
            f"pytest {quoted(audience.nodeid)} {audience.audit}--jobs-replay={token_of(plan, report.job)}",
            report.semantics,
        )


def _without_data(point: Point, run: Run) -> Point:
    """Return a point with the verb of its effect. A statement of SQL has data in places of its own."""
    act = run.point_acts[run.points.index(point)]
    if act is None or (act.of_database and act.kind != "enqueue"):
        return point
    verb = _VERB.match(act.text)
    return replace(point, text=f"{act.kind}: {verb[0]}" if verb else act.kind)


def _shown(source: Point | Origin) -> str:
    _, file, line = (
        source.place if isinstance(source, Origin) else ("", source.filename, source.line)
    )
    return f"{file}:{line}"


def _part_of(verdict: Verdict, folder: str) -> tuple[str, Sequence[str]]:
    """Return what a verdict is about, without data of the test, and the columns of a table that differ.

    Args:
        verdict: the verdict.
        folder: the beginning of paths in the folder of the test, which has another name in each run.
    """
    if verdict.half is not None:
        column = verdict.half.spot.column
        return _state(verdict.half.name, folder), [column] if column else []
    named = (each for each in verdict.differences if what_of(each) == verdict.what)
    name, once, now = next(named, ("", None, None))
    if verdict.word == "POISON" or not name:
        return verdict.what, []
    if not is_effect(name):
        return _state(name, folder), columns_of(once, now)
    kind = name.removesuffix(" calls")
    label = verdict.what.removeprefix(kind)
    if kind == "enqueue" or (label.startswith(".") and kind != "mail"):
        return verdict.what, []
    # Of a mail no subject, of a request its method: a test may choose the host as well.
    method, slash, _ = label.strip().partition(" /")
    return method if slash else kind, []


def _state(name: str, folder: str) -> str:
    name = name.removesuffix(UNSHOWN).replace(folder, "")
    what, of, store = name.partition(" of ")
    is_code = what.replace(".", "").isidentifier() or what.startswith("table ")
    return f"{what if is_code else _DATA.sub('#', what)}{of}{_DATA.sub('#', store)}"


def _effect_of(verdict: Verdict, columns: Sequence[str], reference: Run) -> Point:
    """Return the point of the effect that is wrong, or that writes what differs; otherwise the first point."""
    acts = [
        (point, act)
        for point, act in zip(reference.points, reference.point_acts, strict=True)
        if act is not None and not act.is_commit
    ]
    what = verdict.what if verdict.half is None else verdict.half.name
    made = [(point, precise(act.kind, act.value)) for point, act in acts if _names(act.kind, what)]
    if made:
        # Of several mails the one with this subject.
        return next((point for point, each in made if each == what), made[0][0])
    # Of a table, a key or a file the last word; the files of a folder may be databases.
    word = Path(what.removesuffix(UNSHOWN).partition(" of ")[0].rpartition(" ")[2]).name
    naming = re.compile("" if are_files(what) else rf"{re.escape(word)}\b", re.IGNORECASE)
    writing = [
        (point, act.text)
        for point, act in acts
        if (act.kind == "file" or not act.counts) and naming.search(act.text)
    ]
    # The statement that writes the columns, rather than another one of the table.
    return next(
        (point for point, text in writing if any(column in text for column in columns)),
        writing[0][0] if writing else reference.points[0],
    )


def _names(kind: str, what: str) -> bool:
    return what == kind or what.startswith((f"{kind}.", f"{kind} "))


def _kind_of(failure: Failure, stands_for: str) -> Kind:
    name, verdict = failure.plan.name, failure.verdict
    is_failing = name == "effect_fails" and verdict.word != "DUPLICATE"
    if stands_for and (name == "twice" or is_failing):
        # Nobody knows what the original does with a second call, or with an error of what it calls itself.
        return Kind.OWN_DOUBLE
    is_effect = any(each.endswith(" calls") for each, _, _ in verdict.differences)
    if verdict.word != "DUPLICATE" or not is_effect:
        # A row too many after a kill is work that was left half done.
        by_history = {
            "crash": Kind.KILLED,
            "abandoned": Kind.KILLED,
            "effect_fails": Kind.EFFECT_FAILS,
        }
        return by_history.get(name, Kind.STATE)
    return Kind.OUTSIDE if name == "twice" else Kind.LATE_GUARD


def in_files(findings: Iterable[Finding], root: Path) -> Iterator[Fault]:
    """Yield findings as those of the lint, which SARIF and annotations show: with nothing that a test makes.

    Args:
        findings: the findings.
        root: names of files are relative to it.
    """
    for one in findings:
        path = Path(one.file)
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else one.file
        text = f"{one.verdict} in {one.job}, {one.history}: {one.hint}"
        yield Fault(f"audit-{one.kind.name.lower()}", shown, one.line, 1, text)
