"""What the tests of ActiveJob, Sidekiq and GlobalID ask of jobs, and no other test of ours.

The cases that other tests of ours answer are in `cases.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest
from stub_database import StubDatabase

from pytest_jobs import (
    InlineAdapter,
    Job,
    Payload,
    TestAdapter,
    after_discard,
    argument_type,
    around_enqueue,
    before_enqueue,
    configure,
    discard_on,
    hookimpl,
    hooks,
    job,
    perform_all_later,
    reference,
    retry_on,
)
from pytest_jobs.errors import (
    DeclarationError,
    DeserializationError,
    EnqueueError,
    Halt,
    SerializationError,
)


class Down(Exception):
    pass


class Note(Job):
    log: ClassVar[list[object]] = []

    def perform(self, text="a note"):
        self.log.append(text)
        return text


class Failing(Job):
    """Fails on the attempts that it is told."""

    def perform(self, *attempts):
        if not attempts or self.attempt in attempts:
            raise Down(f"attempt {self.attempt}")


@retry_on(Down, wait=2, attempts=3)
class Flaky(Failing):
    pass


@retry_on(Down, wait=0, attempts=3)
class FlakyAtOnce(Failing):
    pass


class Full(TestAdapter):
    """Takes so many jobs and no more."""

    def __init__(self, room=0):
        super().__init__()
        self.room = room

    def enqueue(self, payload):
        if len(self.enqueued) == self.room:
            raise EnqueueError("There is no room.")
        super().enqueue(payload)


@pytest.fixture(autouse=True)
def log():
    Note.log.clear()
    return Note.log


# Performing


def test_p21_all_jobs_have_one_adapter():
    with pytest.raises(DeclarationError, match=r"write `configure\(adapter=\.\.\.\)`"):

        class Own(Note):
            queue_adapter = InlineAdapter()


def test_p23_retries_at_once_are_performed_inline_and_later_ones_wait(jobs):
    with pytest.raises(Down, match="attempt 3"), jobs.inline():  # noqa: PT012 - it raises at its end
        FlakyAtOnce.perform_later()
        Flaky.perform_later()

    assert [delivery.record.attempt for delivery in jobs.deliveries] == [1, 2, 3, 1]
    assert [record.attempt for record in jobs.scheduled] == [2]


@pytest.mark.parametrize("verb", ["inline", "drain"])
def test_p23_a_retry_in_another_queue_is_not_of_the_filter(jobs, verb):
    @retry_on(Down, wait=0, queue="b")
    class Moving(Failing):
        queue = "a"

    with jobs.inline(queue="a") if verb == "inline" else jobs.capture():
        Moving.perform_later()
    if verb == "drain":
        jobs.drain(queue="a")

    assert [delivery.record.attempt for delivery in jobs.deliveries] == [1]
    assert [(record.queue, record.attempt) for record in jobs.pending] == [("b", 2)]


def test_p29_many_at_once_are_performed_one_by_one(jobs, log):
    with jobs.inline():
        perform_all_later([Note.new("a"), Note.set(queue="low").new("b"), Note.new("c")])

    assert log == ["a", "b", "c"]


@pytest.mark.parametrize("inline", [False, True])
def test_d11_the_lifecycle_plugins_of_production_stand_around_each_job(jobs, inline):
    class Middleware:
        steps: ClassVar[list[str]] = []

        @hookimpl
        def job_started(self, job):
            self.steps.append(f"before {job.args}")

        @hookimpl
        def job_finished(self, job, execution):
            self.steps.append(f"after {execution.result}")

    with hooks.using(Middleware()):
        if inline:
            with jobs.inline():
                Note.perform_later("a")
        else:
            Note.perform_later("a")
            jobs.perform(jobs.pending[0])

    assert Middleware.steps == ["before ('a',)", "after a"]


def test_d4_a_job_knows_its_id(jobs):
    class Myself(Job):
        def perform(self):
            return self.job_id

    sent = Myself.perform_later()
    jobs.drain()

    assert jobs.performed[0].result == sent.job_id == jobs.enqueued[0].job_id


# Enqueueing


@pytest.mark.parametrize("enqueue", [Note.enqueue, lambda note: perform_all_later([note])])
def test_q3_a_job_that_is_refused_later_is_not_enqueued_any_more(enqueue):
    with configure(adapter=Full(room=1)):
        note = Note.perform_later()
        assert note.enqueued
        enqueue(note)

    assert not note.enqueued
    assert isinstance(note.enqueue_error, EnqueueError)


def test_q4_a_plugin_hears_of_each_of_many_that_was_taken():
    class Listener:
        heard: ClassVar[list[object]] = []

        @hookimpl
        def job_enqueued(self, job):
            self.heard.append(job.args)

    with configure(adapter=Full(room=2)), hooks.using(Listener()):
        sent = perform_all_later([Note.new("one"), Note.new("two"), Note.new("three")])

    assert Listener.heard == [("one",), ("two",)]
    assert [each.enqueued for each in sent] == [True, True, False]


class NoteAfterCommit(Note):
    enqueue_after_commit = True


def test_q7_an_adapter_that_refuses_it_after_the_commit_corrects_that():
    database = StubDatabase()
    with configure(adapter=Full(), transactions=[database]), database.transaction():
        note = NoteAfterCommit.perform_later()
        assert note.enqueued

    assert not note.enqueued
    assert isinstance(note.enqueue_error, EnqueueError)


def test_q7_callbacks_run_after_the_commit():
    steps = []

    class Watched(NoteAfterCommit):
        @around_enqueue
        def tell(self):
            steps.append("before")
            yield
            steps.append(f"after, with {len(adapter.enqueued)}")

    adapter, database = TestAdapter(), StubDatabase()
    with configure(adapter=adapter, transactions=[database]), database.transaction():
        Watched.perform_later()
        steps.append("commit")

    assert steps == ["commit", "before", "after, with 1"]


def test_q7_a_callback_that_halts_it_after_the_commit_corrects_that():
    class Halted(NoteAfterCommit):
        @before_enqueue
        def stop(self):
            raise Halt

    adapter, database = TestAdapter(), StubDatabase()
    with configure(adapter=adapter, transactions=[database]), database.transaction():
        note = Halted.perform_later()
        assert note.enqueued

    assert (note.enqueued, type(note.enqueue_error), adapter.enqueued) == (False, Halt, [])


def test_q7_a_base_class_that_is_told_later_reaches_those_that_exist(monkeypatch):
    class Base(Job):
        pass

    class Derived(Base):
        def perform(self): ...

    monkeypatch.setattr(Base, "enqueue_after_commit", True)
    adapter, database = TestAdapter(), StubDatabase()
    with configure(adapter=adapter, transactions=[database]):
        with database.transaction():
            Derived.perform_later()
            assert adapter.enqueued == []
        assert len(adapter.enqueued) == 1


# Rules for errors


def test_r15_arguments_that_cannot_be_read_are_retried_by_rule(jobs, log):
    @retry_on(DeserializationError, attempts=5, then=lambda job, error: log.append(job.args))
    class Import(Note): ...

    Import.perform_later().payload.arguments = "?"

    assert jobs.drain() == {"retried": 4, "exhausted": 1}
    assert log == [()]


def test_d12_retries_are_limited_by_attempts_and_not_by_time():
    with pytest.raises(TypeError, match="unexpected keyword argument 'retry_for'"):
        retry_on(Down, retry_for=3600)


def test_d12_each_failure_counts_one_more(jobs):
    Flaky.perform_later(1, 2)

    assert jobs.drain() == {"retried": 2, "performed": 1}
    assert [d.record.payload.failures for d in jobs.deliveries] == [
        None,
        {f"{__name__}.Down": 1},
        {f"{__name__}.Down": 2},
    ]


def test_d12_an_error_that_a_shutdown_caused_is_judged_by_itself(jobs):
    @retry_on(Down, attempts=2)
    class Import(Job):
        def perform(self):
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt as stop:
                raise Down from stop

    Import.perform_later()

    assert jobs.drain(raise_errors=False) == {"retried": 1, "exhausted": 1}


@pytest.mark.parametrize("failing", [(9,), (1,), (1, 2)], ids=["none", "the first", "all but one"])
def test_d14_the_hook_of_exhaustion_does_not_run_for_a_job_that_succeeds(jobs, log, failing):
    @retry_on(Down, attempts=3, then=lambda job, error: log.append(error))
    class Told(Failing): ...

    Told.perform_later(*failing)

    assert jobs.drain()["performed"] == 1
    assert (log, jobs.dead) == ([], [])


def test_d14_a_lifecycle_plugin_hears_of_every_job_that_is_given_up_after_its_own_hooks(jobs):
    class DeathHandler:
        dead: ClassVar[list[object]] = []

        @hookimpl
        def job_finished(self, job, execution):
            if execution.status in ("failed", "exhausted", "discarded"):
                self.dead.append((execution.status, str(execution.error), execution.aftermath))

    def told(job, error): ...

    @retry_on(Down, attempts=3, then=told)
    class Told(Failing): ...

    @discard_on(Down, then=told)
    class Discarded(Failing): ...

    with hooks.using(DeathHandler()):
        for given_up in (Told, Discarded, Failing):
            given_up.perform_later()
        jobs.drain(raise_errors=False)

    assert sorted(DeathHandler.dead) == [
        ("discarded", "attempt 1", ("told",)),
        ("exhausted", "attempt 3", ("told",)),
        ("failed", "attempt 1", ()),
    ]


# Arguments


def test_s2_what_names_a_record_in_a_payload_is_no_argument(jobs, orders):
    ship.perform_later(orders[1])

    with pytest.raises(SerializationError, match="which a payload cannot carry"):
        ship.perform_later(jobs.enqueued[0].args[0])


def test_s9_times_are_kept_to_the_nanosecond(jobs):
    data = Note.set(wait=1.000_000_001).perform_later().payload.to_dict()

    assert data["due_ns"] - data["enqueued_ns"] == 1_000_000_001
    assert Payload.from_dict(data).due_ns == data["due_ns"]


def test_s10_registering_a_class_again_changes_nothing(jobs):
    @argument_type
    @dataclass
    class Registered:
        number: int

    argument_type(Registered)
    Note.perform_later([Registered(5)])
    jobs.drain()

    assert jobs.performed[0].result == [Registered(5)]


def test_s11_whatever_runs_because_a_job_is_given_up_has_its_arguments(jobs):
    zones = []

    @retry_on(ValueError, attempts=1, then=lambda job, error: zones.append(job.params["zone"]))
    class Remind(Job):
        @after_discard
        def look(self, error):
            zones.append(self.params["zone"])

        def perform(self, *, zone="UTC"):
            raise ValueError

    Remind.perform_later(zone="Europe/Warsaw")
    jobs.drain()

    assert zones == ["Europe/Warsaw"] * 2


def test_s12_a_retry_has_nothing_that_was_set_on_the_job(jobs):
    seen = []

    @retry_on(ValueError, attempts=3)
    class Step(Job):
        position = 0

        def perform(self, start, *, end):
            seen.append((start, end, self.position))
            self.position += 1
            if self.attempt < 3:
                raise ValueError

    Step.perform_later(1, end=9)
    jobs.drain()

    assert seen == [(1, 9, 0)] * 3


# Records


@reference(id="number", find="find")
@dataclass
class Order:
    number: int

    rows: ClassVar[dict[int, Order]] = {}
    asked: ClassVar[list[int]] = []

    @classmethod
    def find(cls, number):
        cls.asked.append(number)
        return cls.rows.get(number)


@pytest.fixture
def orders():
    """Return the rows of a table with two orders."""
    Order.asked.clear()
    Order.rows = {number: Order(number) for number in (1, 2)}
    return Order.rows


@job
def ship(*orders):
    return list(orders)


def test_x3_a_reference_can_be_located_by_hand(jobs, orders):
    ship.perform_later(orders[1])
    named = jobs.pending[0].args[0]

    assert named.find() is orders[1]
    assert named == orders[1]


def test_x3_many_records_are_located_one_by_one_in_their_order(jobs, orders):
    ship.perform_later(orders[2], orders[1], orders[2])
    jobs.drain()

    assert Order.asked == [2, 1, 2]
    assert [order.number for order in jobs.performed[0].result] == [2, 1, 2]


def test_x3_each_class_has_a_finder_of_its_own_and_the_last_one_counts(jobs):
    class Remote:
        def __init__(self, id):
            self.id = id

    reference(id="id", find=lambda key: ("first application", key))(Remote)
    reference(id="id", find=lambda key: ("second application", key))(Remote)
    ship.perform_later(Remote(7))
    jobs.drain()

    assert jobs.performed[0].result == [("second application", 7)]


def test_x3_a_reference_is_not_signed_and_does_not_expire(jobs, orders):
    payload = ship.set(wait=timedelta(days=400)).perform_later(orders[1]).payload
    jobs.drain()

    assert jobs.performed[0].result == [orders[1]]
    assert "sign" not in payload.arguments
