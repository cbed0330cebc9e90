"""Instrumentation: what happens to jobs is logged, measured, and there to be asserted."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
import weakref
from contextlib import nullcontext, suppress
from typing import ClassVar, get_args

import pytest

from pytest_jobs import (
    InlineAdapter,
    Job,
    JobLog,
    JobMetrics,
    after_perform,
    around_perform,
    before_enqueue,
    before_perform,
    configure,
    discard_on,
    hookimpl,
    hooks,
    job,
    limits_concurrency,
    retry_on,
)
from pytest_jobs.core.foundation.payload import Execution, Status
from pytest_jobs.errors import DeclarationError, Halt


class Client:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.timings: list[tuple[str, float]] = []
        self.counted: list[str] = []

    def timing(self, metric, value):
        self.timings.append((metric, value))

    def increment(self, metric):
        self.counted.append(metric)


@retry_on(ConnectionError, wait=3, attempts=2)
@discard_on(KeyError)
class ProcessPayment(Job):
    def perform(self, payment_id: int) -> None:
        """Charge it."""


class Stopped(Job):
    @before_perform
    def stop(self):
        raise Halt

    def perform(self):
        """Never run."""


class Refused(Job):
    @before_enqueue
    def refuse(self):
        raise Halt

    def perform(self, number):
        """Never run."""


@limits_concurrency(to=1, duration=60)
@job
def one_at_a_time(number: int) -> None:
    """Done by one worker."""


@job
def send_receipt(payment_id: int) -> None:
    time.sleep(2)


@job
def publish(payment_id: int) -> None:
    send_receipt.perform_later(payment_id)


@job
async def afetch() -> None:
    """Fetch it."""


@pytest.fixture
def client():
    client = Client()
    with hooks.using(JobMetrics(client)):
        yield client


def told(jobs):
    return [str(event) for event in jobs.events]


# The log of the seed


def test_the_log_has_the_fields_of_the_pattern(jobs, caplog):
    caplog.set_level(logging.INFO, "pytest_jobs")
    with hooks.using(JobLog(now_ns=lambda: 0)):
        enqueued = ProcessPayment.perform_later(7)
        jobs.drain()

    assert [json.loads(record.getMessage()) for record in caplog.records] == [
        {
            "event": event,
            "job_class": f"{__name__}.ProcessPayment",
            "job_id": enqueued.job_id,
            "queue": "default",
            "attempt": 1,
            **more,
        }
        for event, more in [
            ("job_enqueued", {"arguments": {"payment_id": 7}}),
            ("job_started", {"arguments": {"payment_id": 7}}),
            ("job_completed", {"duration_ms": 0}),
        ]
    ]


def test_each_line_is_one_line_whatever_is_in_it(jobs, caplog):
    @job
    def say(text):
        raise KeyError(text)

    caplog.set_level(logging.INFO, "pytest_jobs")
    with hooks.using(JobLog()):
        say.perform_later("one\ntwo\u2028three %s")
        with pytest.raises(KeyError):
            jobs.drain()

    messages = [record.getMessage() for record in caplog.records]
    assert all(len(message.splitlines()) == 1 for message in messages)
    assert json.loads(messages[0])["arguments"] == {"text": "one\ntwo\u2028three %s"}


def test_what_a_log_cannot_write_as_json_it_writes_as_text(jobs, caplog):
    @job
    def take(values):
        """Take them."""

    caplog.set_level(logging.INFO, "pytest_jobs")
    with hooks.using(JobLog()):
        take.perform_later([{7}, time.gmtime(0).tm_year, b"raw"])

    assert json.loads(caplog.records[0].getMessage())["arguments"] == {
        "values": ["{7}", 1970, "b'raw'"]
    }


def test_a_job_that_has_to_wait_for_its_turn_is_logged_as_snoozed(jobs, caplog):
    caplog.set_level(logging.INFO, "pytest_jobs")
    jobs.clock.freeze()
    one_at_a_time.perform_later(1)
    one_at_a_time.perform_later(2)
    with hooks.using(JobLog()):
        delivery = jobs.perform(jobs.blocked[0])

    (record,) = caplog.records
    line = json.loads(record.getMessage())
    assert delivery.status == "snoozed"
    assert line["event"] == "job_snoozed"
    assert line["wait_seconds"] == pytest.approx(60)
    assert line["error_class"] == "JobLockedError"
    assert (record.levelname, "duration_ms" in line) == ("INFO", False)


def test_a_log_has_a_word_for_each_way_in_which_a_delivery_ends(caplog):
    caplog.set_level(logging.INFO, "pytest_jobs")
    log = JobLog()
    for status in get_args(Status):
        log.job_finished(job=Stopped.new(), execution=Execution(status))

    words = {json.loads(message)["event"] for message in caplog.messages}
    assert len(words) == len(get_args(Status))


def test_a_log_and_a_harness_are_not_needed_for_each_other(caplog):
    caplog.set_level(logging.INFO, "pytest_jobs")
    with configure(adapter=InlineAdapter()), hooks.using(JobLog()):
        ProcessPayment.perform_later(7)
        ProcessPayment.perform_now(8)

    assert [json.loads(record.getMessage())["event"] for record in caplog.records] == [
        "job_started",
        "job_completed",
        "job_enqueued",
        "job_started",
        "job_completed",
    ]


def test_the_time_that_a_clock_lost_is_no_negative_duration(jobs, caplog):
    times = iter([5_000_000, 1_000_000])
    caplog.set_level(logging.INFO, "pytest_jobs")
    with hooks.using(JobLog(now_ns=lambda: next(times))):
        ProcessPayment.perform_later(7)
        jobs.drain()

    assert json.loads(caplog.records[-1].getMessage())["duration_ms"] == 0


def test_a_job_that_was_interrupted_is_not_kept(jobs):
    performed = []

    class Interrupted(Job):
        def perform(self):
            performed.append(weakref.ref(self))
            raise KeyboardInterrupt

    with hooks.using(JobLog()), hooks.using(JobMetrics(Client())):
        Interrupted.perform_later()
        with suppress(KeyboardInterrupt):
            jobs.drain()
        gc.collect()

        assert performed[0]() is None


# The metrics of the seed


@pytest.mark.parametrize(
    ("kind", "error", "counted"),
    [
        (ProcessPayment, None, ["enqueued", "success"]),
        (ProcessPayment, ConnectionError, ["enqueued", "enqueued", "retried", "failure"]),
        (ProcessPayment, KeyError, ["enqueued", "discarded"]),
        (ProcessPayment, ValueError, ["enqueued", "failure"]),
        (Stopped, None, ["enqueued", "halted"]),
        (afetch, None, ["enqueued", "success"]),
    ],
)
def test_each_end_has_a_counter_and_is_timed(jobs, client, kind, error, counted):
    if error is not None:
        jobs.fail(kind, raising=error)
    kind.perform_later(*[7] * (kind is ProcessPayment))
    jobs.drain(raise_errors=False)

    name = {ProcessPayment: "process_payment", Stopped: "stopped", afetch: "afetch"}[kind]
    assert client.counted == [f"jobs.{name}.{what}" for what in counted]
    assert [each for each, _ in client.timings] == [f"jobs.{name}.duration"] * len(jobs.deliveries)


def test_a_run_is_timed_in_milliseconds(jobs, client):
    send_receipt.perform_later(7)
    jobs.clock.advance(1)
    jobs.drain()

    assert client.timings == [("jobs.send_receipt.duration", 2000.0)]


def test_a_job_that_did_not_run_is_counted_and_not_timed(jobs, client):
    one_at_a_time.perform_later(1)
    one_at_a_time.perform_later(2)
    jobs.perform(jobs.blocked[0])
    assert client.counted[-1] == "jobs.one_at_a_time.snoozed"

    ProcessPayment.perform_later(7).payload.arguments = "?"
    jobs.drain(only=ProcessPayment, raise_errors=False)
    assert client.counted[-1] == "jobs.process_payment.failure"
    assert client.timings == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ProcessPayment", "process_payment"),
        ("HTTPPing", "http_ping"),
        ("SyncV2", "sync_v2"),
        ("send_receipt", "send_receipt"),
        ("Webhook.deliver_later", "webhook.deliver_later"),
    ],
)
def test_a_name_is_that_of_the_class_in_small_letters(jobs, client, name, expected):
    made = type("Made", (Job,), {"__qualname__": name, "perform": lambda self: None})
    made.perform_later()

    assert client.counted == [f"jobs.{expected}.enqueued"]


def test_several_plugins_measure_the_same_job_by_names_of_their_own(jobs, client):
    second = Client()
    with hooks.using(JobMetrics(second, prefix="shop", name=lambda job: job.queue_name)):
        ProcessPayment.perform_later(7)
        jobs.drain()

    assert client.counted == ["jobs.process_payment.enqueued", "jobs.process_payment.success"]
    assert second.counted == ["shop.default.enqueued", "shop.default.success"]
    assert len(client.timings) == len(second.timings) == 1


# The hook for what goes nowhere


def test_a_plugin_hears_of_what_was_not_enqueued_and_which_payload_a_retry_made(jobs):
    heard = []

    class Hears:
        @hookimpl
        def job_not_enqueued(self, job):
            heard.append((job.args, type(job.enqueue_error)))

        @hookimpl
        def job_enqueued(self, job, payload):
            heard.append((job.attempt, payload.attempt))

    jobs.fail(ProcessPayment, raising=ConnectionError, times=1)
    with hooks.using(Hears()):
        Refused.perform_later(7)
        ProcessPayment.perform_later(8)
        jobs.drain()

    assert heard == [((7,), Halt), (1, 1), (1, 2)]


# The events of a test


def test_events_tell_what_happened_in_order(jobs):
    publish.perform_later(7)
    ProcessPayment.perform_later(8)
    jobs.drain()

    assert told(jobs) == [
        "enqueued publish(7)",
        "enqueued ProcessPayment(8)",
        "started publish(7)",
        "enqueued send_receipt(7)",
        "performed publish(7)",
        "started ProcessPayment(8)",
        "performed ProcessPayment(8)",
        "started send_receipt(7)",
        "performed send_receipt(7)",
    ]


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (ConnectionError, ["enqueued", "started", "retried", "started", "exhausted"]),
        (KeyError, ["enqueued", "started", "discarded"]),
        (ValueError, ["enqueued", "started", "failed"]),
    ],
)
def test_events_end_with_what_became_of_a_job(jobs, error, kinds):
    jobs.fail(ProcessPayment, raising=error)
    ProcessPayment.perform_later(7)
    jobs.drain(raise_errors=False)

    assert [event.kind for event in jobs.events] == kinds


def test_an_event_has_the_record_and_the_delivery(jobs):
    ProcessPayment.perform_later(7)
    before = jobs.events
    jobs.drain()
    enqueued, started, performed = jobs.events

    assert enqueued.record is started.record is performed.record is jobs.enqueued[0]
    assert {event.job for event in jobs.events} == {ProcessPayment}
    assert (enqueued.delivery, started.delivery) == (None, None)
    assert performed.delivery is jobs.deliveries[0]
    assert repr(before) == "<events: <Event #0 enqueued ProcessPayment(7)>>"
    jobs.redeliver(jobs.enqueued[0])
    jobs.drain()
    assert [event.kind for event in jobs.events][3:] == ["redelivered", "started", "performed"]


def test_inline_jobs_are_told_of_too(jobs):
    with jobs.inline():
        publish.perform_later(7)

    assert told(jobs) == [
        "enqueued publish(7)",
        "started publish(7)",
        "enqueued send_receipt(7)",
        "performed publish(7)",
        "started send_receipt(7)",
        "performed send_receipt(7)",
    ]


@pytest.mark.parametrize("inline", [True, False])
def test_coroutine_jobs_are_told_of_too(jobs, inline):
    with jobs.inline() if inline else nullcontext():
        afetch.perform_later()
    if not inline:
        asyncio.run(jobs.adrain())

    assert told(jobs) == ["enqueued afetch()", "started afetch()", "performed afetch()"]


def test_simulated_retries_and_halted_enqueues_are_no_events(jobs):
    jobs.simulate_retries(ProcessPayment, raising=ConnectionError)
    Refused.perform_later(7)

    assert jobs.events == []
    assert str(jobs.events) == "events: none"


def test_events_print_as_a_table(jobs):
    jobs.fail(ProcessPayment, raising=ConnectionError("reset"), times=1)
    ProcessPayment.perform_later(7)
    jobs.drain()

    assert str(jobs.events).splitlines() == [
        "events: 5",
        "#  event      job             arguments  attempt  error",
        "0  enqueued   ProcessPayment  7          1        -",
        "0  started    ProcessPayment  7          1        -",
        "0  retried    ProcessPayment  7          1        ConnectionError: reset",
        "1  started    ProcessPayment  7          2        -",
        "1  performed  ProcessPayment  7          2        -",
    ]


def test_a_long_table_of_events_is_cut(jobs):
    for number in range(70):
        ProcessPayment.perform_later(number)

    assert str(jobs.events).splitlines()[-1] == "... and 10 more"
    assert len(str(jobs.events).splitlines()) == 63


def test_looking_at_events_counts_as_looking_at_their_jobs(pytester):
    pytester.makepyfile(
        """
        from pytest_jobs import job

        @job
        def work(): ...

        def test_seen(jobs):
            work.perform_later()
            assert [event.kind for event in jobs.events] == ["enqueued"]

        def test_counted_only(jobs):
            work.perform_later()
            assert len(jobs.events) == 1
        """
    )

    pytester.runpytest("--jobs-strict").assert_outcomes(passed=1, failed=1)


def test_a_job_that_logs_by_callbacks_needs_no_plugin(jobs, caplog):
    class Logged(Job):
        @after_perform
        def log(self):
            logging.getLogger("mine").warning("done %s", self.job_id)

        def perform(self):
            """Do it."""

    done = Logged.perform_later()
    jobs.drain()

    assert caplog.messages == [f"done {done.job_id}"]


class InstrumentedJob(Job):
    """The seed's job, which measures itself by a callback around `perform`."""

    statsd: ClassVar[Client]

    @around_perform
    def measure(self):
        name = type(self).__name__.lower()
        begun = time.time()
        try:
            yield
        except Exception:
            self.statsd.increment(f"jobs.{name}.failure")
            raise
        self.statsd.timing(f"jobs.{name}.duration", time.time() - begun)
        self.statsd.increment(f"jobs.{name}.success")


