"""Every way to enqueue with Huey is recorded, and nothing connects."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("huey")

from huey import MemoryHuey, RedisHuey, crontab
from huey.exceptions import HueyException

from pytest_jobs import assert_enqueued
from pytest_jobs.errors import AmbiguousJobError, CriterionError

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def add(huey):
    @huey.task(priority=2)
    def add(a, b=0):
        return a + b

    return add


async def _awaited(add):
    add(1, b=2)


def _in_a_thread(add):
    thread = threading.Thread(target=add, args=(1, 2))
    thread.start()
    thread.join()


@pytest.fixture(
    params=[
        lambda add: add(1, b=2),
        lambda add: add.huey.enqueue(add.s(1, b=2)),
        lambda add: add.huey.enqueue(add.task_class((1,), {"b": 2})),
        lambda add: add.map([(1, 2)]),
        lambda add: asyncio.run(_awaited(add)),
        _in_a_thread,
    ],
    ids=["call", "signature", "task", "map", "coroutine", "thread"],
)
def send(request):
    """Return a way to enqueue a task with 1 and 2."""
    return request.param


def test_it_is_recorded(jobs, add, send):
    send(add)

    record = assert_enqueued(add, params={"a": 1, "b": 2}, queue="mail", priority=2)
    assert record.due_at is None


@pytest.mark.parametrize(
    "send", [lambda add: add.schedule((1,), delay=60), lambda add: add(1, delay=60)]
)
def test_a_delay_counts_from_the_enqueue(jobs, add, send):
    send(add)

    assert jobs.enqueued[0].wait == timedelta(seconds=60)


@pytest.mark.parametrize("utc", [True, False])
def test_a_time_is_the_due_time_unless_it_has_passed(open_over, utc):
    huey = RedisHuey("mail", port=1, utc=utc)
    task = huey.task()(print)

    with open_over(huey) as jobs:
        for eta in (NEW_YEAR, datetime(2020, 1, 1, tzinfo=UTC)):
            task.schedule(("hello",), eta=eta)

        assert [record.due_at for record in jobs.enqueued] == [NEW_YEAR, None]


def test_a_span_until_it_expires_begins_when_it_is_due(jobs, add):
    jobs.clock.move_to(NEW_YEAR)
    add.schedule((1,), delay=60, expires=30)
    add(2, expires=30)

    assert [record.expires_at for record in jobs.enqueued] == [
        NEW_YEAR + timedelta(seconds=90),
        NEW_YEAR + timedelta(seconds=30),
    ]


def test_a_rescheduled_task_is_cancelled_and_comes_anew(jobs, add):
    result = add.schedule((1,), delay=60)
    result.reschedule(delay=120)

    jobs.drain()

    assert [each.status for each in jobs.deliveries] == ["cancelled", "performed"]


@pytest.mark.parametrize("immediate", [True, False])
def test_the_mode_that_performs_at_once_is_of_no_importance_and_stays_with_the_huey(
    open_over, immediate
):
    huey = MemoryHuey("mail", immediate=immediate)
    runs = []
    task = huey.task()(runs.append)

    with open_over(huey) as jobs:
        task(1)
        assert runs == []
        assert huey.immediate is False
        jobs.drain()
    assert runs == [1]
    assert huey.immediate is immediate

    with open_over(huey):
        huey.immediate = not immediate
    assert huey.immediate is not immediate


def test_a_class_of_a_project_that_adds_something_is_run(open_over):
    class Tenant(RedisHuey):
        def enqueue(self, task):
            task.kwargs["tenant"] = "a"
            return super().enqueue(task)

    huey = Tenant("mail", port=1)
    task = huey.task()(lambda tenant: tenant)

    with open_over(huey) as jobs:
        task()

        assert jobs.enqueued[0].kwargs == {"tenant": "a"}


def test_a_task_that_is_not_registered_is_refused(jobs, add):
    add.unregister()

    with pytest.raises(HueyException, match="not found"):
        add(1)

    assert len(jobs.enqueued) == 0


def test_what_waits_can_be_listed_counted_and_flushed_and_no_consumer_gets_it(jobs, huey, add):
    add(1)
    add(2, priority=5)
    add.schedule((3,), delay=60)

    assert [task.args for task in huey.pending()] == [(2,), (1,)]
    assert [task.args for task in huey.scheduled()] == [(3,)]
    assert (len(huey), huey.scheduled_count()) == (2, 1)
    assert (huey.dequeue(), huey.read_schedule()) == (None, [])
    jobs.perform_due()
    assert len(huey) == 0
    add(1)
    huey.flush()
    assert jobs.drain() == {}


@pytest.mark.parametrize("utc", [(), (True,)])
def test_huey_2_5_0_tells_its_schedule_whether_a_time_is_in_utc(jobs, huey, add, utc):
    task = add.s(3)
    huey.storage.add_to_schedule(huey.serialize_task(task), NEW_YEAR, *utc)

    assert [record.job_id for record in jobs.enqueued] == [task.id]


def test_a_task_is_found_by_the_name_that_huey_has_for_it(jobs, huey):
    task = huey.task(name="sum")(lambda: 1)
    task()

    assert jobs.enqueued[0].name == f"{__name__}.sum"
    assert jobs.enqueued[0].job is task
    with pytest.raises(CriterionError, match="su"):
        assert_enqueued(f"{__name__}.su")


def test_of_two_tasks_of_a_name_each_is_performed_by_the_huey_that_sent_it(huey, open_over):
    other = RedisHuey("other", port=1)
    mine = huey.task(name="work")(lambda: "mine")
    theirs = other.task(name="work")(lambda: "theirs")

    with open_over(huey, other) as jobs:
        with pytest.raises(AmbiguousJobError, match="task object"):
            assert_enqueued(f"{__name__}.work")
        theirs()
        mine()
        jobs.drain()

        assert [each.result for each in jobs.performed] == ["theirs", "mine"]


def test_periodic_tasks_come_while_time_passes(jobs, huey):
    @huey.periodic_task(crontab(minute="*/20"))
    def tidy():
        return None

    jobs.clock.move_to(NEW_YEAR)
    # The Hueys at the top of other test modules have periodic tasks of their own.
    jobs.run_for(timedelta(hours=1), only=tidy)

    assert [each.record.enqueued_at.minute for each in jobs.performed] == [20, 40, 0]
