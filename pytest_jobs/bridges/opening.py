"""Opening a harness where there is no fixture for it."""

from __future__ import annotations

from ..harness.inline import RaiseAt
from ..harness.jitter import Jitter
from ..harness.jobs import Jobs
from ..harness.open_harness import Mode
from .reference import ReferenceBridge


def open_jobs(*, mode: Mode = "record", raise_at: RaiseAt = "end", jitter: Jitter = "zero") -> Jobs:
    """Return a harness to be opened by `with`: for test runners other than pytest, and for scripts.

    Args:
        mode: `record` keeps jobs until a verb performs them, `inline` performs each when due.
        raise_at: where the error of an inline job is raised: at the `end` of the block, or at
            `enqueue`, in the caller.
        jitter: `zero` for the shortest wait always, `seeded` for the same waits in every run,
            `live` for chance.
    """
    return Jobs([ReferenceBridge()], mode=mode, raise_at=raise_at, jitter=jitter)
