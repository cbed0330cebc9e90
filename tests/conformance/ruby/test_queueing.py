"""Group Q: what ActiveJob's tests expect of enqueueing, of queues and of priorities."""

from datetime import timedelta
from enum import StrEnum

import pytest

from pytest_jobs import (
    InlineAdapter,
    Job,
    TestAdapter,
    configure,
    hookimpl,
    hooks,
    job,
    perform_all_later,
)
from pytest_jobs.errors import DeclarationError, EnqueueError, SignatureError


class Hello(Job):
    def perform(self, name="David"):
        return f"{name} says hello"


@job(queue="mailers")
def send_receipt(order_id):
    return order_id


class Full(TestAdapter):
    """Takes so many jobs and no more."""

    def __init__(self, room=0):
        super().__init__()
        self.room = room

    def enqueue(self, payload):
        if len(self.enqueued) == self.room:
            raise EnqueueError("There is no room.")
        super().enqueue(payload)


# An adapter that refuses


def test_q3_a_job_that_was_refused_is_returned_with_the_error():
    with configure(adapter=Full()):
        hello = Hello.perform_later()

    assert not hello.enqueued
    assert isinstance(hello.enqueue_error, EnqueueError)
    assert str(hello.enqueue_error) == "There is no room."


@pytest.mark.parametrize("enqueue", [Hello.enqueue, lambda hello: perform_all_later([hello])])
def test_q3_the_error_is_gone_when_the_job_is_taken_later(enqueue):
    with configure(adapter=Full()):
        hello = Hello.perform_later()
    with configure(adapter=TestAdapter()):
        enqueue(hello)

    assert (hello.enqueued, hello.enqueue_error) == (True, None)


@pytest.mark.parametrize("enqueue", [Hello.enqueue, lambda hello: perform_all_later([hello])])
def test_q3_a_job_that_is_refused_later_is_not_enqueued_any_more(enqueue):
    with configure(adapter=Full(room=1)):
        hello = Hello.perform_later()
        assert hello.enqueued
        enqueue(hello)

    assert not hello.enqueued
    assert isinstance(hello.enqueue_error, EnqueueError)


# Many at once


def test_q4_jobs_of_all_kinds_are_enqueued_together(jobs):
    tomorrow = timedelta(days=1)
    sent = perform_all_later(
        [
            Hello.new("Ann"),
            Hello.set(wait=tomorrow).new("Bob"),
            send_receipt.set(queue="low").new(7),
        ]
    )

    assert [each.enqueued for each in sent] == [True, True, True]
    assert [(r.job, r.args, r.queue, r.wait) for r in jobs.enqueued] == [
        (Hello, ("Ann",), "default", None),
        (Hello, ("Bob",), "default", tomorrow),
        (send_receipt, (7,), "low", None),
    ]
    assert jobs.drain() == {"performed": 3}


def test_q4_they_are_given_as_one_iterable(jobs):
    with pytest.raises(TypeError):
        perform_all_later(Hello.new(), Hello.new())
    perform_all_later(Hello.new(str(number)) for number in range(2))

    assert len(jobs.enqueued) == 2


def test_q4_a_plugin_hears_of_each_that_was_taken():
    class Listener:
        heard = []  # noqa: RUF012

        @hookimpl
        def job_enqueued(self, job):
            self.heard.append(job.args)

    with configure(adapter=Full(room=2)), hooks.using(Listener()):
        sent = perform_all_later([Hello.new("one"), Hello.new("two"), Hello.new("three")])

    assert Listener.heard == [("one",), ("two",)]
    assert [each.enqueued for each in sent] == [True, True, False]


# The name of the queue


class Names(StrEnum):
    GREETINGS = "greetings"


def by_name(name="David"):
    return "vips" if name == "Ann" else "others"


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (None, "default"),
        (Names.GREETINGS, "greetings"),
        (lambda name: "fixed", "fixed"),
        (by_name, "vips"),
    ],
)
def test_q5_the_queue_is_a_name_or_is_asked_of_the_arguments(jobs, queue, expected):
    declared = {} if queue is None else {"queue": queue}
    type("Greet", (Hello,), declared).perform_later("Ann")

    assert jobs.enqueued[0].queue == expected
    assert type(jobs.enqueued[0].queue) is str


