"""The jobs."""

from rq import Retry, get_current_job
from rq.decorators import job
from rq.job import Job

from . import bank, store
from .queues import mail, money, redis


@job(money, connection=redis, retry=Retry(max=3, interval=[60, 600]))
def charge(number: int) -> str:
    """Charge the customer of an invoice."""
    invoice = store.invoices[number]
    receipt = bank.charge(invoice.customer, invoice.amount)
    invoice.receipts.add(receipt)
    mail.enqueue(send_receipt, number)
    return receipt


@job(money, connection=redis, retry=Retry(max=3, interval=[60, 600]))
def charge_once(number: int) -> str:
    """Charge the customer of an invoice, once however often this runs."""
    invoice = store.invoices[number]
    receipt = bank.charge(invoice.customer, invoice.amount, key=f"invoice-{number}")
    invoice.receipts.add(receipt)
    return receipt


def send(number: int) -> None:
    """Mail an invoice."""
    store.invoices[number].is_sent = True


def send_receipt(number: int) -> str:
    """Mail a receipt."""
    return f"receipt of invoice {number}"


def await_payment(number: int) -> Retry | str:
    """Look each hour whether an invoice is paid, and each day after that."""
    if store.invoices[number].receipts:
        return "paid"
    return Retry(max=5, interval=[3600, 86400])


def note_problem(failed: Job, connection: object, kind: type, error: Exception, *_: object) -> None:
    """Note that an invoice has a problem."""
    store.invoices[failed.args[0]].problems.append(f"{kind.__name__} in {failed.func_name}")


def report() -> str:
    """Report on yesterday's invoices."""
    this = get_current_job()
    return f"{len(store.invoices)} invoices, by {this.origin if this else 'nobody'}"
