"""A job is performed by Oban's executor, and each of its states has a status."""

import asyncio
import random
from datetime import timedelta

import pytest

pytest.importorskip("oban")

from oban import Cancel, Job, Record, Snooze, Worker, job, telemetry, worker

from pytest_jobs.errors import BridgeError, CriterionError, DeclarationError, UnknownJobError


class Down(Exception): ...


@pytest.fixture
def enqueue(oban, run):
    """Return a function that enqueues a job of a worker."""
    return lambda declared, args=None, **options: run(
        oban.enqueue(declared.new(args or {}, **options))
    )


def declare(process, backoff=None, timeout=None, **options):
    """Return a worker with these methods."""
    methods = {"process": process, "backoff": backoff, "timeout": timeout}
    given = {name: method for name, method in methods.items() if method is not None}
    return worker(**options)(type("Work", (), {**given, "__module__": __name__}))


async def fails(itself, job):
    raise Down


def test_a_worker_is_given_the_job(jobs, enqueue):
    async def process(itself, job):
        return job.id, job.attempt, job.state, job.args, job.meta, job.cancelled()

    enqueue(declare(process), {"to": "ann"}, meta={"tenant": "a"})
    jobs.drain()

    assert jobs.performed[0].result == (1, 1, "executing", {"to": "ann"}, {"tenant": "a"}, False)


def test_a_function_is_given_its_arguments(jobs, oban, run):
    add = job()(lambda a, b=1: a + b)

    run(oban.enqueue(add.new(1)))
    jobs.drain()

    assert jobs.performed[0].result == 2


def test_a_recorded_value_is_the_result(jobs, oban, enqueue, run):
    async def process(itself, job):
        return Record({"sum": 7})

    enqueued = enqueue(declare(process))
    jobs.drain()

    assert jobs.performed[0].result == {"sum": 7}
    assert run(oban.get_job(enqueued.id)).meta["recorded"] is True


def test_a_job_that_fails_is_tried_again_until_its_attempts_are_used_up(jobs, oban, enqueue, run):
    enqueued = enqueue(declare(fails, max_attempts=3))

    with pytest.raises(Down):
        jobs.drain()

    assert [each.status for each in jobs.deliveries] == ["retried", "retried", "exhausted"]
    assert [each.wait_bounds for each in jobs.retried] == [
        (timedelta(seconds=17), timedelta(seconds=18)),
        (timedelta(seconds=19), timedelta(seconds=20)),
    ]
    row = run(oban.get_job(enqueued.id))
    assert (row.state, row.attempt, len(row.errors)) == ("discarded", 3, 3)


def test_waits_grow_as_declared_and_jitter_makes_them_longer(open_over, oban, enqueue):
    work = declare(fails, max_attempts=40)
    with open_over() as jobs:
        policy = jobs.harness.bridges[-1].retry_policy(work)
        timeline = jobs.simulate_retries(work, raising=Down())
    with open_over(jitter="seeded") as jobs:
        enqueue(work)
        jobs.drain(raise_errors=False)

        for each in jobs.retried:
            shortest, longest = each.wait_bounds
            assert shortest <= each.wait <= longest
        assert sum(each.wait > each.wait_bounds[0] for each in jobs.retried) > 30

    # 40 attempts are stretched over the exponents 0 to 20.
    assert timeline.wait_seconds[:6] == [15 + 2**n for n in (0, 1, 2, 2, 2, 3)]
    assert policy.attempts == 40
    assert [policy.wait(n + 1).total_seconds() for n in range(39)] == timeline.wait_seconds


async def _keeps(itself, job):
    itself.tries = 7
    raise Down


def _jittery(itself, job):
    from oban._backoff import jittery_exponential

    return jittery_exponential(5)


@pytest.mark.parametrize(
    ("process", "backoff", "wait", "has_bounds"),
    [
        (fails, lambda itself, job: job.attempt * 10.4, 10, True),
        (fails, _jittery, 32, False),
        (fails, lambda itself, job: None, 0, True),
        (_keeps, lambda itself, job: itself.tries, 7, True),
    ],
    ids=["of the worker", "with jitter", "none", "of what the worker keeps"],
)
def test_a_backoff_of_the_worker_decides(jobs, enqueue, process, backoff, wait, has_bounds):
    enqueue(declare(process, backoff=backoff, max_attempts=2))
    jobs.drain(raise_errors=False)

    (retried,) = jobs.retried
    assert retried.wait == timedelta(seconds=wait)
    assert retried.wait_bounds == ((retried.wait,) * 2 if has_bounds else None)
    assert jobs.harness.bridges[-1].retry_policy(jobs.enqueued[0].job) is None


def test_chance_decides_outside_of_a_delivery(jobs):
    from oban._backoff import jittery_clamped

    random.seed(1)
    expected = random.random()
    random.seed(1)

    assert jittery_clamped(10, 20) == 15 + 2**10 + int(expected * 0.1 * (15 + 2**10))


@pytest.mark.parametrize(
    ("process", "backoff", "source"),
    [
        (fails, lambda itself, job: timedelta(seconds=5), r"backoff\(\)"),
        (lambda itself, job: asyncio.sleep(0, Snooze(timedelta(1))), None, r"Snooze\(\.\.\.\)"),
    ],
)
def test_a_wait_that_the_database_refuses_is_an_error(jobs, enqueue, process, backoff, source):
    enqueue(declare(process, backoff))

    with pytest.raises(DeclarationError, match=rf"{source} of .* PostgreSQL refuses anything else"):
        jobs.drain()


