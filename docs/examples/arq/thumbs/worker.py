"""The worker: `arq thumbs.worker.WorkerSettings`."""

from __future__ import annotations

import os
from typing import Any

from arq import cron, func
from arq.connections import RedisSettings

from . import outside
from .jobs import charge, forget, shrink

REDIS = RedisSettings.from_dsn(os.environ.get("THUMBS_REDIS", "redis://localhost:6379"))


async def open_outside(ctx: dict[str, Any]) -> None:
    ctx["pictures"] = outside.Pictures()
    ctx["bank"] = outside.Bank()


class WorkerSettings:
    functions = (func(shrink, name="shrink", max_tries=3), func(charge, name="charge"))
    cron_jobs = (cron(forget, hour=2, minute=30),)
    redis_settings = REDIS
    on_startup = open_outside
    allow_abort_jobs = True
