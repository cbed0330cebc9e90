"""A batch around the job that is checked."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

from ...core.batches.batch import Batch, added_to
from ...core.job import Job


@contextmanager
def batch_world(
    *, on_success: Job | None = None, on_complete: Job | None = None
) -> Generator[Batch, None, None]:
    """Let the job that is checked be one of a batch, the only one of it.

    Args:
        on_success: a job, made by `new`, for when it was performed; None for nothing.
        on_complete: a job, made by `new`, for when it has ended for good; None for nothing.

    Returns:
        The batch, whose facts a snapshot can show.

    Raises:
        BatchError: when there is no callback, or it is not a job that is due at once.
    """
    batch = Batch(os.urandom(16).hex(), on_success=on_success, on_complete=on_complete)
    with added_to(batch):
        yield batch
