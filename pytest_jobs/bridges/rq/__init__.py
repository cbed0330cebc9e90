"""The bridge to RQ.

Read in this order:

- `bridge`: puts fakeredis in the place of the servers, and records and performs jobs.
- `messages`: one job as a server of redis keeps it.
- `attempt`: one delivery through RQ's `SimpleWorker`.
- `schedules`: what RQ's cron scheduler and rq-scheduler enqueue again and again.

`bridges.libraries.capture` calls `bridge()` when RQ is imported, and `bridges.opening` with the queues that
`jobs_apps` names, as `rq:package.module:queue`.
"""

from __future__ import annotations

from .bridge import RqBridge

bridge = RqBridge

__all__ = ["bridge"]
