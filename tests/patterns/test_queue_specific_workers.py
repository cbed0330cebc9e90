"""Jobs of one queue before those of another, and queues that no worker serves."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta

import pytest

from pytest_jobs import Job, Queues, job, load_queues, open_jobs
from pytest_jobs.errors import (
    CriterionError,
    LoopLimitError,
    NothingMatchedError,
    UnservedQueueError,
    VerbInsideJobError,
)

STRICT = Queues(["critical", "default", "low"])


class ChargePayment(Job):
    queue = "critical"

    def perform(self, number: int) -> None: ...


class SendNotification(Job):
    def perform(self, number: int) -> None: ...


class Cleanup(Job):
    queue = "low"

    def perform(self, number: int) -> None: ...


class Charges(Job):
    queue = "critical"

    def perform(self, left: int) -> None:
        if left:
            Charges.perform_later(left - 1)


class ServesAnother(Job):
    queue = "critical"

    def perform(self) -> None:
        from pytest_jobs import current_jobs

        current_jobs().serve(None)


@job(queue="imports")
def load_file(number: int) -> None: ...


def enqueue_all(numbers=(1, 2)):
    for number in numbers:
        Cleanup.perform_later(number)
        SendNotification.perform_later(number)
        ChargePayment.perform_later(number)


def done(jobs):
    return [(d.record.queue, *d.record.args) for d in jobs.deliveries]


# In which order


def test_the_queue_that_is_listed_first_is_emptied_first(jobs):
    jobs.serve(STRICT)
    enqueue_all()
    jobs.drain()

    assert done(jobs) == [
        ("critical", 1),
        ("critical", 2),
        ("default", 1),
        ("default", 2),
        ("low", 1),
        ("low", 2),
    ]


VERBS = {
    "perform_due": lambda jobs: jobs.perform_due(),
    "drain": lambda jobs: jobs.drain(),
    "run_for": lambda jobs: jobs.run_for(1),
    "drain_by_workers": lambda jobs: jobs.drain(workers=1),
    "adrain": lambda jobs: asyncio.run(jobs.adrain()),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_every_verb_takes_in_that_order_and_says_what_is_not_served(jobs, verb):
    jobs.serve(STRICT)
    enqueue_all([1])
    verb(jobs)
    assert [queue for queue, _ in done(jobs)] == ["critical", "default", "low"]

    load_file.perform_later(1)
    assert "1 load_file in 'imports'" in left_by(lambda: verb(jobs))


def test_the_order_is_that_of_the_queues_served_last_or_of_enqueueing(jobs, write):
    by_file = load_queues(write("sidekiq.yml", ":queues: [low, default, critical]\n"))
    for queues in (STRICT, by_file, None):
        jobs.serve(by_file)
        enqueue_all([1])
        jobs.serve(queues)
        assert jobs.queues is queues
        jobs.drain()

    assert [queue for queue, _ in done(jobs)] == [
        *("critical", "default", "low"),
        *("low", "default", "critical"),
        *("low", "default", "critical"),
    ]


def test_priority_counts_within_a_queue_only(jobs):
    jobs.serve(STRICT)
    Cleanup.set(priority=0).perform_later(1)
    ChargePayment.set(priority=9).perform_later(2)
    ChargePayment.set(priority=5).perform_later(3)
    jobs.drain()

    assert done(jobs) == [("critical", 3), ("critical", 2), ("low", 1)]


def test_what_is_not_due_lets_others_go_first(jobs):
    jobs.serve(STRICT)
    ChargePayment.set(wait=60).perform_later(1)
    Cleanup.perform_later(2)
    Cleanup.set(wait=60).perform_later(3)
    jobs.drain()

    assert done(jobs) == [("low", 2), ("critical", 1), ("low", 3)]


def test_what_a_job_enqueues_goes_before_what_waited_in_a_later_queue(jobs):
    jobs.serve(STRICT)
    Cleanup.perform_later(1)
    Charges.perform_later(2)
    jobs.drain()

    assert [queue for queue, _ in done(jobs)] == ["critical", "critical", "critical", "low"]


def test_a_strict_order_starves_the_last_queue(jobs):
    jobs.serve(STRICT)
    Cleanup.perform_later(1)
    Charges.perform_later(10**9)
    with pytest.raises(LoopLimitError):
        jobs.drain(limit=500)

    assert Cleanup not in {d.record.job for d in jobs.deliveries}


def test_filters_hold_within_the_order(jobs):
    jobs.serve(STRICT)
    enqueue_all([1])
    jobs.drain(queue=["low", "default"])
    jobs.drain(only=ChargePayment)

    assert [queue for queue, _ in done(jobs)] == ["default", "low", "critical"]


def test_a_prefix_stands_for_several_queues(jobs):
    jobs.serve(Queues(["critical", "mail*"]))
    SendNotification.set(queue="mail_slow").perform_later(1)
    SendNotification.set(queue="mail_fast").perform_later(2)
    ChargePayment.perform_later(3)
    jobs.drain()

    assert done(jobs) == [("critical", 3), ("mail_fast", 2), ("mail_slow", 1)]


def test_one_star_serves_all_queues_by_priority_alone(jobs):
    jobs.serve(Queues(["*"]))
    Cleanup.set(priority=1).perform_later(1)
    ChargePayment.set(priority=2).perform_later(2)
    load_file.set(priority=0).perform_later(3)
    jobs.drain()

    assert done(jobs) == [("imports", 3), ("low", 1), ("critical", 2)]


def test_several_workers_begin_in_that_order(jobs):
    queues = Queues(["critical", "default", "low"], concurrency=2)
    jobs.serve(queues)
    enqueue_all()
    jobs.drain(workers=queues.concurrency)

    assert [queue for queue, _ in done(jobs)] == ["critical"] * 2 + ["default"] * 2 + ["low"] * 2


def test_inline_takes_in_order_what_a_job_enqueued(jobs):
    @job(queue="default")
    def enqueue() -> None:
        enqueue_all([1])

    jobs.serve(STRICT)
    with jobs.inline():
        enqueue.perform_later()

    assert done(jobs) == [("default",), ("critical", 1), ("default", 1), ("low", 1)]


def test_inline_does_not_wait_for_a_job_of_an_earlier_queue(jobs):
    jobs.serve(STRICT)
    with jobs.inline():
        enqueue_all([1])

    assert [queue for queue, _ in done(jobs)] == ["low", "default", "critical"]


# What is not served


def left_by(call):
    with pytest.raises(UnservedQueueError) as caught:
        call()
    return str(caught.value)


def test_a_job_of_a_queue_that_is_not_served_is_an_error_at_the_end(jobs):
    jobs.serve(Queues(["critical", "default", "low"], source="sidekiq.yml"))
    load_file.perform_later(1)
    load_file.perform_later(2)
    ChargePayment.perform_later(3)

    assert left_by(jobs.drain) == (
        "jobs.drain() leaves jobs that no worker serves, and which would wait for ever: 2 load_file in 'imports'. "
        "Served are critical, default, low, by sidekiq.yml. Name the queue there, enqueue the job into one of "
        "these, or leave it to other workers by exclude= or queue=."
    )
    assert done(jobs) == [("critical", 3)]
    assert [record.args for record in jobs.pending] == [(1,), (2,)]


def test_it_names_the_queue_that_was_most_likely_meant(jobs):
    jobs.serve(STRICT)
    Cleanup.set(queue="critcal").perform_later(1)

    assert left_by(jobs.perform_due) == (
        "jobs.perform_due() leaves jobs that no worker serves, and which would wait for ever: 1 Cleanup in "
        "'critcal' (did you mean 'critical'?). Served are critical, default, low, by the queues. Name the queue "
        "there, enqueue the job into one of these, or leave it to other workers by exclude= or queue=."
    )


@pytest.mark.parametrize("mode", ["record", "inline"])
def test_inline_says_so_at_the_end_of_its_block_or_of_the_test(mode):
    def test():
        with open_jobs(mode=mode) as jobs, jobs.inline() if mode == "record" else nullcontext():
            jobs.serve(STRICT)
            load_file.perform_later(1)

    assert left_by(test).startswith("Inline mode leaves jobs that no worker serves")


def test_what_was_not_to_be_performed_is_not_said(jobs):
    jobs.serve(STRICT)
    load_file.perform_later(1)
    load_file.set(wait=timedelta(hours=1)).perform_later(2)
    enqueue_all([1])
    tomorrow = jobs.clock.now() + timedelta(days=1)

    assert jobs.drain(exclude=load_file, at_most=1).total == 1
    assert jobs.drain(queue="default", until=tomorrow).total == 1
    with jobs.holding(load_file):
        assert jobs.perform_due().total == 1


@pytest.mark.parametrize("workers", [None, 1])
def test_a_verb_that_was_to_stop_early_says_nothing(jobs, workers):
    jobs.serve(STRICT)
    load_file.perform_later(1)
    enqueue_all([1])

    assert jobs.perform_due(at_most=1).total == 1
    assert jobs.drain(at_most=1, workers=workers).total == 1
    assert "1 load_file" in left_by(jobs.drain)


def test_what_is_due_later_is_said_by_who_would_have_waited_for_it(jobs):
    jobs.serve(STRICT)
    load_file.set(wait=timedelta(hours=1)).perform_later(2)

    assert jobs.perform_due().total == 0
    assert jobs.run_for(timedelta(minutes=59)).total == 0
    assert jobs.drain(until=jobs.clock.now()).total == 0
    assert "1 load_file" in left_by(lambda: jobs.run_for(timedelta(minutes=2)))
    assert "1 load_file" in left_by(jobs.drain)


def test_a_pass_without_children_says_nothing_of_them(jobs):
    @job(queue="critical")
    def enqueue() -> None:
        load_file.perform_later(1)

    jobs.serve(STRICT)
    enqueue.perform_later()

    assert jobs.perform_due(children=False).total == 1
    assert "1 load_file" in left_by(lambda: jobs.perform_due(children=False))


def test_filters_that_match_such_jobs_only_say_why(jobs):
    jobs.serve(STRICT)
    load_file.perform_later(1)

    assert "1 load_file" in left_by(lambda: jobs.drain(only=load_file))
    with pytest.raises(NothingMatchedError):
        jobs.drain(only=Cleanup)


def test_it_can_be_performed_by_name_or_once_it_is_served(jobs):
    jobs.serve(STRICT)
    load_file.perform_later(1)
    assert jobs.perform(jobs.pending[0]).status == "performed"
    assert jobs.drain().total == 0

    load_file.perform_later(2)
    jobs.serve(Queues(["imports"]))
    assert jobs.drain().total == 1


# What else the file says


def test_the_limits_of_dead_letters_hold(jobs):
    jobs.serve(Queues(["critical"], dead_max_jobs=2, dead_timeout=60))
    jobs.fail(ChargePayment, raising=ValueError)
    for number in (1, 2, 3):
        ChargePayment.perform_later(number)
    jobs.drain(raise_errors=False)

    assert [d.record.args for d in jobs.dead] == [(2,), (3,)]
    jobs.clock.advance(61)
    assert jobs.dead == []


def test_queues_without_limits_leave_those_that_there_are(jobs):
    jobs.limit_dead(size=1)
    jobs.serve(Queues(["critical"]))
    jobs.fail(ChargePayment, raising=ValueError)
    for number in (1, 2):
        ChargePayment.perform_later(number)
    jobs.drain(raise_errors=False)

    assert [d.record.args for d in jobs.dead] == [(2,)]


# What cannot be


@pytest.mark.parametrize("queues", ["config/sidekiq.yml", ["critical"]])
def test_what_is_no_queues_is_refused(jobs, queues):
    with pytest.raises(CriterionError) as caught:
        jobs.serve(queues)

    assert str(caught.value) == (
        f"jobs.serve({queues!r}) is given no queues: write jobs.serve(load_queues('config/sidekiq.yml')), or "
        "jobs.serve(Queues(['critical', 'default']))."
    )


def test_a_job_cannot_say_what_is_served(jobs):
    ServesAnother.perform_later()
    with pytest.raises(VerbInsideJobError):
        jobs.drain()
