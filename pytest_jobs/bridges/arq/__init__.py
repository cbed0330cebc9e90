"""The bridge to arq.

Read in this order:

- `bridge`: takes the place of the Redis server, and performs jobs.
- `worker`: one delivery through arq's worker, and what it came to.
- `settings`: the classes that say which functions a worker has.
- `server`: the commands of Redis that arq uses, in memory.

`bridges.libraries.capture` calls `bridge()` when arq is imported, and `bridges.opening` with the settings that
`jobs_apps` names, as `arq:package.module:WorkerSettings`.
"""

from __future__ import annotations

from .bridge import ArqBridge
from .settings import is_settings

bridge = ArqBridge

__all__ = ["bridge", "is_settings"]
