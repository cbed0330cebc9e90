"""The report on a job that is not safe to deliver twice."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from inspect import signature
from typing import Any, Final

from ...harness.records.bridge import AT_MOST_ONCE
from ...harness.records.texts import (
    counted,
    duration,
    error_text,
    short_name,
    short_repr,
    shortened,
)
from ..engine.functions import FunctionBridge
from ..engine.points import Point
from ..engine.run import Run
from ..histories.checked_job import CheckedJob
from ..histories.exploration import Exploration, Failure, Rest
from ..histories.plans import AnyHistory
from ..histories.replay import Token, other_name, token_of
from ..histories.verdicts import is_more_of_the_same, names_in
from ..stores.account import UNSHOWN
from .audience import Audience, current_audience
from .difference import difference_text, plain
from .hints import Habits, hint
from .story import executed_lines, story

_AGAIN: Final = ", and the job was delivered again."
STORY: Final[Mapping[AnyHistory, str]] = {
    "twice": "It was delivered again after it was done.",
    "restart": "It was delivered again after it was done, in a new process.",
    "crash": f"The worker was killed{_AGAIN}",
    "effect_fails": f"An effect failed before it happened{_AGAIN}",
    "reply_lost": "An effect happened, and its answer was lost.",
    "overlap": "A second delivery ran whole while the first was under way.",
    "late": "It was delivered again long after.",
    "lease_expires": "The first delivery paused past its lease, and a second ran meanwhile.",
    "limit_fires": "The time limit of the job was reached.",
    "out_of_order": "Another job ran in between.",
    "abandoned": "The worker was killed, and its library does not deliver the job again.",
    "clean": "Nothing went wrong, and recover= did again what was done.",
    "early": "A worker took the message at once, before the call went on.",
    "dies": "The process died, and nobody calls it again.",
    "refused": "An enqueue or an effect failed before it happened.",
    "enqueue_unknown": "The message was accepted, and the answer to the enqueue was lost.",
    "commit_unknown": "The commit landed, and its answer was lost.",
    "callback_fails": "A callback of the commit, or a receiver of a signal, raised an error.",
    "overtaken": "recover= ran while the call was under way.",
    "lost": "The message was accepted, and vanished.",
}
_AND_AGAIN: Final[Mapping[AnyHistory, str]] = {
    "crash": " So was the second worker.",
    "overlap": " It was interrupted in turn.",
}
_CALL_WIDTH: Final = 100
_DRAWN_WIDTH: Final = 400
_SHELL: Final = frozenset('"$`!\\')


@dataclass
class Report:
    """Describes the simplest history that fails, and what else was found; `str()` is the text."""

    #: The name of the job.
    job: str
    exploration: Exploration
    failure: Failure
    token: Token
    #: The test in which the check runs.
    audience: Audience
    #: The name of the other job, of `out_of_order`.
    other: str = ""
    #: What may happen more often, as the test says.
    at_least_once: Collection[str] = ()
    #: What may happen again, as the check says and the job does.
    repeatable: Collection[str] = ()
    #: The arguments that Hypothesis drew, by the names of their parameters.
    drawn: Mapping[str, object] = field(default_factory=dict)
    #: Whether only the deliveries were tried that the library makes.
    as_configured: bool = False

    @property
    def rest(self) -> Rest | None:
        """What was tried after the first failure."""
        return self.exploration.rest

    @property
    def semantics(self) -> str:
        """What the library would really do, in one line."""
        return self.exploration.semantics

    @property
    def verdict(self) -> str:
        """DUPLICATE, LOST, DIVERGED, POISON, STUCK or HALF_DONE."""
        return self.failure.verdict.word

    @property
    def effect(self) -> str:
        """The effect or the part of the state that differs, such as `gateway.charge`."""
        return self.failure.verdict.what

    @property
    def history(self) -> AnyHistory:
        """The name of the history."""
        return self.failure.plan.name

    @property
    def hint(self) -> str:
        """A guess at what may help."""
        does = Habits.of(self.failure, self.exploration.reference)
        text = hint(self.failure.verdict.word, self.history, does)
        return " ".join((text, *self._accepting(), *self._not_delivered()))

    def _not_delivered(self) -> Iterator[str]:
        """Yield that a function which enqueues jobs, and is none itself, may be the end that nobody delivers."""
        acts = self.exploration.reference.point_acts
        if self.exploration.library == FunctionBridge.name and any(
            act is not None and act.kind == "enqueue" for act in acts
        ):
            name = short_name(self.job)
            yield f"Is {name} no job, so that nothing repeats it? Then check_handoff({name}, ...) is the check."

    def _accepting(self) -> Iterator[str]:
        """Yield how the check would pass if the effects that were too many may happen again."""
        rest = self.rest
        failures = [self.failure] if rest is None else rest.failures
        is_known = rest is not None and not rest.left and not rest.unclear
        differing = [each for failure in failures for each in failure.verdict.differences]
        if not all(failure.verdict.word == "DUPLICATE" for failure in failures):
            return
        if not differing or not all(map(is_more_of_the_same, differing)):
            return
        kinds = {name.removesuffix(" calls") for name, _, _ in differing}
        if is_known and all(failure.plan.cuts_off for failure in failures):
            names = ", ".join(map(repr, sorted({*self.at_least_once, *kinds})))
            yield f"If that may happen more often than once, write at_least_once={{{names}}}."
        else:
            if kinds.intersection(self.at_least_once):
                yield "at_least_once= accepts only what follows an interruption."
            parts = {name for difference in differing for name in names_in(difference)}
            names = ", ".join(map(repr, sorted({*self.repeatable, *parts})))
            yield f"If that may happen again at any time, write repeatable={{{names}}}."

    @classmethod
    def semantics_of(cls, checked: CheckedJob) -> str:
        """Return in one line what becomes of a job that raises, and of one that is killed."""
        bridge, found = checked.target.bridge, checked.semantics
        if isinstance(bridge, FunctionBridge):
            return "delivery: at least once, as brokers do; a plain function has no library of its own."
        library = "the core" if bridge.name == "core" else bridge.name
        if found == AT_MOST_ONCE and "retry" not in bridge.capabilities:
            return (
                f"delivery: at most once by {library}; when the job raises or is killed, it is lost, not "
                "repeated."
            )
        raises = (
            "delivered again"
            if found.redelivered_on_raise
            else "delivered again only by a retry rule"
        )
        killed, outage = (
            "delivered again" if redelivered else "lost"
            for redelivered in (found.redelivered_on_kill, found.redelivered_on_outage)
        )
        ends = (
            f"when it is killed, {killed}"
            if killed == outage
            else f"when its process is killed, {killed}; when the machine goes, {outage}"
        )
        return (
            f"delivery: {library} acknowledges this job {found.acknowledged} it runs; "
            f"when it raises, it is {raises}; {ends}."
        )

    def __str__(self) -> str:
        call = shortened(f"{short_name(self.job)}{self.exploration.call}", _CALL_WIDTH)
        verdict = self.failure.verdict
        headline = f"{call} {self.claim}: {verdict} [{self.history}{self._share()}]{verdict.where}"
        parts = [
            f"{headline}\n{self._in_short()}",
            story(self.failure, self.exploration, self.other),
            self._difference(),
            self._unshown(),
            self._failing_points() if self.audience.verbose else "",
            "\n".join(line for line in self._closing() if line),
        ]
        text = self._in_folder("\n\n".join(part for part in parts if part))
        return text.encode("ascii", "backslashreplace").decode() if self.audience.ascii else text

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "job": self.job,
            "args": [short_repr(value) for value in self.exploration.args],
            "kwargs": {name: short_repr(value) for name, value in self.exploration.kwargs.items()},
            **_failure_dict(self.failure),
            "deliveries": [_run_dict(run) for run in self.failure.runs],
            "differences": [
                {"name": name, "once": plain(once), "now": plain(now)}
                for name, once, now in self.failure.verdict.differences
            ],
            "also_fails": [_failure_dict(failure) for failure in self._others()],
            "explored": {
                "histories": self.exploration.histories,
                "planned": self.exploration.planned,
                "points": len(self.exploration.points),
                "nothing_to_try": list(self.exploration.nothing_to_try),
                "passed": [] if self.rest is None else list(self.rest.passed()),
                "not_looked_at": {} if self.rest is None else dict(self.rest.left),
                "unclear": {} if self.rest is None else dict(self.rest.unclear),
            },
            "not_explored": self.exploration.not_asked,
            "hint": self.hint,
            "delivery_semantics": self.semantics,
            "nodeid": self.audience.nodeid,
            "replay": str(self.token),
        }

    @property
    def replay(self) -> str:
        """The command that carries out this one history."""
        nodeid = self.audience.nodeid
        pytest = f"pytest {quoted(nodeid)} " if nodeid else ""
        return f"{pytest}{self.audience.audit}--jobs-replay={self.token}"

    # The first line

    @property
    def claim(self) -> str:
        """The verdict in words."""
        if self.history == "abandoned":
            return "is left half done"
        return "is not safe as configured" if self.as_configured else "is not safe to deliver twice"

    def _difference(self) -> str:
        verdict = self.failure.verdict
        kept = difference_text(verdict.differences)
        if verdict.error is None and kept:
            return kept
        error = verdict.error
        end = "waited without end" if error is None else f"failed: {error_text(error)}"
        where = "" if verdict.origin is None else f", at {verdict.origin}"
        return f"the last delivery {end}{where}\n{kept or 'the state is as after one clean run.'}"

    def _in_short(self) -> str:
        text = STORY[self.history]
        if self.failure.plan.outage:
            text = text.replace("The worker was killed", "The machine went")
        if self.failure.plan.second is not None:
            text += _AND_AGAIN[self.history]
        dropped = ", and as configured the job was not delivered again."
        return text.replace(_AGAIN, dropped) if self.failure.runs[-1].dropped else text

    def _share(self) -> str:
        if self.rest is None or self.failure.plan.point is None:
            return ""
        count = len(self.rest.of(self.history))
        cut = self.rest.left[self.history] or self.rest.unclear[self.history]
        points = f"{'at least ' if cut else ''}{counted(count, 'failing point')}"
        return f", {points}" if count == 1 else f", 1 of {points}"

    # The last lines

    def _closing(self) -> list[str]:
        drawn = ", ".join(
            f"{name}={shortened(repr(value), _DRAWN_WIDTH)}" for name, value in self.drawn.items()
        )
        return [
            f"drawn: {drawn} (the simplest arguments that Hypothesis found)" if drawn else "",
            "" if self.audience.verbose else self._also_fails(),
            self._explored(),
            f"world: {self.exploration.world}" if self.exploration.world else "",
            f"hint: {self.hint}",
            self.semantics,
            f"replay: {self.replay}",
        ]

    def _unshown(self) -> str:
        """Return what differs without the world showing it."""
        differing = [name for name, _, _ in self.failure.verdict.differences]
        items = [item for item in self.exploration.unshown if any(map(item.is_named_in, differing))]
        if not items or self._copied():
            return ""
        names = ", ".join(map(str, items))
        ignored = ", ".join(sorted({repr(item.short) for item in items}))
        return (
            f"The world does not show {names}; what the job writes there is compared all the same. Show it, or "
            f"say ignore={{{ignored}}}."
        )

    def _copied(self) -> set[str]:
        """Return the databases in the folder of the test, which is copied; empty if there are others."""
        stores = {item.store for item in self.exploration.unshown}
        is_copied = self.exploration.world and all(each.startswith(self._folder) for each in stores)
        return stores if is_copied else set()

    @property
    def _folder(self) -> str:
        """How paths in the folder of the test begin, which has another name in each run."""
        return f"{self.audience.folder}{os.sep}"

    def _in_folder(self, text: str) -> str:
        """Return a text without the folder of the test, and without the name of the only database."""
        if self.audience.folder is None:
            return text
        copied = self._copied()
        if copied:
            text = text.replace(UNSHOWN, "")
        if len(copied) == 1:
            text = text.replace(f" of {copied.pop()}", "")
        return text.replace(self._folder, "")

    def _others(self) -> list[Failure]:
        return [] if self.rest is None else self.rest.failures[1:]

    def _also_fails(self) -> str:
        told = []
        for name in self.exploration.known:
            failures = [] if self.rest is None else self.rest.of(name)
            if not failures or name == self.history:
                continue
            kinds = dict.fromkeys(str(failure.verdict) for failure in failures)
            other = [kind for kind in kinds if kind != str(self.failure.verdict)]
            points = "" if failures[0].plan.point is None else counted(len(failures), "point")
            details = ", ".join(filter(None, (points, *other[:2])))
            told.append(f"{name} ({details})" if details else name)
        return f"also fails: {', '.join(told)}" if told else ""

    def _failing_points(self) -> str:
        failures = [self.failure, *self._others()]
        lines = [f"{counted(len(failures), 'history')} failed:"]
        for failure in failures:
            plan = failure.plan
            gap = f"+{duration(plan.gap)}" if plan.gap > timedelta(0) else ""
            point = "" if plan.point is None else str(plan.point)
            lines.append(f"  {' '.join(filter(None, (plan.name, point, gap)))}: {failure.verdict}")
        return "\n".join(lines)

    def _explored(self) -> str:
        if self.audience.replays:
            return "replayed: this one history; no other was looked at."
        found = self.exploration
        text = f"explored: {found.histories} of {found.planned} histories at {found.places}"
        if self.rest is not None:
            passed = ", ".join(self.rest.passed())
            text += f"; passed: {passed}" if passed else ""
            text += _amounts("; not looked at", self.rest.left)
            text += _amounts("; could not be carried out", self.rest.unclear)
        if found.nothing_to_try:
            text += f"; nothing to try for: {', '.join(found.nothing_to_try)}"
        left = ", ".join(self._not_explored())
        return f"{text}. Not explored: {left}." if left else f"{text}."

    def _not_explored(self) -> Iterator[str]:
        yield from self.exploration.not_asked
        if self.exploration.depth_reached == 1:
            yield "depth=2"
        yield "three deliveries at once"


def report_on(
    checked: CheckedJob,
    exploration: Exploration,
    failure: Failure,
    drawn: Sequence[int | str],
    kind: type[Report] = Report,
) -> Report:
    """Return the report on an exploration that has failed, for the test in which the check runs."""
    others, plan = checked.options.others, failure.plan
    arguments = (exploration.args, exploration.kwargs) if drawn else None
    return kind(
        checked.name,
        exploration,
        failure,
        token_of(plan, checked.name, others, arguments),
        current_audience(),
        other_name(others, plan.other) if plan.name == "out_of_order" else "",
        checked.options.at_least_once,
        checked.options.repeatable.used,
        dict(_named(checked, exploration, drawn)),
        checked.options.as_configured,
    )


def _named(
    checked: CheckedJob, exploration: Exploration, drawn: Sequence[int | str]
) -> Iterator[tuple[str, object]]:
    """Yield the arguments of some places, by the names of the job's parameters if they are known."""
    try:
        parameters = list(signature(checked.target.bridge.resolve(checked.target.job)).parameters)
    except (TypeError, ValueError):
        parameters = []
    for place in drawn:
        if isinstance(place, str):
            yield place, exploration.kwargs[place]
        else:
            known = place < len(parameters)
            yield parameters[place] if known else f"args[{place}]", exploration.args[place]


