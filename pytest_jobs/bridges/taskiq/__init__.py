"""The bridge to Taskiq.

Read in this order:

- `bridge`: takes the place of brokers, result backends and schedule sources, and performs messages.
- `messages`: one message as a broker or a schedule source sends it.
- `receiver`: one delivery through the receiver of Taskiq's worker.
- `retries`: what the retry middlewares declare, and what a delivery came to.
- `brokers`: which brokers there are, how they acknowledge, and the stand-in for their result backends.
- `schedules`: when a schedule is first due, and how the scheduler sends it.

`bridges.libraries.capture` calls `bridge()` when Taskiq is imported, and `bridges.opening` with the brokers that
`jobs_apps` names, as `taskiq:package.module:broker`.
"""

from __future__ import annotations

from .bridge import TaskiqBridge

bridge = TaskiqBridge

__all__ = ["bridge"]
