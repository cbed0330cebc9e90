"""The bridge to Oban.

Read in this order:

- `bridge`: takes the place of the database, and performs jobs.
- `rows`: the rows that the database would have, and one job as a row.
- `execution`: one delivery through Oban's executor, and what it came to.

`bridges.libraries.capture` calls `bridge()` when Oban is imported, and `bridges.opening` with the instances
that `jobs_apps` names, as `oban:package.module:oban`.
"""

from __future__ import annotations

from .bridge import ObanBridge

bridge = ObanBridge

__all__ = ["bridge"]
