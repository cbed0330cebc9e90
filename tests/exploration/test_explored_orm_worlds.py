"""`django_world`: a database, an outbox and caches that are new for each history."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("django", reason="Django is not installed")

import explored_models
from django.core import mail
from django.core.cache import cache
from django.db import connections
from dying_workers import dying_workers, needs_fork
from explored_models import Customer, Entry, Payment, Tag, databases, gateway_only  # noqa: F401

from pytest_jobs import check_idempotent, django_world
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError, LostEffect


def row(number, **values):
    return {"id": number, "status": "open", "balance": 100, "customer_id": None, **values}


def test_rows_are_told_by_model_and_field_in_the_order_of_their_keys():
    with django_world([Payment, Entry], rows=[Payment(pk=2), Payment(pk=1)]) as database:
        assert database.snapshot() == {"Payment": [row(1), row(2)], "Entry": []}
        assert database.rows(Payment) == [row(1), row(2)]


def test_rows_that_a_manager_hides_are_there():
    with django_world([Payment], rows=[Payment(status="hidden")]) as database:
        assert database.rows(Payment) == [row(1, status="hidden")]


def test_rows_may_refer_to_one_another_and_are_copies():
    ann = Customer(name="Ann")
    rows = [ann, Payment(customer=ann)]

    for _ in range(2):
        with django_world([Customer, Payment], rows=rows) as database:
            assert database.snapshot() == {
                "Customer": [{"id": 1, "name": "Ann"}],
                "Payment": [row(1, customer_id=1)],
            }

    assert ann.pk is None
    assert rows[1].pk is None


def test_a_function_may_save_the_first_rows():
    def save():
        Tag.objects.create().payments.add(Payment.objects.create())

    with django_world([Tag], rows=save) as database:
        assert database.snapshot() == {
            "Tag": [{"id": 1}],
            "Tag_payments": [{"id": 1, "tag_id": 1, "payment_id": 1}],
        }


def test_each_is_new_and_leaves_the_database_of_before():
    before = connections["default"], connections.settings["default"]

    for _ in range(2):
        with django_world([Payment]) as database:
            assert connections["default"] is not before[0]
            Payment.objects.create()
            assert database.rows(Payment) == [row(1)]

    assert (connections["default"], connections.settings["default"]) == before


def test_another_database_by_its_alias():
    with django_world([Payment], using="other", rows=[Payment()]) as database:
        assert Payment.objects.using("other").count() == 1
        assert database.rows(Payment) == [row(1)]


def test_several_databases():
    with (
        django_world([Payment], rows=[Payment()]) as first,
        django_world([Payment], using="other") as second,
    ):
        assert len(first.rows(Payment)) == 1
        assert second.rows(Payment) == []


def test_a_database_that_there_is_not_is_refused():
    with (
        pytest.raises(
            ExplorationError, match=r"using='othr' is not a database: DATABASES has default"
        ),
        django_world([Payment], using="othr"),
    ):
        pass


def test_what_is_no_model_is_refused():
    with (
        pytest.raises(ExplorationError, match="models= names 'Payment', which is not a model"),
        django_world(["Payment"]),
    ):
        pass


def test_caches_in_memory_are_empty_and_come_back():
    cache.set("kept", 1)
    try:
        with django_world([Payment]):
            assert cache.get("kept") is None
            cache.set("made", 2)
        assert cache.get("kept") == 1
        assert cache.get("made") is None
    finally:
        cache.clear()


def world_with_cache():
    with django_world([Payment]), gateway_only() as calls:
        yield lambda: {"charges": calls(), "count": cache.get("count")}


def test_a_cache_is_part_of_the_world():
    with pytest.raises(DivergedState, match=r"\ncount\n  once: 1\n  now:  2\n"):
        check_idempotent(explored_models.count_in_cache, args=(1,), world=world_with_cache)


def test_what_a_cache_forgets_is_no_guard():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[late"):
        check_idempotent(
            explored_models.guard_in_cache,
            args=(1,),
            world=world_with_cache,
            histories=["twice", "late"],
        )


def world_of_mail():
    with django_world([Payment]):
        yield lambda: {"outbox": [message.subject for message in mail.outbox]}


def test_mail_is_an_effect():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE mail\.Receipt .*\[twice"):
        check_idempotent(explored_models.mail_a_receipt, args=(1,), world=world_of_rows)


def test_mail_may_be_sent_at_least_once():
    check_idempotent(
        explored_models.mail_a_receipt,
        args=(1,),
        world=world_of_mail,
        histories=["crash", "reply_lost", "effect_fails"],
        at_least_once=["mail", "outbox"],
    )


def test_an_error_of_the_mail_server_reaches_the_job():
    explored_models.reached.errors.clear()

    check_idempotent(
        explored_models.mail_and_swallow,
        args=(1,),
        world=world_of_mail,
        histories=["reply_lost"],
        at_least_once=["mail", "outbox"],
    )

    assert explored_models.reached.errors == ["SMTPServerDisconnected"]


def test_mail_that_fails_silently_is_lost():
    with pytest.raises(LostEffect, match=r"LOST .*\[effect_fails"):
        check_idempotent(
            explored_models.mail_silently,
            args=(1,),
            world=world_of_mail,
            histories=["effect_fails"],
        )


def world_of_rows():
    with django_world([Payment, Entry], rows=[Payment(pk=1)]) as database:
        yield database.snapshot


@needs_fork
def test_a_process_that_really_dies_leaves_what_a_killed_delivery_leaves():
    with dying_workers():
        check_idempotent(
            explored_models.book_in_one_transaction,
            args=(1,),
            world=world_of_rows,
            histories=["crash"],
        )


def test_without_django_the_error_says_what_to_install():
    source = """
import sys
sys.modules["django"] = None
from pytest_jobs import django_world
try:
    with django_world():
        pass
except Exception as error:
    print(type(error).__name__, error)
"""

    ran = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)

    assert ran.stdout.startswith("ExplorationError django_world needs Django")
    assert "pip install 'pytest-jobs[django]'" in ran.stdout
