"""The bridge to Django tasks: `django.tasks`, and its backport `django_tasks`.

Read in this order:

- `bridge`: takes the place of the backends, and performs a task as their workers do.
- `results`: an enqueued task, and the store that `get_result` reads.
- `attempt`: one run of a task, from READY to its end, with its signals.
- `families`: what differs between the two packages, and between their versions.

`bridges.libraries.capture` calls `bridge()` when one of the packages is imported, and `bridges.opening` for
`jobs_apps = django`.
"""

from __future__ import annotations

from .bridge import bridge

__all__ = ["bridge"]
