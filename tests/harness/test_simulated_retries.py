"""`simulate_retries` runs a job through its retries on the virtual clock, without its body."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

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
from pytest_jobs.errors import CriterionError, Halt, RunningLoopError, SignatureError


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


def test_the_waits_between_the_attempts(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable("down"))

    assert timeline.wait_seconds == [3, 18, 83, 258]
    assert timeline.waits == [timedelta(seconds=seconds) for seconds in (3, 18, 83, 258)]
    assert timeline.total == timedelta(seconds=362)
    assert timeline.status == "exhausted"
    assert timeline.name == "Charge"


def test_25_retries_of_sidekiq_take_20_days(jobs):
    timeline = jobs.simulate_retries(Sidekiq, raising=Unavailable)

    assert len(timeline.attempts) == 26
    assert timeline.total.total_seconds() == 1_763_395
    assert round(timeline.total / timedelta(days=1), 2) == 20.41
    assert timeline.wait_seconds == [count**4 + 15 for count in range(25)]


def test_the_attempts_one_by_one(jobs, noon):
    error = Unavailable("down")
    timeline = jobs.simulate_retries(Charge, raising=error)
    first, second, *_, last = timeline.attempts

    assert [attempt.number for attempt in timeline.attempts] == [1, 2, 3, 4, 5]
    assert [attempt.offset.total_seconds() for attempt in timeline.attempts] == [0, 3, 21, 104, 362]
    assert first.at == noon
    assert second.at == noon + timedelta(seconds=3)
    assert [attempt.status for attempt in timeline.attempts] == ["retried"] * 4 + ["exhausted"]
    assert {attempt.error for attempt in timeline.attempts} == {error}
    assert {attempt.queue for attempt in timeline.attempts} == {"payments"}
    assert (first.wait, last.wait) == (timedelta(seconds=3), None)


def test_the_bounds_are_what_jitter_could_have_made_a_wait(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable)

    assert [attempt.bounds for attempt in timeline.attempts] == [
        (timedelta(seconds=3), timedelta(seconds=3.15)),
        (timedelta(seconds=18), timedelta(seconds=20.4)),
        (timedelta(seconds=83), timedelta(seconds=95.15)),
        (timedelta(seconds=258), timedelta(seconds=296.4)),
        None,
    ]


def test_the_bounds_of_a_callable_wait_are_the_wait(jobs):
    @retry_on(Unavailable, wait=lambda failures: failures * 10, attempts=3)
    @job
    def tens():
        pass

    timeline = jobs.simulate_retries(tens, raising=Unavailable)

    assert timeline.wait_seconds == [10, 20]
    assert timeline.attempts[1].bounds == (timedelta(seconds=20), timedelta(seconds=20))


def test_a_wait_may_depend_on_the_error(jobs):
    @retry_on(Unavailable, wait=lambda failures, error: error.args[0] + failures, attempts=3)
    @job
    def told():
        pass

    assert jobs.simulate_retries(told, raising=Unavailable(30)).wait_seconds == [31, 32]


def test_an_exponential_wait(jobs):
    @retry_on(Unavailable, wait=exponentially_longer(base=0.5, cap=3), attempts=6)
    @job
    def doubles():
        pass

    timeline = jobs.simulate_retries(doubles, raising=Unavailable)

    assert timeline.wait_seconds == [0.5, 1, 2, 3, 3]
    assert [type(wait) for wait in timeline.wait_seconds] == [float, int, int, int, int]


def test_a_wait_of_nothing(jobs):
    @retry_on(Unavailable, wait=0, attempts=3)
    @job
    def at_once():
        pass

    timeline = jobs.simulate_retries(at_once, raising=Unavailable)

    assert timeline.wait_seconds == [0, 0]
    assert timeline.total == timedelta(0)


def test_succeed_on_names_the_attempt_that_succeeds(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable, succeed_on=3)

    assert [attempt.status for attempt in timeline.attempts] == ["retried", "retried", "performed"]
    assert timeline.status == "performed"
    assert timeline.attempts[-1].error is None


def test_a_job_that_succeeds_at_once(jobs):
    timeline = jobs.simulate_retries(Charge, raising=Unavailable, succeed_on=1)

    assert (timeline.status, timeline.wait_seconds, timeline.waits) == ("performed", [], [])


def test_a_job_that_never_gives_up_is_stopped_at_the_limit(jobs):
    timeline = jobs.simulate_retries(Endless, raising=Unavailable, limit=7)

    assert timeline.status == "retried"
    assert timeline.wait_seconds == [5] * 7
    assert timeline.headline == "Endless: still retried after 7 attempts in 30s"


def test_a_hundred_attempts_are_the_limit_when_none_is_given(jobs):
    assert len(jobs.simulate_retries(Endless, raising=Unavailable).attempts) == 100


def test_an_error_without_a_rule_fails_the_job(jobs):
    timeline = jobs.simulate_retries(Plain, raising=Unavailable("down"))

    assert (timeline.status, len(timeline.attempts)) == ("failed", 1)


def test_an_error_that_a_rule_discards(jobs):
    @discard_on(Unavailable)
    class Dropped(Plain):
        pass

    assert jobs.simulate_retries(Dropped, raising=Unavailable).status == "discarded"


def test_no_arguments_are_needed_since_the_body_does_not_run(jobs):
    @retry_on(Unavailable, attempts=2)
    @job
    def many(a, b=2, *rest, c, d=4, **options):
        raise AssertionError("the body runs")

    assert jobs.simulate_retries(many, raising=Unavailable).status == "exhausted"


def test_no_arguments_are_needed_for_positional_only_parameters(jobs):
    @retry_on(Unavailable, attempts=2)
    @job
    def strict(a, b, /, c, *, d):
        raise AssertionError("the body runs")

    assert jobs.simulate_retries(strict, raising=Unavailable).status == "exhausted"


def test_no_arguments_are_needed_for_a_later_twin(jobs):
    @reference(id="number", find="find")
    class Order:
        @classmethod
        def find(cls, number):
            raise AssertionError("looked up")

        def ship(self, carrier):
            raise AssertionError("the body runs")

        ship_later = later(ship)

    retry_on(Unavailable, attempts=3)(Order.ship_later)

    assert jobs.simulate_retries(Order.ship_later, raising=Unavailable).wait_seconds == [3, 3]


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


def test_arguments_that_do_not_fit_are_refused(jobs):
    with pytest.raises(SignatureError):
        jobs.simulate_retries(Charge, kwargs={"amount": 7}, raising=Unavailable)

    assert not jobs.clock.frozen


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


def test_nothing_of_it_is_in_the_views(jobs):
    with jobs.capture() as sent:
        jobs.simulate_retries(Charge, raising=Unavailable)

    assert jobs.enqueued == jobs.pending == jobs.deliveries == []
    assert list(sent) == []
    Charge.perform_later(1, currency="EUR")
    assert jobs.enqueued[0].sequence == 0


def test_pending_jobs_are_left_alone(jobs):
    Note.perform_later("a")
    Note.set(wait=10).perform_later("b")
    jobs.simulate_retries(Charge, raising=Unavailable)

    assert [record.args for record in jobs.pending] == [("a",), ("b",)]


def test_what_the_job_enqueues_is_not_performed(jobs):
    enqueued = []

    @retry_on(
        Unavailable, attempts=2, then=lambda job, error: enqueued.append(Note.perform_later("gone"))
    )
    class Careful(Plain):
        @before_perform
        def before(self):
            enqueued.append(Note.perform_later("before"))

    timeline = jobs.simulate_retries(Careful, raising=Unavailable)

    assert len(timeline.attempts) == 2
    assert [job.args for job in enqueued] == [("before",), ("before",), ("gone",)]
    assert all(job.enqueued for job in enqueued)
    assert jobs.enqueued == []


def test_what_a_callback_enqueues_before_the_job_is_not_taken_for_it(jobs):
    @retry_on(Unavailable, attempts=2)
    class Audited(Plain):
        @before_enqueue
        def audit(self):
            Note.perform_later("audit")

        @after_enqueue
        def audit_again(self):
            Note.perform_later("audit")

    timeline = jobs.simulate_retries(Audited, raising=Unavailable)

    assert timeline.name == "Audited"
    assert timeline.wait_seconds == [3]


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


def test_a_job_that_is_halted_when_it_is_performed(jobs):
    class Picky(Plain):
        @before_perform
        def stop(self):
            raise Halt

    assert jobs.simulate_retries(Picky, raising=Unavailable).status == "halted"


def test_the_clock_is_back_at_where_it_stood(jobs, noon):
    jobs.simulate_retries(Sidekiq, raising=Unavailable)

    assert jobs.clock.now() == datetime.now(UTC) == noon


def test_a_clock_that_had_not_moved_is_real_again(jobs):
    before = time.time()
    jobs.simulate_retries(Sidekiq, raising=Unavailable)

    assert not jobs.clock.frozen
    assert time.time() - before < 3600


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


def test_a_coroutine_job(jobs):
    @retry_on(Unavailable, wait=10, attempts=3)
    @job
    async def coroutine(amount):
        raise AssertionError("the body runs")

    failed = jobs.simulate_retries(coroutine, raising=Unavailable)
    succeeded = jobs.simulate_retries(coroutine, raising=Unavailable, succeed_on=2)

    assert (failed.status, failed.wait_seconds) == ("exhausted", [10, 10])
    assert (succeeded.status, succeeded.wait_seconds) == ("performed", [10])


@pytest.mark.asyncio
async def test_a_plain_job_inside_a_running_loop(jobs):
    assert jobs.simulate_retries(Charge, raising=Unavailable).status == "exhausted"


@pytest.mark.asyncio
async def test_a_coroutine_job_inside_a_running_loop_needs_the_twin(jobs):
    @retry_on(Unavailable, wait=10, attempts=3)
    @job
    async def coroutine(amount):
        raise AssertionError("the body runs")

    with pytest.raises(RunningLoopError, match=r"write `await jobs\.asimulate_retries\(\.\.\.\)`"):
        jobs.simulate_retries(coroutine, raising=Unavailable)
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


@pytest.mark.parametrize("succeed_on", [0, -1, True, 1.0, "2"])
def test_succeed_on_is_the_number_of_an_attempt(jobs, succeed_on):
    with pytest.raises(CriterionError) as caught:
        jobs.simulate_retries(Charge, raising=Unavailable, succeed_on=succeed_on)

    assert str(caught.value) == (
        f"succeed_on={succeed_on!r} is not an attempt: write the number of the attempt that succeeds, from 1."
    )


@pytest.mark.parametrize("limit", [0, -1, True, 1.0, "2", None])
def test_the_limit_is_a_number_of_attempts(jobs, limit):
    with pytest.raises(CriterionError) as caught:
        jobs.simulate_retries(Charge, raising=Unavailable, limit=limit)

    assert str(caught.value) == (
        f"limit={limit!r} is not a number of attempts: write an int of at least 1."
    )


@pytest.mark.parametrize("raising", ["down", None, int])
def test_what_is_raised_is_an_error(jobs, raising):
    with pytest.raises(CriterionError) as caught:
        jobs.simulate_retries(Charge, raising=raising)

    assert str(caught.value) == (
        f"raising={raising!r} is not an error: write an exception such as TimeoutError()."
    )


def test_what_is_simulated_is_a_job(jobs):
    with pytest.raises(CriterionError, match="is not a job"):
        jobs.simulate_retries(Unavailable, raising=Unavailable)


def test_a_base_without_perform_cannot_be_simulated(jobs):
    from pytest_jobs.errors import DeclarationError

    class Base(Job):
        pass

    with pytest.raises(DeclarationError):
        jobs.simulate_retries(Base, raising=Unavailable)


def test_the_rule_for_the_cause_of_the_error_holds(jobs):
    error = RuntimeError("could not charge")
    error.__cause__ = Unavailable("down")

    assert jobs.simulate_retries(Charge, raising=error).wait_seconds == [3, 18, 83, 258]


def test_a_failed_assertion_can_be_simulated(jobs):
    @retry_on(AssertionError, attempts=2)
    class Checks(Plain):
        pass

    assert jobs.simulate_retries(Checks, raising=AssertionError("no")).status == "exhausted"


def test_two_rules_with_counters_of_their_own(jobs):
    @retry_on(Unavailable, wait=5, attempts=3)
    @retry_on(KeyError, wait=60, attempts=2)
    class Two(Plain):
        pass

    assert jobs.simulate_retries(Two, raising=Unavailable).wait_seconds == [5, 5]
    assert jobs.simulate_retries(Two, raising=KeyError).wait_seconds == [60]


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
