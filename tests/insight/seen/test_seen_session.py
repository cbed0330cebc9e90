"""What a recorder writes down of harnesses and checks, in plain values."""

from __future__ import annotations

import pickle
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from pytest_jobs import (
    Schedule,
    check_handoff,
    check_idempotent,
    current_jobs,
    discard_on,
    fake,
    job,
    retry_on,
)
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import NotIdempotent
from pytest_jobs.exploration.report.audience import Audience, audience
from pytest_jobs.harness.jobs import Jobs
from pytest_jobs.insight.seen.recorder import Recorder


class Mail:
    def send(self, address): ...


mail = Mail()


@retry_on(TimeoutError, wait=3, attempts=2)
@discard_on(LookupError)
@job
def remind(user_id, error=None):
    if error == "lookup":
        raise KeyError(user_id)
    if error:
        raise TimeoutError("no answer")


@job
def welcome(user_id):
    remind.perform_later(user_id)
    mail.send(user_id)


rows = {}


def store(user_id):
    rows[user_id] = True


def session_of(body, *, nodeid="test_it", **options):
    """Return what a recorder has seen of a function that ran in a harness, as another process gets it."""
    recorder = Recorder(**options)
    reader = Audience(nodeid)
    reader.when_checked.append(recorder.checked)
    token = audience.set(reader)
    try:
        with Jobs([ReferenceBridge()]) as jobs:
            recorder.opened(jobs, nodeid)
            body(jobs)
    finally:
        audience.reset(token)
    recorder.ended(nodeid, "passed")
    return pickle.loads(pickle.dumps(recorder.session))


def seen(body, **options):
    [test] = session_of(body, **options).tests
    return test


def test_a_record_has_its_place_its_times_and_its_parent():
    def body(jobs):
        welcome.set(wait=60).perform_later(7)
        jobs.drain()

    first, second = seen(body).records

    assert (first.job.bridge, first.job.name) == ("core", f"{__name__}.welcome")
    assert (first.job.file, first.job.line) == (
        __file__,
        welcome.__wrapped__.__code__.co_firstlineno,
    )
    assert first.due_ns - first.enqueued_ns == 60 * 10**9
    assert (first.parent, second.parent) == (None, first.sequence)
    assert [first.state, second.state] == ["taken", "taken"]


def test_arguments_are_written_only_when_they_are_wanted():
    assert seen(lambda jobs: welcome.perform_later(7)).records[0].call == "welcome"
    assert seen(lambda jobs: welcome.perform_later(7), with_arguments=True).records[0].call == (
        "welcome(7)"
    )


def test_a_delivery_has_its_wait_its_error_and_what_came_of_it():
    def body(jobs):
        jobs.clock.freeze()
        remind.perform_later(7, "time")
        jobs.drain(raise_errors=False)

    retried, exhausted = seen(body).deliveries

    assert (retried.status, retried.wait_ns) == ("retried", 3 * 10**9)
    assert retried.error == "TimeoutError: no answer"
    assert retried.error_classes == ["TimeoutError", "OSError", "Exception"]
    assert exhausted.status == "exhausted"
    assert round((exhausted.began_ns - retried.began_ns) / 10**9) == 3


def test_a_delivery_knows_how_many_records_there_were():
    def body(jobs):
        welcome.perform_later(1)
        welcome.perform_later(2)
        jobs.drain()

    deliveries = seen(body).deliveries

    assert [one.known for one in deliveries] == [2, 3, 4, 4]


def test_a_retry_and_a_redelivery_keep_the_id_of_their_job():
    def body(jobs):
        remind.perform_later(7, "time")
        jobs.drain(raise_errors=False)

    first, retry = seen(body).records

    assert (first.origin, retry.origin) == ("enqueue", "retry")
    assert first.job_id == retry.job_id != ""


def test_simulated_retries_are_a_timeline_and_no_deliveries():
    test = seen(lambda jobs: jobs.simulate_retries(remind, raising=TimeoutError()))

    [timeline] = test.timelines
    assert [one.status for one in timeline.deliveries] == ["retried", "exhausted"]
    assert timeline.job.name == f"{__name__}.remind"
    assert test.deliveries == []


def test_a_check_of_a_function_has_its_path_and_its_place():
    def world():
        rows.clear()
        yield lambda: {"rows": dict(rows)}

    [check] = seen(lambda jobs: check_idempotent(store, args=(7,), world=world)).checks

    assert (check.job.name, check.job.line) == (
        f"{__name__}.store",
        store.__code__.co_firstlineno,
    )
    assert not check.is_handoff


def test_a_check_of_a_handoff_says_so():
    def place(user_id):
        mail.send(user_id)
        welcome.perform_later(user_id)

    def body(jobs):
        with fake(mail, "send", lambda address: None), suppress(NotIdempotent):
            check_handoff(place, args=(7,))

    [check] = seen(body).checks

    assert check.is_handoff


def test_a_firing_names_what_it_enqueued():
    def body(jobs):
        schedule = Schedule({"nightly": {"class": remind, "args": [7], "schedule": "every hour"}})
        jobs.clock.move_to(datetime(2030, 1, 1, tzinfo=UTC))
        jobs.recurring(schedule)
        jobs.run_for(timedelta(hours=2))

    test = seen(body)

    assert [firing.key for firing in test.firings] == ["nightly", "nightly"]
    assert [firing.records for firing in test.firings] == [[0], [1]]


def test_the_sessions_of_two_processes_come_together():
    first = session_of(lambda jobs: welcome.perform_later(1), nodeid="a")
    first.add(session_of(lambda jobs: current_jobs().drain(), nodeid="b"))

    assert [(test.nodeid, test.outcome, len(test.records)) for test in first.tests] == [
        ("a", "passed", 1),
        ("b", "passed", 0),
    ]
