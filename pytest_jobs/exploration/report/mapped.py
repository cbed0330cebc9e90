"""The map of an exploration: the source of a job, and of each line what happens when a worker dies there."""

from __future__ import annotations

import linecache
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Final, Literal

from ..engine.points import Point, enclosing_function
from ..histories.exploration import Exploration, Failure
from .report import STORY
from .story import place_text, story

Tone = Literal["ok", "bad", "quiet"]

#: At most so many points of one line get a story each; a line in a loop may have hundreds.
_STORIES: Final = 8
_NOT_TRIED: Final = "not tried"
_SAFE: Final = "safe"


@dataclass(frozen=True, slots=True)
class _Death:
    """What happens when a worker dies at one point."""

    point: Point
    #: The verdict, "safe" or "not tried".
    state: str
    tone: Tone
    text: str = ""

    def told(self, line: int) -> dict[str, str]:
        """Return the story for a line: of a point of its own, or of one that stands for the line."""
        where = f"killed {place_text(self.point)}"
        if self.point.line != line:
            where = f"killed here, which is the same as {where}"
        return {"title": f"{where}: {self.state}", "tone": self.tone, "text": self.text}


def exploration_map(
    job: str, explorations: Sequence[Exploration], *, root: Path
) -> dict[str, Any] | None:
    """Return the map of a check in plain values; None if it explored nothing.

    With arguments that Hypothesis draws, the failure is drawn, or else the arguments with most points.
    """
    explored = [one for one in explorations if one.chosen is not None and one.points]
    if not explored:
        return None
    shown = max(explored, key=lambda one: (one.failure is not None, len(one.points)))
    failures: Sequence[Failure] = [] if shown.failure is None else [shown.failure]
    failures = failures if shown.rest is None else shown.rest.failures
    others = len(explored) - 1
    more = f", and {others} other {'set' if others == 1 else 'sets'} of arguments" if others else ""
    is_whole = shown.histories >= shown.planned and not shown.inconclusive
    verdict = "" if shown.failure is None else shown.failure.verdict.word
    return {
        "job": job,
        "call": shown.call,
        "verdict": verdict or (_SAFE if is_whole else "partly explored"),
        "tone": "bad" if verdict else "ok" if is_whole else "quiet",
        "summary": f"explored {shown.histories} of {shown.planned} histories at {shown.places}{more}",
        "semantics": shown.semantics,
        "replay": shown.replay,
        "files": list(_sources(shown, _Deaths(shown, failures), root)),
        "elsewhere": list(_other_histories(shown, failures)),
    }


class _Deaths:
    """What happens at each point of the clean run."""

    def __init__(self, exploration: Exploration, failures: Sequence[Failure]) -> None:
        self._exploration = exploration
        self._failed: dict[int, Failure] = {}
        for failure in failures:
            if failure.plan.name == "crash" and failure.plan.index is not None:
                self._failed.setdefault(failure.plan.index, failure)
        unclear = {id(plan) for plan, _ in exploration.inconclusive}
        self._passed = {
            plan.index
            for plan in exploration.tried
            if plan.name == "crash" and id(plan) not in unclear
        }
        chosen = exploration.chosen
        self._killed = [] if chosen is None else sorted(chosen.killed)
        self._looked_at = frozenset(() if chosen is None else chosen.acts)
        self._known: dict[int, _Death] = {}

    def at(self, index: int) -> _Death | None:
        """Return what happens at a point; None if it belongs to a further round of a loop."""
        if index not in self._looked_at or not self._killed:
            return None
        # Between the points that were tried nothing changes outside, so one stands for those that follow it.
        tried = self._killed[max(bisect_right(self._killed, index) - 1, 0)]
        if tried not in self._known:
            point, failure = self._exploration.points[tried], self._failed.get(tried)
            if failure is not None:
                told = story(failure, self._exploration)
                death = _Death(point, str(failure.verdict), "bad", told)
            elif tried in self._passed:
                death = _Death(point, _SAFE, "ok")
            else:
                death = _Death(point, _NOT_TRIED, "quiet")
            self._known[tried] = death
        return self._known[tried]


def _sources(exploration: Exploration, deaths: _Deaths, root: Path) -> Iterator[dict[str, Any]]:
    """Yield each function that ran, in the order in which it was first called, with its lines."""
    codes: dict[tuple[str, str], set[CodeType]] = {}
    found: dict[tuple[str, str], dict[int, dict[int, _Death]]] = {}
    for index, (_, _, code, line) in enumerate(exploration.reference.points.noted()):
        if code is None:
            continue
        function = code.co_filename, enclosing_function(code.co_qualname)
        codes.setdefault(function, set()).add(code)
        of_line = found.setdefault(function, {}).setdefault(line, {})
        death = deaths.at(index)
        if death is not None:
            of_line[id(death)] = death
    for (filename, name), by_line in found.items():
        path = Path(filename)
        shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        parts = codes[filename, name]
        last = max(line for code in parts for _, _, line in code.co_lines() if line)
        yield {
            "name": f"{shown}: {name}",
            "lines": [
                _line(filename, number, by_line.get(number, {}))
                for number in range(min(code.co_firstlineno for code in parts), last + 1)
            ],
        }


def _line(filename: str, number: int, deaths: Mapping[int, _Death]) -> dict[str, Any]:
    tones = {death.tone for death in deaths.values()}
    tone = next((tone for tone in ("bad", "quiet", "ok") if tone in tones), "")
    worst = [death.state for death in deaths.values() if death.tone == tone]
    stories = [death.told(number) for death in deaths.values()]
    stories.sort(key=lambda told: told["tone"] != "bad")
    return {
        "number": number,
        "text": linecache.getline(filename, number).rstrip(),
        "tone": tone,
        "state": worst[0].partition(" ")[0] if tone == "bad" else worst[0] if worst else "",
        "stories": stories[:_STORIES],
    }


def _other_histories(
    exploration: Exploration, failures: Sequence[Failure]
) -> Iterator[dict[str, str]]:
    """Yield of each other history that fails its first story."""
    for name in exploration.known:
        failed = [failure for failure in failures if failure.plan.name == name]
        if not failed or name == "crash":
            continue
        first, count = failed[0], len(failed)
        points = f" at {count} points" if count > 1 else ""
        yield {
            "title": f"{name}{points}: {first.verdict}",
            "about": STORY[name],
            "tone": "bad",
            "text": story(first, exploration),
        }