@retry_on(ConnectionError, attempts=2)
@discard_on(KeyError)
class Measured(InstrumentedJob):
    def perform(self):
        time.sleep(2)


@pytest.mark.parametrize(
    ("error", "by_callback", "by_plugin"),
    [
        (None, "jobs.measured.success", "jobs.measured.success"),
        (ConnectionError, "jobs.measured.failure", "jobs.measured.retried"),
        (KeyError, "jobs.measured.failure", "jobs.measured.discarded"),
    ],
)
def test_a_callback_cannot_tell_a_retry_or_a_discard_from_a_failure_and_a_plugin_does(
    jobs, client, error, by_callback, by_plugin
):
    """A callback is inside of the rules; a lifecycle plugin hears what they made of the error."""
    Measured.statsd = Client()
    jobs.clock.freeze()
    if error is not None:
        jobs.fail(Measured, raising=error, times=1)
    Measured.perform_later()
    jobs.perform_due(raise_errors=False)

    assert Measured.statsd.counted == [by_callback]
    assert client.counted[-1] == by_plugin
    assert Measured.statsd.timings == ([] if error else [("jobs.measured.duration", 2.0)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JobMetrics(None), "JobMetrics(None) is given what has no timing and no increment"),
        (lambda: JobMetrics(3), "JobMetrics(3) is given what has no timing and no increment"),
        (
            lambda: JobLog("payments"),
            "JobLog('payments') is given what has no isEnabledFor and no log",
        ),
    ],
)
def test_what_cannot_be_told_of_jobs_is_refused_at_once(make, message):
    with pytest.raises(DeclarationError) as caught:
        make()

    assert str(caught.value).startswith(message)
