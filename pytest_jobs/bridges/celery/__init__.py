"""The bridge to Celery.

Read in this order:

- `bridge`: takes the place of broker and result backend, reports messages, and performs them.
- `messages`: one message as Celery publishes it, and the tasks that follow upon it.
- `attempt`: one delivery through the path of a worker, and the patches of a task that it needs.
- `apps`: the applications, the stand-in for their producers, and what the header line of a run says about them.
- `beat`: what celery beat sends again and again, also by the rows of django-celery-beat.
- `results`: a result backend in memory.

`bridge()` takes the applications that `jobs_apps` names as `celery:package.module:app`. The bridge captures
every application of the process; those named perform a task that several have.
"""

from __future__ import annotations

from .bridge import CeleryBridge

bridge = CeleryBridge

__all__ = ["bridge"]
