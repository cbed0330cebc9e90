"""A message is performed through the worker thread of Dramatiq: middlewares, callbacks, results, limits."""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq import Middleware, Worker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import (
    AsyncIO,
    CurrentMessage,
    GroupCallbacks,
    SkipMessage,
    TimeLimit,
    TimeLimitExceeded,
)
from dramatiq.rate_limits import (
    Barrier,
    BucketRateLimiter,
    ConcurrentRateLimiter,
    WindowRateLimiter,
)
from dramatiq.rate_limits.backends import RedisBackend as RedisLimits
from dramatiq.results import ResultFailure, ResultMissing, Results, ResultTimeout
from dramatiq.results.backends import RedisBackend as RedisResults

from pytest_jobs import assert_batched
from pytest_jobs.errors import BridgeError, NotPerformedError, UnknownJobError

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Signals(Middleware):
    """Notes which methods are called."""

    def __init__(self):
        self.called = []

    def _note(self, name, *args, **kwargs):
        self.called.append(name)

    def __getattribute__(self, name):
        if name.startswith(("before_", "after_")):
            return partial(self._note, name)
        return super().__getattribute__(name)


def test_a_message_is_written_and_read_by_the_encoder_of_the_application(actor, jobs):
    before = dramatiq.get_encoder()
    dramatiq.set_encoder(dramatiq.PickleEncoder())
    try:
        actor(lambda number: number, actor_name="double").send({7})

        assert jobs.enqueued[0].args == ({7},)
        assert jobs.drain() == {"performed": 1}
    finally:
        dramatiq.set_encoder(before)


@pytest.fixture
def signals(broker):
    signals = Signals()
    broker.add_middleware(signals)
    return signals


def results(**options):
    return Results(backend=RedisResults(url="redis://localhost:1"), **options)


def statuses(jobs):
    return [delivery.status for delivery in jobs.deliveries]


# Middlewares


def test_middlewares_are_called_in_the_order_of_a_worker(jobs, signals, actor):
    @actor
    def work():
        signals.called.append("work")

    signals.called.clear()
    work.send()
    jobs.drain()

    assert signals.called == [
        "before_enqueue",
        "after_enqueue",
        "before_process_message",
        "work",
        "after_process_message",
        "before_ack",
        "after_ack",
    ]


def test_a_delayed_message_goes_through_the_worker_twice(jobs, signals, actor):
    """Its consumer puts it on its own queue when it is due, so the middlewares see it enqueued in the worker."""

    @actor
    def work():
        """Do nothing."""

    work.send_with_options(delay=1_000)
    signals.called.clear()
    jobs.drain()

    assert signals.called == [
        "before_delay_message",
        "before_enqueue",
        "after_enqueue",
        "before_ack",
        "after_ack",
        "before_process_message",
        "after_process_message",
        "before_ack",
        "after_ack",
    ]


def _skip(message):
    raise SkipMessage("not today")


@pytest.mark.parametrize(
    ("act", "options", "error"),
    [
        (_skip, {}, "not today"),
        (lambda message: message.fail(), {}, None),
        (lambda message: None, {"delay": 60_000}, "Message age limit exceeded"),
    ],
    ids=["skipped", "marked as failed", "old"],
)
def test_a_message_that_a_middleware_keeps_out_is_discarded(
    jobs, broker, actor, act, options, error
):
    class KeepingOut(Middleware):
        def before_process_message(self, broker, message):
            act(message)

    broker.add_middleware(KeepingOut())
    ran = []
    append = actor(ran.append, actor_name="append", max_age=60_000)
    append.send_with_options(args=(1,), **options)

    assert jobs.drain() == {"discarded": 1}
    assert ran == []
    if error is not None:
        assert str(jobs.discarded[0].error) == error


def test_the_current_message_is_known_while_an_actor_runs(jobs, broker, actor):
    broker.add_middleware(CurrentMessage())
    seen = []

    @actor
    def work():
        seen.append(CurrentMessage.get_current_message().message_id)

    message = work.send()
    jobs.drain()

    assert seen == [message.message_id]
    assert CurrentMessage.get_current_message() is None


