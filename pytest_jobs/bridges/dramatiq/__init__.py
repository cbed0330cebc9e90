"""The bridge to Dramatiq.

Read in this order:

- `bridge`: takes the place of brokers, result backends and rate limiter backends, and performs messages.
- `messages`: one message as a broker sends it.
- `worker`: one delivery as a worker thread of Dramatiq makes it, and what it came to.
- `brokers`: which brokers there are, the consumer of a worker that a test starts, and what Periodiq sends.
- `backends`: what the result backends and rate limiter backends would keep.

`bridges.libraries.capture` calls `bridge()` when Dramatiq is imported, and `bridges.opening` with the brokers that
`jobs_apps` names, as `dramatiq:package.module:broker`.
"""

from __future__ import annotations

from .bridge import DramatiqBridge

bridge = DramatiqBridge

__all__ = ["bridge"]
