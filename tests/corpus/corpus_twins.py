"""The safe twins of the bugs of the corpus."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import corpus_coroutines as coroutines
import corpus_counters as counters
import corpus_discards as discards
import corpus_files as files
import corpus_ledgers as ledgers
import corpus_locks as locks
import corpus_messages as messages
import corpus_payments as payments
import corpus_reports as reports
from corpus_more_worlds import shop_with_courier, shop_with_fence
from corpus_world import forgetful_shop, shop, shop_with_folder, shop_with_redis

from pytest_jobs import check_idempotent
from pytest_jobs.exploration.histories.plans import HISTORIES


@dataclass(frozen=True)
class Twin:
    id: str
    job: Any
    world: Callable[[], Any] = shop
    args: tuple[Any, ...] = (1,)
    at_least_once: Collection[str] = ()
    others: Sequence[Callable[[], object]] = ()
    accept: Collection[type[BaseException]] = ()
    #: Histories in which the twin is none: see the tests below.
    without: str | None = None

    @property
    def histories(self):
        return [
            name
            for name in HISTORIES
            if name != self.without and (self.others or name != "out_of_order")
        ]

    def check(self, job=None):
        """Check the job, or another in its place, in the histories in which the twin is safe."""
        return check_idempotent(
            self.job if job is None else job,
            args=self.args,
            world=self.world,
            histories=self.histories,
            at_least_once=self.at_least_once,
            accept=self.accept,
            others=self.others,
        )


COMMITS_IN_ANY_CASE = Twin("S21", ledgers.deposit_and_commit_in_any_case, without="effect_fails")
FORGOTTEN_KEY = Twin("S30", payments.ChargeBehindStatusByKey, forgetful_shop, without="late")
CANCELLED = Twin(
    "S49",
    coroutines.clean_up_and_pass_the_cancellation_on,
    shop_with_courier,
    without="effect_fails",
)
MAILS_AT_LEAST_ONCE = Twin("S13", messages.mail_at_least_once, at_least_once=["mailer"])

TWINS = [
    Twin("S01", payments.ChargeBehindStatusByKey),
    Twin("S02", payments.charge_by_key_alone),
    Twin("S03", payments.charge_under_a_row_lock_by_key),
    Twin("S04", ledgers.deposit_in_one_commit),
    Twin("S05", ledgers.deposit_behind_a_unique_entry),
    Twin("S06", ledgers.book_by_upsert),
    Twin("S07", ledgers.set_the_balance, args=(500,)),
    Twin("S08", counters.set_profile, shop_with_redis),
    Twin("S09", counters.add_member, shop_with_redis),
    Twin("S10", counters.count_view_in_a_transaction, shop_with_redis),
    Twin("S11", payments.look_up_and_charge_under_a_row_lock),
    Twin("S12", messages.enqueue_by_outbox),
    MAILS_AT_LEAST_ONCE,
    Twin("S14", messages.enqueue_by_key_and_mark),
    Twin("S15", payments.resume_processing),
    Twin("S16", payments.charge_under_a_lease_by_key, shop_with_redis),
    Twin("S17", files.write_report_and_rename, shop_with_folder, (3,)),
    Twin("S18", ledgers.settle_if_unchanged),
    Twin("S19", counters.add_all_rows, shop_with_redis, (3,)),
    Twin("S20", ledgers.archive_by_deleting_last, shop_with_redis),
    COMMITS_IN_ANY_CASE,
    Twin("S22", ledgers.deposit_in_a_with_block),
    Twin("S24", payments.charge_with_a_hashed_key),
    Twin("S25", payments.try_three_times_by_key),
    Twin("S26", payments.wait_for_the_lock, shop_with_redis),
    Twin("S27", payments.charge_with_a_cache),
    Twin("S28", payments.look_up_charge_and_mark_under_a_row_lock),
    Twin("S29", ledgers.publish_or_ignore),
    FORGOTTEN_KEY,
    Twin("S31", messages.enqueue_all_by_key_in_one_line),
    Twin("S32", messages.import_chunk_by_key, args=(0,)),
    Twin("S33", ledgers.compute_progress),
    Twin("S34", counters.move_the_cursor_after_what_may_be_repeated, shop_with_redis, (3,)),
    Twin("S35", payments.let_the_broker_retry),
    Twin("S36", payments.release_the_lock_in_any_case, shop_with_redis),
    Twin("S37", files.write_by_the_temporary_file, shop_with_folder),
    Twin("S38", ledgers.write_version_five, others=[ledgers.write_version_six]),
    Twin("S39", ledgers.sync_unless_deleted, others=[ledgers.delete_with_a_tombstone]),
    Twin("S40", ledgers.number_in_the_same_commit),
    Twin("S41", messages.mail_by_outbox_when_new),
    Twin("S42", messages.call_webhook_with_its_id, shop_with_redis),
    Twin("S43", payments.back_off_and_raise),
    Twin("S44", ledgers.forget_payment),
    Twin("S48", coroutines.gather_by_key_and_mark),
    CANCELLED,
    Twin("S50", locks.publish_with_a_fencing_token, shop_with_fence),
    Twin("S51", reports.report_for_a_day, args=("2030-01-01",)),
    Twin("S52", reports.stamp_the_update),
    Twin("S53", locks.charge_or_come_again_when_locked, shop_with_redis),
    Twin("S54", reports.log_and_count),
    Twin("S55", discards.book_once, accept=[discards.AlreadyDone]),
]
