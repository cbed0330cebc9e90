"""A task is performed by `Huey.execute`, as a worker of the consumer does it."""

import time
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("huey")

import huey.exceptions
from huey import CancelExecution, MemoryHuey, RedisHuey, signals as named

from pytest_jobs.bridges.huey.bridge import HueyBridge
from pytest_jobs.errors import ApplicationError, BridgeError, UnknownJobError
from pytest_jobs.harness.jobs import Jobs

TaskTimeout = getattr(huey.exceptions, "TaskTimeout", None)

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def signals(huey):
    """Return the names of the signals that were sent."""
    found = []

    @huey.signal()
    def note(signal, task, *error):
        found.append(signal)

    return found


@pytest.fixture
def work(huey):
    @huey.task()
    def work(error=None):
        if error is not None:
            raise error
        return "done"

    return work


def test_hooks_run_around_the_body_and_may_stop_it(jobs, huey, work):
    seen = []
    huey.pre_execute(name="before")(lambda task: seen.append(task.args))
    huey.post_execute(name="after")(lambda task, value, error: seen.append((value, error)))
    work()
    jobs.drain()
    assert seen == [(), ("done", None)]

    @huey.pre_execute()
    def refuse(task):
        raise CancelExecution

    work()
    assert jobs.perform(jobs.pending[0]).status == "halted"


def test_a_task_that_cancels_itself_is_discarded_and_a_revoked_one_cancelled(jobs, work):
    work(CancelExecution(retry=False))
    work().revoke()
    jobs.drain()
    work.revoke()
    work()
    jobs.drain()
    work.restore()
    work()
    jobs.drain()

    statuses = [each.status for each in jobs.deliveries]
    assert statuses == ["discarded", "cancelled", "cancelled", "performed"]
    assert isinstance(jobs.discarded[0].error, CancelExecution)


def test_a_revocation_ends_at_its_time(jobs, work):
    jobs.clock.move_to(NEW_YEAR)
    work.revoke(revoke_until=NEW_YEAR + timedelta(minutes=1))
    work()
    work.schedule(delay=120)

    jobs.drain()

    assert [each.status for each in jobs.deliveries] == ["cancelled", "performed"]


def test_an_expired_task_is_discarded_and_one_in_the_schedule_has_its_whole_time(jobs, huey):
    jobs.clock.move_to(NEW_YEAR)
    expiring = huey.task(expires=30)(lambda: None)
    expiring()
    expiring.schedule(delay=120)
    jobs.clock.move_to(NEW_YEAR + timedelta(minutes=1))

    jobs.drain()

    assert [each.status for each in jobs.deliveries] == ["discarded", "performed"]


@pytest.mark.parametrize(
    ("options", "statuses"),
    [({}, ["discarded"]), ({"retries": 1, "retry_delay": 60}, ["retried", "performed"])],
)
def test_a_locked_task_comes_again_or_is_discarded(jobs, huey, options, statuses):
    locked = huey.task(**options)(huey.lock_task("one at a time")(lambda: None))
    locked()

    with huey.lock_task("one at a time"):
        jobs.perform_due()
    jobs.drain()

    assert [each.status for each in jobs.deliveries] == statuses


def test_a_lock_of_one_test_is_not_there_in_the_next(huey, open_over):
    lock = huey.lock_task("one at a time")
    with open_over(huey):
        lock.__enter__()

    with open_over(huey):
        assert not huey.is_locked("one at a time")


def test_a_task_that_reads_its_own_task_gets_it(jobs, huey):
    @huey.task(context=True, retries=3)
    def look(number, task=None):
        return number, task.retries

    look(7)
    jobs.drain()

    assert jobs.performed[0].result == (7, 3)
    assert jobs.enqueued[0].params == {"number": 7}


