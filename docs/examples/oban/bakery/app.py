"""The instance of Oban. `python -m bakery.app` performs jobs."""

from __future__ import annotations

import asyncio
import os

from oban import Oban
from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(
    os.environ.get("BAKERY_DATABASE", "postgresql://localhost/bakery"), open=False
)
oban = Oban(pool=pool, queues={"default": 10, "payments": 2})


async def serve() -> None:
    async with pool, oban:
        await asyncio.Event().wait()


if __name__ == "__main__":
    from bakery import workers  # noqa: F401 - declares the cron job

    asyncio.run(serve())
