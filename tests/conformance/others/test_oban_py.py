"""What oban-py does, and what its users had to work around."""

import asyncio
import threading

import pytest
from others_shop import Charge, fetch, place_order, poll, send_mail

from pytest_jobs import open_jobs
from pytest_jobs.errors import LoopLimitError


def test_a_job_that_another_thread_enqueues_is_waited_for(jobs, assert_enqueued):
    thread = threading.Thread(target=send_mail.perform_later, args=["ann"])
    thread.start()

    assert_enqueued(send_mail, timeout=60)
    thread.join()


def test_so_is_one_of_another_task(jobs, assert_enqueued):
    async def enqueue():
        send_mail.perform_later("ann")

    async def run():
        task = asyncio.create_task(enqueue())
        record = await assert_enqueued.awaited(send_mail, timeout=60)
        await task
        return record

    assert asyncio.run(run()).args == ("ann",)


def test_a_negative_assertion_lists_the_offenders(jobs, assert_not_enqueued):
    send_mail.perform_later("ann")

    with pytest.raises(AssertionError, match=r"#0 send_mail\('ann'\) queue='mailers'"):
        assert_not_enqueued(send_mail)


def test_a_pass_without_children_performs_all_that_was_due(jobs):
    place_order.perform_later(1)
    place_order.perform_later(2)

    assert jobs.perform_due(children=False).total == 2


def test_a_job_that_puts_itself_off_for_ever_is_stopped(jobs):
    poll.perform_later()

    with pytest.raises(LoopLimitError, match="most likely enqueues itself"):
        jobs.drain(limit=50)


def test_a_drain_honours_the_wait_of_a_retry(jobs):
    jobs.clock.freeze()
    Charge.perform_later(1, error="slow")
    jobs.drain(raise_errors=False)

    first, second, _ = jobs.deliveries
    assert (second.at - first.at).total_seconds() == 30


def test_verbs_work_from_sync_and_async_code(jobs):
    async def run():
        await jobs.adrain()

    fetch.perform_later(1)
    jobs.drain()
    fetch.perform_later(2)
    asyncio.run(run())

    assert [d.result for d in jobs.performed] == [1, 2]


def test_two_harnesses_do_not_see_each_other(jobs):
    with open_jobs() as inner:
        send_mail.perform_later("ann")

    assert (len(jobs.enqueued), len(inner.enqueued)) == (0, 1)
