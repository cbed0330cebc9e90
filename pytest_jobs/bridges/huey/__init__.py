"""The bridge to Huey.

Read in this order:

- `bridge`: takes the place of the storage of every `Huey`, finds tasks, and performs messages.
- `messages`: a task as it goes into a queue or a schedule, its times, and what follows it.
- `storage`: the stand-in for storages, and for waiting until they have a result.

`bridges.libraries.capture` calls `bridge()` when Huey is imported, and `bridges.opening` with what `jobs_apps`
names, as `huey:package.module:huey`.
"""

from __future__ import annotations

from .bridge import HueyBridge

bridge = HueyBridge

__all__ = ["bridge"]
