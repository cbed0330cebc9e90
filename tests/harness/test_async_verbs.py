"""Every verb has a twin that performs on the event loop of the test."""

import asyncio
import functools
from datetime import timedelta

import pytest

from pytest_jobs import Job, job, retry_on
from pytest_jobs.errors import NotPerformedError, RealSleepWarning, RunningLoopError

pytestmark = pytest.mark.asyncio


class Note(Job):
    def perform(self, text):
        return text


class Coroutine(Job):
    async def perform(self, text):
        await asyncio.sleep(0)
        return text, asyncio.get_running_loop()


@retry_on(ValueError, wait=3, attempts=3)
class Flaky(Job):
    async def perform(self):
        raise ValueError("no")


class Fail(Job):
    async def perform(self):
        raise ValueError("no")


@job
async def parent():
    Note.perform_later("child")


def calls(tally):
    return [(d.record.name.rpartition(".")[2], *d.record.args) for d in tally.deliveries]


async def test_aperform_performs_one_pending_job_on_the_loop_of_the_test(jobs):
    for enqueue in (Coroutine.perform_later, Note.perform_later):
        enqueue("a")
    Fail.perform_later()
    coroutine, note, failed = jobs.pending
    delivery = await jobs.aperform(coroutine)

    assert delivery.status == "performed"
    assert delivery.result == ("a", asyncio.get_running_loop())
    assert (await jobs.aperform(note)).result == "a"
    delivery = await jobs.aperform(failed)
    assert (delivery.status, str(delivery.error)) == ("failed", "no")
    with pytest.raises(NotPerformedError):
        await jobs.aperform(note)


async def test_aperform_due(jobs, noon):
    parent.perform_later()
    Coroutine.set(wait=5).perform_later("later")

    assert calls(await jobs.aperform_due(children=False)) == [("parent",)]
    assert calls(await jobs.aperform_due(only=Note)) == [("Note", "child")]
    assert jobs.clock.now() == noon


async def test_adrain(jobs, noon):
    parent.perform_later()
    Flaky.perform_later()
    Coroutine.set(wait=5).perform_later("later")
    tally = await jobs.adrain(raise_errors=False)

    assert tally == {"performed": 3, "retried": 2, "exhausted": 1}
    assert jobs.clock.now() == noon + timedelta(seconds=6)


async def test_adrain_until_with_filters_and_arun_for(jobs, noon):
    Coroutine.set(wait=5, queue="low").perform_later("a")
    Coroutine.set(wait=6).perform_later("b")

    assert await jobs.adrain(until=noon + timedelta(seconds=5), exclude=Note) == {"performed": 1}
    assert await jobs.adrain(queue="default") == {"performed": 1}
    Flaky.perform_later()
    assert await jobs.arun_for(timedelta(seconds=4)) == {"retried": 2}
    assert jobs.clock.now() == noon + timedelta(seconds=10)


async def test_adrain_raises_the_error_of_a_job_and_goes_on_next_time(jobs):
    before = dict(vars(asyncio.get_running_loop()))
    Fail.perform_later()
    Coroutine.perform_later("a")
    with pytest.raises(ValueError, match=r"^no$"):
        await jobs.adrain()
    # The loop is as it was.
    assert vars(asyncio.get_running_loop()).keys() == before.keys()

    assert await jobs.adrain() == {"performed": 1}
    assert await jobs.adrain() == {}


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("drain", ()), ("perform_due", ()), ("run_for", (5,)), ("perform", None)],
)
async def test_a_sync_verb_inside_the_loop_performs_plain_jobs_and_names_the_twin(
    jobs, verb, arguments
):
    Note.perform_later("a")
    Coroutine.perform_later("b")
    Note.perform_later("c")
    arguments = (jobs.pending[1],) if arguments is None else arguments
    with pytest.raises(RunningLoopError) as caught:
        getattr(jobs, verb)(*arguments)

    assert str(caught.value) == (
        "Coroutine('b') is a coroutine job, and a synchronous verb was to perform it inside a running event loop, "
        "which it would block: await the twin that begins with `a`, as in `await jobs.adrain()`. The job is still "
        "pending."
    )
    assert [record.args[0] for record in jobs.pending][-2:] == ["b", "c"]
    before = [("Note", "a")] * (verb == "perform")
    assert calls(await jobs.adrain()) == [*before, ("Coroutine", "b"), ("Note", "c")]


