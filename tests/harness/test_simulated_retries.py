"""`simulate_retries` runs a job through its retries on the virtual clock, without its body."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from tables import each_row

from pytest_jobs import (
    Job,
    after_enqueue,
    after_perform,
    before_enqueue,
    before_perform,
    discard_on,
    exponentially_longer,
    job,
    later,
    polynomially_longer,
    reference,
    retry_on,
    sidekiq_backoff,
)
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import (
    CriterionError,
    DeclarationError,
    Halt,
    RunningLoopError,
    SignatureError,
)


class Unavailable(Exception):
    pass


@retry_on(Unavailable, wait=polynomially_longer, attempts=5)
class Charge(Job):
    queue = "payments"

    def perform(self, payment_id, *, currency):
        raise AssertionError("the body runs")


@retry_on(Unavailable, wait=sidekiq_backoff, attempts=26)
class Sidekiq(Charge):
    pass


@retry_on(Unavailable, wait=5, attempts=None)
class Endless(Charge):
    pass


class Plain(Job):
    def perform(self):
        raise AssertionError("the body runs")


class Note(Job):
    def perform(self, text):
        raise AssertionError("it is performed")


def test_the_attempts_one_by_one_with_their_waits_and_what_jitter_could_have_made_them(jobs, noon):
    error = Unavailable("down")
    timeline = jobs.simulate_retries(Charge, raising=error)
    first, second, *_, last = timeline.attempts

    assert timeline.wait_seconds == [3, 18, 83, 258]
    assert timeline.waits == [timedelta(seconds=seconds) for seconds in (3, 18, 83, 258)]
    assert timeline.total == timedelta(seconds=362)
    assert (timeline.name, timeline.status) == ("Charge", "exhausted")
    assert [attempt.number for attempt in timeline.attempts] == [1, 2, 3, 4, 5]
    assert [attempt.offset.total_seconds() for attempt in timeline.attempts] == [0, 3, 21, 104, 362]
    assert (first.at, second.at) == (noon, noon + timedelta(seconds=3))
    assert [attempt.status for attempt in timeline.attempts] == ["retried"] * 4 + ["exhausted"]
    assert {attempt.error for attempt in timeline.attempts} == {error}
    assert {attempt.queue for attempt in timeline.attempts} == {"payments"}
    assert (first.wait, last.wait) == (timedelta(seconds=3), None)
    assert [attempt.bounds for attempt in timeline.attempts] == [
        (timedelta(seconds=3), timedelta(seconds=3.15)),
        (timedelta(seconds=18), timedelta(seconds=20.4)),
        (timedelta(seconds=83), timedelta(seconds=95.15)),
        (timedelta(seconds=258), timedelta(seconds=296.4)),
        None,
    ]


def test_25_retries_of_sidekiq_take_20_days(jobs):
    timeline = jobs.simulate_retries(Sidekiq, raising=Unavailable)

    assert len(timeline.attempts) == 26
    assert timeline.total.total_seconds() == 1_763_395
    assert round(timeline.total / timedelta(days=1), 2) == 20.41
    assert timeline.wait_seconds == [count**4 + 15 for count in range(25)]


@each_row(
    ("wait", "waits"),
    [
        (lambda failures: failures * 10, [10, 20]),
        (lambda failures, error: error.args[0] + failures, [31, 32]),
        (exponentially_longer(base=0.5, cap=3), [0.5, 1, 2, 3, 3]),
        (0, [0, 0]),
    ],
)
def test_a_wait_may_be_of_each_kind(jobs, wait, waits):
    def waiting():
        pass

    attempts = len(waits) + 1
    job_ = retry_on(Unavailable, wait=wait, attempts=attempts, jitter=0)(job(waiting))
    timeline = jobs.simulate_retries(job_, raising=Unavailable(30))

    assert timeline.wait_seconds == waits
    assert [type(seconds) for seconds in timeline.wait_seconds] == [type(each) for each in waits]
    assert timeline.total == timedelta(seconds=sum(waits))
    assert timeline.attempts[1].bounds == (timedelta(seconds=waits[1]),) * 2


@pytest.mark.parametrize("number", [1, 3])
def test_succeed_on_names_the_attempt_that_succeeds(jobs, number):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable, succeed_on=number)

    statuses = [*["retried"] * (number - 1), "performed"]
    assert [attempt.status for attempt in timeline.attempts] == statuses
    assert (timeline.status, timeline.wait_seconds) == ("performed", [3, 18][: number - 1])
    assert timeline.attempts[-1].error is None


def test_a_job_that_never_gives_up_is_stopped_at_the_limit_of_a_hundred_if_none_is_given(jobs):
    timeline = jobs.simulate_retries(Endless, raising=Unavailable, limit=7)

    assert timeline.status == "retried"
    assert timeline.wait_seconds == [5] * 7
    assert timeline.headline == "Endless: still retried after 7 attempts in 30s"
    assert len(jobs.simulate_retries(Endless, raising=Unavailable).attempts) == 100


class Picky(Plain):
    @before_perform
    def stop(self):
        raise Halt


@retry_on(Unavailable, wait=5, attempts=3)
@retry_on(KeyError, wait=60, attempts=2)
class Two(Plain):
    pass


_CAUSED = RuntimeError("could not charge")
_CAUSED.__cause__ = Unavailable("down")


@each_row(
    ("kind", "error", "status", "waits"),
    [
        (Plain, Unavailable("down"), "failed", []),
        (discard_on(Unavailable)(type("Dropped", (Plain,), {})), Unavailable, "discarded", []),
        (Picky, Unavailable, "halted", []),
        (
            retry_on(AssertionError, attempts=2)(type("Checks", (Plain,), {})),
            AssertionError("no"),
            "exhausted",
            [3],
        ),
        (Two, Unavailable, "exhausted", [5, 5]),
        (Two, KeyError, "exhausted", [60]),
        (Charge, _CAUSED, "exhausted", [3, 18, 83, 258]),
    ],
)
def test_the_rules_of_the_job_say_what_becomes_of_the_error(jobs, kind, error, status, waits):
    timeline = jobs.simulate_retries(kind, raising=error)

    assert (timeline.status, timeline.wait_seconds) == (status, waits)


@reference(id="number", find="find")
class Order:
    @classmethod
    def find(cls, number):
        raise AssertionError("looked up")

    def ship(self, carrier):
        raise AssertionError("the body runs")

    ship_later = later(ship)


@job
def many(a, b=2, *rest, c, d=4, **options):
    raise AssertionError("the body runs")


@job
def strict(a, b, /, c, *, d):
    raise AssertionError("the body runs")


@each_row("kind", [many, strict, Order.ship_later])
def test_no_arguments_are_needed_since_the_body_does_not_run(jobs, kind):
    retry_on(Unavailable, attempts=3)(kind)

    assert jobs.simulate_retries(kind, raising=Unavailable).wait_seconds == [3, 3]


def test_a_job_that_cannot_be_enqueued_without_its_arguments_asks_for_them(jobs):
    @job(queue=lambda amount: f"up-to-{amount // 100}")
    def sorted_by_amount(amount):
        raise AssertionError("the body runs")

    with pytest.raises(CriterionError) as caught:
        jobs.simulate_retries(sorted_by_amount, raising=Unavailable)
    timeline = jobs.simulate_retries(sorted_by_amount, [700], raising=Unavailable)

    assert str(caught.value) == (
        f"{sorted_by_amount.job_class.__declaration__.name} cannot be enqueued with None for each argument "
        "(TypeError: unsupported operand type(s) for //: 'NoneType' and 'int'): give simulate_retries the "
        "args= or kwargs= with which it is enqueued."
    )
    assert timeline.attempts[0].queue == "up-to-7"


def test_a_driver_that_is_missing_is_said_as_it_is(jobs):
    def without_a_driver(amount):
        raise ModuleNotFoundError("No module named 'redis'")

    @job(queue=without_a_driver)
    def pays(amount):
        raise AssertionError("the body runs")

    with pytest.raises(ModuleNotFoundError, match="No module named 'redis'"):
        jobs.simulate_retries(pays, raising=Unavailable)


def test_arguments_can_be_given(jobs):
    queues = []

    @retry_on(Unavailable, attempts=2)
    class Routed(Job):
        @staticmethod
        def queue(amount, currency="EUR"):
            queues.append((amount, currency))
            return f"{currency}-{amount}"

        def perform(self, amount, currency="EUR"):
            raise AssertionError("the body runs")

    timeline = jobs.simulate_retries(Routed, [7], {"currency": "USD"}, raising=Unavailable)
    positional = jobs.simulate_retries(Routed, args=(8,), raising=Unavailable)

    assert [attempt.queue for attempt in timeline.attempts] == ["USD-7", "USD-7"]
    assert positional.attempts[0].queue == "EUR-8"
    assert queues == [(7, "USD"), (8, "EUR")]


def test_retries_may_go_to_another_queue(jobs):
    @retry_on(Unavailable, attempts=3, queue="slow")
    class Demoted(Plain):
        queue = "fast"

    timeline = jobs.simulate_retries(Demoted, raising=Unavailable)

    assert [attempt.queue for attempt in timeline.attempts] == ["fast", "slow", "slow"]


def test_callbacks_and_the_functions_of_rules_are_called(jobs):
    called = []

    @retry_on(Unavailable, attempts=2, then=lambda job, error: called.append(f"then {error}"))
    class Careful(Plain):
        @before_perform
        def before(self):
            called.append("before")

        @after_perform
        def after(self):
            called.append("after")

    jobs.simulate_retries(Careful, raising=Unavailable("down"))
    jobs.simulate_retries(Careful, raising=Unavailable("down"), succeed_on=2)

    assert called == ["before", "before", "then down", "before", "before", "after"]


def test_nothing_of_it_is_in_the_views_and_pending_jobs_are_left_alone(jobs):
    Note.perform_later("a")
    Note.set(wait=10).perform_later("b")
    with jobs.capture() as sent:
        jobs.simulate_retries(Charge, raising=Unavailable)

    assert [record.args for record in jobs.pending] == [("a",), ("b",)]
    assert jobs.enqueued == jobs.pending
    assert (jobs.deliveries, list(sent)) == ([], [])
    Charge.perform_later(1, currency="EUR")
    assert jobs.enqueued[2].sequence == 2


def test_what_the_job_and_its_callbacks_enqueue_is_not_performed_nor_taken_for_it(jobs):
    enqueued = []

    def note(text):
        enqueued.append(Note.perform_later(text))

    @retry_on(Unavailable, attempts=2, then=lambda job, error: note("gone"))
    class Careful(Plain):
        @before_enqueue
        def audit(self):
            note("audit")

        @after_enqueue
        def audit_again(self):
            note("audit again")

        @before_perform
        def before(self):
            note("before")

    timeline = jobs.simulate_retries(Careful, raising=Unavailable)

    assert (timeline.name, timeline.wait_seconds) == ("Careful", [3])
    texts = [*("audit", "audit again"), *("before", "before"), "gone"]
    assert [job.args for job in enqueued] == [(text,) for text in texts]
    assert all(job.enqueued for job in enqueued)
    assert jobs.enqueued == []


def test_a_job_that_is_halted_at_enqueue_cannot_be_simulated(jobs):
    class Picky(Plain):
        @before_enqueue
        def stop(self):
            Note.perform_later("not this")
            raise Halt

    with pytest.raises(CriterionError) as caught:
        jobs.simulate_retries(Picky, raising=Unavailable)

    name = Picky.__declaration__.name
    assert str(caught.value) == (
        f"{name} was not enqueued: a callback halted it, so there is nothing to simulate. Give the arguments with "
        "which it is enqueued."
    )
    assert not jobs.clock.frozen


def test_the_clock_is_back_at_where_it_stood_or_real_again(jobs):
    before = time.time()
    jobs.simulate_retries(Sidekiq, raising=Unavailable)
    assert not jobs.clock.frozen
    assert time.time() - before < 3600

    noon = jobs.clock.freeze()
    jobs.simulate_retries(Sidekiq, raising=Unavailable)
    assert jobs.clock.now() == datetime.now(UTC) == noon


def test_the_clock_is_back_after_an_error(jobs, noon):
    @retry_on(Unavailable, attempts=3, wait=lambda failures: interrupt() if failures > 1 else 60)
    @job
    def interrupted():
        pass

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.simulate_retries(interrupted, raising=Unavailable)
    Note.perform_later("a")

    assert jobs.clock.now() == noon
    assert len(jobs.pending) == 1


@pytest.mark.asyncio
async def test_a_coroutine_job_inside_a_running_loop_needs_the_twin_and_a_plain_one_does_not(jobs):
    @retry_on(Unavailable, wait=10, attempts=3)
    @job
    async def coroutine(amount):
        raise AssertionError("the body runs")

    simulate = partial(jobs.simulate_retries, coroutine, raising=Unavailable)
    failed = await asyncio.to_thread(simulate)
    succeeded = await asyncio.to_thread(simulate, succeed_on=2)
    assert (failed.status, failed.wait_seconds) == ("exhausted", [10, 10])
    assert (succeeded.status, succeeded.wait_seconds) == ("performed", [10])

    assert jobs.simulate_retries(Charge, raising=Unavailable).status == "exhausted"
    with pytest.raises(RunningLoopError, match=r"write `await jobs\.asimulate_retries\(\.\.\.\)`"):
        simulate()
    timeline = await jobs.asimulate_retries(coroutine, raising=Unavailable)

    assert timeline.wait_seconds == [10, 10]
    assert not jobs.clock.frozen


@pytest.mark.asyncio
async def test_the_twin_simulates_plain_jobs_too(jobs, noon):
    called = []

    class Careful(Charge):
        @before_perform
        def before(self):
            called.append(asyncio.get_running_loop())

    timeline = await jobs.asimulate_retries(
        Careful, [7], {"currency": "USD"}, raising=Unavailable, succeed_on=4, limit=9
    )

    assert (timeline.wait_seconds, timeline.status) == ([3, 18, 83], "performed")
    assert called == [asyncio.get_running_loop()] * 4
    assert jobs.clock.now() == noon
    assert jobs.deliveries == []


@each_row(
    ("kind", "given", "error", "text"),
    [
        *(
            (
                Charge,
                {"succeed_on": number},
                CriterionError,
                f"succeed_on={number!r} is not an attempt: write the number of the attempt that succeeds, from 1.",
            )
            for number in (0, -1, True, 1.0, "2")
        ),
        *(
            (
                Charge,
                {"limit": limit},
                CriterionError,
                f"limit={limit!r} is not a number of attempts: write an int of at least 1.",
            )
            for limit in (0, -1, True, 1.0, "2", None)
        ),
        *(
            (
                Charge,
                {"raising": raising},
                CriterionError,
                f"raising={raising!r} is not an error: write an exception such as TimeoutError().",
            )
            for raising in ("down", None, int)
        ),
        (Unavailable, {}, CriterionError, "is not a job"),
        (type("Base", (Job,), {}), {}, DeclarationError, "has no `perform`"),
        (Charge, {"kwargs": {"amount": 7}}, SignatureError, "unexpected keyword argument 'amount'"),
    ],
)
def test_a_simulation_that_cannot_be_meant_is_refused(jobs, kind, given, error, text):
    with pytest.raises(error, match=re.escape(text)):
        jobs.simulate_retries(kind, **{"raising": Unavailable, **given})

    assert not jobs.clock.frozen


def test_faults_do_not_strike_a_simulation(jobs):
    with jobs.fail(Charge, raising=KeyError) as fault:
        timeline = jobs.simulate_retries(Charge, raising=Unavailable)
        assert fault.hits == 0
        Charge.perform_later(1, currency="EUR")
        jobs.perform(jobs.pending[0])

    assert timeline.wait_seconds == [3, 18, 83, 258]


def test_a_harness_with_chance_draws_within_the_bounds(sleepless):
    with open_jobs(jitter="seeded") as jobs:
        timeline = jobs.simulate_retries(Charge, raising=Unavailable)

    assert timeline.wait_seconds != [3, 18, 83, 258]
    for attempt in timeline.attempts[:-1]:
        low, high = attempt.bounds
        assert low <= attempt.wait <= high
