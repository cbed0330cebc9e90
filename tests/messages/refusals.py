"""Situations in which a call is refused, or a verb raises, each with its cause and its remedy."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from unittest.mock import MagicMock, patch

import time_machine
from failures import NOON, Charge, Order, Pay, ShipItems, send_receipt
from message_gallery import situation
from stub_database import StubDatabase
from unbridged import without_bridge

from pytest_jobs import (
    Job,
    Payload,
    assert_enqueued,
    assert_not_enqueued,
    assert_performed,
    configure,
    job,
    perform_all_later,
    retry_on,
)
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.bridges.opening import bridges_to, open_jobs
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import BridgeError
from pytest_jobs.harness.commits.core_transactions import CoreTransactions
from pytest_jobs.harness.jobs import Jobs

NAIVE = datetime(2030, 1, 1, 13)  # noqa: DTZ001  it has no timezone on purpose


class Again(Job):
    def perform(self, number=1):
        Again.perform_later(number + 1)


class Drains(Job):
    harness: Jobs

    def perform(self):
        self.harness.drain()


class Ship(Job):
    enqueue_after_commit = True

    def perform(self, order_id):
        pass


@job
async def fetch(page):
    await asyncio.sleep(0)


def plain(order_id):
    pass


# What an assertion is asked


@situation
def a_parameter_is_unknown(jobs):
    """`params` names a parameter that the job does not have.

    Name the parameters as `perform` does."""
    assert_enqueued(Pay, params={"payment": 7})


@situation
def a_parameter_is_given_as_a_criterion(jobs):
    """A parameter of the job is asked for as if it were a criterion.

    Put it into `params`."""
    assert_enqueued(Pay, payment_id=7)


@situation
def a_criterion_has_another_name(jobs):
    """The criterion has the name that another library gives it.

    Use our name for it."""
    assert_enqueued(Pay, countdown=60)


@situation
def a_criterion_is_unknown(jobs):
    """There is no such criterion.

    Use one of those that the message lists."""
    assert_performed(Pay, colour="red")


@situation
def a_criterion_is_not_for_this_assertion(jobs):
    """What is enqueued has no result yet.

    Ask `assert_performed` for the result."""
    assert_enqueued(Pay, result="paid 7")


@situation
def a_negative_assertion_has_a_number(jobs):
    """A negative assertion expects none, so that there is nothing to count.

    Leave the number out."""
    assert_not_enqueued(Pay, count=0)


@situation
def the_arguments_fit_no_call(jobs):
    """No call of the job can have these arguments, so that none could match.

    Give the arguments that `perform` takes, or some of them by `params`."""
    assert_enqueued(Pay, args=(7, "EUR", "now"))


@situation
def arguments_without_a_job(jobs):
    """Arguments are compared by the signature of a job, and no job is named.

    Name the job, or leave the arguments out."""
    assert_not_enqueued(args=(7,))


@situation
def a_name_that_is_no_job(jobs):
    """No job has this name.

    Write the full name with its module, or pass the job itself."""
    assert_enqueued("failures.send_reciept")


@situation
def a_mock_that_is_no_job(jobs):
    """A mock stands in the place of the job, so that the application enqueues nothing.

    Take the mock out: under the harness nothing leaves the process."""
    assert_enqueued(MagicMock(name="send_receipt"))


@situation
def a_negative_assertion_about_a_mock(jobs):
    """A mock stands for the method that enqueues the job, so that the assertion could not fail.

    Take the mock out: under the harness nothing leaves the process."""
    with patch.object(Pay, "perform_later"):
        assert_not_enqueued(Pay)


@situation
def a_function_that_is_no_job(jobs):
    """The function is not decorated with `@job`.

    Decorate it, or name the job that calls it."""
    assert_not_enqueued(plain)


@situation
def a_method_of_a_job(jobs):
    """A method of the job is named, and not the job.

    Name the job itself."""
    assert_enqueued(Pay.perform_later)


@situation
def a_number_below_zero(jobs):
    """No number of jobs is below zero.

    Write an int of at least 0."""
    assert_enqueued(Pay, count=-1)


@situation
def a_number_and_a_range(jobs):
    """An exact number and a range are given.

    Keep one of the two."""
    assert_enqueued(Pay, count=2, at_least=1)


@situation
def an_empty_range(jobs):
    """The range begins above its end.

    Swap the two numbers."""
    assert_enqueued(Pay, at_least=3, at_most=2)


@situation
def a_queue_that_is_a_number(jobs):
    """A queue is a text, so that none could match.

    Write the name of the queue."""
    assert_enqueued(Pay, queue=3)


@situation
def an_attempt_below_one(jobs):
    """Attempts are counted from 1.

    Write 1 for the first attempt."""
    assert_enqueued(Charge, attempt=0)


@situation
def at_is_a_text(jobs):
    """`at` is not an instant.

    Write an aware datetime, or `wait=`."""
    assert_enqueued(Pay, at="noon")


@situation
def wait_is_a_text(jobs):
    """`wait` is not a delay.

    Write a timedelta, or a number of seconds."""
    assert_enqueued(Pay, wait="5m")


@situation
def a_tolerance_without_a_time(jobs):
    """A tolerance is given, and no time that could be off.

    Give `at=` or `wait=`, or leave the tolerance out."""
    assert_enqueued(Pay, tolerance=timedelta(seconds=5))


@situation
def within_holds_no_records(jobs):
    """`within` holds something else than records.

    Pass the capture, or a list of records or deliveries."""
    assert_enqueued(Pay, within=[1, 2])


@situation
def where_cannot_be_called(jobs):
    """`where` is not a function.

    Write a function that takes the record."""
    assert_enqueued(Pay, where=True)


@situation
def where_is_a_coroutine_function(jobs):
    """`where` returns a coroutine, which is always true and never awaited.

    Write a plain function."""

    async def is_meant(record):
        return True

    assert_enqueued(Pay, where=is_meant)


@situation
def an_error_that_is_a_text(jobs):
    """`error` is not an exception.

    Write a class, an exception, or a matcher."""
    assert_performed(Pay, error="declined")


@situation
def a_naive_datetime_is_expected(jobs):
    """`at` has no timezone, so it can mean many instants.

    Give it a timezone."""
    assert_enqueued(Pay, at=NAIVE)


# Enqueueing


@situation
def a_naive_datetime_is_scheduled(jobs):
    """The instant at which the job is to be due has no timezone.

    Give it a timezone."""
    Pay.set(at=NAIVE).perform_later(7)


@situation
def a_wait_and_an_instant(jobs):
    """Two things say when the job is due.

    Give one of them."""
    Pay.set(wait=60, at=NOON).perform_later(7)


@situation
def a_wait_that_is_a_text(jobs):
    """The wait is neither a number of seconds nor a timedelta.

    Write one of those."""
    Pay.set(wait="5m").perform_later(7)


@situation
def too_many_arguments(jobs):
    """`perform` does not take these arguments.

    Give what the signature asks for."""
    Pay.perform_later(7, "EUR", "now")


@situation
def a_required_argument_is_missing(jobs):
    """An argument that `perform` needs is not given.

    Give it."""
    send_receipt.perform_later(copy=False)


@situation
def an_argument_cannot_be_serialised(jobs):
    """A value inside of an argument is of a class that a payload cannot carry; the path leads to it.

    Pass an id or plain data, or declare the class."""
    ShipItems.perform_later([{"sku": "a"}, {"sku": "b", "price": plain}])


@situation
def a_key_that_is_no_text(jobs):
    """A dict inside of an argument has keys that are no text.

    Write text, or pass the items as pairs."""
    ShipItems.perform_later([], {"prices": {7: 100}})


@situation
def a_number_that_json_does_not_have(jobs):
    """An argument is infinite, or not a number.

    Pass None, or leave it out."""
    Pay.perform_later(float("inf"))


@situation
def a_value_that_contains_itself(jobs):
    """A list contains itself.

    Pass ids instead."""
    endless = []
    endless.append(endless)
    ShipItems.perform_later(endless)


@situation
def a_class_instead_of_a_job(jobs):
    """`perform_all_later` was given a class, which has no arguments yet.

    Write `.new(...)`."""
    perform_all_later([Pay])


@situation
def a_verb_of_another_library(jobs):
    """A job of the core is enqueued as another library does it.

    Write `perform_later`."""
    send_receipt.delay(7)


@situation
def a_keyword_of_another_library(jobs):
    """An option of the enqueue has the name that another library gives it.

    Use our name for it."""
    Pay.set(wait_until=NOON).perform_later(7)


@situation
def no_adapter(jobs):
    """Neither a harness is open nor an adapter configured: the core would not know where to put the job.

    Ask for the `jobs` fixture, or configure an adapter in a program."""
    jobs.harness.stand_aside()
    try:
        Pay.perform_later(7)
    finally:
        jobs.harness.stand_in()


@situation
def no_harness(jobs):
    """An assertion was called where no harness is open.

    Ask for the `jobs` fixture, or open a harness."""
    jobs.harness.stand_aside()
    try:
        assert_enqueued(Pay)
    finally:
        jobs.harness.stand_in()


# Performing


@situation
def nothing_matched_the_filter(jobs):
    """`only=` names a job of which none is pending, so that the call would have done nothing.

    Name a job that is pending."""
    Pay.perform_later(7)
    jobs.drain(only=ShipItems)


@situation
def nothing_is_in_the_queue(jobs):
    """`queue=` names a queue in which no job is pending.

    Name the queue in which the jobs are."""
    Pay.perform_later(7)
    jobs.perform_due(queue="low")


@situation
def a_loop_without_an_end(jobs):
    """The job enqueues itself for ever.

    Give the chain an end, or bound the call."""
    Again.perform_later()
    jobs.drain(limit=25)


@situation
def a_coroutine_job_inside_of_a_running_loop(jobs):
    """A coroutine job was to be performed by a synchronous verb, inside of a running event loop.

    Await the twin of the verb."""

    async def test():
        fetch.perform_later("index")
        jobs.drain()

    asyncio.run(test())


@situation
def a_job_that_drains(jobs):
    """The job called a verb of the harness while it ran.

    Call the verb in the test."""
    Drains.harness = jobs
    Drains.perform_later()
    jobs.drain()


@situation
def a_job_failed_in_a_drain(jobs):
    """The job raised an error that no rule knows.

    Correct the job, or keep the verb from raising and assert the failure."""
    Charge.perform_later("value")
    jobs.drain()


@situation
def a_job_was_exhausted_in_a_drain(jobs):
    """The job used up its attempts.

    Correct the job, or keep the verb from raising and assert the failure."""
    Charge.perform_later("timeout", "timeout")
    jobs.drain()


@situation
def two_jobs_failed_inline(jobs):
    """Two jobs raised an error while they were performed inline: the first is raised, with a note of the other.

    Correct the jobs, or use `assert_failed` in record mode where a failure is expected."""
    with jobs.inline():
        Charge.perform_later("value")
        Charge.perform_later("expired", "value")
        Order(5).ship_later()


@situation
def a_payload_cannot_be_read(jobs):
    """The payload refers to a record of a class that this process does not know.

    Declare how the record is found."""
    arguments = '{"tagged":[[{"~":"record","v":5,"t":"shop.Order"}],{}]}'
    _enqueue_payload(f"{__name__}.Again", arguments)
    jobs.drain()


@situation
def a_record_is_gone(jobs):
    """The row that the payload refers to does not exist any more.

    Discard such jobs by a rule, or make the row in the test."""
    Order(5).ship_later()
    jobs.drain()


@situation
def a_job_was_renamed(jobs):
    """The payload carries a name that no job has.

    Keep the old name until its jobs are done."""
    _enqueue_payload(f"{__name__}.OldName", "[[],{}]")
    jobs.drain()


def _enqueue_payload(name, arguments):
    payload = Payload(None, name, "1" * 32, "default", None, arguments, 1, None, 10**18, None)
    settings.adapter.enqueue(payload)


@situation
def it_was_performed_already(jobs):
    """The record was performed before.

    Deliver it once more with `redeliver`."""
    Pay.perform_later(7)
    (record,) = jobs.pending
    jobs.drain()
    jobs.perform(record)


@situation
def there_is_no_result_yet(jobs):
    """The result of a job was asked for before it was performed.

    Drain first."""
    Pay.perform_later(7)
    jobs.result_of(jobs.pending[0])


@situation
def an_item_of_an_empty_view(jobs):
    """The view has no item, since nothing that it shows has happened.

    Let it happen first, or look where the message says."""
    Pay.perform_later(7)
    jobs.drain()
    jobs.pending[0]


@situation
def a_fault_that_struck_nothing(jobs):
    """Deliveries were to fail, and none came.

    Perform the job while the fault holds."""
    with jobs.fail(Pay, raising=TimeoutError):
        pass


@situation
def a_verb_that_was_never_awaited(jobs):
    """The twin of a verb was called and not awaited, so it did nothing.

    Await it."""
    _in_a_test("jobs.adrain()", jobs)


@situation
def a_block_that_was_never_entered(jobs):
    """The call returns a context manager, and does nothing without `with`.

    Write it as a block."""
    _in_a_test("jobs.inline()", jobs)


def _in_a_test(line, jobs):
    """Run a line of a test that ends with it. The message has the number of the line."""
    exec(compile(line, "tests/test_payments.py", "exec"), {"jobs": jobs})
    jobs.check()


@situation
def a_commit_that_is_the_applications(jobs):
    """The session of the application is open, and commits in a test as it does elsewhere.

    Let the application commit it."""
    database = StubDatabase()
    with (
        Jobs([ReferenceBridge()], transactions=[CoreTransactions([database])]) as watching,
        configure(adapter=None, transactions=[database]),
        database.transaction(),
    ):
        Ship.perform_later(7)
        watching.commit()


@situation
def a_commit_without_a_database(jobs):
    """There is no transaction that could commit.

    Leave the commit out, or set up the database library before the test."""
    jobs.commit()


# Time


@situation
def the_clock_cannot_go_back(jobs):
    """The clock was to go back, after a job was enqueued.

    Move to the earlier time before anything is enqueued."""
    Pay.perform_later(7)
    jobs.clock.move_to(NOON - timedelta(days=1))


@situation
def another_library_holds_the_time(jobs):
    """A `travel` block of time-machine was opened over the clock of the harness.

    Move the clock of the harness instead."""
    with time_machine.travel(0):
        jobs.clock.advance(60)


# Declaring


@situation
def a_job_class_with_init(jobs):
    """The job class defines `__init__`, which nothing calls.

    Make its arguments parameters of `perform`."""

    class Broken(Job):
        def __init__(self, payment_id):
            self.payment_id = payment_id


@situation
def a_job_class_without_perform(jobs):
    """The job class has nothing to run.

    Write `perform`."""

    class Empty(Job):
        pass

    Empty.perform_later()


@situation
def a_rule_that_never_runs(jobs):
    """The rule allows no attempt at all.

    Count the first run too."""
    retry_on(TimeoutError, attempts=0)(Pay)


@situation
def a_setting_of_another_library(jobs):
    """The job class has an attribute that another library would read, and nothing here does.

    Write the setting as the message says."""

    class Queued(Job):
        queue_as = "mailers"

        def perform(self):
            pass


# Bridging


@situation
def a_library_that_is_not_known(jobs):
    """`jobs_apps` begins with no library that pytest-jobs knows.

    Write the library, a colon and where the application is."""
    bridges_to(["sidekiq:shop.queue:q"])


@situation
def an_application_named_twice(jobs):
    """`jobs_apps` names one application twice.

    Drop one of the two."""
    bridges_to(["django", "django"])


@situation
def a_bridge_in_two_harnesses(jobs):
    """One bridge was put into two harnesses.

    Make a bridge for each."""
    bridge = ReferenceBridge()
    first = type(jobs)([bridge])
    with first, type(jobs)([bridge]):
        pass


@situation
def an_enqueue_of_a_library_that_has_no_bridge(jobs):
    """The library has no bridge, so its job would leave the test for the real queue.

    Replace the call in this test, or let the library through with `jobs_ignore`."""
    with without_bridge() as queue, open_jobs():
        queue._enqueue_at_end("plain", 7)


@situation
def nothing_is_enqueued_although_an_enqueue_was_refused(jobs):
    """The application has caught the error of an enqueue that was refused, so nobody can say that there was none.

    Replace the call in this test, or let the library through with `jobs_ignore`."""
    with without_bridge() as queue, open_jobs():
        with contextlib.suppress(BridgeError):
            queue._enqueue_at_end("plain", 7)
        assert_not_enqueued()
