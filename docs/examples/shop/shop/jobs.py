"""The jobs: when, where and how often something is done. What is done, the models know."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from pytest_jobs import Job, before_perform, discard_on, job, polynomially_longer, retry_on, unique
from pytest_jobs.errors import Halt

# The models enqueue jobs, too: each module imports the other as a whole, and looks into it when it runs.
from . import catalogue, db, mail, models
from .application_job import ApplicationJob, MailJob
from .gateway import CardExpired, GatewayTimeout


class ProcessOrder(ApplicationJob):
    def perform(self, order_id: int) -> None:
        models.Order.find(order_id).process()


def ask_for_another_card(job: Job, error: BaseException) -> None:
    models.Payment.find(job.args[0]).ask_for_another_card()


@retry_on(GatewayTimeout, wait=polynomially_longer, attempts=5)
@discard_on(CardExpired, then=ask_for_another_card)
class ProcessPayment(ApplicationJob):
    queue = "payments"
    priority = -10

    def perform(self, payment_id: int) -> None:
        models.Payment.find(payment_id).process()


def queue_of_bundle(bundle: models.NotificationBundle) -> str:
    return "high" if bundle.customer.premium else "default"


class NotificationJob(ApplicationJob):
    queue = queue_of_bundle

    @before_perform
    def respect_silence(self) -> None:
        bundle: models.NotificationBundle = self.args[0]
        if bundle.customer.muted:
            raise Halt

    def perform(self, bundle: models.NotificationBundle) -> None:
        bundle.deliver()


class DailyReport(ApplicationJob):
    queue = "low"

    def perform(self, day: date) -> None:
        models.Report.make(day)


class ForgetFailedJobs(ApplicationJob):
    queue = "low"

    def perform(self, days: int) -> None:
        before = datetime.now(UTC) - timedelta(days=days)
        db.change("DELETE FROM failed_jobs WHERE failed_at < ?", before.isoformat())


class BulkMail(ApplicationJob):
    queue = "low"

    def perform(self, campaign_id: int) -> None:
        models.Campaign.find(campaign_id).mail_everyone_later()


class CampaignMail(ApplicationJob):
    queue = "mailers"

    def perform(self, campaign_id: int, subscriber_id: int) -> None:
        models.Campaign.find(campaign_id).mail(models.Subscriber.find(subscriber_id))


class ImportProducts(ApplicationJob):
    """Imports one batch, and enqueues itself for the next."""

    queue = "low"

    def perform(self, import_id: int, offset: int = 0) -> None:
        next_offset = catalogue.Import.find(import_id).take_batch(offset)
        if next_offset is not None:
            ImportProducts.perform_later(import_id, next_offset)


class BookShipment(ApplicationJob):
    """Begins a batch outside of any unit of work: it counts its jobs, so none can wait for a commit."""

    queue = "low"

    def perform(self, shipment_id: int) -> None:
        catalogue.Shipment.find(shipment_id).book_later()


class BookLines(ApplicationJob):
    queue = "low"

    def perform(self, line_ids: list[int]) -> None:
        catalogue.book_lines(line_ids)


class CloseShipment(ApplicationJob):
    def perform(self, shipment_id: int) -> None:
        catalogue.Shipment.find(shipment_id).close()


@unique(key="sku", ttl=3600)
class RefreshStock(ApplicationJob):
    """However often a page is looked at, one job asks the suppliers."""

    queue = "low"

    async def perform(self, sku: str) -> None:
        catalogue.set_stock(sku, await catalogue.stock_of_suppliers(sku))


@job(base=MailJob)
def send_mail(to: str, subject: str) -> None:
    mail.outbox.send(to, subject)


@job(queue="low", base=ApplicationJob)
async def count_stock(sku: str) -> int:
    return await catalogue.stock_of_suppliers(sku)
