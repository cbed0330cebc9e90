"""What a check that passed has explored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from ..histories.explorer import Exploration
from ..histories.plans import HistoryName
from .report import explored_text

_REPLAYS: Final = {
    "passes": "{}: the replayed history passes now.",
    "other": "{}: not explored, since --jobs-replay is for another check.",
}


class Explored:
    """What a check that passed has explored."""

    def __init__(
        self,
        explorations: Sequence[Exploration],
        names: Sequence[HistoryName],
        job: str = "",
        replay: Literal["", "passes", "other"] = "",
    ) -> None:
        self.explorations = tuple(explorations)
        #: The names of the histories that were asked for.
        self.names = names
        #: The name of the job.
        self.job = job
        #: Whether a token was replayed, or meant another check.
        self.replay: Literal["", "passes", "other"] = replay

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
        return "\n".join(
            explored_text(exploration, self.names) for exploration in self.explorations
        )