def test_an_error_of_a_middleware_and_a_dropped_result_are_logged_as_in_production(
    jobs, broker, actor, caplog
):
    class Broken(Middleware):
        def after_process_message(self, broker, message, *, result=None, exception=None):
            raise LookupError

    broker.add_middleware(Broken())
    actor(lambda: 7, actor_name="seven").send()

    with caplog.at_level(logging.WARNING):
        assert jobs.drain() == {"performed": 1}
    assert "Unexpected failure in after_process_message" in caplog.text
    assert "Actor 'seven' returned a value that is not None" in caplog.text


# Callbacks, pipelines, groups


def test_callbacks_and_the_actor_that_is_told_of_the_last_retry_are_children(jobs, actor):
    seen = []

    @actor(actor_name="good")
    def good(message, result):
        seen.append((message["args"], result))

    @actor(actor_name="bad")
    def bad(message, error):
        seen.append((message["args"], error))

    actor(lambda message, retries: seen.append(retries), actor_name="given_up")

    @actor(on_failure="bad", on_retry_exhausted="given_up", max_retries=0)
    def halve(number):
        if number % 2:
            raise ValueError(number)
        return number // 2

    for number in (4, 5):
        halve.send_with_options(args=(number,), on_success=good)
    jobs.drain(raise_errors=False)

    told = ([5], {"type": "ValueError", "message": "5"})
    assert seen[0] == ([4], 2)
    assert sorted(seen[1:], key=repr) == [told, {"retries": 0, "max_retries": 0}]
    assert [record.parent for record in jobs.enqueued][2:] == [0, 1, 1]


def test_a_pipeline_passes_results_on(jobs, actor, global_broker):
    seen = []
    add = actor(lambda a, b: a + b, actor_name="add")
    note = actor(seen.append, actor_name="note")
    later = add.message_with_options(args=(10,), delay=60_000)

    (add.message(1, 2) | later | note.message()).run()

    assert jobs.perform_due() == {"performed": 1}
    assert [record.wait for record in jobs.pending] == [timedelta(minutes=1)]
    assert jobs.drain() == {"performed": 2}
    assert seen == [13]


def test_a_group_with_callbacks_is_a_batch_that_ends_with_them(jobs, actor, global_broker):
    global_broker.add_middleware(GroupCallbacks(RedisLimits(url="redis://localhost:1")))
    seen = []
    add = actor(lambda a, b: a + b, actor_name="add")
    note, done, tell = (actor(seen.append, actor_name=name) for name in ("note", "done", "tell"))
    group = dramatiq.group([add.message(1, 2) | note.message(), add.message(3, 4) | note.message()])
    group.add_completion_callback(done.message("done"))
    group.add_completion_callback(tell.message("tell"))
    group.run()
    alone = dramatiq.group([note.message(1), note.message(2)])
    alone.add_completion_callback(done.message("alone"))
    alone.run()

    assert_batched([add, add], then=[note, [done, tell]], within=jobs.enqueued)
    batch = assert_batched([note, note], then=[done], within=jobs.enqueued)
    assert list(batch) == list(jobs.enqueued)[2:]
    jobs.drain()
    assert sorted(seen[:4]) == [1, 2, 3, 7]
    assert sorted(seen[4:]) == ["alone", "done", "tell"]


# Results


def test_a_result_is_there_once_the_message_is_performed(jobs, make_broker, broker, actor):
    broker.add_middleware(results())
    add = actor(lambda a, b: [a, b], actor_name="add", store_results=True)
    message = add.send(1, 2)
    backend = broker.get_results_backend()

    with pytest.raises(ResultMissing):
        message.get_result(backend=backend)
    with pytest.raises(NotPerformedError, match=r"waiting for it would never end: drain first"):
        message.get_result(backend=backend, block=True)
    jobs.drain()

    assert message.get_result(backend=backend) == [1, 2]
    assert message.get_result(backend=backend, block=True, timeout=10) == [1, 2]


