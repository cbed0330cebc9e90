"""What the web application calls."""

from __future__ import annotations

from datetime import timedelta

from arq import create_pool
from arq.connections import ArqRedis
from arq.jobs import Job

from .worker import REDIS


async def start() -> ArqRedis:
    """Open the pool of the application."""
    return await create_pool(REDIS)


async def upload(pool: ArqRedis, name: str, customer: str, after: timedelta | None = None) -> None:
    """Shrink a picture that has come in; a picture that waits already is not shrunk twice."""
    await pool.enqueue_job("shrink", name, customer, _job_id=f"shrink-{name}", _defer_by=after)


async def withdraw(pool: ArqRedis, name: str) -> bool:
    """Take a picture back that still waits."""
    return await Job(f"shrink-{name}", pool).abort(timeout=1)
