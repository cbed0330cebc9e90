"""No safe twin of a bug of the corpus gives an alarm."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("fakeredis")

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

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError, StuckJob
from pytest_jobs.exploration.plans import HISTORIES


@dataclass(frozen=True)
class Twin:
    id: str
    job: Any
    world: Callable[[], Any] = shop
    args: tuple[Any, ...] = (1,)
    at_least_once: Collection[str] = ()
    others: Sequence[Callable[[], object]] = ()
    #: Histories in which the twin is none: see the tests below.
    without: str | None = None

    @property
    def histories(self):
        return [
            name
            for name in HISTORIES
            if name != self.without and (self.others or name != "out_of_order")
        ]


COMMITS_IN_ANY_CASE = Twin("S21", ledgers.deposit_and_commit_in_any_case, without="effect_fails")
FORGOTTEN_KEY = Twin("S30", payments.ChargeBehindStatusByKey, forgetful_shop, without="late")
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
]


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.id)
def test_a_safe_twin_passes_in_every_history(twin):
    explored = check_idempotent(
        twin.job,
        args=twin.args,
        world=twin.world,
        histories=twin.histories,
        at_least_once=twin.at_least_once,
        others=twin.others,
    )

    assert explored.to_dict()["names"] == twin.histories


def test_a_mail_that_is_not_declared_to_be_sent_at_least_once_is_a_duplicate():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mailer.send \[crash"):
        check_idempotent(MAILS_AT_LEAST_ONCE.job, args=(1,), world=shop, histories="all")


def test_a_commit_in_any_case_commits_half_when_a_statement_fails():
    with pytest.raises(StuckJob, match=r"STUCK accounts \[effect_fails"):
        check_idempotent(COMMITS_IN_ANY_CASE.job, args=(1,), world=shop, histories="all")


def test_a_guard_and_a_key_that_is_forgotten_charge_twice_after_a_late_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway.charge \[late"):
        check_idempotent(FORGOTTEN_KEY.job, args=(1,), world=forgetful_shop, histories="all")


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(ledgers.do_nothing, id="S23"),
        pytest.param(ledgers.read_payment, id="S45"),
    ],
)
def test_a_job_that_changes_nothing_shows_nothing(job):
    with pytest.raises(ExplorationError, match="changes nothing that the world shows"):
        check_idempotent(job, args=(1,), world=shop, histories="all")


@pytest.mark.parametrize(
    ("job", "world"),
    [
        pytest.param(counters.add_member_in_a_pipeline, shop_with_redis, id="twin of B52"),
        pytest.param(
            payments.look_up_and_charge_behind_a_cache, forgetful_shop_with_cache, id="twin of B60"
        ),
    ],
)
def test_a_twin_without_a_number_gives_no_alarm(job, world):
    check_idempotent(job, args=(1,), world=world, histories="all")


def test_the_corpus_has_forty_five_safe_twins():
    apart = {"S23", "S45"}

    assert {twin.id for twin in TWINS} | apart == {f"S{number:02}" for number in range(1, 46)}
    assert len(TWINS) == 43
