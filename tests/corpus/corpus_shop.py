"""What the jobs of the corpus reach: a world puts something in each place."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from redis import Redis

gateway: Any = None
mailer: Any = None
desk: Any = None
courier: Any = None
queue: Any = None
redis = Redis(decode_responses=True)
folder = Path("nowhere")


def connect() -> sqlite3.Connection:
    raise RuntimeError("There is no database outside of a world.")
