"""Views and functions of Django that commit, and then hand work off to Celery or to a queue in their database."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest

pytest.importorskip("django", reason="Django is not installed")

from celery import Celery
from django.core.mail import send_mail
from django.db import models, transaction
from django.dispatch import Signal, receiver
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone
from django_project import configure
from explored_models import databases  # noqa: F401 - a fixture
from tables import each_row

from pytest_jobs import check_handoff, django_world, fake, fake_mail
from pytest_jobs.errors import ExplorationError, LostEffect, NotIdempotent

configure()

app = Celery("handoffs", broker="memory://")
metrics = None


class Metrics:
    def count(self, name): ...


class Order(models.Model):
    status = models.CharField(max_length=10, default="NEW")
    created = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "explored_handoffs"


class Audit(models.Model):
    text = models.CharField(max_length=20)

    class Meta:
        app_label = "explored_handoffs"


def shop():
    with (
        django_world([Order, Audit]) as database,
        fake(sys.modules[__name__], "metrics", Metrics()),
        fake_mail(),
    ):
        yield database.snapshot


def send(pk):
    send_mail("Thanks", "for your order", "shop@example.org", ["ann@example.org"])
    Order.objects.filter(pk=pk).update(status="SENT", sent_at=timezone.now())


@app.task(name="handoffs.confirm")
def confirm(pk):
    if Order.objects.get(pk=pk).status == "NEW":
        send(pk)


@app.task(name="handoffs.careless")
def careless(pk):
    send(pk)


def sweep():
    for order in Order.objects.filter(status="NEW"):
        confirm.delay(order.pk)


@app.task(name="handoffs.sweep_old")
def sweep_old():
    for order in Order.objects.filter(
        created__lt=timezone.now() - timedelta(minutes=10), status="NEW"
    ):
        confirm.delay(order.pk)


def sweep_carelessly():
    for order in Order.objects.filter(status="NEW"):
        careless.delay(order.pk)


def place(task=confirm):
    with transaction.atomic():
        order = Order.objects.create()
        transaction.on_commit(partial(task.delay, order.pk))


def place_inside():
    with transaction.atomic():
        order = Order.objects.create()
        confirm.delay(order.pk)


def place_after_callback(*, robust):
    with transaction.atomic():
        order = Order.objects.create()
        transaction.on_commit(write_audit, robust=robust)
        transaction.on_commit(partial(confirm.delay, order.pk))


def write_audit():
    Audit.objects.create(text="placed")


placed = Signal()


def place_and_tell(*, robust):
    order = Order.objects.create()
    (placed.send_robust if robust else placed.send)(sender=Order, pk=order.pk)


@receiver(placed)
def audit_of_placed(**kwargs):
    write_audit()


@receiver(placed)
def confirmation_of_placed(pk, **kwargs):
    confirm.delay(pk)


async def place_async():
    order = await Order.objects.acreate()
    confirm.delay(order.pk)


def answer(request):
    if "placed" in request.COOKIES:
        return HttpResponse("placed already")
    place()
    response = HttpResponse("placed", status=201)
    response.set_cookie("placed", "yes")
    return response


def be_busy(request):
    return HttpResponse("busy", status=503)


urlpatterns = [path("orders/", answer), path("busy/", be_busy)]


def failure(call, world=shop, **options):
    try:
        check_handoff(call, world=world, **options)
    except NotIdempotent as error:
        # The arguments may be in it.
        return re.sub(
            r"^.* (loses work|is left half done|does work twice): ", "", str(error).splitlines()[0]
        )
    return ""


CASES = [
    (place, {}, "LOST mail.Thanks [dies, 1 failing point, and nothing finds it: no recover=]"),
    (place, {"recover": sweep_old}, ""),
    (place, {"args": (careless,), "recover": sweep_carelessly}, "DUPLICATE mail.Thanks [overtaken"),
    (place_inside, {}, "LOST mail.Thanks [early, 1 failing point]"),
    (place_async, {"recover": sweep}, ""),
]


@each_row("call, options, said", CASES)
def test_a_call_that_commits_and_then_enqueues_is_found_by_a_sweep(call, options, said):
    found = failure(call, **options)

    assert found.startswith(said)
    assert bool(found) == bool(said)


@pytest.mark.parametrize("call", [place_after_callback, place_and_tell])
def test_a_callback_or_receiver_that_raises_keeps_later_ones_from_being_called_unless_it_is_robust(
    call,
):
    def without_audit():
        with contextmanager(shop)() as snapshot:
            yield lambda: {"orders": snapshot()["Order"]}

    def said(*, robust):
        return failure(
            call,
            kwargs={"robust": robust},
            world=without_audit,
            histories=["callback_fails"],
        )

    assert said(robust=False).startswith("LOST mail.Thanks [callback_fails, 1 failing point")
    assert said(robust=True) == ""


def test_the_call_may_be_a_request_and_the_cookies_of_its_client_are_put_back():
    client = Client()

    def web():
        with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"]):
            yield from shop()

    with pytest.raises(LostEffect) as found:
        check_handoff(client.post, args=("/orders/",), world=web)

    lines = str(found.value).splitlines()
    assert lines[0].startswith(
        "Client.post('/orders/') loses work: LOST mail.Thanks [dies, 1 failing"
    )
    assert lines[4].strip() == "test_handoffs_django.py"
    assert not client.cookies
    with pytest.raises(
        ExplorationError, match=r"ends with <HttpResponse status_code=503, .*which tells"
    ):
        check_handoff(client.post, args=("/busy/",), world=web)


def test_a_refused_enqueue_raises_the_error_of_the_library():
    with pytest.raises(
        LostEffect, match=r"the call, failed: OperationalError: refused: it did not"
    ):
        check_handoff(place, world=shop, histories=["refused"])
