"""`JobLog` writes one line of JSON for each thing that happens to a job."""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest

from pytest_jobs import (
    Job,
    JobLog,
    TestAdapter,
    before_enqueue,
    before_perform,
    configure,
    discard_on,
    hooks,
    job,
    perform_all_later,
    reference,
    rescue_from,
    retry_on,
)
from pytest_jobs.errors import DeclarationError, EnqueueError, Halt

HERE = __name__


class Lines(logging.Handler):
    """Keeps each line as data, with its level beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[str] = []
        self.data: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.levels.append(record.levelname)
        self.data.append(json.loads(record.getMessage()))

    def of(self, *events: str) -> list[dict[str, object]]:
        return [line for line in self.data if line["event"] in events]

    @property
    def events(self) -> list[object]:
        return [line["event"] for line in self.data]

    def level_of(self, event: str) -> str:
        return self.levels[self.events.index(event)]


@pytest.fixture
def log():
    """Log into a list, by a logger of its own."""
    with logging_into(Lines(), logging.INFO) as lines:
        yield lines


@contextmanager
def logging_into(lines, level):
    logger = logging.getLogger(f"{__name__}.lines")
    logger.propagate = False
    logger.setLevel(level)
    logger.addHandler(lines)
    try:
        with hooks.using(JobLog(logger)):
            yield lines
    finally:
        logger.removeHandler(lines)


@reference(id="id", find="find")
@dataclass
class Person:
    id: int

    @classmethod
    def find(cls, id: int) -> Person:
        return cls(id)


class Hello(Job):
    def perform(self, name: object = "World") -> str:
        return f"Hello, {name}"


class Nested(Job):
    def perform(self) -> None:
        Hello.perform_now("inside")


class Secret(Job):
    log_arguments = False

    def perform(self, password: str) -> None:
        """Keep it."""


class Stopped(Job):
    @before_enqueue
    def stop(self) -> None:
        raise Halt

    def perform(self) -> None:
        """Never run."""


class StoppedLater(Job):
    @before_perform
    def stop(self) -> None:
        raise Halt

    def perform(self) -> None:
        """Never run."""


@retry_on(ConnectionError, wait=3, attempts=2)
@retry_on(TimeoutError, wait=timedelta(minutes=1), attempts=2, queue="low")
@retry_on(BlockingIOError, wait=0, attempts=1, then=lambda job, error: None)
@discard_on(KeyError)
class Flaky(Job):
    errors: ClassVar = {
        "connection": ConnectionError,
        "timeout": TimeoutError,
        "blocked": BlockingIOError,
        "key": KeyError,
        "value": ValueError,
    }

    def perform(self, kind: str) -> None:
        raise self.errors[kind](f"{kind} error")


class Full(TestAdapter):
    """Takes one job and no more."""

    def enqueue(self, payload):
        if self.enqueued:
            raise EnqueueError("the queue is full")
        super().enqueue(payload)


class Closed(TestAdapter):
    def enqueue(self, payload):
        raise EnqueueError("the queue is closed")


# Tags: each line says whose it is


def test_each_line_names_the_class_and_the_id(jobs, log):
    enqueued = Hello.set(queue="low").perform_later()
    jobs.drain()
    Hello.set(wait=timedelta(hours=1)).perform_later()

    assert log.events == ["job_enqueued", "job_started", "job_completed", "job_enqueued"]
    assert set(log.levels) == {"INFO"}
    assert {(line["job_class"], line["job_id"]) for line in log.data[:3]} == {
        (f"{HERE}.Hello", enqueued.job_id)
    }
    first, *_, later = log.data
    assert first.keys() == {"event", "job_class", "job_id", "queue", "attempt", "arguments"}
    assert (first["queue"], first["attempt"], later["wait_seconds"]) == ("low", 1, 3600)


def test_a_nested_job_has_lines_of_its_own(jobs, log):
    Nested.perform_later()
    jobs.drain()

    classes = [(line["event"], str(line["job_class"]).rpartition(".")[2]) for line in log.data]
    assert classes == [
        ("job_enqueued", "Nested"),
        ("job_started", "Nested"),
        ("job_started", "Hello"),
        ("job_completed", "Hello"),
        ("job_completed", "Nested"),
    ]
    assert len({line["job_id"] for line in log.data}) == 2
    assert "arguments" not in log.data[0]


# Enqueueing


def test_an_enqueue_that_is_halted_is_no_error(jobs, log):
    Stopped.perform_later()

    assert log.data == [{"event": "job_enqueue_halted", "job_class": f"{HERE}.Stopped"}]
    assert log.levels == ["INFO"]


def test_an_enqueue_that_the_adapter_refuses_is_an_error(log):
    with configure(adapter=Closed()):
        refused = Hello.perform_later()

    assert log.data == [
        {
            "event": "job_not_enqueued",
            "job_class": f"{HERE}.Hello",
            "job_id": refused.job_id,
            "queue": "default",
            "attempt": 1,
            "error_class": "EnqueueError",
            "error_message": "the queue is closed",
        }
    ]
    assert log.levels == ["ERROR"]


# Many at once: a line each


def test_of_many_each_has_a_line(jobs, log):
    perform_all_later([Hello.new("a"), Flaky.set(wait=60).new("key")])

    assert [(line["job_class"], line.get("wait_seconds")) for line in log.data] == [
        (f"{HERE}.Hello", None),
        (f"{HERE}.Flaky", 60),
    ]


@pytest.mark.parametrize(
    ("adapter", "events"),
    [
        (Full, ["job_enqueued", "job_not_enqueued"]),
        (Closed, ["job_not_enqueued", "job_not_enqueued"]),
    ],
)
def test_of_many_those_that_were_refused_are_told_apart(log, adapter, events):
    with configure(adapter=adapter()):
        perform_all_later([Hello.new("a"), Hello.new("b")])

    assert log.events == events
    assert log.levels == [{"job_enqueued": "INFO"}.get(event, "ERROR") for event in events]


# Arguments


@pytest.mark.parametrize(
    ("given", "logged"),
    [
        ("Ann", {"name": "Ann"}),
        (Person(7), {"name": "<Person 7>"}),
        ([{"person": Person(8)}], {"name": [{"person": "<Person 8>"}]}),
    ],
    ids=["text", "a record", "records within"],
)
def test_arguments_are_logged_by_name_and_records_by_what_names_them(jobs, log, given, logged):
    Hello.perform_later(given)
    jobs.drain()

    for line in log.of("job_enqueued", "job_started"):
        assert line["arguments"] == logged
    assert "arguments" not in log.of("job_completed")[0]


@job(base=Secret)
def change(password: str) -> None:
    """Change it."""


@pytest.mark.parametrize("kept", [Secret, type("More", (Secret,), {}), change])
def test_a_class_can_keep_its_arguments_to_itself_and_others_inherit_that(jobs, log, kept):
    kept.perform_later("xyzzy")
    jobs.drain()

    assert log.events == ["job_enqueued", "job_started", "job_completed"]
    assert "xyzzy" not in json.dumps(log.data)


def test_whether_arguments_are_logged_is_true_or_false():
    with pytest.raises(DeclarationError) as caught:
        type("Wrong", (Job,), {"log_arguments": "no"})

    assert str(caught.value) == "Wrong.log_arguments is 'no', which is neither True nor False."


def test_arguments_that_cannot_be_read_are_logged_as_text(jobs, log):
    Hello.perform_later("Ann").payload.arguments = "[[1,2,3],{}]"
    with pytest.raises(TypeError):
        jobs.drain()

    assert log.of("job_started")[0]["arguments"] == "[[1,2,3],{}]"


# Performing


def test_performing_says_when_it_begins_and_how_long_it_took(jobs, log):
    @job
    def sleep():
        time.sleep(1.5)

    sleep.perform_later()
    jobs.clock.advance(1)
    jobs.drain()

    started, completed = log.data[1:]
    assert (started["event"], "duration_ms" in started) == ("job_started", False)
    assert (completed["event"], completed["duration_ms"]) == ("job_completed", 1500)


@pytest.mark.parametrize("value", [None, False, 0, "", [], ValueError()])
def test_a_falsy_result_and_an_error_that_a_rescue_dealt_with_are_none(jobs, log, value):
    class Work(Job):
        @rescue_from(ValueError)
        def rescue(self, error):
            return "rescued"

        def perform(self):
            if isinstance(value, ValueError):
                raise value
            return value

    Work.perform_later()
    jobs.drain()

    assert log.events[-1] == "job_completed"
    assert log.levels == ["INFO", "INFO", "INFO"]
    assert "error_class" not in log.data[-1]


def test_a_halted_job_is_no_error(jobs, log):
    StoppedLater.perform_later()
    jobs.drain()

    assert log.events == ["job_enqueued", "job_started", "job_halted"]
    assert log.level_of("job_halted") == "INFO"
    assert "error_class" not in log.data[-1]


@pytest.mark.parametrize(
    ("kind", "event", "error", "attempt"),
    [
        ("value", "job_failed", ValueError, 1),
        ("connection", "job_exhausted", ConnectionError, 2),
        ("blocked", "job_exhausted", BlockingIOError, 1),
        ("key", "job_discarded", KeyError, 1),
    ],
)
def test_the_end_of_a_job_that_is_given_up_is_logged_with_its_error(
    jobs, log, kind, event, error, attempt
):
    Flaky.perform_later(kind)
    jobs.drain(raise_errors=False)

    line = log.data[-1]
    assert (line["event"], line["attempt"], log.levels[-1]) == (event, attempt, "ERROR")
    assert (line["error_class"], str(error(f"{kind} error"))) == (
        error.__name__,
        line["error_message"],
    )
    assert ("backtrace" in line) is (event != "job_discarded")
    for frame in line.get("backtrace", [])[-1:]:
        assert str(frame).endswith(" in perform")
        assert "test_job_log.py:" in str(frame)


def test_a_job_that_cannot_be_read_has_an_end_and_no_start(jobs, log):
    Hello.perform_later().payload.arguments = "?"
    with pytest.raises(Exception, match="cannot be read back"):
        jobs.drain()

    assert log.events == ["job_enqueued", "job_failed"]
    assert "duration_ms" not in log.data[-1]


# Retries


def test_a_retry_is_logged_with_its_wait_and_its_error_and_the_next_attempt(jobs, log):
    jobs.clock.freeze()
    Flaky.perform_later("timeout")
    jobs.perform_due()

    first, second = log.of("job_enqueued")
    line = log.data[-1]
    assert log.events == ["job_enqueued", "job_started", "job_enqueued", "job_retried"]
    assert log.level_of("job_retried") == "INFO"
    assert (line["attempt"], line["wait_seconds"]) == (1, 60)
    assert (line["error_class"], line["error_message"]) == ("TimeoutError", "timeout error")
    assert (first["attempt"], first["queue"]) == (1, "default")
    assert (second["attempt"], second["queue"], second["wait_seconds"]) == (2, "low", 60)


def test_a_retry_without_an_error_has_none(jobs, log):
    class Again(Job):
        def perform(self):
            if self.attempt == 1:
                self.retry()

    Again.perform_later()
    jobs.perform_due()

    (line,) = log.of("job_retried")
    assert line["wait_seconds"] == 0
    assert "error_class" not in line


# Levels


def test_a_level_that_is_off_is_left_out(jobs):
    with logging_into(Lines(), logging.ERROR) as lines:
        Hello.perform_later()
        Flaky.perform_later("key")
        jobs.drain()

    assert lines.events == ["job_discarded"]


def test_the_logger_is_that_of_the_library(jobs, caplog):
    caplog.set_level(logging.INFO, "pytest_jobs")
    with hooks.using(JobLog()):
        Hello.perform_later()

    assert [record.name for record in caplog.records] == ["pytest_jobs"]
