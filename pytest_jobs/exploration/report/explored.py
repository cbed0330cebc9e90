"""What a check that passed has explored, and the note and the warning that it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from ...errors import PartialExploration
from ..histories.exploration import Exploration
from ..histories.plans import AnyHistory
from .audience import GUESSED, CheckNote, audience

_REPLAYS: Final = {
    "passes": "{}: the replayed history passes now.",
    "other": "{}: not explored, since --jobs-replay is for another check.",
}


@dataclass(eq=False, repr=False)
class Explored:
    """What a check that passed has explored."""

    explorations: Sequence[Exploration]
    #: The names of the histories that were asked for.
    names: Sequence[AnyHistory]
    #: The name of the job.
    job: str = ""
    #: Whether a token was replayed, or meant another check.
    replay: Literal["", "passes", "other"] = ""
    #: The calls of doubles that do not count, or not when they are repeated, because of their names.
    guesses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.explorations = tuple(self.explorations)

    @property
    def histories(self) -> int:
        """How many histories were carried out, for all arguments together."""
        return sum(exploration.histories for exploration in self.explorations)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "histories": self.histories,
            "names": list(self.names),
            "arguments": [
                {
                    "args": list(exploration.args),
                    "kwargs": dict(exploration.kwargs),
                    "points": len(exploration.points),
                    "explored": exploration.histories,
                    "planned": exploration.planned,
                }
                for exploration in self.explorations
            ],
        }

    def __str__(self) -> str:
        if self.replay:
            return _REPLAYS[self.replay].format(self.job)
        lines = list(map(str, self.explorations))
        if self.guesses:
            lines.append(f"{GUESSED}: {', '.join(self.guesses)}.")
        return "\n".join(lines)


def note_explored(explored: Explored, *, chosen: bool) -> PartialExploration | None:
    """Leave a note on a check that passed, and return the warning about what it left out, if anything.

    If the test says which lines count, the others are left out on purpose.
    """
    found = explored.explorations
    left_out = tuple(dict.fromkeys(text for one in found for text in _left_out(one)))
    untraced = tuple(dict.fromkeys(f"lines of {name}" for one in found for name in one.untraced))
    reader = audience.get()
    if reader is not None:
        note = CheckNote(
            explored.job,
            explored.histories,
            tuple(dict.fromkeys(name for one in found for name in one.not_asked)),
            (*left_out, *untraced),
            explored.replay,
            explored.guesses,
            next((one.library for one in found if one.only_by_redelivery), ""),
            tuple(dict.fromkeys(name for one in found for name in one.nothing_to_try)),
            tuple(dict.fromkeys(text for one in found for text in _remarks(one))),
        )
        reader.notes.append(note)
    warned_of = left_out if chosen else (*left_out, *untraced)
    if not warned_of or explored.replay:
        return None
    return PartialExploration(
        f"The check of {explored.job} passed, and did not explore: {'; '.join(warned_of)}."
    )


def _remarks(exploration: Exploration) -> Iterator[str]:
    # What the test leaves out itself, and what passes by itself, is no news.
    unasked = [
        item
        for item in exploration.not_compared
        if not item.endswith(("(by ignore=)", "(expires)"))
    ]
    if unasked:
        yield f"not compared: {', '.join(unasked)}"
    yield from exploration.notes


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
