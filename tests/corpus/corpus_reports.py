"""Jobs about dates, stamps and telemetry, and their safe twins."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from datetime import UTC, datetime

import corpus_shop as shop

log = logging.getLogger(__name__)
counted: Counter[str] = Counter()


def _publish(day):
    database = shop.connect()
    database.execute("insert or ignore into outbox values (?, 'report')", (day,))
    database.commit()


def report_for_today(kind):
    _publish(datetime.now(UTC).date().isoformat())


def report_for_a_day(day):
    database = shop.connect()
    database.execute("insert or ignore into outbox values (?, 'report')", (day,))
    database.commit()


def stamp_the_update(payment_id):
    database = shop.connect()
    database.execute(
        "update payments set status = ? where id = ?",
        (datetime.now(UTC).isoformat(), payment_id),
    )
    database.execute("insert or replace into outbox values (?, ?)", (payment_id, str(uuid.uuid4())))
    database.commit()


def log_and_count(payment_id):
    log.info("paying %s", payment_id)
    counted["payments"] += 1
    shop.gateway.charge(payment_id, 100, idempotency_key=f"pay-{payment_id}")
    log.info("paid %s", payment_id)
