"""What jobs do to redis is explored, on fakeredis and on a real server alike."""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("redis")
pytest.importorskip("fakeredis")
pytest.importorskip("lupa")

import explored_redis as jobs
import redis
from servers import patient, redis_url  # noqa: F401 - a fixture

from pytest_jobs import check_idempotent, fake, redis_world
from pytest_jobs.errors import (
    DuplicateEffect,
    ExplorationError,
    NotIdempotent,
)


@pytest.fixture(params=["fakeredis", pytest.param("redis-server", marks=pytest.mark.slow)])
def server(request):
    if request.param == "fakeredis":
        return None
    return patient(f"{request.getfixturevalue('redis_url')}/9")


@pytest.fixture
def world(server):
    """Makes the world of a job, with what is in it at first."""

    def world_of(job, fill=lambda client: None):
        @contextmanager
        def world():
            name = "awaited" if inspect.iscoroutinefunction(job) else "client"
            with ExitStack() as stack:
                made = stack.enter_context(redis_world(bind=(jobs, name), server=server))
                gateway = stack.enter_context(fake(jobs, "gateway", jobs.Gateway()))
                fill(made.client)
                yield lambda: {"redis": made.dump(ignore="lock:*"), "charges": gateway.calls}

        return world

    return world_of


def first_line(job, world, histories="all", **options):
    with pytest.raises(NotIdempotent) as raised:
        check_idempotent(job, args=(1,), world=world, histories=histories, **options)
    return str(raised.value).splitlines()[0]