def _amounts(what: str, amounts: Mapping[AnyHistory, int]) -> str:
    told = ", ".join(f"{name} ({count})" for name, count in amounts.items() if count)
    return f"{what}: {told}" if told else ""


def quoted(nodeid: str) -> str:
    """Return the id of a test as a shell takes it."""
    return shlex.quote(nodeid) if _SHELL & set(nodeid) else f'"{nodeid}"'


def _failure_dict(failure: Failure) -> dict[str, Any]:
    plan, verdict = failure.plan, failure.verdict
    return {
        "verdict": verdict.word,
        "effect": verdict.what,
        "history": plan.name,
        "point": None if plan.point is None else _point_dict(plan.point),
        "gap_seconds": plan.gap.total_seconds(),
    }


def _point_dict(point: Point) -> dict[str, Any]:
    return {
        "kind": point.kind,
        "function": point.function,
        "text": point.text,
        "hit": point.hit,
        "file": point.filename,
        "line": point.line,
    }


def _run_dict(run: Run) -> dict[str, Any]:
    done = [text for line in executed_lines(run) for text in line.done.items()]
    return {
        "number": run.number,
        "acts": [text for _, text in sorted(done)],
        "stopped_at": None if run.stopped_at is None else _point_dict(run.stopped_at),
        "acknowledged": run.acknowledged,
        "error": None if run.error is None else error_text(run.error),
    }
