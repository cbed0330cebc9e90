"""What goes to a schedule source is recorded, and due when the scheduler would first send it."""

from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("taskiq.receiver")
pytest.importorskip("taskiq_redis")

from taskiq import ScheduledTask, ScheduleSource, TaskiqMiddleware
from taskiq.exceptions import ScheduledTaskCancelledError
from taskiq.scheduler.scheduled_task import CronSpec
from taskiq_redis import ListRedisScheduleSource

from pytest_jobs.errors import DeclarationError

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)  # a Tuesday


class Source(ScheduleSource):
    def __init__(self, *, cancels=False):
        self.cancels = cancels
        self.calls = []

    async def get_schedules(self):
        return []

    async def add_schedule(self, schedule):
        self.calls.append("add")

    async def delete_schedule(self, schedule_id):
        self.calls.append("delete")

    async def pre_send(self, task):
        self.calls.append("pre_send")
        if self.cancels:
            raise ScheduledTaskCancelledError

    def post_send(self, task):
        self.calls.append("post_send")


@pytest.fixture
def remind(broker):
    @broker.task("remind", queue_name="reminders")
    async def remind(name: str, times: int = 1) -> str:
        return f"{name} {times}"

    return remind


@pytest.fixture
def source():
    return Source()


@pytest.fixture(autouse=True)
def noon(jobs):
    return jobs.clock.move_to(NOON)


def test_a_task_scheduled_for_a_time_is_due_then_and_comes_once(jobs, remind, source, run):
    created = run(remind.schedule_by_time(source, NOON + timedelta(hours=2), "ann", times="2"))
    (record,) = jobs.enqueued

    assert (record.name, record.params) == ("remind", {"name": "ann", "times": 2})
    assert (record.queue, record.wait) == ("reminders", timedelta(hours=2))
    assert record.headers["schedule_id"] == created.schedule_id
    assert isinstance(record.payload, ScheduledTask)
    assert source.calls == []
    assert created.source is source

    assert jobs.perform_due() == {}
    jobs.run_for(timedelta(days=3))
    assert [delivery.at for delivery in jobs.performed] == [NOON + timedelta(hours=2)]


def test_a_time_without_a_timezone_is_utc_and_a_source_may_cancel(jobs, remind, run):
    at = datetime(2030, 1, 2, 9)  # noqa: DTZ001 - what is tested
    run(remind.schedule_by_time(Source(cancels=True), at, "ann"))

    assert jobs.enqueued[0].due_at == at.replace(tzinfo=UTC)
    assert jobs.drain() == {"cancelled": 1}


def test_a_source_behind_a_server_is_never_reached(jobs, remind, run):
    source = ListRedisScheduleSource("redis://localhost:1")
    created = run(remind.kicker().schedule_by_time(source, NOON + timedelta(hours=1), "ann"))
    run(created.unschedule())

    assert (len(jobs.enqueued), len(jobs.pending)) == (1, 0)


def test_the_kicker_gives_its_labels_and_ids(jobs, remind, source, run):
    kicker = remind.kicker().with_labels(x=1).with_task_id("a-task").with_schedule_id("a-schedule")
    run(kicker.schedule_by_time(source, NOON, "ann"))
    (record,) = jobs.enqueued

    assert record.job_id == "a-task"
    assert record.headers == {"queue_name": "reminders", "x": "1", "schedule_id": "a-schedule"}
    again = jobs.redeliver(record)
    assert (again.job_id, jobs.drain()) == ("a-task", {"performed": 2})


def test_it_is_sent_by_the_scheduler_when_it_is_performed(make_broker, open_over, source, run):
    class Stamp(TaskiqMiddleware):
        def pre_send(self, message):
            source.calls.append("stamp")
            message.labels["stamp"] = "blue"
            return message

    broker = make_broker(Stamp())

    @broker.task("labels")
    def labels(context=None):
        pass

    class Look(TaskiqMiddleware):
        def pre_execute(self, message):
            source.calls.append(dict(message.labels))
            return message

    broker.add_middlewares(Look())
    with open_over(broker) as jobs:
        run(labels.kicker().with_schedule_id("s").schedule_by_time(source, NOON))
        assert source.calls == []
        jobs.drain()

    assert source.calls == ["pre_send", "stamp", "post_send", {"schedule_id": "s", "stamp": "blue"}]


@pytest.mark.parametrize(
    ("cron", "due"),
    [
        ("30 14 * * *", datetime(2030, 1, 1, 14, 30, tzinfo=UTC)),
        ("0 9 * * *", datetime(2030, 1, 2, 9, tzinfo=UTC)),
        ("*/5 * * * 1", datetime(2030, 1, 7, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2032, 2, 29, tzinfo=UTC)),
        ("* * * * *", None),
        (CronSpec(minutes=30, hours=8, offset="Asia/Kolkata"), datetime(2030, 1, 2, 3, tzinfo=UTC)),
        (
            CronSpec(minutes=0, hours=15, offset=timedelta(hours=2)),
            datetime(2030, 1, 1, 13, tzinfo=UTC),
        ),
    ],
)
def test_a_crontab_line_is_due_when_it_first_matches(jobs, remind, source, run, cron, due):
    run(remind.schedule_by_cron(source, cron, "ann"))

    assert jobs.enqueued[0].due_at == due
    assert jobs.drain() == {"performed": 1}


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("0 0 30 2 *", "matches no minute of the next four years"),
        ("every day", "is not a line that the scheduler can read"),
    ],
)
def test_a_crontab_line_that_never_matches_is_refused(jobs, remind, source, run, cron, message):
    with pytest.raises(DeclarationError, match=message):
        run(remind.schedule_by_cron(source, cron, "ann"))

    assert jobs.enqueued == []


