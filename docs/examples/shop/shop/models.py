"""The models: each is a row, knows what can be done with it, and does it now or later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from pytest_jobs import Job, later, perform_all_later, reference

from . import db, gateway, jobs, mail, web
from .application_job import ApplicationJob, WebhookJob


@dataclass(frozen=True)
class Customer:
    id: int
    email: str
    premium: bool
    muted: bool

    @classmethod
    def create(cls, email: str, *, premium: bool = False) -> Customer:
        return cls.find(
            db.insert("INSERT INTO customers (email, premium) VALUES (?, ?)", email, premium)
        )

    @classmethod
    def find(cls, id: int) -> Customer:
        return cls(**db.row("SELECT * FROM customers WHERE id = ?", id))

    def mute(self) -> None:
        db.change("UPDATE customers SET muted = 1 WHERE id = ?", self.id)


@reference(id="id", find="find")
@dataclass(frozen=True)
class Order:
    id: int
    customer_id: int
    cents: int
    placed_on: str
    status: str

    @classmethod
    def place(cls, customer: Customer, cents: int, *, card: str = "good") -> Order:
        """Take an order. Everything else happens later, when the order is committed."""
        with db.unit_of_work():
            order = cls.find(
                db.insert(
                    "INSERT INTO orders (customer_id, cents, placed_on) VALUES (?, ?, ?)",
                    customer.id,
                    cents,
                    datetime.now(UTC).date().isoformat(),
                )
            )
            Payment.create(order, card)
            order.process_later()
        return order

    @classmethod
    def find(cls, id: int) -> Order:
        return cls(**db.row("SELECT * FROM orders WHERE id = ?", id))

    @property
    def customer(self) -> Customer:
        return Customer.find(self.customer_id)

    @property
    def payment(self) -> Payment:
        return Payment(**db.row("SELECT * FROM payments WHERE order_id = ?", self.id))

    def process_later(self) -> Job:
        return jobs.ProcessOrder.perform_later(self.id)

    def process(self) -> None:
        if self.status != "placed":
            return
        self.confirm_later()
        self.payment.process_later()
        self._become("processing")

    def confirm(self) -> None:
        subject = f"We have your order {self.id}"
        mail.outbox.send(self.customer.email, subject, key=f"order-{self.id}")

    confirm_later = later(confirm, queue="mailers", base=ApplicationJob)

    def paid(self) -> None:
        """Tell everybody, once: under a lock, all of it or nothing."""
        with db.lock():
            if Order.find(self.id).status == "paid":
                return
            jobs.send_mail.perform_later(self.customer.email, f"Receipt of order {self.id}")
            WebhookDelivery.create("https://books.example/paid", f"order {self.id}").deliver_later()
            NotificationBundle.add(self.customer, f"Order {self.id} is on its way")
            self._become("paid")

    def _become(self, status: str) -> None:
        db.change("UPDATE orders SET status = ? WHERE id = ?", status, self.id)


@dataclass(frozen=True)
class Payment:
    id: int
    order_id: int
    card: str
    cents: int
    status: str

    @classmethod
    def create(cls, order: Order, card: str) -> Payment:
        return cls.find(
            db.insert(
                "INSERT INTO payments (order_id, card, cents) VALUES (?, ?, ?)",
                order.id,
                card,
                order.cents,
            )
        )

    @classmethod
    def find(cls, id: int) -> Payment:
        return cls(**db.row("SELECT * FROM payments WHERE id = ?", id))

    def process_later(self) -> Job:
        return jobs.ProcessPayment.perform_later(self.id)

    def process(self) -> None:
        if self.status != "completed":
            gateway.provider.charge(self.card, self.cents, idempotency_key=f"payment-{self.id}")
            self._become("completed")
        Order.find(self.order_id).paid()

    def ask_for_another_card(self) -> None:
        self._become("card expired")
        jobs.send_mail.perform_later(
            Order.find(self.order_id).customer.email, subject="Your card has expired"
        )

    def _become(self, status: str) -> None:
        db.change("UPDATE payments SET status = ? WHERE id = ?", status, self.id)


@reference(id="id", find="find")
@dataclass(frozen=True)
class WebhookDelivery:
    id: int
    url: str
    event: str
    status: str

    @classmethod
    def create(cls, url: str, event: str) -> WebhookDelivery:
        return cls.find(
            db.insert("INSERT INTO webhook_deliveries (url, event) VALUES (?, ?)", url, event)
        )

    @classmethod
    def find(cls, id: int) -> WebhookDelivery:
        return cls(**db.row("SELECT * FROM webhook_deliveries WHERE id = ?", id))

    @classmethod
    def deliver_all_later(cls) -> None:
        """Deliver what is left: a job that waits for a commit can be lost with its process."""
        left = db.rows("SELECT * FROM webhook_deliveries WHERE status = 'pending'")
        perform_all_later([cls(**row).deliver_later.new() for row in left])

    def deliver(self) -> None:
        if self.status == "delivered":
            return
        web.client.post(self.url, self.event, key=f"webhook-{self.id}")
        db.change("UPDATE webhook_deliveries SET status = 'delivered' WHERE id = ?", self.id)

    deliver_later = later(deliver, base=WebhookJob)

    def withdraw(self) -> None:
        db.change("DELETE FROM webhook_deliveries WHERE id = ?", self.id)


@reference(id="id", find="find")
@dataclass(frozen=True)
class NotificationBundle:
    """What a customer is told in one mail, half an hour after the first of it happened."""

    id: int
    customer_id: int
    delivered_at: str | None

    DELAY: ClassVar = timedelta(minutes=30)

    @classmethod
    def add(cls, customer: Customer, message: str) -> NotificationBundle:
        bundle = cls._open(customer) or cls._create(customer)
        db.insert(
            "INSERT INTO notifications (bundle_id, message) VALUES (?, ?)", bundle.id, message
        )
        return bundle

    @classmethod
    def find(cls, id: int) -> NotificationBundle:
        return cls(**db.row("SELECT * FROM notification_bundles WHERE id = ?", id))

    @classmethod
    def deliver_all_later(cls) -> None:
        """Deliver what is left: a job that waits for a commit can be lost with its process."""
        left = db.rows("SELECT * FROM notification_bundles WHERE delivered_at IS NULL")
        perform_all_later([jobs.NotificationJob.new(cls(**row)) for row in left])

    @classmethod
    def _open(cls, customer: Customer) -> NotificationBundle | None:
        found = db.rows(
            "SELECT * FROM notification_bundles WHERE customer_id = ? AND delivered_at IS NULL",
            customer.id,
        )
        return cls(**found[0]) if found else None

    @classmethod
    def _create(cls, customer: Customer) -> NotificationBundle:
        bundle = cls.find(
            db.insert("INSERT INTO notification_bundles (customer_id) VALUES (?)", customer.id)
        )
        bundle.deliver_later()
        return bundle

    @property
    def customer(self) -> Customer:
        return Customer.find(self.customer_id)

    @property
    def messages(self) -> list[str]:
        found = db.rows("SELECT message FROM notifications WHERE bundle_id = ?", self.id)
        return [row["message"] for row in found]

    def deliver_later(self) -> Job:
        return jobs.NotificationJob.set(wait=self.DELAY).perform_later(self)

    def deliver(self) -> None:
        if self.delivered_at is not None:
            return
        mail.outbox.send(
            self.customer.email, ", ".join(self.messages), key=f"notifications-{self.id}"
        )
        now = datetime.now(UTC).isoformat()
        db.change("UPDATE notification_bundles SET delivered_at = ? WHERE id = ?", now, self.id)


@dataclass(frozen=True)
class Subscriber:
    id: int
    email: str

    @classmethod
    def create(cls, email: str) -> Subscriber:
        return cls.find(db.insert("INSERT INTO subscribers (email) VALUES (?)", email))

    @classmethod
    def find(cls, id: int) -> Subscriber:
        return cls(**db.row("SELECT * FROM subscribers WHERE id = ?", id))

    @classmethod
    def in_batches(cls, size: int) -> Iterator[Sequence[Subscriber]]:
        last = 0
        while found := db.rows(
            "SELECT * FROM subscribers WHERE id > ? ORDER BY id LIMIT ?", last, size
        ):
            batch = [cls(**row) for row in found]
            yield batch
            last = batch[-1].id


@dataclass(frozen=True)
class Campaign:
    id: int
    subject: str
    #: How many mails have been enqueued so far.
    enqueued: int

    BATCH_SIZE: ClassVar = 100

    @classmethod
    def create(cls, subject: str) -> Campaign:
        return cls.find(db.insert("INSERT INTO campaigns (subject) VALUES (?)", subject))

    @classmethod
    def find(cls, id: int) -> Campaign:
        return cls(**db.row("SELECT * FROM campaigns WHERE id = ?", id))

    def start_later(self) -> Job:
        return jobs.BulkMail.perform_later(self.id)

    def mail_everyone_later(self) -> None:
        enqueued = 0
        for batch in Subscriber.in_batches(self.BATCH_SIZE):
            perform_all_later(jobs.CampaignMail.new(self.id, one.id) for one in batch)
            # Not `enqueued + ?`: the job may be delivered twice.
            enqueued += len(batch)
            db.change("UPDATE campaigns SET enqueued = ? WHERE id = ?", enqueued, self.id)

    def mail(self, subscriber: Subscriber) -> None:
        """Send the mail, unless the subscriber has it: better lost than sent twice."""
        is_new = db.change(
            "INSERT OR IGNORE INTO campaign_mails VALUES (?, ?)", self.id, subscriber.id
        )
        if is_new:
            mail.outbox.send(subscriber.email, self.subject)


@reference(id="day", find="find")
@dataclass(frozen=True)
class Report:
    day: str
    orders: int
    cents: int
    sent: bool

    @classmethod
    def find(cls, day: str) -> Report:
        return cls(**db.row("SELECT * FROM reports WHERE day = ?", day))

    @classmethod
    def make_later(cls, day: date) -> Job:
        """Make the report of a day at six the next morning."""
        next_morning = datetime.combine(day + timedelta(days=1), time(6), tzinfo=UTC)
        return jobs.DailyReport.set(at=next_morning).perform_later(day)

    @classmethod
    def make_yesterdays_later(cls) -> Job:
        """Make the report of the day before. The job is told which: it may run after midnight."""
        return jobs.DailyReport.perform_later(datetime.now(UTC).date() - timedelta(days=1))

    @classmethod
    def make(cls, day: date) -> None:
        """Make the report of a day, unless there is one, and see that it is sent."""
        totals = db.row(
            "SELECT count(*) AS orders, coalesce(sum(cents), 0) AS cents FROM orders WHERE placed_on = ?",
            day.isoformat(),
        )
        db.change(
            "INSERT OR IGNORE INTO reports (day, orders, cents) VALUES (?, ?, ?)",
            day.isoformat(),
            totals["orders"],
            totals["cents"],
        )
        cls.find(day.isoformat()).send_later()

    def send(self) -> None:
        if self.sent:
            return
        mail.outbox.send("owner@shop.example", self.headline, key=f"report-{self.day}")
        db.change("UPDATE reports SET sent = 1 WHERE day = ?", self.day)

    send_later = later(send, queue="mailers", base=ApplicationJob)

    @property
    def headline(self) -> str:
        return f"{self.day}: {self.orders} orders, {self.cents / 100:.2f} EUR"
