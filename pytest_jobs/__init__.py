"""Test background jobs the way production runs them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .adapters import InlineAdapter, TestAdapter
    from .assertions.asserts import (
        AssertDelivered,
        AssertDiscarded,
        AssertEnqueued,
        AssertFailed,
        AssertNotEnqueued,
        AssertNotPerformed,
        AssertPerformed,
        AssertRetried,
        assert_batched,
        assert_delivered,
        assert_discarded,
        assert_enqueued,
        assert_enqueued_in_order,
        assert_failed,
        assert_followed_by,
        assert_not_enqueued,
        assert_not_performed,
        assert_performed,
        assert_retried,
    )
    from .assertions.several import AssertBatched, AssertEnqueuedInOrder, AssertFollowedBy
    from .assertions.unittest_case import JobsTestCase
    from .bridges.opening import open_jobs
    from .core.arguments.records import reference
    from .core.batches.batch import Batch, slices
    from .core.decorators import (
        after_discard,
        after_enqueue,
        after_perform,
        around_enqueue,
        around_perform,
        before_enqueue,
        before_perform,
        discard_on,
        rescue_from,
        retry_on,
    )
    from .core.enqueueing.context import CurrentAttributes, attribute
    from .core.enqueueing.enqueue import perform_all_later
    from .core.foundation.hooks import hookimpl, hooks
    from .core.foundation.payload import Payload
    from .core.foundation.settings import configure
    from .core.foundation.types import argument_type
    from .core.foundation.waits import exponentially_longer, polynomially_longer, sidekiq_backoff
    from .core.functions import JobFunction, job, later
    from .core.job import Job
    from .core.locks.declaring import limits_concurrency, unique
    from .core.locks.stores import MemoryStore
    from .errors import DeserializationError, Halt, RecordNotFoundError, RecordUnavailableError
    from .exploration import effects
    from .exploration.check import check_idempotent
    from .exploration.machine.machine import JobMachine
    from .exploration.messages.http import HttpRequest, HttpResponse
    from .exploration.payload_check import check_payloads
    from .exploration.worlds.batches import batch_world
    from .exploration.worlds.django.world import django_world
    from .exploration.worlds.fakes import fake
    from .exploration.worlds.http.fake_http import fake_http
    from .exploration.worlds.mail import fake_mail
    from .exploration.worlds.redis.world import redis_world
    from .exploration.worlds.sqlalchemy.world import sqlalchemy_world
    from .exploration.worlds.sqlite import sqlite_world
    from .harness.jobs import Jobs, current_jobs
    from .harness.ledger.queues import Queues
    from .harness.records.delivery import Delivery, Tally
    from .harness.records.record import JobRecord
    from .harness.running.recurring import Firing, Scheduler
    from .harness.running.timeline import RetryTimeline
    from .harness.time.clock import VirtualClock
    from .integrations.celery import CeleryAdapter
    from .integrations.instruments import JobLog, JobMetrics
    from .integrations.queues import load_queues
    from .integrations.recurring.preview import Preview, preview
    from .integrations.recurring.schedule import Schedule, load_schedule
    from .integrations.recurring.task import RecurringCommand, RecurringTask
    from .integrations.redis import RedisStore
    from .integrations.rq import RqAdapter

__all__ = [  # noqa: RUF022 - grouped by what they are for
    # Declaring jobs
    "Job",
    "JobFunction",
    "job",
    "later",
    "reference",
    "argument_type",
    # What travels beside the arguments
    "CurrentAttributes",
    "attribute",
    # What becomes of errors
    "retry_on",
    "discard_on",
    "rescue_from",
    "after_discard",
    "DeserializationError",
    "RecordNotFoundError",
    "RecordUnavailableError",
    "polynomially_longer",
    "exponentially_longer",
    "sidekiq_backoff",
    # Keeping them apart
    "unique",
    "limits_concurrency",
    "MemoryStore",
    "RedisStore",
    # Callbacks and lifecycle plugins
    "before_enqueue",
    "around_enqueue",
    "after_enqueue",
    "before_perform",
    "around_perform",
    "after_perform",
    "Halt",
    "hooks",
    "hookimpl",
    "JobLog",
    "JobMetrics",
    # Sending jobs
    "configure",
    "perform_all_later",
    "Batch",
    "slices",
    "Payload",
    "InlineAdapter",
    "TestAdapter",
    "RqAdapter",
    "CeleryAdapter",
    # Recurring jobs
    "load_schedule",
    "Schedule",
    "RecurringTask",
    "RecurringCommand",
    "preview",
    "Preview",
    "Firing",
    "Scheduler",
    # Queues
    "load_queues",
    "Queues",
    # Exploring them
    "check_idempotent",
    "effects",
    "JobMachine",
    "django_world",
    "fake",
    "fake_http",
    "fake_mail",
    "HttpRequest",
    "HttpResponse",
    "batch_world",
    "redis_world",
    "sqlite_world",
    "sqlalchemy_world",
    # Testing them
    "open_jobs",
    "current_jobs",
    "Jobs",
    "JobRecord",
    "Delivery",
    "Tally",
    "RetryTimeline",
    "VirtualClock",
    "check_payloads",
    # Asserting
    "assert_enqueued",
    "assert_enqueued_in_order",
    "assert_performed",
    "assert_retried",
    "assert_discarded",
    "assert_failed",
    "assert_followed_by",
    "assert_batched",
    "assert_delivered",
    "assert_not_enqueued",
    "assert_not_performed",
    "AssertEnqueued",
    "AssertEnqueuedInOrder",
    "AssertPerformed",
    "AssertRetried",
    "AssertDiscarded",
    "AssertFailed",
    "AssertFollowedBy",
    "AssertBatched",
    "AssertDelivered",
    "AssertNotEnqueued",
    "AssertNotPerformed",
    "JobsTestCase",
]

#: Where the names live; the module is imported when one of them is used.
_HOMES = {
    "argument_type": "core.foundation.types",
    "reference": "core.arguments.records",
    "after_enqueue": "core.decorators",
    "after_perform": "core.decorators",
    "around_enqueue": "core.decorators",
    "around_perform": "core.decorators",
    "before_enqueue": "core.decorators",
    "before_perform": "core.decorators",
    "CurrentAttributes": "core.enqueueing.context",
    "attribute": "core.enqueueing.context",
    "perform_all_later": "core.enqueueing.enqueue",
    "JobFunction": "core.functions",
    "job": "core.functions",
    "hookimpl": "core.foundation.hooks",
    "hooks": "core.foundation.hooks",
    "Job": "core.job",
    "later": "core.functions",
    "Payload": "core.foundation.payload",
    "after_discard": "core.decorators",
    "discard_on": "core.decorators",
    "rescue_from": "core.decorators",
    "retry_on": "core.decorators",
    "configure": "core.foundation.settings",
    "exponentially_longer": "core.foundation.waits",
    "polynomially_longer": "core.foundation.waits",
    "sidekiq_backoff": "core.foundation.waits",
    "DeserializationError": "errors",
    "Halt": "errors",
    "RecordNotFoundError": "errors",
    "RecordUnavailableError": "errors",
    "Batch": "core.batches.batch",
    "slices": "core.batches.batch",
    "unique": "core.locks.declaring",
    "limits_concurrency": "core.locks.declaring",
    "MemoryStore": "core.locks.stores",
    "JobLog": "integrations.instruments",
    "JobMetrics": "integrations.instruments",
    "InlineAdapter": "adapters",
    "TestAdapter": "adapters",
    "load_schedule": "integrations.recurring.schedule",
    "Schedule": "integrations.recurring.schedule",
    "RecurringTask": "integrations.recurring.task",
    "RecurringCommand": "integrations.recurring.task",
    "preview": "integrations.recurring.preview",
    "Preview": "integrations.recurring.preview",
    "Firing": "harness.running.recurring",
    "Scheduler": "harness.running.recurring",
    "load_queues": "integrations.queues",
    "Queues": "harness.ledger.queues",
    "check_idempotent": "exploration.check",
    "effects": "exploration.effects",
    "JobMachine": "exploration.machine.machine",
    "fake": "exploration.worlds.fakes",
    "fake_http": "exploration.worlds.http.fake_http",
    "fake_mail": "exploration.worlds.mail",
    "HttpRequest": "exploration.messages.http",
    "HttpResponse": "exploration.messages.http",
    "batch_world": "exploration.worlds.batches",
    "redis_world": "exploration.worlds.redis.world",
    "django_world": "exploration.worlds.django.world",
    "sqlite_world": "exploration.worlds.sqlite",
    "sqlalchemy_world": "exploration.worlds.sqlalchemy.world",
    "open_jobs": "bridges.opening",
    "current_jobs": "harness.jobs",
    "Jobs": "harness.jobs",
    "JobRecord": "harness.records.record",
    "Delivery": "harness.records.delivery",
    "RedisStore": "integrations.redis",
    "RqAdapter": "integrations.rq",
    "CeleryAdapter": "integrations.celery",
    "Tally": "harness.records.delivery",
    "RetryTimeline": "harness.running.timeline",
    "VirtualClock": "harness.time.clock",
    "AssertFollowedBy": "assertions.several",
    "AssertBatched": "assertions.several",
    "AssertEnqueuedInOrder": "assertions.several",
    "check_payloads": "exploration.payload_check",
    "JobsTestCase": "assertions.unittest_case",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_HOMES.get(name, 'assertions.asserts')}", __name__)
    value = globals()[name] = module if name == "effects" else getattr(module, name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
