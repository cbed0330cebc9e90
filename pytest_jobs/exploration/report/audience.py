"""The test in which a check runs: how its report is read, and the notes for the summary of the session.

Every session of pytest imports this file, also one without jobs: it has only what costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from ...harness.records.targets import Target
    from ..engine.acts import SourceState
    from ..engine.ending.log import ReportHandler
    from ..engine.sources import EffectSource
    from ..histories.exploration import Exploration

#: What a check says before the calls that its guesses let pass.
GUESSED: Final = "Calls that do not count, by their names (mocks= changes it)"


class CheckNote(NamedTuple):
    """The result of one check in plain values, for the summary of a session."""

    #: The name of the job, and how many histories were explored.
    job: str
    histories: int = 0
    #: The names of the histories that the check did not ask for.
    not_asked: tuple[str, ...] = ()
    #: Everything that was asked for and not explored, each in a few words.
    left_out: tuple[str, ...] = ()
    #: For a replay: whether the history passes now, or the token names another check.
    replay: Literal["", "passes", "other"] = ""
    #: The calls of doubles that do not count, or not when they are repeated, by their names.
    guesses: tuple[str, ...] = ()
    #: The name of the library that would not have delivered the job again, where a history passed only because the
    #: check did; "" if there is no such history.
    forgives: str = ""
    #: The names of the histories that it gave nothing to try for.
    nothing_to_try: tuple[str, ...] = ()
    #: What else the reader of a check that passed is to know, each in one line.
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            **self._asdict(),
            "not_asked": list(self.not_asked),
            "left_out": list(self.left_out),
            "guesses": list(self.guesses),
            "nothing_to_try": list(self.nothing_to_try),
            "remarks": list(self.remarks),
        }


class Audience:
    """The test in which a check runs, and how its report is read."""

    def __init__(
        self,
        nodeid: str = "",
        *,
        verbose: bool = False,
        ascii: bool = False,
        replays: Sequence[str] = (),
        sources: Callable[[], Iterable[EffectSource]] = tuple,
    ) -> None:
        """Describe them.

        Args:
            nodeid: the full node id of the test, as it is given to pytest.
            verbose: whether a report lists all failing points.
            ascii: whether the terminal can show only ASCII.
            replays: the tokens of the histories that alone are to be carried out.
            sources: returns the effect sources that the project declares.
        """
        self.nodeid = nodeid
        self.verbose = verbose
        self.ascii = ascii
        self.replays = replays
        self.sources = sources
        #: Returns the names of effects that may happen again in the checks of the test, by marker and ini file.
        self.repeatable: Callable[[], Sequence[str]] = tuple
        #: Collects the log that the report of the test shows; None if there is none.
        self.log: ReportHandler | None = None
        #: The temporary folder of the test, `tmp_path`; None if it asks for none.
        self.folder: Path | None = None
        #: The results of the checks in this test.
        self.notes: list[CheckNote] = []
        #: Called with the job of each check that has ended, also of one that failed, and with what was explored.
        self.when_checked: list[Callable[[Target, Sequence[Exploration]], None]] = []
        #: The flags with which `--jobs-audit` repeats one of its checks; empty for the checks of a test. In an
        #: audit one failure of each history is enough, and a history that finds nothing to try is no error.
        self.audit = ""


#: The running test; None if no plugin of a test runner sets it.
audience: ContextVar[Audience | None] = ContextVar("pytest_jobs_audience", default=None)


#: What effect sources keep from check to check, as soon as there is something; None where each check is by itself.
_kept: ContextVar[list[SourceState] | None] = ContextVar("pytest_jobs_kept", default=None)


@contextmanager
def keeping() -> Generator[None, None, None]:
    """Let effect sources keep for a block what they have patched, rather than for each check.

    A block inside of another one, as that of a session inside of a test by `pytester`, has what the outer one has.
    """
    if _kept.get() is not None:
        yield
        return
    kept: list[SourceState] = []
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        for state in kept:
            state.end()


def kept_state() -> SourceState | None:
    """Return what effect sources keep for the block; None if each check is by itself."""
    kept = _kept.get()
    if kept is None:
        return None
    if not kept:
        from ..engine.acts import SourceState

        kept.append(SourceState())
    return kept[0]


def current_audience() -> Audience:
    """Return the running test, or one with the defaults."""
    return audience.get() or Audience()