def test_a_snoozed_job_comes_back_as_the_same_attempt(jobs, oban, enqueue, run):
    async def process(itself, job):
        return Snooze(60, {"because": "night"}) if not job.meta.get("snoozed") else job.attempt

    enqueued = enqueue(declare(process, max_attempts=1), meta={"tenant": "a"})
    jobs.drain()

    snoozed, performed = jobs.deliveries
    assert (snoozed.status, snoozed.wait) == ("snoozed", timedelta(minutes=1))
    assert (performed.status, performed.result) == ("performed", 1)
    meta = {"tenant": "a", "snoozed": 1, "because": "night"}
    assert run(oban.get_job(enqueued.id)).meta == meta


def test_a_job_that_cancels_itself_is_not_tried_again(jobs, oban, enqueue, run):
    async def process(itself, job):
        return Cancel("the order is gone")

    enqueued = enqueue(declare(process))

    assert jobs.drain() == {"cancelled": 1}
    assert jobs.deliveries[0].result == Cancel("the order is gone")
    assert run(oban.get_job(enqueued.id)).errors[0]["error"] == "the order is gone"


def test_a_job_sees_that_it_was_cancelled_while_it_ran(jobs, oban, enqueue):
    async def process(itself, job):
        await oban.cancel_job(job)
        return Cancel("stopped") if job.cancelled() else None

    enqueue(declare(process))

    assert jobs.drain() == {"cancelled": 1}


def test_an_error_that_is_returned_is_one_that_is_raised(jobs, enqueue):
    async def process(itself, job):
        return Down("returned")

    enqueue(declare(process, max_attempts=1))

    with pytest.raises(Down, match="returned"):
        jobs.drain()


def test_a_timeout_of_the_worker_passes_in_virtual_time(jobs, enqueue):
    if "timeout" not in vars(Worker):
        pytest.skip("Oban 0.6 has no timeouts")

    async def process(itself, job):
        await asyncio.sleep(3600)

    enqueue(declare(process, timeout=lambda itself, job: 60, max_attempts=1))

    with pytest.raises(TimeoutError, match="timed out after 60s"):
        jobs.drain()


def test_a_process_that_is_no_coroutine_fails_as_in_production(jobs, enqueue):
    enqueue(declare(lambda itself, job: None, max_attempts=1))

    with pytest.raises(TypeError, match="await"):
        jobs.drain()


def test_telemetry_is_reported(jobs, enqueue):
    seen = []
    telemetry.attach(
        "test", ["oban.job.start", "oban.job.stop"], lambda name, meta: seen.append(name)
    )
    try:

        async def process(itself, job): ...

        enqueue(declare(process))
        jobs.drain()
    finally:
        telemetry.detach("test")

    assert seen == ["oban.job.start", "oban.job.stop"]


def test_a_class_without_a_decorator_is_performed_by_its_path(jobs, oban, run):
    run(oban.enqueue(Job(f"{__name__}.Plain")))
    jobs.drain()

    assert jobs.performed[0].result == "plain"


class Plain:
    async def process(self, job):
        return "plain"


def test_a_job_of_no_worker_is_an_error(jobs, oban, run):
    run(oban.enqueue(Job("billing.Charge")))

    with pytest.raises(UnknownJobError, match="every attempt of the job would fail"):
        jobs.drain()


def test_a_state_that_nobody_knows_is_an_error(jobs, enqueue, monkeypatch):
    from oban import _executor

    real = _executor.AckAction
    monkeypatch.setattr(_executor, "AckAction", lambda job, state: real(job=job, state="parked"))

    async def process(itself, job): ...

    enqueue(declare(process))

    with pytest.raises(BridgeError, match="in the state 'parked'"):
        jobs.drain()


def test_a_later_attempt_can_be_asked_for(jobs, enqueue):
    enqueue(declare(fails, max_attempts=3))
    (record,) = jobs.pending

    with pytest.raises(CriterionError, match="max_attempts=3: ask for an attempt up to 3"):
        jobs.perform(record, attempt=4)
    assert jobs.perform(record, attempt=3).status == "exhausted"


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError])
def test_a_killed_job_is_as_it_was(jobs, oban, enqueue, run, error):
    async def process(itself, job):
        raise error

    enqueued = enqueue(declare(process))
    with pytest.raises(error):
        jobs.drain()

    row = run(oban.get_job(enqueued.id))
    assert (row.state, row.attempt, len(jobs.pending), len(jobs.deliveries)) == (
        "available",
        0,
        1,
        0,
    )


def test_a_worker_enqueued_by_the_harness_has_named_arguments(jobs):
    async def process(itself, job):
        return job.args

    work = declare(process)

    assert jobs.simulate_retries(work, kwargs={"to": "ann"}, raising=Down()).status == "exhausted"
    with pytest.raises(CriterionError, match=r"reads named arguments from `job\.args`"):
        jobs.simulate_retries(work, args=({"to": "ann"},), raising=Down())


@pytest.mark.parametrize(("attempts", "is_kept"), [(1, False), (2, True)])
def test_a_job_with_attempts_left_survives_its_worker(jobs, attempts, is_kept):
    semantics = jobs.harness.bridges[-1].delivery_semantics(declare(fails, max_attempts=attempts))

    assert semantics.redelivered_on_kill is semantics.redelivered_on_outage is is_kept
    assert (semantics.acknowledged, semantics.redelivered_on_raise) == (
        "after" if is_kept else "before",
        False,
    )
