"""A hint never advises what the job does already."""

from datetime import timedelta
from types import SimpleNamespace

import explored_jobs
import pytest
from explored_worlds import Gateway, shop

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import NotIdempotent


def hint(job, world=shop, **options):
    with pytest.raises(NotIdempotent) as found:
        check_idempotent(job, args=(1,), world=world, **options)
    return found.value.report.hint


def test_a_job_that_sends_another_key_each_time_is_not_told_to_send_one():
    attempts = []

    def charge(number):
        attempts.append(number)
        explored_jobs.gateway.charge(number, key=f"{number}-{len(attempts)}")

    def world():
        attempts.clear()
        yield from shop()

    assert hint(charge, world, same_process=True).startswith(
        "the deliveries sent different idempotency keys: derive the key from the arguments alone."
    )


def test_a_job_whose_key_was_forgotten_is_not_told_to_send_one():
    def forgetful():
        with fake(
            explored_jobs, "gateway", Gateway(), key="key", remembers=timedelta(hours=24)
        ) as gateway:
            yield lambda: {"charges": gateway.calls}

    def charge(number):
        explored_jobs.gateway.charge(number, key=f"payment-{number}")

    assert hint(charge, forgetful, histories=["late"]).startswith(
        "the receiver did not know the key any more: look the effect up before making it"
    )


def test_a_job_that_sends_a_key_with_another_effect_is_told_to_send_one():
    def charge_twice(number):
        explored_jobs.gateway.charge(number, key=f"payment-{number}")
        explored_jobs.gateway.charge(number, key=None)

    assert hint(charge_twice).startswith(
        "nothing tells the job that its work is done: give the effect an idempotency key"
    )


@pytest.mark.parametrize("known", [None, "order_key"])
def test_a_key_that_the_stand_in_does_not_know_is_named(known):
    def pay(number, order_key=None):
        """Be replaced."""

    def paying():
        options = {} if known is None else {"key": known}
        with fake(explored_jobs, "gateway", SimpleNamespace(pay=pay), **options) as gateway:
            yield lambda: {"payments": gateway.calls}

    def pay_by_key(number):
        explored_jobs.gateway.pay(number, order_key=f"payment-{number}")

    if known is not None:
        check_idempotent(pay_by_key, args=(1,), world=paying)
        return
    assert hint(pay_by_key, paying, histories=["twice"]).startswith(
        "if order_key= is an idempotency key that the service knows, say so by fake(..., key='order_key'). If it "
        "is none, send one that is derived from the arguments"
    )


def test_a_job_that_commits_once_is_not_told_to_use_one_transaction():
    def count(number):
        db = explored_jobs.connect()
        with db:
            (known,) = db.execute("select count(*) from ledger").fetchone()
            db.execute("update payments set status = status || ? where id = 1", (known,))

    assert "one transaction" not in hint(count)


def test_a_job_that_commits_half_of_its_work_is_told_to_use_one_transaction():
    assert "one transaction" in hint(explored_jobs.claim_and_forget, histories=["crash"])


def test_a_job_that_fails_before_its_work_is_done_is_not_told_to_return_when_it_finds_it_done():
    def pay(number):
        db = explored_jobs.connect()
        db.execute("insert into ledger values (7)")
        db.commit()
        explored_jobs.gateway.charge(number, key=number)

    assert hint(pay, histories=["crash"]) == (
        "let a later delivery take up what an earlier one left, instead of failing."
    )


def test_a_job_that_fails_when_its_work_is_done_is_told_to_return():
    assert hint(explored_jobs.insert_plainly) == (
        "let a delivery that finds the work done return, instead of failing."
    )


# at_least_once=


def test_it_is_named_where_the_check_would_pass_with_it():
    def charge_and_mark(number):
        explored_jobs.charge_then_mark(number)

    names = {"charges", "gateway"}
    histories = ["twice", "restart", "crash", "reply_lost"]
    text = hint(charge_and_mark, histories=histories)

    assert text.endswith(
        " If that may happen more often than once, write at_least_once={'charges', 'gateway'}."
    )
    check_idempotent(
        charge_and_mark, args=(1,), world=shop, histories=histories, at_least_once=names
    )


def test_it_adds_to_what_the_test_allows_already():
    text = hint(
        explored_jobs.charge_then_mark, histories=["crash"], at_least_once={"gateway", "mails"}
    )

    assert text.endswith("write at_least_once={'charges', 'gateway', 'mails'}.")


@pytest.mark.parametrize(
    ("job", "histories"),
    [
        (explored_jobs.charge_then_mark, ["crash", "overlap"]),
        (explored_jobs.mark_then_charge, ["crash"]),
        (explored_jobs.charge_always, ["twice", "crash"]),
    ],
    ids=["a second delivery at once", "a loss", "a second delivery that is not cut off"],
)
def test_it_is_not_named_where_the_check_would_fail_all_the_same(job, histories):
    assert "at_least_once" not in hint(job, histories=histories)


@pytest.mark.parametrize("history", ["twice", "restart", "overlap"])
def test_it_allows_nothing_in_a_history_that_cuts_no_delivery_off(history):
    with pytest.raises(NotIdempotent):
        check_idempotent(
            explored_jobs.charge_always,
            args=(1,),
            world=shop,
            histories=[history],
            at_least_once={"charges", "gateway"},
        )
