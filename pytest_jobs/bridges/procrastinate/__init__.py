"""The bridge to Procrastinate.

Read in this order:

- `bridge`: takes the place of the database, and performs jobs.
- `rows`: the rows that the database would have, and one job as a row.
- `locks`: the order that a lock gives its jobs.
- `worker`: one delivery through Procrastinate's worker, and what it came to.

`bridges.libraries.capture` calls `bridge()` when Procrastinate is imported, and `bridges.opening` with the apps
that `jobs_apps` names, as `procrastinate:package.module:app`.
"""

from __future__ import annotations

from .bridge import ProcrastinateBridge

bridge = ProcrastinateBridge

__all__ = ["bridge"]