@pytest.mark.parametrize("delay", [None, 60], ids=["at once", "for later"])
def test_signals_are_those_of_a_worker(jobs, signals, work, delay):
    work.schedule(delay=delay) if delay else work()
    jobs.drain()

    assert signals == [
        named.SIGNAL_ENQUEUED,
        *([named.SIGNAL_SCHEDULED, named.SIGNAL_ENQUEUED] if delay else []),
        named.SIGNAL_EXECUTING,
        named.SIGNAL_COMPLETE,
    ]
    work.schedule(delay=60)
    assert jobs.perform(jobs.pending[0]).status == "performed"


@pytest.mark.skipif(TaskTimeout is None, reason="Huey 2 has no time limits")
def test_a_time_limit_interrupts_no_task_in_a_thread_of_the_consumer_and_it_may_ask(jobs, huey):
    found = []

    def slow(task):
        time.sleep(3)
        found.append(task.is_timed_out)
        task.check_timeout()

    huey.task(name="slow", timeout=1, context=True)(slow)()
    with pytest.raises(TaskTimeout, match="timeout 1s"):
        jobs.drain()

    assert found == [True]


@pytest.mark.skipif(TaskTimeout is None, reason="Huey 2 has no time limits")
@pytest.mark.parametrize("worker_type", ["process", "greenlet"])
def test_a_sleep_that_passes_the_limit_of_another_kind_of_worker_ends_the_task(
    huey, signals, worker_type
):
    with Jobs([HueyBridge([huey], worker_type=worker_type)]) as jobs:
        huey.task(name="slow", timeout=1)(lambda: time.sleep(3))()
        begin = jobs.clock.freeze()
        with pytest.raises(TaskTimeout, match=r"timeout \(1s\)"):
            jobs.drain()

        assert (jobs.clock.now() - begin).total_seconds() == 1
    assert signals[-1] == "timeout"


def test_an_unknown_kind_of_worker_is_refused():
    with pytest.raises(ApplicationError) as raised:
        HueyBridge(worker_type="processes")

    assert str(raised.value) == (
        "HueyBridge(worker_type='processes') names no kind of worker of the consumer: write one of greenlet, "
        "process, thread."
    )


def test_the_higher_priority_goes_first(jobs, huey):
    order = []
    work = huey.task(name="work")(order.append)
    huey.enqueue(work.s("low", priority=1))
    huey.enqueue(work.s("high", priority=9))
    work("none")

    jobs.drain()

    assert order == ["high", "low", "none"]


def test_a_result_that_cannot_be_pickled_and_a_task_that_is_gone_are_errors(jobs, huey, work):
    huey.task(name="unpickled")(lambda: (each for each in ()))()
    with pytest.raises(TypeError, match="pickle"):
        jobs.drain()
    assert [each.status for each in jobs.deliveries] == ["failed"]

    work()
    work.unregister()
    with pytest.raises(UnknownJobError, match="import the module that declares it"):
        jobs.drain()


def test_a_huey_that_performs_nothing_is_an_error(open_over):
    class Idle(RedisHuey):
        def execute(self, task, timestamp=None):
            """Do nothing."""

    huey = Idle("idle", port=1)
    work = huey.task()(lambda: None)
    with open_over(huey) as jobs:
        work()

        with pytest.raises(BridgeError, match=r"Idle.execute performed nothing"):
            jobs.drain()


def test_no_handler_of_an_application_is_left_behind(huey, open_over):
    before = dict(vars(huey))
    with open_over(huey) as jobs:
        huey.task(name="work")(lambda: None)()
        jobs.drain()

    assert {name: vars(huey)[name] for name in before} == before


def test_a_huey_of_a_project_gives_its_signals_more(jobs, monkeypatch):
    class Telling(MemoryHuey):
        def _emit(self, signal, task, *args, **kwargs):
            super()._emit(signal, task, *args, **kwargs, huey=self)

    telling = Telling("telling")
    seen = []

    @telling.signal()
    def note(signal, task, *error, huey):
        seen.append((signal, huey))

    @telling.task()
    def greet(): ...

    greet()
    jobs.drain()

    assert [told for _, told in seen] == [telling] * 3
