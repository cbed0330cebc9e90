from celery import Celery
from django.core import mail
from django.core.cache import cache
from django.db import transaction
from django.db.models import F

from shop.models import Customer, Entry, Order, Payment, Tag

app = Celery("shop", broker="redis://redis.invalid/0")
app.conf.task_serializer = "json"


# Safe however often they are delivered, and wherever they are killed.


@app.task
def pay(pk):
    Order.objects.filter(pk=pk).update(status="paid")


@app.task
def pay_with_a_row(pk):
    with transaction.atomic():
        Payment.objects.get_or_create(order_id=pk)
        Order.objects.filter(pk=pk).update(status="paid")


@app.task
def pay_under_a_lock(pk):
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=pk)
        if order.status == "paid":
            return
        order.status = "paid"
        order.save()
        Customer.objects.filter(pk=order.customer_id).update(points=F("points") + order.total)


@app.task
def pay_without_savepoints(pk):
    with transaction.atomic(savepoint=False):
        order = Order.objects.select_for_update().get(pk=pk)
        if order.status == "paid":
            return
        Order.objects.filter(pk=pk).update(status="paid")
        Entry.objects.create(order_id=pk, text="paid")


@app.task
def delete_customer(pk):
    Customer.objects.filter(pk=pk).delete()


@app.task
def tag(pk, *names):
    Tag.objects.bulk_create([Tag(name=name) for name in names], ignore_conflicts=True)
    Order.objects.get(pk=pk).tag_set.add(*Tag.objects.filter(name__in=names))


@app.task
def close_all():
    for order in Order.objects.exclude(status="closed").order_by("pk"):
        order.status = "closed"
        order.save(update_fields=["status"])


@app.task
def remember(pk):
    cache.set(f"order-{pk}", Order.objects.get(pk=pk).total)


@app.task
def pay_then_tell(pk):
    with transaction.atomic():
        Order.objects.filter(pk=pk).update(status="paid")
    remember.delay(pk)


# Each with one defect.


@app.task
def reward(pk):
    Customer.objects.filter(pk=pk).update(points=F("points") + 10)


@app.task
def note(pk):
    Entry.objects.create(order_id=pk, text="noted")


@app.task
def reward_then_mark(pk):
    order = Order.objects.get(pk=pk)
    if order.status == "paid":
        return
    Customer.objects.filter(pk=order.customer_id).update(points=F("points") + 10)
    Order.objects.filter(pk=pk).update(status="paid")


@app.task
def mark_then_reward(pk):
    order = Order.objects.get(pk=pk)
    if order.status == "paid":
        return
    Order.objects.filter(pk=pk).update(status="paid")
    Customer.objects.filter(pk=order.customer_id).update(points=F("points") + 10)


@app.task
def write_then_mark(pk):
    order = Order.objects.get(pk=pk)
    if order.status == "paid":
        return
    mail.send_mail("Paid", "Thank you", "shop@example.com", ["ann@example.com"])
    order.status = "paid"
    order.save()
