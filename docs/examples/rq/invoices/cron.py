"""The cron scheduler: `rq cron invoices.cron` runs it."""

from rq.cron import CronScheduler

from .jobs import report
from .queues import redis

scheduler = CronScheduler(connection=redis)
scheduler.register(report, queue_name="mail", cron="0 6 * * *")
