"""Every way to enqueue with Oban is recorded, and nothing connects."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

pytest.importorskip("oban")

import psycopg
from oban import Job, Oban, _scheduler, job, testing, worker
from psycopg_pool import AsyncConnectionPool

from pytest_jobs import assert_enqueued
from pytest_jobs.bridges.oban.bridge import ObanBridge
from pytest_jobs.errors import ApplicationError, BridgeError, CriterionError, DeclarationError

NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def mail():
    @worker(queue="mails", priority=2, max_attempts=5, tags=["Post"])
    class Mail:
        async def process(self, job):
            return job.args

    return Mail


@pytest.fixture
def add():
    return job(queue="sums")(lambda a, b=0: a + b)


@pytest.mark.parametrize(
    "send",
    [
        lambda oban, mail: mail.enqueue({"to": "ann"}),
        lambda oban, mail: oban.enqueue(mail.new({"to": "ann"})),
        lambda oban, mail: oban.enqueue_many(mail.new({"to": "ann"})),
        lambda oban, mail: oban.enqueue_many(mail.new({"to": name}) for name in ["ann"]),
        lambda oban, mail: mail.enqueue({"to": "ann"}, conn=object()),
        lambda oban, mail: oban.enqueue(
            Job(f"{mail.__module__}.{mail.__qualname__}", args={"to": "ann"}, queue="mails")
        ),
    ],
    ids=["worker", "instance", "many", "iterable", "transaction", "path of a worker"],
)
def test_it_is_recorded(jobs, oban, mail, run, send):
    run(send(oban, mail))

    record = assert_enqueued(mail, kwargs={"to": "ann"}, queue="mails")
    assert record.due_at is None


def test_a_function_is_enqueued_by_its_parameters_and_a_worker_by_names(jobs, oban, add, mail, run):
    run(oban.enqueue(add.new(1, b=2)))
    assert assert_enqueued(add, args=(1, 2), queue="sums").kwargs == {"a": 1, "b": 2}

    # Oban 0.7 binds the arguments twice: the job fails in production.
    one = job()(lambda a: a)
    run(one.enqueue(7))
    assert jobs.enqueued[1].kwargs == {"a": {"a": 7}}

    run(mail.enqueue({"to": "ann"}))
    with pytest.raises(
        CriterionError, match=r"takes 0 positional arguments.* takes Mail\(\*\*args\)"
    ):
        assert_enqueued(mail, args=({"to": "ann"},))


def test_a_record_has_the_options_of_the_worker_and_of_the_job(jobs, mail, run):
    run(mail.enqueue({}, priority=0, meta={"tenant": "a"}, tags=["post", " Urgent "]))

    (record,) = jobs.enqueued
    assert (record.queue, record.priority) == ("mails", 0)
    assert record.headers == {"tenant": "a", "tags": ("post", "urgent")}
    assert record.payload["max_attempts"] == 5


def test_a_job_for_later_is_due_then_and_a_time_without_a_zone_local(open_over, oban, mail, run):
    at = NEW_YEAR.astimezone().replace(tzinfo=None)
    with open_over() as jobs:
        jobs.clock.move_to(NEW_YEAR - timedelta(hours=1))
        for send in (
            mail.enqueue({}, scheduled_at=NEW_YEAR),
            mail.enqueue({}, schedule_in=timedelta(hours=1)),
            oban.enqueue(mail.new().update({"scheduled_at": at})),
        ):
            enqueued = run(send)
            assert jobs.scheduled[-1].due_at == NEW_YEAR
            assert (enqueued.state, enqueued.scheduled_at.timestamp()) == (
                "scheduled",
                NEW_YEAR.timestamp(),
            )

        run(oban.update_job(enqueued.id, {"scheduled_at": at - timedelta(minutes=5)}))
        assert jobs.scheduled[-1].due_at == NEW_YEAR - timedelta(minutes=5)


def test_the_lowest_priority_goes_first_and_options_of_oban_pro_change_nothing(jobs, mail, run):
    for priority in (3, 0, 1):
        run(mail.enqueue({}, priority=priority, unique=True))
    jobs.drain()

    assert [each.record.priority for each in jobs.performed] == [0, 1, 3]


def test_what_threads_and_tasks_enqueue_is_recorded_whatever_its_own_testing_mode_is(
    jobs, mail, run
):
    async def both():
        await asyncio.gather(mail.enqueue({"n": 1}), mail.enqueue({"n": 2}))

    with testing.mode("inline"):
        thread = threading.Thread(target=run, args=(both(),))
        thread.start()
        thread.join()
        run(mail.enqueue({"to": "ann"}))

    assert (len(jobs.pending), len(jobs.deliveries)) == (3, 0)


def test_an_instance_that_is_started_connects_to_nothing(jobs, make_oban, mail, run):
    async def serve():
        async with make_oban(name="served", queues={"mails": 5}) as served:
            await served.enqueue(mail.new({}))
            await served.pause_queue("alpha")
            return served.is_leader

    assert run(serve()) is False
    assert_enqueued(mail)


def test_a_pool_that_oban_makes_stays_closed(jobs, mail, run):
    async def serve():
        pool = await Oban.create_pool("postgresql://localhost:1/jobs")
        async with Oban(pool=pool):
            await mail.enqueue({})
        closed = pool.closed
        await pool.close()
        return closed

    assert run(serve()) is True
    assert_enqueued(mail)
    with pytest.raises(ValueError, match="dsn is required"):
        run(Oban.create_pool())


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (threading.Lock(), TypeError),
        (float("nan"), psycopg.errors.InvalidTextRepresentation),
        ("nul \0", psycopg.errors.UntranslatableCharacter),
        ("half \ud800", psycopg.errors.InvalidTextRepresentation),
    ],
    ids=["no JSON", "NaN", "NUL", "half of a pair"],
)
def test_what_the_database_would_refuse_is_refused(jobs, oban, mail, run, value, error):
    with pytest.raises(error):
        run(oban.enqueue_many(mail.new({"to": "ann"}), mail.new({"to": value})))

    assert len(jobs.enqueued) == 0
    assert run(testing.all_enqueued()) == []


def test_arguments_have_the_order_of_the_column_and_a_backslash_is_no_nul(jobs, mail, run):
    run(mail.enqueue({"to": "ann", "path": "\\u0000", "b": 2}))

    assert list(jobs.enqueued[0].kwargs.items()) == [("b", 2), ("to", "ann"), ("path", "\\u0000")]


# What an application asks the database


def test_the_assertions_of_oban_find_the_jobs_and_they_are_counted(jobs, oban, mail, run):
    run(mail.enqueue({"to": "ann", "copy": True}))
    run(testing.assert_enqueued(worker=mail, args={"to": "ann"}))
    run(testing.refute_enqueued(queue="other"))
    run(oban.enqueue_many(mail.new(), mail.new({}, schedule_in=60)))

    counted = run(oban._query.count_jobs(["available", "scheduled", "completed"]))

    assert sorted(counted) == [("available", "mails", 2), ("scheduled", "mails", 1)]


def test_a_queue_cannot_be_drained_behind_the_harness(jobs, mail, run):
    run(mail.enqueue({}))

    with pytest.raises(BridgeError, match=r"Write jobs\.drain\(\) instead of oban\.testing\.drain"):
        run(testing.drain_queue("mails"))


def test_a_job_is_read_back_with_what_became_of_it(jobs, oban, mail, run):
    enqueued = run(mail.enqueue({"to": "ann"}))
    before = run(oban.get_job(enqueued.id))
    jobs.drain()
    after = run(oban.get_job(enqueued.id))

    assert (before.state, before.attempt, before.args) == ("available", 0, {"to": "ann"})
    assert (after.state, after.attempt, after.tags) == ("completed", 1, ["post"])
    assert after.completed_at is not None
    assert run(oban.get_job(999)) is None


def test_a_job_that_is_cancelled_deleted_or_reset_is_not_performed(jobs, oban, mail, run):
    jobs_of = oban.enqueue_many(mail.new({}), mail.new({}, schedule_in=60), mail.new(), mail.new())
    first, second, third, _ = run(jobs_of)

    assert run(oban.cancel_many_jobs([first, second, 999])) == 2
    assert run(oban.cancel_many_jobs([first])) == 0
    run(oban.delete_job(third))
    assert run(oban.get_job(first.id)).state == "cancelled"
    assert run(oban.get_job(third.id)) is None
    run(testing.reset_oban())

    assert jobs.drain() == {}


def test_a_job_that_is_changed_runs_as_it_was_changed(jobs, oban, mail, run):
    enqueued = run(mail.enqueue({"to": "ann"}))
    changed = run(oban.update_job(enqueued.id, {"args": {"to": "bob"}, "schedule_in": 60}))

    assert changed.state == "scheduled"
    assert [each.kwargs for each in jobs.scheduled] == [{"to": "bob"}]
    assert run(
        oban.update_job(changed, {"scheduled_at": NEW_YEAR - timedelta(days=9999)})
    ).state == ("available")
    jobs.perform_due()
    assert jobs.performed[0].result == {"to": "bob"}
    assert len(jobs.enqueued) == 1
    with pytest.raises(ValueError, match="999 not found"):
        run(oban.update_job(999, {}))


def test_a_job_that_is_done_can_be_retried_by_hand(jobs, oban, run):
    @job(max_attempts=1)
    def fails(): ...

    jobs.fail(fails, raising=ZeroDivisionError, times=1)
    enqueued = run(oban.enqueue(fails.new()))
    assert jobs.drain(raise_errors=False) == {"failed": 1}

    run(oban.retry_job(enqueued))

    (again,) = jobs.pending
    assert (again.job_id, again.attempt) == ("1", 2)
    assert jobs.drain() == {"performed": 1}
    assert run(oban.get_job(enqueued.id)).max_attempts == 2


def test_a_job_that_is_inserted_as_suspended_is_not_performed(jobs, oban, mail, run):
    enqueued = run(mail.enqueue({}, state="suspended"))

    assert jobs.drain() == {}
    run(oban.retry_job(enqueued))
    assert jobs.drain() == {"performed": 1}


# Names


def test_a_worker_of_another_service_is_recorded_and_has_no_code(jobs, oban, run):
    run(oban.enqueue(Job("billing.workers.Charge", args={"order": 7})))

    assert assert_enqueued("billing.workers.Charge").job == "billing.workers.Charge"
    with pytest.raises(DeclarationError, match="not the path of a worker here"):
        jobs.harness.bridges[-1].resolve("billing.workers.Charge")


def test_a_worker_is_named_by_its_path_and_what_is_none_is_an_error(jobs, mail, run):
    run(mail.enqueue({}))
    path = f"{mail.__module__}.{mail.__qualname__}"

    assert assert_enqueued(path).job is mail
    with pytest.raises(CriterionError, match="did you mean"):
        assert_enqueued(f"{path}s")
    with pytest.raises(CriterionError, match="is not a job"):
        assert_enqueued(run)
    with pytest.raises(ApplicationError, match=r"name the object that `Oban\(pool=\.\.\.\)` made"):
        ObanBridge([AsyncConnectionPool("", open=False)])


# Cron


def test_periodic_workers_come_while_time_passes(open_over, make_oban, run):
    @worker(queue="reports", cron="0 6 * * *")
    class Report:
        async def process(self, job):
            return job.meta["cron_at"]

    weekly = job(cron={"expr": "0 9 * * MON", "timezone": "America/New_York"})(lambda: "weekly")
    make_oban(scheduler={"timezone": "Europe/Berlin"})

    with open_over() as jobs:
        jobs.clock.move_to(NEW_YEAR)
        jobs.run_for(timedelta(days=8))

        reports = [each for each in jobs.performed if each.record.job is Report]
        assert [each.at.hour for each in reports] == [5] * 8
        assert reports[0].result == "2030-01-01T05:00:00+00:00"
        assert reports[0].record.headers["cron_expr"] == "0 6 * * *"
        assert [each.at for each in jobs.performed if each.record.job is weekly] == [
            datetime(2030, 1, 7, 14, tzinfo=UTC)
        ]


def test_periodic_workers_come_without_an_instance(open_over):
    job(cron="@hourly")(lambda: None)

    with open_over() as jobs:
        jobs.clock.move_to(NEW_YEAR)
        jobs.run_for(timedelta(hours=2))

        assert (len(jobs.performed), len(_scheduler.scheduled_entries())) == (2, 1)
