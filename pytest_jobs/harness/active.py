"""Which harness is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ..errors import NoHarnessError

if TYPE_CHECKING:
    from .jobs import Jobs
    from .open_harness import OpenHarness
    from .running.twice import Adversary


class OpenHarnesses:
    """The harnesses of the process that are open, the innermost last."""

    __slots__ = ("_open", "adversary")

    def __init__(self) -> None:
        self._open: list[OpenHarness] = []
        #: Makes the deliveries of each harness that is opened from now on.
        self.adversary: Adversary | None = None

    def push(self, jobs: OpenHarness) -> None:
        """Note that a harness was opened."""
        self._open.append(jobs)

    def remove(self, jobs: OpenHarness) -> None:
        """Note that a harness was closed."""
        if jobs in self._open:
            self._open.remove(jobs)

    def any_open(self) -> bool:
        """Say whether one is open."""
        return bool(self._open)

    def current(self) -> Jobs:
        """Return the innermost.

        Raises:
            NoHarnessError: when none is open.
        """
        if not self._open:
            raise NoHarnessError
        return cast("Jobs", self._open[-1])


open_harnesses = OpenHarnesses()


def current_jobs() -> Jobs:
    """Return the harness that is open: for tests that cannot ask for a fixture.

    Raises:
        NoHarnessError: when none is open.
    """
    return open_harnesses.current()
