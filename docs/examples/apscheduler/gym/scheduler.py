"""The scheduler of the application, which keeps its jobs in a database."""

from __future__ import annotations

import os

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

scheduler = BackgroundScheduler(
    jobstores={"default": SQLAlchemyJobStore(os.environ.get("GYM_JOBS", "sqlite:///gym.db"))},
    job_defaults={"coalesce": True, "misfire_grace_time": 3600},
    timezone="UTC",
)