def test_what_is_unscheduled_is_not_performed(jobs, remind, source, run):
    first, second = (run(remind.schedule_by_time(source, NOON, name)) for name in ("ann", "bob"))
    run(source.delete_schedule("another"))
    assert len(jobs.pending) == 2

    run(first.unschedule())
    run(source.delete_schedule(second.schedule_id))

    assert (len(jobs.enqueued), len(jobs.pending), source.calls) == (2, 0, [])


def test_a_schedule_takes_the_place_of_that_with_its_id(jobs, remind, source, run):
    for name in ("ann", "bob"):
        run(remind.kicker().with_schedule_id("one").schedule_by_time(source, NOON, name))

    assert [record.args for record in jobs.pending] == [("bob",)]


def test_a_created_schedule_can_be_sent_now(jobs, remind, source, run):
    created = run(remind.schedule_by_time(source, NOON + timedelta(days=1), "ann"))
    run(created.kiq())

    assert [record.due_at is None for record in jobs.enqueued] == [False, True]


def test_a_broker_that_is_not_named_schedules_into_the_harness(jobs, make_broker, source, run):
    other = make_broker()

    @other.task("other")
    def task():
        pass

    run(task.schedule_by_time(source, NOON))

    assert (source.calls, [record.job for record in jobs.enqueued]) == ([], [task])


def times(jobs):
    return [f"{record.enqueued_at:%d %H:%M:%S}" for record in jobs.enqueued]


@pytest.fixture
def labelled(broker):
    """Return a function that declares a task with a `schedule=` label."""

    def labelled(**schedule):
        given = {"args": ["ann"], "labels": {"colour": "blue"}, **schedule}

        @broker.task("labelled", queue_name="reminders", schedule=[given])
        async def labelled(name: str) -> str:
            return name

        return labelled

    return labelled


def test_a_crontab_line_of_a_label_comes_while_time_passes(jobs, labelled):
    task = labelled(cron="30 9 * * *")

    jobs.run_for(timedelta(days=2))

    assert times(jobs) == ["02 09:30:00", "03 09:30:00"]
    record = jobs.enqueued[0]
    assert (record.job, record.args, record.queue) == (task, ("ann",), "reminders")
    assert record.headers["colour"] == "blue"
    assert [delivery.result for delivery in jobs.performed] == ["ann", "ann"]


def test_a_crontab_line_of_a_label_has_its_timezone(jobs, labelled):
    labelled(cron="30 9 * * *", cron_offset="Asia/Tokyo")

    jobs.run_for(timedelta(days=1))

    assert times(jobs) == ["02 00:30:00"]


@pytest.mark.parametrize("interval", [timedelta(hours=1), 3600], ids=["timedelta", "seconds"])
def test_an_interval_of_a_label_comes_at_once_and_then_again(jobs, labelled, interval):
    labelled(interval=interval)

    jobs.run_for(timedelta(minutes=90))
    jobs.run_for(timedelta(minutes=30))

    assert times(jobs) == ["01 12:00:00", "01 13:00:00", "01 14:00:00"]


def test_a_time_of_a_label_comes_once(jobs, labelled):
    labelled(time=NOON + timedelta(hours=1))

    jobs.run_for(timedelta(minutes=30))
    assert times(jobs) == []
    jobs.run_for(timedelta(minutes=30))
    jobs.run_for(timedelta(days=1))

    assert times(jobs) == ["01 13:00:00"]


def test_what_a_source_keeps_comes_again(jobs, remind, source, run):
    run(remind.schedule_by_cron(source, "0 9 * * *", "ann"))

    jobs.run_for(timedelta(days=3))

    assert [f"{delivery.at:%d %H:%M}" for delivery in jobs.performed] == [
        "02 09:00",
        "03 09:00",
        "04 09:00",
    ]
    assert len({record.job_id for record in jobs.enqueued}) == 3
    assert source.calls == ["pre_send", "post_send"] * 3


def test_an_interval_that_a_source_keeps_comes_at_once_and_again(jobs, remind, source, run):
    run(remind.schedule_by_interval(source, timedelta(hours=1), "ann"))
    assert jobs.enqueued[0].due_at is None

    jobs.run_for(timedelta(hours=2))

    assert times(jobs) == ["01 12:00:00", "01 13:00:00", "01 14:00:00"]


def test_what_is_unscheduled_comes_no_more_also_while_time_passes(
    jobs, broker, remind, source, run
):
    @broker.task("once")
    async def once():
        await created.unschedule()

    outside = run(remind.schedule_by_cron(source, "0 9 * * *", "ann"))
    created = run(once.schedule_by_cron(source, "0 9 * * *"))

    jobs.run_for(timedelta(days=1))
    run(outside.unschedule())
    jobs.run_for(timedelta(days=2))

    assert len(jobs.performed) == 2
