"""Who reads what a check says, and keeps what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from .sources import EffectSource


class CheckNote(NamedTuple):
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
        return {
            **self._asdict(),
            "not_asked": list(self.not_asked),
            "left_out": list(self.left_out),
        }


class Audience:
    """The test in which a check runs, and how its report is read."""

    def __init__(
        self,
        nodeid: str = "",
        *,
        verbose: bool = False,
        ascii: bool = False,
        replay: str | None = None,
        sources: Callable[[], Iterable[EffectSource]] = tuple,
    ) -> None:
        """Describe them.

        Args:
            nodeid: the full node id of the test, as it is given to pytest.
            verbose: whether all failing points are told.
            ascii: whether what is read can show nothing but ASCII.
            replay: the token of the one history that is to be carried out.
            sources: returns the effect sources of the project.
        """
        self.nodeid = nodeid
        self.verbose = verbose
        self.ascii = ascii
        self.replay = replay
        self.sources = sources
        #: What the checks of this test came to.
        self.notes: list[CheckNote] = []


#: Who reads; nobody in particular where no test runner says.
audience: ContextVar[Audience | None] = ContextVar("pytest_jobs_audience", default=None)


def current_audience() -> Audience:
    """Return who reads."""
    return audience.get() or Audience()