def test_a_result_is_a_failure_is_not_stored_or_is_gone_after_its_time(jobs, broker, actor):
    broker.add_middleware(results(result_ttl=60_000))
    fails = actor(lambda: 1 / 0, actor_name="fails", max_retries=0, store_results=True)
    seven = actor(lambda: 7, actor_name="seven")
    failed, not_stored = fails.send(), seven.send()
    jobs.drain(raise_errors=False)
    backend = broker.get_results_backend()

    with pytest.raises(ResultFailure, match="ZeroDivisionError"):
        failed.get_result(backend=backend)
    with pytest.raises(ResultTimeout):
        not_stored.get_result(backend=backend, block=True)
    jobs.run_for(60)
    with pytest.raises(ResultMissing):
        failed.get_result(backend=backend)


def test_a_pipeline_and_a_group_know_how_far_they_are(jobs, actor, global_broker):
    global_broker.add_middleware(results(store_results=True))
    add = actor(lambda a, b: a + b, actor_name="add")
    pipeline = dramatiq.pipeline([add.message(1, 2), add.message(3)]).run()
    group = dramatiq.group([add.message(1, 1), add.message(2, 2)]).run()

    assert (pipeline.completed_count, group.completed) == (0, False)
    jobs.drain()

    assert (pipeline.completed, pipeline.get_result()) == (True, 6)
    assert list(group.get_results(block=True)) == [2, 4]


# Rate limits


@pytest.mark.parametrize(
    ("limiter", "passes"),
    [
        (lambda backend: BucketRateLimiter(backend, "bucket", limit=2, bucket=60_000), 60),
        (lambda backend: WindowRateLimiter(backend, "window", limit=2, window=60), 61),
    ],
    ids=["bucket", "window"],
)
def test_a_rate_limiter_limits_by_the_virtual_clock(jobs, limiter, passes):
    jobs.clock.move_to(NOON)
    limiter = limiter(RedisLimits(url="redis://localhost:1"))

    def acquired():
        with limiter.acquire(raise_on_failure=False) as acquired:
            return acquired

    assert [acquired() for _ in range(3)] == [True, True, False]
    jobs.run_for(passes)
    assert acquired()


def test_a_mutex_is_released_and_what_it_keeps_out_is_retried(jobs, actor):
    mutex = ConcurrentRateLimiter(RedisLimits(url="redis://localhost:1"), "mutex", limit=1)
    ran = []

    @actor
    def work():
        with mutex.acquire():
            ran.append(time.time())

    work.send()
    with mutex.acquire():
        jobs.perform_due()
    assert statuses(jobs) == ["retried"]
    assert jobs.drain() == {"performed": 1}
    assert len(ran) == 1


def test_a_barrier_opens_for_the_last_and_never_blocks(jobs):
    barrier = Barrier(RedisLimits(url="redis://localhost:1"), "three")
    assert barrier.create(parties=2)
    assert not barrier.create(parties=2)

    with pytest.raises(BridgeError, match="The barrier 'three' waits for other jobs"):
        barrier.wait(timeout=1_000)
    assert barrier.wait(block=False)


# Coroutines


def test_a_coroutine_actor_needs_the_middleware_that_runs_it_on_the_loop_of_the_test(
    jobs, broker, actor
):
    loops = []

    @actor
    async def work():
        loops.append(asyncio.get_running_loop())

    async def test():
        work.send()
        await jobs.adrain()
        return asyncio.get_running_loop()

    work.send()
    with pytest.raises(BridgeError, match=r"add the middleware, broker\.add_middleware\(AsyncIO"):
        jobs.drain()
    jobs.drain()
    broker.add_middleware(AsyncIO())
    assert [asyncio.run(test())] == loops


def test_an_actor_may_run_a_loop_of_its_own_under_an_asynchronous_verb(jobs, actor):
    @actor
    def work():
        return asyncio.run(asyncio.sleep(60, result=7))

    async def test():
        work.send()
        return await jobs.adrain()

    assert asyncio.run(test()) == {"performed": 1}
    assert jobs.performed[0].result == 7


# What ends a worker


class Killed(BaseException):
    """Ends a process."""


