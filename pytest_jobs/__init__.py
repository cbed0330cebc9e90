"""Test background jobs the way production runs them."""

from __future__ import annotations

from .core.argument_types import argument_type, reference
from .core.callbacks import (
    after_enqueue,
    after_perform,
    around_enqueue,
    around_perform,
    before_enqueue,
    before_perform,
)
from .core.enqueueing import perform_all_later
from .core.execution import Execution
from .core.functions import JobFunction, job
from .core.hooks import hookimpl, hooks
from .core.job import Job
from .core.later import later
from .core.payload import Payload
from .core.rules import after_discard, discard_on, rescue_from, retry_on
from .core.settings import configure
from .core.waits import exponentially_longer, polynomially_longer, sidekiq_backoff
