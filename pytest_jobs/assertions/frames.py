"""Which frames a failing assertion shows."""

from __future__ import annotations

from ..errors import JobsError
from ..harness.records.delivery import own_traceback


def hide_ours(error: Exception) -> None:
    """Let the last line shown be the call, or a line of what the test passed as a criterion."""
    error.__traceback__ = None if isinstance(error, JobsError) else own_traceback(error)
