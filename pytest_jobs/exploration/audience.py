"""Who reads what a check says, and keeps what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .sources import EffectSource


@dataclass(frozen=True)
class CheckNote:
    """What one check came to, in plain values, for the summary of a session."""

    job: str
    histories: int = 0
    #: The names of the histories that nobody asked for.
    not_asked: tuple[str, ...] = ()
    #: What was asked for and not explored, each in a few words.
    left_out: tuple[str, ...] = ()
    #: Of a replay: whether the history passes now, or the check is another than the token names.
    replay: Literal["", "passes", "other"] = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        plain = asdict(self)
        return {**plain, "not_asked": list(self.not_asked), "left_out": list(self.left_out)}


@dataclass
class Audience:
    """The test in which a check runs, and how its report is read."""

    #: The full node id of the test, as it is given to pytest.
    nodeid: str = ""
    #: Whether all failing points are told.
    verbose: bool = False
    #: Whether what is read can show nothing but ASCII.
    ascii: bool = False
    #: The token of the one history that is to be carried out.
    replay: str | None = None
    #: Returns the effect sources of the project.
    sources: Callable[[], Iterable[EffectSource]] = tuple
    #: What the checks of this test came to.
    notes: list[CheckNote] = field(default_factory=list)


#: Who reads; nobody in particular where no test runner says.
audience: ContextVar[Audience | None] = ContextVar("pytest_jobs_audience", default=None)


def current_audience() -> Audience:
    """Return who reads."""
    return audience.get() or Audience()
