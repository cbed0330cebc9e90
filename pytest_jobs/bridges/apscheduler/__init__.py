"""The bridge to APScheduler 3.

Read in this order:

- `bridge`: takes the place of schedulers' threads and job stores, fires what recurs, and runs jobs.
- `schedulers`: which schedulers there are, and what one of them keeps while a harness is open.
- `stores`: its job stores, which note what any method changes in them.
- `submission`: one run of a job as a scheduler submits it, and its delivery through the executor.

`bridges.libraries.capture` calls `bridge()` when APScheduler is imported, and `bridges.opening` with the
schedulers that `jobs_apps` names, as `apscheduler:package.module:scheduler`.
"""

from __future__ import annotations

from .bridge import APSchedulerBridge

bridge = APSchedulerBridge

__all__ = ["bridge"]
