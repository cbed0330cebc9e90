"""Opening a harness where there is no fixture for it."""

from __future__ import annotations

from collections.abc import Iterable

from ..harness.jobs import Jobs
from ..harness.open_harness import Mode
from ..harness.running.inline import RaiseAt
from ..harness.time.jitter import Jitter
from ..harness.transactions_in_use import transactions_in_use
from .applications import bridges_to
from .reference import ReferenceBridge


def open_jobs(
    *,
    apps: Iterable[object] = (),
    mode: Mode = "record",
    raise_at: RaiseAt = "end",
    jitter: Jitter = "zero",
) -> Jobs:
    """Return a harness to be opened by `with`: for test runners other than pytest, and for scripts.

    Args:
        apps: the applications of job libraries to bridge, themselves or by names such as
            "celery:proj.celery:app" or "django".
        mode: `record` keeps jobs until a verb performs them, `inline` performs each when due.
        raise_at: where the error of an inline job is raised: at the `end` of the block, or at
            `enqueue`, in the caller.
        jitter: `zero` for the shortest wait always, `seeded` for the same waits in every run,
            `live` for chance.

    Raises:
        ApplicationError: when an application cannot be found.
    """
    bridges = [ReferenceBridge(), *bridges_to(apps)]
    return Jobs(
        bridges,
        # After the bridges, which may be the first to set a database library up.
        transactions=transactions_in_use(),
        mode=mode,
        raise_at=raise_at,
        jitter=jitter,
    )
