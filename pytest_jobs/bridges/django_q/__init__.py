"""The bridge to Django-Q2.

- `bridge`: takes the place of brokers; the worker and the monitor of a cluster perform what brokers send, and its
  scheduler sends the tasks of the rows of `Schedule`.

`bridges.libraries.capture` calls `bridge()` when Django-Q2 is imported.
"""

from __future__ import annotations

from .bridge import bridge

__all__ = ["bridge"]
