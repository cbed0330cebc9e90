"""No safe twin of a bug of the corpus gives an alarm."""

from __future__ import annotations

import pytest

pytest.importorskip("fakeredis")

import corpus_counters as counters
import corpus_ledgers as ledgers
import corpus_payments as payments
from corpus_twins import CANCELLED, COMMITS_IN_ANY_CASE, FORGOTTEN_KEY, MAILS_AT_LEAST_ONCE, TWINS
from corpus_world import (
    forgetful_shop,
    forgetful_shop_with_cache,
    shop,
    shop_with_redis,
)

from pytest_jobs import check_idempotent
from pytest_jobs.errors import DuplicateEffect, ExplorationError, StuckJob


@pytest.mark.parametrize(
    "twin",
    [
        # Its deliveries wait for each other's locks.
        pytest.param(twin, id=twin.id, marks=[pytest.mark.slow] if twin.id == "S26" else [])
        for twin in TWINS
    ],
)
def test_a_safe_twin_passes_in_every_history(twin):
    explored = twin.check()

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


def test_a_cancellation_that_is_passed_on_is_delivered_again():
    check_idempotent(
        CANCELLED.job, args=CANCELLED.args, world=CANCELLED.world, histories=["effect_fails"]
    )


def test_the_corpus_has_a_safe_twin_of_each_number():
    changing_nothing = {"S23", "S45"}
    on_a_server = {"S46", "S47"}

    numbers = [twin.id for twin in TWINS]
    assert {*numbers, *changing_nothing, *on_a_server} == {f"S{n:02}" for n in range(1, 56)}
    assert len(numbers) == len(set(numbers)) == 51
