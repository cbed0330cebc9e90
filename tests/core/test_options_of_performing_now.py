"""`set(...).perform_now` performs here, and a retry goes where the options say."""

from datetime import UTC, datetime

import pytest

from pytest_jobs import Job, job, retry_on
from pytest_jobs.errors import SignatureError


@retry_on(TimeoutError, wait=3)
class Pay(Job):
    priority = 5

    def perform(self, amount):
        if amount < 0:
            raise TimeoutError
        return self.queue_name, self.payload.priority


@job
async def fetch(page):
    return page


def test_the_job_sees_its_options(adapter):
    assert Pay.set(queue="low", priority=1).perform_now(7) == ("low", 1)
    assert Pay.set().perform_now(7) == ("default", 5)
    assert adapter.enqueued == []


def test_a_retry_keeps_them(adapter):
    with pytest.raises(TimeoutError):
        Pay.set(queue="low", priority=1).perform_now(-1)

    assert [(payload.queue, payload.priority) for payload in adapter.enqueued] == [("low", 1)]


async def _perform(configured, page):
    return await configured.aperform_now(page)


def test_a_coroutine_job_is_awaited(adapter):
    import asyncio

    assert fetch.set(queue="low").perform_now(7) == 7
    assert asyncio.run(_perform(fetch.set(queue="low"), 8)) == 8


@pytest.mark.parametrize("option", ["wait", "at"])
def test_a_time_contradicts_now(adapter, option):
    import asyncio

    configured = Pay.set(**{option: 5 if option == "wait" else datetime(2030, 1, 1, tzinfo=UTC)})
    said = []
    for perform in (
        configured.perform_now,
        lambda amount: asyncio.run(_perform(configured, amount)),
    ):
        with pytest.raises(SignatureError) as raised:
            perform(7)
        said.append(str(raised.value))

    assert said == [
        f"Pay.set({option}=...).{now}(...) says both later and now: leave {option}= out, or write perform_later."
        for now in ("perform_now", "aperform_now")
    ]
