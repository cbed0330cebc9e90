"""What is done in the background."""

from __future__ import annotations

from huey import crontab

from .app import huey
from .mailer import outbox
from .store import store


@huey.task(priority=10)
def welcome(address: str) -> None:
    """Greet a subscriber. The key keeps a second mail out, should the task be delivered twice."""
    outbox.mailer.send(address, "Welcome!", key=f"welcome-{address}")


@huey.task(retries=3, retry_delay=60, retry_backoff=5)
def send_issue(address: str, number: int) -> None:
    """Mail an issue, once."""
    if number in store.sent.get(address, set()):
        return
    outbox.mailer.send(address, store.issues[number])
    store.sent.setdefault(address, set()).add(number)


@huey.task()
def render(number: int) -> str:
    """Make a page of an issue."""
    return f"<p>{store.issues[number]}</p>"


@huey.task()
def archive(number: int, page: str) -> None:
    """Put a page into the archive."""
    store.archive[number] = page


@huey.periodic_task(crontab(minute="0", hour="7", day_of_week="1"))
@huey.lock_task("count")
def count_subscribers() -> None:
    """Note each Monday how many subscribers there are."""
    store.counted[:] = [*store.counted, len(store.subscribers)][-52:]
