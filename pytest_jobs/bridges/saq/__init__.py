"""The bridge to SAQ.

Read in this order:

- `bridge`: takes the place of the servers of queues, has what they would keep, and performs jobs.
- `workers`: the settings of workers, which say what a job's function is, and one delivery by a worker.
- `messages`: a job as a queue stores it.

`bridges.libraries.capture` calls `bridge()` when SAQ is imported, and `bridges.opening` with the queues that
`jobs_apps` names, as `saq:package.module:queue`.
"""

from __future__ import annotations

from .bridge import SaqBridge

bridge = SaqBridge

__all__ = ["bridge"]
