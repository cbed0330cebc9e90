"""The worker: `saq hotel.worker.settings`."""

from __future__ import annotations

import os
from typing import Any

from saq import CronJob, Queue

from .jobs import charge, clean, confirm, release
from .outside import Outside

queue = Queue.from_url(os.environ.get("HOTEL_REDIS", "redis://localhost:6379"), name="hotel")


async def open_outside(ctx: dict[str, Any]) -> None:
    ctx["outside"] = Outside()


settings = {
    "queue": queue,
    "functions": [charge, confirm, release],
    "cron_jobs": [CronJob(clean, cron="0 6 * * *")],
    "startup": open_outside,
}
