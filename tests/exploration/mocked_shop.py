"""A project whose tests put mocks in the place of its services."""

from __future__ import annotations

import asyncio
import time
import uuid
from functools import cached_property

#: Its database.
db: dict[str, object] = {}


class Gateway:
    def __init__(self, token="t"):
        self.token = token

    def charge(self, order, idempotency_key=None):
        raise NotImplementedError("the real one costs money")


class Mailer:
    async def send(self, to, text):
        raise NotImplementedError("the real one sends mails")


class Order:
    """Has no text of its own."""

    def __init__(self, number):
        self.number = number

    @property
    def sender(self):
        return self.cached_sender

    @cached_property
    def cached_sender(self):
        raise NotImplementedError("the real one sends mails")


class Session:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def post(self, url, json):
        raise NotImplementedError


class Service:
    """Has its client as an attribute."""

    def __init__(self):
        self.client = Gateway()


gateway = Gateway()
mailer = Mailer()
service = Service()
crm = queue = storage = logger = settings = None
#: As a project has them in its settings.
BACKENDS = {"sms": Gateway}


def fetch_rates():
    raise NotImplementedError


def send_sms(to, text):
    raise NotImplementedError


def total(order):
    return order * 100


def add_up(order):
    total(order)


def add_up_once(order):
    once(lambda: total(order))


def look_up(user):
    crm.get_customer(user)


def once(do):
    if not db.get("done"):
        do()
        db["done"] = True


def charge(order):
    once(lambda: gateway.charge(order))


def charge_by_key(order):
    once(lambda: gateway.charge(order, idempotency_key=f"order-{order}"))


def charge_by_a_key_in_a_header(order):
    once(lambda: gateway.charge(order, headers={"Idempotency-Key": f"order-{order}"}))


def charge_by_a_new_gateway(order):
    once(lambda: Gateway("token").charge(order))


def charge_by_the_service(order):
    once(lambda: service.client.charge(order))


def charge_by(service):
    """Return a job that gets its service from a worker."""
    return lambda order: once(lambda: service.client.charge(order))


def charge_by_a_backend(order):
    once(lambda: BACKENDS["sms"]().charge(order))


def charge_by_a_library(order):
    import stripe

    once(lambda: stripe.Charge.create(order=order))


def charge_an_object(order):
    once(lambda: gateway.charge(Order(order)))


def create_nested(order):
    once(lambda: gateway.v1.charges.create(order=order))


def post_in_a_session(order):
    def post():
        with Session() as session:
            session.post("https://shop.example/hook", json={"order": order})

    once(post)


def mark_and_text(user):
    if not db.get("texted"):
        db["texted"] = True
        send_sms(user, "hello")


async def mail(user):
    if not db.get("done"):
        await mailer.send(user, "hello")
        db["done"] = True


async def mail_both_and_swallow(user):
    if not db.get("done"):
        both = mailer.send(user, "a"), mailer.send(user, "b")
        await asyncio.gather(*both, return_exceptions=True)
        db["done"] = True


def name_and_tag(user):
    db["name"] = crm.get_customer(user)["name"]
    crm.tag(user, idempotency_key=f"tag-{user}")


def upload(order):
    storage.put_object(Key=f"{order}.pdf", Body=b"pdf")
    db["uploaded"] = True


def put_in_a_queue(order):
    once(lambda: queue.put(order))


def get_in_a_session(order):
    with gateway.session() as session:
        db["rate"] = bool(session.get("/rate"))


def charge_in_a_session(order):
    with crm.session():
        gateway.charge(order)


def charge_with_a_request_id(order):
    gateway.headers["X-Request-Id"] = uuid.uuid4().hex
    gateway.charge(order, idempotency_key=order)


def log_and_charge(order):
    logger.info("begin %s", order)
    time.sleep(1)
    gateway.charge(order, idempotency_key=f"{settings.get('PREFIX')}-{order}")
    db["done"] = True


def rates_of_the_second_try():
    for _ in range(3):
        try:
            db["rates"] = fetch_rates()
            break
        except ConnectionError:
            time.sleep(1)


def charge_the_total(order):
    db["total"] = total(order)
    gateway.charge(order, idempotency_key=order)


def check_in(guest):
    once(lambda: crm.check_in(guest))


def create_and_confirm(order):
    gateway.orders.create(order).confirm(idempotency_key=order)


def call_what_it_gets(order):
    once(lambda: db["hooks"]["paid"](order))


async def notify(to):
    """Tell somebody."""


async def tell(order_id):
    await notify(order_id)


class Messages:
    """Those of a worker."""

    @classmethod
    def get_current(cls):
        """Return the one that is being performed."""


def mark(order_id):
    db[Messages.get_current()] = order_id