@pytest.mark.parametrize(
    ("job", "what", "history"),
    [
        (jobs.charge_behind_a_flag, "DUPLICATE gateway.charge", "crash"),
        (jobs.charge_under_a_lock, "DUPLICATE gateway.charge", "crash"),
        (jobs.remember_for_an_hour, "LOST gateway.charge", "crash"),
        (jobs.count, "DIVERGED redis", "twice"),
        (jobs.count_by_an_unknown_command, "DIVERGED redis", "twice"),
        (jobs.count_and_remember, "DIVERGED redis", "crash"),
        (jobs.count_in_a_pipeline, "DIVERGED redis", "overlap"),
        (jobs.count_in_a_transaction_that_watches_nothing, "DIVERGED redis", "overlap"),
        (jobs.count_under_a_lock_without_end, "POISON LockError", "crash"),
        (jobs.publish, "DUPLICATE redis.publish", "twice"),
        (jobs.publish_in_a_transaction, "DUPLICATE redis.publish", "twice"),
        (jobs.publish_by_a_script, "DUPLICATE redis.eval", "twice"),
        (jobs.charge_behind_a_flag_later, "DUPLICATE gateway.charge", "crash"),
        (jobs.count_under_a_lock_without_end_later, "POISON LockError", "crash"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_may_not_be_delivered_twice_is_found(job, what, history, world):
    line = first_line(job, world(job))

    assert f": {what} " in line
    assert f"[{history}" in line


@pytest.mark.parametrize(
    "job",
    [
        jobs.remember,
        jobs.note_the_time,
        jobs.count_in_a_transaction,
        jobs.count_by_a_script,
        jobs.count_by_eval,
        jobs.count_under_a_lock,
        jobs.hear_itself,
        jobs.remember_later,
        jobs.count_in_a_transaction_later,
        jobs.count_by_a_script_later,
        jobs.count_under_a_lock_later,
        jobs.hear_itself_later,
    ],
)
def test_what_may_be_delivered_twice_gives_no_alarm(job, world):
    explored = check_idempotent(job, args=(1,), world=world(job), histories="all", time_limit=600.0)

    assert explored.histories > 5


@pytest.mark.parametrize(
    "job",
    [
        jobs.say_whether_it_was_seen,
        pytest.param(jobs.say_whether_it_was_seen_later, marks=pytest.mark.wide),
    ],
)
def test_failures_are_those_of_the_library(job, world):
    with pytest.raises(DuplicateEffect) as refused:
        check_idempotent(job, args=(1,), world=world(job), histories=["effect_fails"])
    with pytest.raises(DuplicateEffect) as lost:
        check_idempotent(job, args=(1,), world=world(job), histories=["reply_lost"])

    assert "refused" in str(refused.value)
    assert "lost" in str(lost.value)


def test_a_transaction_that_watches_fails_as_if_others_had_come_first(world):
    job = jobs.count_and_note_that_others_came_first

    assert ": DUPLICATE redis [effect_fails" in first_line(job, world(job), ["effect_fails"])
    assert ": DUPLICATE redis [reply_lost" in first_line(job, world(job), ["reply_lost"])


# Points


def points_of(job, world, **options):
    return [
        str(point)
        for point in check_idempotent(job, args=(1,), world=world, **options).explorations[0].points
        if point.kind in ("before", "after")
    ]


def test_a_transaction_is_one_step(world):
    job = jobs.count_in_a_transaction

    assert points_of(job, world(job), histories=["twice"]) == [
        "before redis: MULTI INCRBY views 1; SADD seen 1",
        "after redis: MULTI INCRBY views 1; SADD seen 1",
    ]


@pytest.mark.parametrize("job", [jobs.count_in_a_pipeline, jobs.count_in_a_pipeline_later])
def test_the_commands_of_a_pipeline_are_sent_as_one_step(world, job):
    assert points_of(job, world(job), histories=["twice"]) == [
        "before redis: pipeline INCRBY views 1; SADD seen 1",
        "after redis: pipeline INCRBY views 1; SADD seen 1",
    ]


def test_taking_a_lock_a_script_and_a_coroutine_are_steps(world):
    job = jobs.count_under_a_lock_later

    assert points_of(job, world(job), histories=["twice"]) == [
        "before redis: lock lock:1",
        "after redis: lock lock:1",
        "before redis: MULTI SET views 1; SADD seen 1",
        "after redis: MULTI SET views 1; SADD seen 1",
        "before redis: EVALSHA lock:1",
        "after redis: EVALSHA lock:1",
    ]


def test_a_coroutine_is_not_interrupted_within_a_command(world):
    """How often it waits for its socket there, nobody decides."""
    job = jobs.count_in_a_transaction_later
    explored = check_idempotent(job, args=(1,), world=world(job), histories=["twice"])

    assert {point.kind for point in explored.explorations[0].points} == {
        "line",
        "before",
        "after",
        "end",
    }


def test_commands_that_read_are_no_effects(world):
    with pytest.raises(ExplorationError, match="changes nothing that the world shows"):
        check_idempotent(jobs.look_at, args=(1,), world=world(jobs.look_at))


def test_a_pipeline_raises_the_error_of_its_first_failing_command(world):
    job = jobs.raise_in_a_pipeline
    states = []

    def kept():
        with world(job)() as snapshot:
            yield snapshot
            states.append(snapshot()["redis"])

    check_idempotent(job, args=(1,), world=kept, histories=["twice"])

    assert states[0]["error"].startswith("Command # 2 (INCRBY text 1) of pipeline caused error:")
    assert states[0]["seen"] == {1}


# Leases


def test_a_lease_runs_out_on_the_virtual_clock(world):
    job = jobs.remember_for_an_hour

    assert "DUPLICATE gateway.charge [late" in first_line(job, world(job), ["late"])


def test_a_lock_is_lost_by_who_is_paused_for_longer_than_its_lease(world):
    job = jobs.charge_under_a_lock

    assert "[lease_expires" in first_line(job, world(job), ["lease_expires"])


def test_who_waits_for_a_lock_lets_its_holder_finish(world):
    job = jobs.charge_under_a_lock

    check_idempotent(job, args=(1,), world=world(job), histories=["overlap"])


def test_a_lock_that_is_not_free_in_time_is_not_taken(world):
    job = jobs.give_up_on_a_lock

    check_idempotent(
        job,
        args=(1,),
        world=world(job),
        histories=["twice", "restart", "crash", "overlap"],
        time_limit=600.0,
    )


# Waiting


@pytest.mark.parametrize(
    "job",
    [jobs.take_from_a_queue, pytest.param(jobs.take_from_a_queue_later, marks=pytest.mark.wide)],
)
def test_what_waits_takes_what_is_there(job, world):
    filled = world(job, lambda client: client.rpush("queue", "first", "second"))

    assert ": DIVERGED redis " in first_line(job, filled, ["twice"])


@pytest.mark.parametrize(
    "job",
    [jobs.take_from_a_queue, pytest.param(jobs.take_from_a_queue_later, marks=pytest.mark.wide)],
)
def test_what_waits_for_a_time_gives_up_when_it_has_passed(job, world):
    check_idempotent(job, args=(1,), world=world(job), histories=["twice", "overlap"])


@pytest.mark.parametrize(
    "job", [jobs.take_what_never_comes, jobs.take_what_never_comes_later, jobs.listen]
)
def test_what_would_wait_for_ever_is_refused(job, world):
    with pytest.raises(ExplorationError, match="One clean run of the job ends with") as refusal:
        check_idempotent(job, args=(1,), world=world(job))

    assert "waits for ever: nothing in the world is left to come." in str(refusal.value.__cause__)


def test_what_waits_for_ever_after_a_crash_is_poison(world):
    job = jobs.move_what_was_there
    filled = world(job, lambda client: client.rpush("queue", "first"))

    assert "POISON TimeoutError [crash" in first_line(job, filled, ["crash"])


def test_a_stream_that_stays_empty_is_waited_for_in_virtual_time(world):
    job = jobs.read_a_stream

    check_idempotent(job, args=(1,), world=world(job), histories=["twice", "overlap"])


def test_other_tasks_of_the_job_bring_what_it_waits_for(world):
    job = jobs.take_what_another_task_brings

    check_idempotent(job, args=(1,), world=world(job), histories=["twice"])


# What is not heard


def test_what_goes_by_another_way_is_refused(world):
    with pytest.raises(ExplorationError, match=r"The job called redis \(MONITOR\), which reaches"):
        check_idempotent(jobs.monitor, args=(1,), world=world(jobs.monitor))


def test_nothing_stays_patched(world):
    places = [
        (redis.Redis, "execute_command"),
        (redis.client.Pipeline, "execute"),
        (redis.client.Pipeline, "immediate_execute_command"),
        (redis.lock.Lock, "acquire"),
        (redis.ConnectionPool, "get_connection"),
        (redis.connection.AbstractConnection, "send_packed_command"),
        (redis.asyncio.Redis, "execute_command"),
        (redis.asyncio.client.Pipeline, "execute"),
        (redis.asyncio.connection.AbstractConnection, "connect"),
    ]
    before = [vars(owner)[name] for owner, name in places]
    pools = jobs.client.connection_pool, jobs.awaited.connection_pool

    check_idempotent(jobs.remember, args=(1,), world=world(jobs.remember))

    assert [vars(owner)[name] for owner, name in places] == before
    assert (jobs.client.connection_pool, jobs.awaited.connection_pool) == pools


def test_a_killed_delivery_has_its_connection_closed(redis_url):  # noqa: F811 - the fixture
    def left_half_way(client):
        last = [connection["cmd"] for connection in client.client_list()]
        return [command for command in last if command in ("watch", "sismember")]

    @contextmanager
    def counting():
        with redis_world(bind=(jobs, "client"), server=patient(f"{redis_url}/9")) as made:
            yield lambda: {"redis": made.dump(), "left": left_half_way(made.client)}

    check_idempotent(jobs.count_in_a_transaction, args=(1,), world=counting, histories=["crash"])
