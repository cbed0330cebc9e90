"""`with jobs.inline():` performs each job as soon as the one running has ended."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Thread

import pytest

from pytest_jobs import Job, job, retry_on
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.errors import CriterionError, LoopLimitError


class Note(Job):
    def perform(self, text):
        return text


class Mail(Job):
    queue = "mailers"

    def perform(self, to):
        pass


class Fail(Job):
    def perform(self, text="no"):
        raise ValueError(text)


@retry_on(ValueError, wait=3, attempts=2)
class Flaky(Fail):
    pass


class Again(Job):
    def perform(self):
        Again.perform_later()


def performed(jobs):
    return [delivery.record.args[0] for delivery in jobs.performed]


def test_a_job_is_performed_when_it_is_enqueued_until_the_block_ends(jobs):
    with jobs.inline():
        Note.perform_later("a")
        assert performed(jobs) == ["a"]
        Note.perform_later("b")
        assert performed(jobs) == ["a", "b"]
    Note.perform_later("c")

    assert performed(jobs) == ["a", "b"]
    assert [record.args for record in jobs.pending] == [("c",)]


def test_a_job_that_a_job_enqueues_runs_after_it_and_not_inside_it(jobs):
    steps = []

    @job
    def step(name, children=()):
        steps.append(f"{name} begins")
        for child in children:
            step.perform_later(child)
        steps.append(f"{name} ends")

    with jobs.inline():
        step.perform_later("parent", ["first", "second"])

    assert steps == [
        *("parent begins", "parent ends"),
        *("first begins", "first ends", "second begins", "second ends"),
    ]


def test_children_have_their_parent_and_the_more_urgent_goes_first(jobs):
    @job
    def parent():
        Note.set(priority=5).perform_later("calm")
        Note.set(priority=1).perform_later("urgent")

    with jobs.inline():
        parent.perform_later()
        Note.perform_later("other")

    assert [d.record.args for d in jobs.performed] == [(), ("urgent",), ("calm",), ("other",)]
    assert [record.parent for record in jobs.enqueued] == [None, 0, 0, None]


def test_a_deep_chain_needs_no_deep_stack(jobs):
    @job
    def chain(left):
        if left:
            chain.perform_later(left - 1)

    with jobs.inline():
        chain.perform_later(3_000)

    assert len(jobs.performed) == 3_001


def test_what_is_due_later_waits_for_the_clock_retries_too(jobs, noon):
    with pytest.raises(ValueError, match=r"^no$"), jobs.inline():
        Note.set(wait=5).perform_later("later")
        Note.set(wait=9).perform_later("left to a verb")
        Flaky.perform_later()
        assert (performed(jobs), len(jobs.retried), jobs.clock.now()) == ([], 1, noon)
        retry = jobs.pending[-1]
        assert (retry.attempt, retry.wait) == (2, timedelta(seconds=3))
        jobs.clock.advance(5)
        assert performed(jobs) == []
        Note.perform_later("now")

    assert performed(jobs) == ["later", "now"]
    assert len(jobs.scheduled) == 1
    assert jobs.drain() == {"performed": 1}


def test_what_was_pending_before_the_block_stays_so_also_when_it_has_become_due(jobs):
    Note.perform_later("before")
    Note.set(priority=-1).perform_later("urgent, before")
    Note.set(wait=5).perform_later("scheduled, before")
    with jobs.inline():
        jobs.clock.advance(5)
        Note.perform_later("inside")

    assert performed(jobs) == ["inside"]
    assert len(jobs.pending) == 3
    assert jobs.drain() == {"performed": 3}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"only": Mail}, ["ann"]),
        ({"exclude": Mail}, ["a", "b"]),
        ({"queue": "mailers"}, ["ann"]),
        ({"only": [Note, Mail], "exclude": lambda record: record.args == ("a",)}, ["ann", "b"]),
        ({"queue": ["default", "low"]}, ["a", "b"]),
    ],
)
def test_filters_say_what_is_performed(jobs, filters, expected):
    with jobs.inline(**filters):
        Note.perform_later("a")
        Mail.perform_later("ann")
        Note.perform_later("b")

    assert performed(jobs) == expected
    left = [record.args[0] for record in jobs.pending]
    assert left == [text for text in ("a", "ann", "b") if text not in expected]


def test_a_filter_that_matches_nothing_is_no_error_and_one_that_is_none_is(jobs):
    with jobs.inline(only=Mail):
        Note.perform_later("a")
    with pytest.raises(CriterionError) as caught:
        jobs.inline(only=5)

    assert len(jobs.pending) == 1
    assert str(caught.value) == (
        "only=5 is not a job: name a job, a list of jobs, or write a callable that takes a record."
    )


def test_the_caller_never_sees_the_error_of_a_job_and_the_end_of_the_block_once(jobs):
    block = jobs.inline()
    with pytest.raises(ValueError, match=r"^no$"), block:
        Fail.perform_later()
        Note.perform_later("after")
        assert repr(block._inline) == "<Inline, 1 errors to raise>"
    assert performed(jobs) == ["after"]
    assert len(jobs.failed) == 1

    with jobs.inline():
        Note.perform_later("a")
    with pytest.raises(KeyError), jobs.inline():  # Of the block itself, which comes first.
        Fail.perform_later()
        raise KeyError
    Note.perform_later("b")
    assert performed(jobs) == ["after", "a"]


def test_the_error_is_raised_at_the_end_of_the_block_with_its_own_traceback(jobs):
    block = jobs.inline()
    block.__enter__()
    job = Fail.perform_later("mine")
    with pytest.raises(ValueError) as caught:
        block.__exit__(None, None, None)

    assert job.enqueued
    assert caught.value is jobs.failed[0].error
    assert caught.traceback[-1].name == "perform"


def test_of_several_errors_the_first_is_raised_with_notes_that_name_the_others(jobs):
    with pytest.raises(ValueError, match=r"^first\n") as caught, jobs.inline():
        Fail.perform_later("first")
        Fail.perform_later("second")
        Note.perform_later("a")
        Fail.perform_later("third")

    assert caught.value.__notes__ == [
        "Another inline job failed too: ValueError: second",
        "Another inline job failed too: ValueError: third",
    ]


def test_a_job_whose_rules_dealt_with_the_error_raises_nothing(jobs):
    @retry_on(ValueError, attempts=1, then=lambda job, error: None)
    class DealtWith(Fail):
        pass

    with jobs.inline():
        DealtWith.perform_later()
        Flaky.perform_later()

    assert [delivery.status for delivery in jobs.deliveries] == ["exhausted", "retried"]


def test_a_failed_assertion_is_raised_at_the_end_whatever_a_rule_does_with_it(jobs):
    @retry_on(Exception)
    class Check(Job):
        def perform(self):
            raise AssertionError("not so")

    with pytest.raises(AssertionError, match=r"^not so$"), jobs.inline():
        Check.perform_later()
        Note.perform_later("after")

    assert performed(jobs) == ["after"]
    assert len(jobs.retried) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupts_pass_through_and_the_job_stays_pending(jobs, error):
    interrupts = [error]

    @job
    def interrupted():
        if interrupts:
            raise interrupts.pop()

    with jobs.inline():
        with pytest.raises(error):
            interrupted.perform_later()
        assert len(jobs.pending) == 1
        Note.perform_later("a")

    assert [delivery.record.sequence for delivery in jobs.performed] == [0, 1]


@pytest.fixture
def raising(sleepless):
    with open_jobs(raise_at="enqueue") as jobs:
        yield jobs


@pytest.mark.parametrize("error", [ValueError("child"), AssertionError("child")])
def test_errors_can_be_raised_where_the_job_or_its_parent_is_enqueued(raising, error):
    @retry_on(AssertionError)
    @job
    def child():
        raise error

    @job
    def parent():
        child.perform_later()
        Note.perform_later("sibling")

    with raising.inline():
        for enqueue in (parent.perform_later, child.perform_later):
            with pytest.raises(type(error), match=r"^child$"):
                enqueue()
        Note.perform_later("next")

    assert [d.record.args for d in raising.performed] == [(), ("sibling",), ("next",)]


def test_blocks_can_be_nested_and_the_outer_one_is_restored(jobs):
    with jobs.inline(only=Mail):
        with jobs.inline(only=Note):
            Note.perform_later("inner")
            Mail.perform_later("inner")
            assert performed(jobs) == ["inner"]
        Note.perform_later("left by the outer")
        Mail.perform_later("outer")
    Mail.perform_later("after")

    assert [(d.record.job, *d.record.args) for d in jobs.performed] == [
        (Note, "inner"),
        (Mail, "inner"),
        (Mail, "outer"),
    ]
    assert [record.args[0] for record in jobs.pending] == ["left by the outer", "after"]


def test_each_of_nested_blocks_raises_its_own_errors(jobs):
    with pytest.raises(ValueError, match=r"^outer$"), jobs.inline():
        Fail.perform_later("outer")
        with pytest.raises(ValueError, match=r"^inner$"), jobs.inline():
            Fail.perform_later("inner")


def test_jobs_of_threads_are_performed_and_their_errors_raised_at_the_end(jobs):
    with jobs.inline(), ThreadPoolExecutor(4) as pool:
        list(pool.map(Note.perform_later, range(200)))
    assert sorted(performed(jobs)) == list(range(200))
    assert jobs.pending == []

    with pytest.raises(ValueError, match=r"^no$"), jobs.inline(), ThreadPoolExecutor(1) as pool:
        survived = pool.submit(Fail.perform_later)
    assert survived.result().enqueued


def test_jobs_of_a_thread_inside_a_job_are_performed_after_it(jobs):
    order = []

    @job
    def parent():
        thread = Thread(target=Note.perform_later, args=("from the thread",))
        thread.start()
        thread.join()
        order.append(len(jobs.performed))

    with jobs.inline():
        parent.perform_later()

    assert order == [0]
    assert [d.record.args for d in jobs.performed] == [(), ("from the thread",)]


def test_a_coroutine_job_is_performed_without_a_running_loop(jobs, no_real_waiting, noon):
    import asyncio

    @job
    async def naps(seconds):
        await asyncio.sleep(seconds)
        Note.perform_later("child")

    with jobs.inline():
        naps.perform_later(5)
        Note.perform_later("other")

    assert [d.record.args[0] for d in jobs.performed] == [5, "child", "other"]
    assert jobs.clock.now() == noon + timedelta(seconds=5)


@pytest.mark.parametrize(
    "verb",
    [
        lambda jobs, parent: jobs.perform(jobs.pending[0]),
        lambda jobs, parent: jobs.drain(only=parent),
        lambda jobs, parent: jobs.drain(only=parent, workers=2),
    ],
)
def test_a_verb_inside_the_block_is_followed_by_what_its_jobs_enqueued(jobs, verb):
    @job
    def parent():
        Note.perform_later("child")

    parent.perform_later()
    with jobs.inline():
        verb(jobs, parent)
        assert [d.record.args for d in jobs.performed] == [(), ("child",)]


def test_a_verb_inside_the_block_performs_retries(jobs, noon):
    with pytest.raises(ValueError, match=r"^no$"), jobs.inline():
        Flaky.perform_later()
        jobs.drain()

    assert [delivery.status for delivery in jobs.deliveries] == ["retried", "exhausted"]


def test_perform_now_inside_a_job_is_no_delivery_and_its_jobs_run_after(jobs):
    @job
    def inner():
        Note.perform_later("child")
        return len(jobs.performed)

    @job
    def outer():
        return inner.perform_now()

    with jobs.inline():
        outer.perform_later()

    assert [d.result for d in jobs.performed] == [0, "child"]


def test_a_job_that_enqueues_itself_for_ever_is_stopped(jobs):
    with pytest.raises(LoopLimitError) as caught, jobs.inline():
        Again.perform_later()
        before = len(jobs.deliveries)
        Note.perform_later("after")

    assert str(caught.value) == (
        "Inline mode stopped: it performed 10000 jobs that were enqueued while it ran, and more are pending. Of "
        "the last 1000, 1000 were Again, which most likely enqueues itself, or retries, for ever. Give its chain "
        "an end, or record its jobs and drain them with a `limit=`."
    )
    assert before == len(jobs.deliveries) == 10_001
    assert [record.job for record in jobs.pending] == [Again, Note]


@pytest.mark.wide
def test_a_job_that_enqueues_itself_for_ever_is_stopped_where_it_was_enqueued(raising):
    with raising.inline(), pytest.raises(LoopLimitError):
        Again.perform_later()


@pytest.mark.wide
def test_many_jobs_one_after_the_other_are_no_loop(jobs):
    with jobs.inline():
        for number in range(10_100):
            Note.perform_later(number)

    assert len(jobs.performed) == 10_100


def test_a_simulation_inside_the_block_performs_nothing_else(jobs):
    @retry_on(ValueError, attempts=2, then=lambda job, error: Note.perform_later("gave up"))
    class GivesUp(Fail):
        pass

    with jobs.inline():
        timeline = jobs.simulate_retries(GivesUp, raising=ValueError)

    assert timeline.wait_seconds == [3]
    assert jobs.deliveries == []


def test_a_job_that_a_thread_enqueues_as_the_last_one_ends_is_performed(jobs, monkeypatch):
    put_back, late = type(jobs.harness.ledger).put_back, ["late"]

    def enqueue_from_a_thread(ledger, records):
        put_back(ledger, records)
        if late and performed(jobs) == ["a"]:
            thread = Thread(target=Note.perform_later, args=(late.pop(),))
            thread.start()
            thread.join()

    monkeypatch.setattr(type(jobs.harness.ledger), "put_back", enqueue_from_a_thread)
    with jobs.inline():
        Note.perform_later("a")

    assert performed(jobs) == ["a", "late"]
