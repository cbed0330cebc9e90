"""Group P: what ActiveJob's tests expect of performing the jobs that were enqueued, one job at a time."""

# ruff: noqa: PT012 - an inline block raises at its end

from datetime import timedelta

import pytest

from pytest_jobs import DeserializationError, Job, discard_on, reference, retry_on
from pytest_jobs.errors import NothingMatchedError


class Hello(Job):
    def perform(self, *names):
        return names


class Log(Job):
    def perform(self):
        pass


class Fail(Job):
    def perform(self):
        raise NotImplementedError


@retry_on(ConnectionError, wait=3)
class Flaky(Job):
    def perform(self):
        raise ConnectionError("reset")


@reference(id="id", find="find")
class Gone:
    id = 404

    @classmethod
    def find(cls, id):
        raise LookupError(id)


@discard_on(DeserializationError)
class Greet(Job):
    def perform(self, person):
        raise AssertionError("there is nobody to greet")


def performed(jobs):
    return [delivery.record.job for delivery in jobs.performed]


def numbers(jobs):
    return len(jobs.pending), len(jobs.performed)


# Filters hold for the block or the call, and no longer


@pytest.mark.parametrize("filters", [{"only": Hello}, {"exclude": Log}, {"queue": "default"}])
def test_p1_filters_end_with_the_block(jobs, filters):
    with jobs.inline(**filters):
        Hello.perform_later()
        Log.set(queue="low").perform_later()
    assert performed(jobs) == [Hello]

    Hello.perform_later()
    assert numbers(jobs) == (2, 1)


def test_p1_filters_of_a_verb_are_not_those_of_the_next(jobs):
    Hello.perform_later()
    Log.perform_later()
    jobs.drain(only=Hello)
    jobs.drain()

    assert performed(jobs) == [Hello, Log]


# Everything


def test_p2_a_block_performs_what_is_enqueued_inside_it(jobs):
    with jobs.inline():
        Hello.perform_later("Ann")
        Hello.perform_later("Bob")

    assert numbers(jobs) == (0, 2)


def test_p2_a_verb_performs_what_was_enqueued_before(jobs):
    Hello.perform_later("Ann")
    Hello.perform_later("Bob")

    assert jobs.drain() == {"performed": 2}
    assert numbers(jobs) == (0, 2)


# Some, by filters


MEANT = Hello.set(queue="some")
NOT_MEANT = {
    "only": [Log],
    "exclude": [Log],
    "queue": [Hello, Log],
    "only, queue": [Hello, Log.set(queue="some")],
    "exclude, queue": [Hello, Log.set(queue="some")],
}


@pytest.mark.parametrize("verb", ["inline", "drain"])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("given", NOT_MEANT)
def test_p3_exactly_the_job_that_fits_is_performed(jobs, verb, several, given):
    every = {"only": Hello, "exclude": Log, "queue": "some"}
    filters = {name: [every[name]] if several else every[name] for name in given.split(", ")}

    with jobs.inline(**filters) if verb == "inline" else jobs.capture():
        for each in (MEANT, *NOT_MEANT[given]):
            each.perform_later()
    if verb == "drain":
        jobs.drain(**filters)

    assert [delivery.record.sequence for delivery in jobs.performed] == [0]
    assert numbers(jobs) == (len(NOT_MEANT[given]), 1)


def test_p3_a_filter_that_fits_nothing_says_so(jobs):
    Log.perform_later()

    with pytest.raises(NothingMatchedError):
        jobs.drain(only=Hello)


# What is due


@pytest.mark.parametrize(("seconds", "due"), [(None, True), (-100, True), (0, True), (100, False)])
@pytest.mark.parametrize("verb", ["inline", "perform_due"])
def test_p4_what_is_due_is_performed_and_nothing_else(noon, jobs, verb, seconds, due):
    at = None if seconds is None else noon + timedelta(seconds=seconds)
    if verb == "inline":
        with jobs.inline():
            Hello.set(at=at).perform_later()
    else:
        Hello.set(at=at).perform_later()
        jobs.perform_due()

    assert numbers(jobs) == ((0, 1) if due else (1, 0))


# Errors


def test_p5_the_error_of_a_job_is_raised_as_it_is(jobs):
    Fail.perform_later()

    with pytest.raises(NotImplementedError):
        jobs.drain()
    assert [delivery.record.job for delivery in jobs.failed] == [Fail]
    assert numbers(jobs) == (0, 0)


def test_p5_the_error_of_an_inline_job_is_raised_as_it_is_at_the_end(jobs):
    with pytest.raises(NotImplementedError), jobs.inline():
        Fail.perform_later()
        Hello.perform_later()

    assert performed(jobs) == [Hello]


def test_p6_an_error_that_is_retried_is_not_raised(jobs):
    Flaky.perform_later()
    jobs.perform_due()

    assert [(delivery.status, delivery.record.attempt) for delivery in jobs.deliveries] == [
        ("retried", 1)
    ]
    assert [record.attempt for record in jobs.scheduled] == [2]


# Once


def test_p7_a_job_is_performed_once(jobs):
    Hello.perform_later()
    assert numbers(jobs) == (1, 0)

    jobs.drain()
    assert numbers(jobs) == (0, 1)

    assert jobs.drain().total == 0
    assert numbers(jobs) == (0, 1)


# What a job enqueues


class Parent(Job):
    def perform(self):
        Log.perform_later()


def test_p8_what_a_job_enqueues_is_found(jobs, assert_enqueued):
    Parent.perform_later()
    with jobs.capture() as sent:
        jobs.perform_due(children=False)

    assert assert_enqueued(Log, within=sent).parent == 0
    assert len(sent) == 1
    assert numbers(jobs) == (1, 1)


# Predicates


@pytest.mark.parametrize("verb", ["inline", "drain", "perform_due"])
@pytest.mark.parametrize("name", ["only", "exclude"])
def test_p11_a_predicate_gets_the_record_everywhere(jobs, verb, name):
    def greets_ann(record):
        return record.job is Hello and record.args == ("Ann",)

    predicate = greets_ann if name == "only" else lambda record: not greets_ann(record)
    with jobs.inline(**{name: predicate}) if verb == "inline" else jobs.capture():
        for names in (["Ann"], ["Bob"]):
            Hello.perform_later(*names)
        Log.perform_later()
    if verb != "inline":
        getattr(jobs, verb)(**{name: predicate})

    assert [delivery.record.args for delivery in jobs.performed] == [("Ann",)]


# A record that is gone


def test_p18_a_job_whose_record_is_gone_can_be_discarded(jobs, assert_discarded):
    Greet.perform_later(Gone())
    jobs.drain()

    assert isinstance(assert_discarded(Greet).error, DeserializationError)
