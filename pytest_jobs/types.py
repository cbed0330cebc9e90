"""Types for annotations: of the assertions that fixtures give, and of what they and schedules return."""

from __future__ import annotations

from .assertions.asserts import (
    AssertDelivered,
    AssertDiscarded,
    AssertEnqueued,
    AssertFailed,
    AssertNotEnqueued,
    AssertNotPerformed,
    AssertPerformed,
    AssertRetried,
)
from .assertions.several import (
    AssertBatched,
    AssertEnqueuedInOrder,
    AssertFollowedBy,
)
from .core.functions import JobFunction
from .harness.running.recurring import Firing
from .integrations.recurring.preview import Preview
from .integrations.recurring.task import RecurringTask

__all__ = [
    "AssertBatched",
    "AssertDelivered",
    "AssertDiscarded",
    "AssertEnqueued",
    "AssertEnqueuedInOrder",
    "AssertFailed",
    "AssertFollowedBy",
    "AssertNotEnqueued",
    "AssertNotPerformed",
    "AssertPerformed",
    "AssertRetried",
    "Firing",
    "JobFunction",
    "Preview",
    "RecurringTask",
]