@pytest.mark.parametrize("queue", ["", None])
def test_q5_a_queue_without_a_name_is_refused(queue):
    with pytest.raises(DeclarationError) as raised:
        type("Greet", (Hello,), {"queue": queue})

    assert str(raised.value) == (
        f"Greet.queue is {queue!r}, which names no queue: write a text such as 'mailers'."
    )


class Prefixed(Job):
    """A base whose jobs have the application's name before that of their queue."""

    prefix = "aj"
    delimiter = "_"
    base_queue = "default"

    def queue(self, *args, **kwargs):
        return f"{self.prefix}{self.delimiter}{self.base_queue}"

    def perform(self):
        pass


class Low(Prefixed):
    base_queue = "low"


class Dotted(Low):
    delimiter = "."


class OfAnother(Low):
    prefix = "another"


@pytest.mark.parametrize(
    ("greet", "queue"),
    [
        (Prefixed, "aj_default"),
        (Low, "aj_low"),
        (Dotted, "aj.low"),
        (OfAnother, "another_low"),
        (Low.set(queue="high"), "high"),
    ],
)
def test_q5_a_base_class_can_name_all_queues_of_an_application(jobs, greet, queue):
    greet.perform_later()

    assert jobs.enqueued[0].queue == queue


def test_q5_a_base_class_can_name_the_queue_of_all_that_name_none(jobs):
    class Base(Job):
        queue = "slow"

    class Import(Base):
        def perform(self):
            pass

    Import.perform_later()

    assert jobs.enqueued[0].queue == "slow"
    assert Hello.queue == "default"


class Where(Job):
    def perform(self):
        return self.queue_name, self.payload.priority


def test_q5_a_queue_can_be_set_for_now_and_for_later(jobs):
    assert Where.set(queue="some").perform_now() == ("some", None)
    assert Where.set(queue="some").perform_later().queue_name == "some"
    assert Where.perform_later().queue_name == "default"


# The priority


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        (None, None),
        (90, 90),
        (lambda name: 25, 25),
        (lambda name: 99 if name == "Ann" else 11, 99),
    ],
)
def test_q6_the_priority_is_a_number_or_is_asked_of_the_arguments(jobs, priority, expected):
    type("Greet", (Hello,), {"priority": priority}).perform_later("Ann")

    assert jobs.enqueued[0].priority == expected


def test_q6_a_base_class_has_the_priority_of_all_that_have_none(jobs):
    base = type("Base", (Job,), {"priority": 8})
    for declared in ({}, {"priority": 90}):
        type("Greet", (base,), {"perform": lambda self: None, **declared}).perform_later()

    assert [record.priority for record in jobs.enqueued] == [8, 90]


def test_q6_a_priority_can_be_set_for_now_and_for_later(jobs):
    assert Where.set(priority=5).perform_now() == ("default", 5)
    Where.set(priority=5).perform_later()

    assert jobs.enqueued[0].priority == 5


# Scheduled jobs at once


def test_q9_what_is_scheduled_waits_until_it_is_called_for():
    seen = []

    class Note(Job):
        def perform(self, text):
            seen.append(text)

    adapter = InlineAdapter()
    with configure(adapter=adapter):
        Note.perform_later("now")
        Note.set(wait=timedelta(days=1)).perform_later("tomorrow")
        assert seen == ["now"]
        adapter.perform_scheduled()

    assert seen == ["now", "tomorrow"]


def test_q9_a_record_can_be_performed_before_its_time(noon, jobs):
    Hello.set(wait=timedelta(days=1)).perform_later("Ann")

    assert jobs.perform(jobs.pending[0]).result == "Ann says hello"
    assert jobs.clock.now() == noon


def test_q9_a_time_and_now_contradict_each_other():
    with pytest.raises(SignatureError, match="says both later and now"):
        Hello.set(wait=60).perform_now()
