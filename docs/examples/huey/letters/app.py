"""The Huey of the application; `huey_consumer letters.tasks.huey` runs a worker."""

from __future__ import annotations

import os

from huey import RedisHuey

huey = RedisHuey("letters", url=os.environ.get("LETTERS_REDIS", "redis://localhost:6379"))
