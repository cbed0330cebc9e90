"""More bugs of the corpus: of locks, coroutines, dates and jobs that are given up."""

from __future__ import annotations

from typing import Final

import corpus_coroutines as coroutines
import corpus_discards as discards
import corpus_locks as locks
import corpus_reports as reports
from corpus_bugs import AGAIN, CRASH, MIDWAY, Bug
from corpus_more_worlds import shop_with_courier

from pytest_jobs.errors import DuplicateEffect, LostEffect, PoisonJob

LATER_BUGS: Final = [
    # Deliveries are processes, of which each has a lock of its own.
    Bug(
        "B51",
        locks.charge_under_a_lock_of_this_process,
        DuplicateEffect,
        "gateway.charge",
        "overlap lease_expires",
    ),
    Bug(
        "B53",
        coroutines.gather_and_mark,
        DuplicateEffect,
        "mailer.send",
        f"{MIDWAY} effect_fails reply_lost",
    ),
    # The effect fails as the source of its client says: the delivery is cancelled.
    Bug(
        "B54",
        coroutines.swallow_the_cancellation,
        LostEffect,
        "shipped",
        "effect_fails",
        world=shop_with_courier,
    ),
    Bug("B55", reports.report_for_today, DuplicateEffect, "outbox", "late"),
    Bug(
        "B56",
        locks.charge_under_a_row_that_says_who_locked_it,
        PoisonJob,
        "Locked",
        f"{CRASH} effect_fails reply_lost",
    ),
    # What tells the desk runs outside of the body of the job.
    Bug(
        "B59",
        discards.ChargeExpiredCard,
        DuplicateEffect,
        "desk.open_ticket",
        f"{AGAIN} crash reply_lost",
    ),
]