@pytest.mark.parametrize("is_coroutine", [False, True], ids=["function", "coroutine"])
def test_an_error_that_ends_the_worker_leaves_no_outcome(
    jobs, broker, actor, signals, is_coroutine
):
    broker.add_middleware(AsyncIO())

    def work():
        raise Killed

    async def awork():
        raise Killed

    actor(awork if is_coroutine else work, actor_name="work").send()
    with pytest.raises(Killed):
        jobs.drain()

    # A worker would catch it and send the message again; a worker that is dead does not.
    assert signals.called[-1] == "before_process_message"
    assert (len(jobs.pending), jobs.deliveries) == (1, [])


@pytest.mark.parametrize("where", ["actor", "message", "middleware"])
def test_a_time_limit_that_a_sleep_has_passed_is_raised_when_the_sleep_ends(
    jobs, broker, actor, where, monkeypatch
):
    slept = []

    def work():
        for _ in range(5):
            time.sleep(2)
            slept.append(2)

    work = actor(
        work, actor_name="work", max_retries=0, **{"time_limit": 5_000} if where == "actor" else {}
    )
    limit = next(each for each in broker.middleware if isinstance(each, TimeLimit))
    monkeypatch.setattr(limit, "time_limit", 5_000 if where == "middleware" else 600_000)
    work.send_with_options(**{"time_limit": 5_000} if where == "message" else {})
    begin = jobs.clock.freeze()
    with pytest.raises(TimeLimitExceeded):
        jobs.drain()

    # As in the thread of a worker, where the error waits for the end of the system call.
    assert (jobs.clock.now() - begin).total_seconds() == 6
    assert slept == [2, 2]


def test_a_time_limit_cancels_a_coroutine_actor_at_that_moment(jobs, broker, actor):
    broker.add_middleware(AsyncIO())
    cancelled = []

    async def work():
        try:
            await asyncio.sleep(3)
        except asyncio.CancelledError:
            cancelled.append(jobs.clock.now())
            raise

    work = actor(work, actor_name="work", max_retries=1, time_limit=1_000)
    work.send()
    begin = jobs.clock.freeze()
    tally = jobs.perform_due()

    assert (tally, (cancelled[0] - begin).total_seconds()) == ({"retried": 1}, 1)
    assert isinstance(jobs.retried[0].error, TimeLimitExceeded)


def test_what_nobody_performs_is_an_error(jobs, broker, actor):
    actor(lambda: None, actor_name="welcome")
    broker.enqueue(dramatiq.Message("mails", "welcom", (), {}, {}))

    with pytest.raises(UnknownJobError) as raised:
        jobs.drain()

    assert str(raised.value) == (
        f"{broker!r} has no actor named 'welcom', so a worker rejects the message: import the module that "
        "declares it, or send it to the broker that has it. The nearest name is 'welcome'."
    )


# Tests that were written for a worker


@pytest.mark.parametrize("kind", [RedisBroker, StubBroker])
def test_a_worker_inside_a_test_gets_no_message(open_over, make_broker, kind, no_connections):
    broker = make_broker(kind=kind)
    ran = []
    append = dramatiq.actor(lambda n: ran.append(n), broker=broker, actor_name="append")  # noqa: PLW0108
    with open_over(broker) as jobs:
        append.send(1)
        worker = Worker(broker, worker_timeout=10, worker_threads=1)
        worker.start()
        with pytest.raises(NotPerformedError) as raised:
            broker.join(append.queue_name)
        assert str(raised.value) == (
            f"{kind.__name__}.join('default') waits until {jobs.pending[0]!r} is performed, and nothing "
            "performs it meanwhile: call jobs.drain() instead."
        )
        jobs.drain()
        broker.join(append.queue_name, timeout=10)
        worker.stop()

    assert ran == [1]


def test_flushing_withdraws_what_is_pending(jobs, broker, actor):
    work = actor(lambda: None, actor_name="work")
    other = actor(lambda: None, actor_name="other", queue_name="others")
    for each in (work, work, other):
        each.send()
    broker.flush("default")
    assert [record.job for record in jobs.pending] == [other]

    other.send_with_options(delay=1_000)
    broker.flush_all()
    assert jobs.pending == []


def test_workers_take_the_lowest_priority_first(jobs, actor):
    ran = []
    for priority in (10, -1, 0):
        actor(partial(ran.append, priority), actor_name=f"p{priority}", priority=priority).send()
    jobs.drain()

    assert ran == [-1, 0, 10]
