"""What is done in the background."""

from __future__ import annotations

from oban import Cancel, Job, Snooze, job, worker

from .app import oban
from .outside import outside
from .store import store

CENTS = 12_00


@worker(queue="payments", max_attempts=4)
class Charge:
    """Charge a customer. The bank gets no key, so a job whose worker dies after the call charges again."""

    async def process(self, job: Job) -> str | Cancel:
        order: int = job.args["order"]
        if order not in store.orders:
            return Cancel("the customer has withdrawn the order")
        if order not in store.receipts:
            receipt = await outside.bank.charge(store.orders[order], CENTS)
            store.receipts[order] = receipt
        await oban.enqueue(confirm.new(order))
        return store.receipts[order]

    def backoff(self, job: Job) -> int:
        return 60 * job.attempt


@job()
async def confirm(order: int) -> None:
    """Mail the receipt to the customer, with a key."""
    text = f"Order {order} is paid: {store.receipts[order]}."
    await outside.mail.send(store.orders[order], text, key=f"confirm-{order}")


@worker()
class Collect:
    """Put a cake on the shelf as soon as it is baked."""

    async def process(self, job: Job) -> Snooze | None:
        order: int = job.args["order"]
        if order in store.baking:
            return Snooze(600)
        store.baked.add(order)
        return None


@job(cron="0 6 * * *")
def open_shop() -> None:
    """Sell what was baked."""
    store.shelf[:] = sorted(store.baked)
