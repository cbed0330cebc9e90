"""The bugs of the corpus, and what reveals each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import corpus_counters as counters
import corpus_files as files
import corpus_ledgers as ledgers
import corpus_messages as messages
import corpus_payments as payments
from corpus_world import (
    forgetful_shop,
    forgetful_shop_with_cache,
    shop,
    shop_with_folder,
    shop_with_redis,
)

from pytest_jobs.errors import (
    DivergedState,
    DuplicateEffect,
    LostEffect,
    NotIdempotent,
    PoisonJob,
    StuckJob,
)
from pytest_jobs.exploration.histories.plans import HISTORIES


@dataclass(frozen=True)
class Bug:
    id: str
    job: Any
    #: The verdict on the first history that reveals it, and what that names.
    verdict: type[NotIdempotent]
    what: str
    #: Every history that reveals it.
    found_by: str
    world: Callable[[], Any] = shop
    args: tuple[Any, ...] = (1,)
    others: Sequence[Callable[[], object]] = ()

    @property
    def first(self):
        return next(name for name in HISTORIES if name in self.found_by.split())


#: A second delivery does harm, whenever it comes.
AGAIN: Final = "twice restart crash overlap late lease_expires"
#: A second delivery does harm when the first has come half the way.
MIDWAY: Final = "crash overlap late lease_expires"
#: The same, unless the first goes on.
CRASH: Final = "crash late"
#: It does harm that an effect fails, or its answer is lost.
FAILING: Final = "effect_fails reply_lost"

BUGS: Final = [
    Bug(
        "B01",
        payments.ChargeBehindStatus,
        DuplicateEffect,
        "gateway.charge",
        f"{MIDWAY} effect_fails reply_lost",
    ),
    Bug(
        "B02",
        payments.charge_without_a_guard,
        DuplicateEffect,
        "gateway.charge",
        f"{AGAIN} reply_lost",
    ),
    Bug(
        "B03", payments.mark_before_charging, LostEffect, "gateway.charge", f"{MIDWAY} effect_fails"
    ),
    Bug(
        "B04",
        payments.charge_under_a_row_lock,
        DuplicateEffect,
        "gateway.charge",
        f"{CRASH} effect_fails reply_lost",
    ),
    Bug("B05", ledgers.deposit_in_two_commits, DivergedState, "accounts", f"{MIDWAY} effect_fails"),
    Bug(
        "B06",
        payments.charge_with_a_random_key,
        DuplicateEffect,
        "gateway.charge",
        f"{AGAIN} reply_lost",
    ),
    Bug(
        "B07",
        payments.charge_with_a_random_key_behind_status,
        DuplicateEffect,
        "gateway.charge",
        f"{MIDWAY} effect_fails reply_lost",
    ),
    # Near midnight an hour is enough, and `lease_expires` finds it too.
    Bug("B08", payments.charge_with_the_date_in_the_key, DuplicateEffect, "gateway.charge", "late"),
    Bug(
        "B09",
        counters.count_view,
        DivergedState,
        "redis",
        f"{AGAIN} reply_lost",
        world=shop_with_redis,
    ),
    Bug(
        "B10",
        counters.count_view_once,
        DivergedState,
        "redis",
        f"{MIDWAY} {FAILING}",
        world=shop_with_redis,
    ),
    Bug(
        "B11",
        counters.count_view_by_claim,
        LostEffect,
        "redis",
        f"{CRASH} {FAILING}",
        world=shop_with_redis,
    ),
    Bug(
        "B12",
        payments.charge_with_a_key_kept_for_an_hour,
        DuplicateEffect,
        "gateway.charge",
        "late lease_expires",
        world=shop_with_redis,
    ),
    Bug(
        "B13",
        payments.charge_under_a_lease,
        DuplicateEffect,
        "gateway.charge",
        f"{CRASH} effect_fails reply_lost lease_expires",
        world=shop_with_redis,
    ),
    Bug(
        "B14",
        payments.leave_it_to_whoever_holds_the_lock,
        LostEffect,
        "gateway.charge",
        f"{CRASH} {FAILING}",
        world=shop_with_redis,
    ),
    Bug(
        "B15",
        payments.charge_unless_remembered,
        DuplicateEffect,
        "gateway.charge",
        f"{MIDWAY} restart reply_lost",
    ),
    # The reference's job has no guard, so that `twice` finds it.
    Bug(
        "B16",
        messages.mail_all_and_mark,
        DuplicateEffect,
        "mailer.send",
        f"{MIDWAY} effect_fails reply_lost",
    ),
    Bug(
        "B17",
        messages.SendChildrenAndMark,
        DuplicateEffect,
        "enqueue corpus_messages.send_receipt",
        f"{MIDWAY} effect_fails reply_lost",
    ),
    Bug(
        "B18",
        messages.EnqueueInsideTheTransaction,
        DuplicateEffect,
        "enqueue corpus_messages.send_receipt",
        f"{MIDWAY} effect_fails reply_lost",
    ),
    Bug(
        "B19",
        messages.EnqueueAfterTheCommit,
        LostEffect,
        "enqueue corpus_messages.send_receipt",
        f"{MIDWAY} effect_fails",
    ),
    # Refused is no timeout: that delivery fails, and the next one charges.
    Bug("B20", payments.take_a_timeout_for_a_failure, DivergedState, "payments", "reply_lost"),
    # Behind a look-up and a row lock, so that nothing is left but the loop.
    Bug(
        "B21",
        payments.try_three_times_behind_a_look_up,
        DuplicateEffect,
        "gateway.charge",
        "reply_lost",
    ),
    Bug(
        "B22",
        payments.skip_while_processing,
        LostEffect,
        "gateway.charge",
        f"{CRASH} effect_fails reply_lost",
    ),
    Bug("B23", ledgers.read_and_write_the_balance, StuckJob, "accounts", f"{MIDWAY} effect_fails"),
    Bug(
        "B24",
        counters.push_to_feed,
        DuplicateEffect,
        "redis",
        f"{AGAIN} reply_lost",
        world=shop_with_redis,
    ),
    Bug(
        "B25",
        files.write_report_piece_by_piece,
        DivergedState,
        "files",
        CRASH,
        world=shop_with_folder,
        args=(3,),
    ),
    Bug("B26", files.append_to_log, DivergedState, "files", AGAIN, world=shop_with_folder),
    Bug(
        "B27",
        messages.open_ticket,
        DuplicateEffect,
        "desk.open_ticket",
        f"{AGAIN} reply_lost",
    ),
    Bug("B28", ledgers.book_and_fail_when_booked, PoisonJob, "IntegrityError", AGAIN),
    Bug(
        "B29",
        ledgers.archive_by_deleting_first,
        LostEffect,
        "redis",
        f"{CRASH} effect_fails",
        world=shop_with_redis,
    ),
    Bug("B30", ledgers.toggle_status, StuckJob, "payments", AGAIN),
    Bug(
        "B31",
        payments.look_up_and_charge,
        DuplicateEffect,
        "gateway.charge",
        "overlap lease_expires",
    ),
    Bug(
        "B32",
        payments.look_up_and_charge_under_a_lease,
        DuplicateEffect,
        "gateway.charge",
        "lease_expires",
        world=shop_with_redis,
    ),
    Bug(
        "B33",
        payments.charge_by_key_alone,
        DuplicateEffect,
        "gateway.charge",
        "late",
        world=forgetful_shop,
    ),
    Bug("B34", ledgers.publish_unless_published, DuplicateEffect, "feed", "overlap lease_expires"),
    # Three deliveries would show a third worker under the lock; two show what a crash leaves.
    Bug(
        "B35",
        counters.unlock_whoever_holds_it,
        LostEffect,
        "redis",
        f"{CRASH} {FAILING} lease_expires",
        world=shop_with_redis,
    ),
    Bug(
        "B36",
        messages.enqueue_all_in_one_line,
        DuplicateEffect,
        "enqueue corpus_messages.send_receipt",
        f"{MIDWAY} effect_fails reply_lost",
    ),
    Bug(
        "B37",
        messages.ImportChunk,
        DuplicateEffect,
        "enqueue corpus_messages.ImportChunk",
        f"{MIDWAY} effect_fails reply_lost",
        args=(0,),
    ),
    Bug("B38", ledgers.count_progress, DivergedState, "accounts", AGAIN),
    Bug(
        "B39",
        counters.move_the_cursor_first,
        DivergedState,
        "redis",
        f"{CRASH} {FAILING}",
        world=shop_with_redis,
        args=(3,),
    ),
    Bug(
        "B40",
        counters.move_the_cursor_last,
        DuplicateEffect,
        "mailer.send",
        f"{MIDWAY} {FAILING}",
        world=shop_with_redis,
        args=(3,),
    ),
    Bug(
        "B41",
        payments.refund_after_an_error,
        DuplicateEffect,
        "enqueue corpus_payments.refund",
        "reply_lost",
    ),
    Bug("B42", payments.mark_in_any_case, LostEffect, "gateway.charge", "effect_fails"),
    Bug(
        "B43",
        files.write_by_a_new_temporary_file,
        PoisonJob,
        "FileExistsError",
        f"{CRASH} effect_fails",
        world=shop_with_folder,
    ),
    Bug(
        "B44",
        ledgers.use_up_the_quota,
        DivergedState,
        "payments",
        f"{AGAIN} {FAILING}",
        world=shop_with_redis,
    ),
    Bug("B45", counters.sell, LostEffect, "redis", f"{MIDWAY} {FAILING}", world=shop_with_redis),
    Bug(
        "B46",
        ledgers.write_the_old_status,
        DivergedState,
        "payments",
        "out_of_order",
        others=[ledgers.write_the_new_status],
    ),
    Bug(
        "B47",
        ledgers.sync_payment,
        DuplicateEffect,
        "payments",
        "out_of_order",
        others=[ledgers.delete_payment],
    ),
    Bug(
        "B48",
        ledgers.number_in_a_commit_of_its_own,
        DivergedState,
        "entries",
        f"{MIDWAY} effect_fails",
    ),
    Bug(
        "B49",
        messages.mail_whether_new_or_not,
        DuplicateEffect,
        "mailer.send",
        f"{AGAIN} reply_lost",
    ),
    Bug(
        "B50",
        messages.call_webhook_with_a_new_id,
        DuplicateEffect,
        "enqueue corpus_messages.call_webhook",
        f"{MIDWAY} {FAILING}",
        world=shop_with_redis,
    ),
    Bug(
        "B52",
        counters.count_view_in_a_pipeline,
        DivergedState,
        "redis",
        "overlap lease_expires",
        world=shop_with_redis,
    ),
    Bug(
        "B60",
        payments.charge_behind_a_cache,
        DuplicateEffect,
        "gateway.charge",
        "late",
        world=forgetful_shop_with_cache,
    ),
]