async def test_a_job_that_is_cancelled_stays_pending(jobs):
    started = asyncio.Event()

    @job
    async def waits():
        started.set()
        await asyncio.Event().wait()

    waits.perform_later()
    task = asyncio.create_task(jobs.adrain())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(jobs.pending) == 1
    assert jobs.harness.ledger.deliveries == []


async def test_what_other_tasks_enqueue_meanwhile_is_no_child(jobs):
    @job
    async def waits():
        await event.wait()

    async def meanwhile():
        await asyncio.sleep(0)
        Note.perform_later("from the test")
        event.set()

    event = asyncio.Event()
    waits.perform_later()
    await asyncio.gather(jobs.adrain(), meanwhile())

    assert [record.parent for record in jobs.enqueued] == [None, None]
    assert [delivery.enqueued for delivery in jobs.performed] == [(), ()]


async def test_two_jobs_can_be_performed_at_the_same_time(jobs, recwarn, real_sleeps):
    import time

    @job
    async def meet(name):
        met.append(f"{name} came")
        if name == "first":
            second_came.set()
            await first_may_go.wait()
        else:
            await second_came.wait()
            first_may_go.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        time.sleep(5)  # noqa: ASYNC251
        met.append(f"{name} went")
        Note.perform_later(name)

    met = []
    first_may_go, second_came = asyncio.Event(), asyncio.Event()
    call_later = asyncio.get_running_loop().call_later
    meet.perform_later("first")
    meet.perform_later("second")
    first, second = jobs.pending
    deliveries = await asyncio.gather(jobs.aperform(first), jobs.aperform(second))

    assert met == ["first came", "second came", "first went", "second went"]
    assert [delivery.status for delivery in deliveries] == ["performed", "performed"]
    assert [[r.args[0] for r in d.enqueued] for d in deliveries] == [["first"], ["second"]]
    assert asyncio.get_running_loop().call_later == call_later
    assert real_sleeps == []


async def test_inline_still_works_after_two_jobs_were_performed_at_the_same_time(jobs):
    @job
    async def pause():
        await asyncio.sleep(0)

    pause.perform_later()
    pause.perform_later()
    await asyncio.gather(*map(jobs.aperform, jobs.pending))
    with jobs.inline():
        Note.perform_later("a")

    assert [d.status for d in jobs.deliveries] == ["performed"] * 3


async def test_sleeping_on_the_loop_of_the_test_is_real_and_warned_of(jobs):
    @job
    async def naps():
        await asyncio.sleep(0.001)

    naps.perform_later()
    with pytest.warns(RealSleepWarning) as caught:
        await jobs.adrain()

    (warning,) = caught
    assert str(warning.message) == (
        "A job performed on the test's own event loop sleeps for 0.001 s, for real: perform it with a synchronous "
        "verb in a test that is not async, and the sleep moves the clock instead."
    )
    assert warning.filename == __file__
    assert not jobs.clock.frozen


async def test_yielding_a_timeout_and_what_the_test_itself_sleeps_are_not_warned_of(jobs, recwarn):
    @job
    async def waits():
        async with asyncio.timeout(60):
            await asyncio.wait_for(asyncio.sleep(0), 60)
            await event.wait()

    async def nap():
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        event.set()

    event = asyncio.Event()
    waits.perform_later()
    Coroutine.perform_later("a")
    await asyncio.gather(jobs.adrain(), nap())

    assert recwarn.list == []


async def test_a_test_may_have_replaced_the_sleep_of_asyncio(jobs, monkeypatch):
    monkeypatch.setattr(asyncio, "sleep", functools.partial(asyncio.sleep, 0))
    Coroutine.perform_later("a")

    assert await jobs.adrain() == {"performed": 1}


async def test_a_plain_job_that_raises_stop_iteration_is_still_recorded(jobs):
    @job
    def stop():
        raise StopIteration("stopped")

    stop.perform_later()
    with pytest.raises(RuntimeError, match=r"^coroutine raised StopIteration$") as caught:
        await jobs.adrain()

    assert caught.value.__cause__ is jobs.failed[0].error
    assert (await jobs.adrain()) == {}
