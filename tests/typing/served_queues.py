"""Queues that workers serve, from a file and in Python."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from pytest_jobs import Jobs, Queues, load_queues


def serve(jobs: Jobs) -> None:
    queues = load_queues(Path("config/sidekiq.yml"), environment="production", seed=1)
    assert_type(queues.concurrency, int | None)
    assert_type(queues.names, tuple[str, ...])
    jobs.serve(queues)
    jobs.serve(Queues(["critical", ("default", 2)]))
    jobs.serve(Queues({"critical": 2, "default": 1}, concurrency=5))
    jobs.serve(None)
    assert_type(jobs.queues, Queues | None)
    jobs.drain(workers=queues.concurrency)
    jobs.serve("config/sidekiq.yml")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
