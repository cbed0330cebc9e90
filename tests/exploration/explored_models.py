"""Models of Django, and the jobs and worlds that use them."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

pytest.importorskip("django", reason="Django is not installed")

from asgiref.sync import async_to_sync, sync_to_async
from django.core.cache import cache
from django.core.mail import EmailMessage
from django.db import OperationalError, models, transaction
from django_project import configure
from explored_worlds import Gateway

from pytest_jobs import django_world, fake, job

configure()

task = import_module("django_tasks" if find_spec("django.tasks") is None else "django.tasks").task

gateway = None
#: No container, which a new process would have empty.
reached = SimpleNamespace(errors=[], wrapper=None)


class Customer(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "explored_models"


class Basket(models.Model):
    customers = models.ManyToManyField(Customer)

    class Meta:
        app_label = "explored_models"


class PaymentsToSee(models.Manager):
    def get_queryset(self):
        return super().get_queryset().exclude(status="hidden")


class Payment(models.Model):
    status = models.CharField(max_length=20, default="open")
    balance = models.IntegerField(default=100)
    customer = models.ForeignKey(Customer, models.CASCADE, null=True)

    objects = PaymentsToSee()

    class Meta:
        app_label = "explored_models"


class Entry(models.Model):
    payment = models.IntegerField(unique=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "explored_models"


class Tag(models.Model):
    payments = models.ManyToManyField(Payment)

    class Meta:
        app_label = "explored_models"


@pytest.fixture(autouse=True)
def databases(request):
    """Let the databases be used where pytest-django is there too; use it by importing it."""
    blocker = None
    if request.config.pluginmanager.hasplugin("django"):
        # None where no settings were known when pytest started: then nothing is blocked.
        blocker = request.getfixturevalue("django_db_blocker")
    with nullcontext() if blocker is None else blocker.unblock():
        yield


@contextmanager
def shop():
    with (
        django_world([Payment, Entry], rows=[Payment(pk=1), Payment(pk=2)]) as database,
        gateway_only() as calls,
    ):
        yield lambda: {**database.snapshot(), "charges": calls()}


@contextmanager
def gateway_only():
    this = sys.modules[__name__]
    with fake(this, "gateway", Gateway(), key="key", reads={"charged"}) as made:
        yield lambda: made.calls


def charge(number):
    gateway.charge(number)


def charge_then_mark(number):
    payment = Payment.objects.get(pk=number)
    if payment.status != "paid":
        gateway.charge(number)
        payment.status = "paid"
        payment.save()


def charge_with_key(number):
    payment = Payment.objects.get(pk=number)
    if payment.status != "paid":
        gateway.charge(number, key=f"payment-{number}")
        payment.status = "paid"
        payment.save()


@transaction.atomic
def book_in_one_transaction(number):
    payment = Payment.objects.get(pk=number)
    _, new = Entry.objects.get_or_create(payment=number)
    if new:
        payment.balance -= 10
        payment.save()


def book_in_two_transactions(number):
    with transaction.atomic():
        _, new = Entry.objects.get_or_create(payment=number)
    if new:
        with transaction.atomic():
            Payment.objects.filter(pk=number).update(balance=models.F("balance") - 10)


@transaction.atomic
def look_up_under_the_lock_of_a_row(number):
    Payment.objects.filter(pk=number).update(status="paid")
    if number not in gateway.charged():
        gateway.charge(number)


def look_up_without_a_lock(number):
    if not Entry.objects.filter(payment=number).exists():
        gateway.charge(number)
        Entry.objects.get_or_create(payment=number)


def note_errors_of_the_database(number):
    try:
        with transaction.atomic():
            Payment.objects.filter(pk=number).update(status="paid")
    except OperationalError as error:
        reached.errors.append(str(error))
        raise


def leave_a_transaction_open(number):
    Payment.objects.filter(pk=number).update(status="paid")
    transaction.set_autocommit(False)
    Payment.objects.filter(pk=number).update(balance=0)


def write_raw_statements(number):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "with wanted as (select id from explored_models_payment where id = %s) "
            "select * from wanted",
            [number],
        )
        cursor.executemany(
            "update explored_models_payment set status = %s where id = %s", [("a", 1)]
        )
        cursor.execute("with one as (select 1) delete from explored_models_entry")


@job
def send_receipt(number):
    """Be enqueued."""


@job
def enqueue_on_commit(number):
    with transaction.atomic():
        payment = Payment.objects.get(pk=number)
        if payment.status == "paid":
            return
        payment.status = "paid"
        payment.save()
        transaction.on_commit(lambda: send_receipt.perform_later(number))


@job(enqueue_after_commit=True)
def send_invoice(number):
    """Wait for the commit, to be enqueued."""


@job
def enqueue_after_commit(number):
    with transaction.atomic():
        payment = Payment.objects.get(pk=number)
        if payment.status == "paid":
            return
        payment.status = "paid"
        payment.save()
        send_invoice.perform_later(number)


@job
def enqueue_on_commit_always(number):
    with transaction.atomic():
        Payment.objects.filter(pk=number).update(status="paid")
        transaction.on_commit(lambda: gateway.charge(number, key=number))


def mail_a_receipt(number):
    EmailMessage("Receipt", f"Payment {number}", "shop@example.org", ["ann@example.org"]).send()


def mail_and_swallow(number):
    try:
        mail_a_receipt(number)
    except OSError as error:
        reached.errors.append(type(error).__name__)


def mail_silently(number):
    message = EmailMessage("Receipt", "", "shop@example.org", ["ann@example.org"])
    with warnings.catch_warnings():
        # Django 6.1 warns of the argument.
        warnings.simplefilter("ignore")
        message.send(fail_silently=True)


def count_in_cache(number):
    cache.get_or_set("count", 0)
    gateway.charge(cache.incr("count"), key=number)


def guard_in_cache(number):
    if cache.add(f"seen-{number}", True, timeout=3600):
        gateway.charge(number)


async def charge_then_mark_later(number):
    payment = await Payment.objects.aget(pk=number)
    if payment.status != "paid":
        gateway.charge(number)
        payment.status = "paid"
        await payment.asave()


async def charge_with_key_later(number):
    payment = await Payment.objects.aget(pk=number)
    if payment.status != "paid":
        gateway.charge(number, key=f"payment-{number}")
        payment.status = "paid"
        await payment.asave()


async def book_off_the_loop(number):
    await sync_to_async(book_in_one_transaction)(number)


async def book_in_two_off_the_loop(number):
    await sync_to_async(book_in_two_transactions)(number)


async def charge_in_any_thread(number):
    await sync_to_async(charge_with_key, thread_sensitive=False)(number)


def charge_on_a_loop(number):
    async_to_sync(charge_with_key_later)(number)


async def there_and_back(number):
    await sync_to_async(charge_on_a_loop)(number)


@task
def pay(number):
    charge_then_mark(number)


@task
def pay_with_key(number):
    charge_with_key(number)


@task
async def pay_later(number):
    await charge_then_mark_later(number)


@task
async def pay_with_key_later(number):
    await charge_with_key_later(number)


@task
def pay_and_enqueue(number):
    with transaction.atomic():
        Payment.objects.filter(pk=number).update(status="paid")
        transaction.on_commit(lambda: pay_with_key.enqueue(number))


@task
def pay_once_and_enqueue(number):
    with transaction.atomic():
        if Payment.objects.filter(pk=number, status="open").update(status="paid"):
            transaction.on_commit(lambda: pay_with_key.enqueue(number))
