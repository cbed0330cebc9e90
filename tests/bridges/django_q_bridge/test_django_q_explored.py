"""A child that is a row in the transaction of its parent comes with the commit of the parent, and dies with it."""

import sys

import pytest

pytest.importorskip("django_q")

from django.db import models, transaction
from django_project import configure

from pytest_jobs import check_handoff, check_idempotent, django_world, fake, open_jobs
from pytest_jobs.errors import DuplicateEffect, LostEffect

configure()

HISTORIES = ["crash", "late", "effect_fails", "reply_lost"]
gateway = None


class Gateway:
    def charge(self, number): ...


class Payment(models.Model):
    status = models.CharField(max_length=20, default="open")

    class Meta:
        app_label = "explored_payments"


def shop():
    with (
        django_world([Payment], rows=[Payment(pk=1)]) as database,
        fake(sys.modules[__name__], "gateway", Gateway()) as made,
    ):
        yield lambda: {**database.snapshot(), "charges": made.calls}


def tell(number):
    gateway.charge(number)


def enqueue(number):
    from django_q.tasks import async_task

    # No table for results is in the world.
    async_task(tell, number, save=False)


def pay_and_tell(number):
    with transaction.atomic():
        payment = Payment.objects.get(pk=number)
        if payment.status == "open":
            enqueue(number)
            payment.status = "paid"
            payment.save()


def pay_then_tell(number):
    with transaction.atomic():
        paid = Payment.objects.filter(pk=number, status="open").update(status="paid")
    if paid:
        with transaction.atomic():
            enqueue(number)


@pytest.fixture(autouse=True)
def _orm_broker(monkeypatch):
    from django_q.conf import Conf

    monkeypatch.setattr(Conf, "ORM", "default")
    with open_jobs():
        yield


def test_a_child_in_the_transaction_of_its_parent_comes_once():
    explored = check_idempotent(pay_and_tell, args=(1,), world=shop, histories=HISTORIES)

    assert explored.histories > 8


def test_a_child_in_a_transaction_of_its_own_is_lost():
    with pytest.raises(LostEffect, match=r"\[crash"):
        check_idempotent(pay_then_tell, args=(1,), world=shop)


def test_a_queue_elsewhere_has_the_child_of_a_parent_that_was_rolled_back(monkeypatch):
    from django_q.conf import Conf

    monkeypatch.setattr(Conf, "ORM", None)

    with pytest.raises(DuplicateEffect, match=r"\[crash"):
        check_idempotent(pay_and_tell, args=(1,), world=shop)


def test_a_call_that_enqueues_in_its_transaction_loses_nothing_and_no_worker_comes_too_early():
    explored = check_handoff(pay_and_tell, args=(1,), world=shop)

    assert {plan.name for plan in explored.explorations[0].tried} == {"early", "dies"}
    with pytest.raises(LostEffect, match=r"LOST gateway.charge \[dies"):
        check_handoff(pay_then_tell, args=(1,), world=shop)
