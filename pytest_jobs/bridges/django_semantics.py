"""What the workers of Django's task backends do when they fail."""

from __future__ import annotations

from typing import Final

from ..harness.records.bridge import DeliverySemantics

#: Backends that run a task at most once. The worker of the database backends commits that a task is
#: running before it runs it, and nobody looks for tasks that stay so; RQ takes a job from the queue
#: first and marks it as failed when its worker has gone; Immediate runs in the process that enqueues.
_AT_MOST_ONCE: Final = frozenset(
    (
        "django.tasks.backends.dummy.DummyBackend",
        "django.tasks.backends.immediate.ImmediateBackend",
        "django_tasks.backends.database.backend.DatabaseBackend",
        "django_tasks.backends.dummy.DummyBackend",
        "django_tasks.backends.immediate.ImmediateBackend",
        "django_tasks.backends.rq.RQBackend",
        "django_tasks_db.backend.DatabaseBackend",
        "django_tasks_rq.backend.RQBackend",
    )
)


def semantics_of(backend_class: type) -> DeliverySemantics:
    """Return what the worker of a backend does with a task whose run fails.

    A backend that is not known here is taken to deliver at least once, which a task must then
    survive. Django itself never runs again a task that raised.
    """
    at_most_once = any(
        f"{base.__module__}.{base.__qualname__}" in _AT_MOST_ONCE for base in backend_class.__mro__
    )
    return DeliverySemantics(
        acknowledged="before" if at_most_once else "after",
        redelivered_on_raise=False,
        redelivered_on_kill=not at_most_once,
        redelivered_on_outage=not at_most_once,
    )
