"""Test background jobs the way production runs them.

Each public name is listed twice: for type checkers, to which `X as X` says that a name is public, and in `_HOMES`,
from which it is imported when it is first used. A test compares the two lists. `dir` lists only what has been
used: freezegun and others get each attribute that it lists, of all modules.

PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters import InlineAdapter as InlineAdapter, TestAdapter as TestAdapter
    from .assertions.asserts import (
        assert_batched as assert_batched,
        assert_delivered as assert_delivered,
        assert_discarded as assert_discarded,
        assert_enqueued as assert_enqueued,
        assert_enqueued_in_order as assert_enqueued_in_order,
        assert_failed as assert_failed,
        assert_followed_by as assert_followed_by,
        assert_not_enqueued as assert_not_enqueued,
        assert_not_performed as assert_not_performed,
        assert_performed as assert_performed,
        assert_retried as assert_retried,
    )
    from .assertions.unittest_case import JobsTestCase as JobsTestCase
    from .bridges.opening import open_jobs as open_jobs
    from .core.arguments.records import reference as reference
    from .core.batches.batch import Batch as Batch, slices as slices
    from .core.creation import after_create_commit as after_create_commit
    from .core.decorators import (
        after_discard as after_discard,
        after_enqueue as after_enqueue,
        after_perform as after_perform,
        around_enqueue as around_enqueue,
        around_perform as around_perform,
        before_enqueue as before_enqueue,
        before_perform as before_perform,
        discard_on as discard_on,
        rescue_from as rescue_from,
        retry_on as retry_on,
    )
    from .core.enqueueing.context import (
        CurrentAttributes as CurrentAttributes,
        attribute as attribute,
    )
    from .core.enqueueing.many import perform_all_later as perform_all_later
    from .core.foundation.hooks import hookimpl as hookimpl, hooks as hooks
    from .core.foundation.payload import Payload as Payload
    from .core.foundation.settings import configure as configure
    from .core.foundation.types import argument_type as argument_type
    from .core.foundation.waits import (
        exponentially_longer as exponentially_longer,
        polynomially_longer as polynomially_longer,
        sidekiq_backoff as sidekiq_backoff,
    )
    from .core.functions import job as job, later as later
    from .core.job import Job as Job
    from .core.locks.declaring import limits_concurrency as limits_concurrency, unique as unique
    from .core.locks.stores import MemoryStore as MemoryStore
    from .exploration import effects as effects
    from .exploration.check import check_idempotent as check_idempotent
    from .exploration.effects.http.request import (
        HttpRequest as HttpRequest,
        HttpResponse as HttpResponse,
    )
    from .exploration.handoff_check import check_handoff as check_handoff
    from .exploration.worlds.batches import batch_world as batch_world
    from .exploration.worlds.django.world import django_world as django_world
    from .exploration.worlds.fakes import fake as fake
    from .exploration.worlds.here import here as here
    from .exploration.worlds.http.fake_http import fake_http as fake_http
    from .exploration.worlds.mail import fake_mail as fake_mail
    from .exploration.worlds.redis.world import redis_world as redis_world
    from .exploration.worlds.sqlalchemy.world import sqlalchemy_world as sqlalchemy_world
    from .exploration.worlds.sqlite import sqlite_world as sqlite_world
    from .harness.jobs import Jobs as Jobs, current_jobs as current_jobs
    from .harness.ledger.queues import Queues as Queues
    from .harness.records.delivery import Delivery as Delivery, Tally as Tally
    from .harness.records.record import JobRecord as JobRecord
    from .harness.running.recurring import Scheduler as Scheduler
    from .harness.running.timeline import RetryTimeline as RetryTimeline
    from .harness.time.clock import VirtualClock as VirtualClock
    from .integrations.celery import CeleryAdapter as CeleryAdapter
    from .integrations.instruments import JobLog as JobLog, JobMetrics as JobMetrics
    from .integrations.queues import load_queues as load_queues
    from .integrations.recurring.preview import preview as preview
    from .integrations.recurring.schedule import (
        Schedule as Schedule,
        load_schedule as load_schedule,
    )
    from .integrations.recurring.task import RecurringCommand as RecurringCommand
    from .integrations.redis import RedisStore as RedisStore
    from .integrations.rq import RqAdapter as RqAdapter

#: The modules of the public names. A module is imported when one of its names is first used.
_HOMES = {
    # Declaring jobs
    "core.job": ("Job",),
    "core.functions": ("job", "later"),
    "core.arguments.records": ("reference",),
    "core.foundation.types": ("argument_type",),
    # What travels beside the arguments
    "core.enqueueing.context": ("CurrentAttributes", "attribute"),
    # What becomes of errors, and callbacks
    "core.decorators": (
        "after_discard",
        "after_enqueue",
        "after_perform",
        "around_enqueue",
        "around_perform",
        "before_enqueue",
        "before_perform",
        "discard_on",
        "rescue_from",
        "retry_on",
    ),
    "core.foundation.waits": ("exponentially_longer", "polynomially_longer", "sidekiq_backoff"),
    # Keeping them apart
    "core.locks.declaring": ("limits_concurrency", "unique"),
    "core.locks.stores": ("MemoryStore",),
    "integrations.redis": ("RedisStore",),
    # Lifecycle plugins
    "core.foundation.hooks": ("hookimpl", "hooks"),
    "integrations.instruments": ("JobLog", "JobMetrics"),
    # Sending jobs
    "core.foundation.settings": ("configure",),
    "core.enqueueing.many": ("perform_all_later",),
    "core.creation": ("after_create_commit",),
    "core.batches.batch": ("Batch", "slices"),
    "core.foundation.payload": ("Payload",),
    "adapters": ("InlineAdapter", "TestAdapter"),
    "integrations.rq": ("RqAdapter",),
    "integrations.celery": ("CeleryAdapter",),
    # Recurring jobs
    "integrations.recurring.schedule": ("Schedule", "load_schedule"),
    "integrations.recurring.task": ("RecurringCommand",),
    "integrations.recurring.preview": ("preview",),
    "harness.running.recurring": ("Scheduler",),
    # Queues
    "integrations.queues": ("load_queues",),
    "harness.ledger.queues": ("Queues",),
    # Exploring them
    "exploration": ("effects",),
    "exploration.check": ("check_idempotent",),
    "exploration.handoff_check": ("check_handoff",),
    "exploration.effects.http.request": ("HttpRequest", "HttpResponse"),
    "exploration.worlds.batches": ("batch_world",),
    "exploration.worlds.django.world": ("django_world",),
    "exploration.worlds.fakes": ("fake",),
    "exploration.worlds.here": ("here",),
    "exploration.worlds.http.fake_http": ("fake_http",),
    "exploration.worlds.mail": ("fake_mail",),
    "exploration.worlds.redis.world": ("redis_world",),
    "exploration.worlds.sqlalchemy.world": ("sqlalchemy_world",),
    "exploration.worlds.sqlite": ("sqlite_world",),
    # Testing them
    "bridges.opening": ("open_jobs",),
    "harness.jobs": ("Jobs", "current_jobs"),
    "harness.records.record": ("JobRecord",),
    "harness.records.delivery": ("Delivery", "Tally"),
    "harness.running.timeline": ("RetryTimeline",),
    "harness.time.clock": ("VirtualClock",),
    # Asserting
    "assertions.asserts": (
        "assert_batched",
        "assert_delivered",
        "assert_discarded",
        "assert_enqueued",
        "assert_enqueued_in_order",
        "assert_failed",
        "assert_followed_by",
        "assert_not_enqueued",
        "assert_not_performed",
        "assert_performed",
        "assert_retried",
    ),
    "assertions.unittest_case": ("JobsTestCase",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

#: Former names: each with the present one, and the version in which it goes. CONTRIBUTING says when that is.
_FORMER: dict[str, tuple[str, str]] = {}

__all__ = [*_HOME_OF]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll] - they are strings


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _FORMER:
        present, gone_in = _FORMER[name]
        warnings.warn(
            f"pytest_jobs.{name} is now called {present}, and goes in version {gone_in}: write "
            f"pytest_jobs.{present}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return __getattr__(present)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f".{_HOME_OF[name]}", __name__)
    if name == "effects":  # It is a module itself.
        importlib.import_module(".effects", home.__name__)
    value = globals()[name] = getattr(home, name)
    return value
