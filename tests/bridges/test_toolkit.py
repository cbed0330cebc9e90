"""What the base class of bridges does, shown with the smallest library that there can be."""

import random
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from tables import each_row

from pytest_jobs.bridges.toolkit import (
    RETRY,
    Attempt,
    CountedAttempts,
    DeliverySemantics,
    Drawn,
    LibraryBridge,
    Message,
    PinnedRandom,
    current_attempt,
    minutes_between,
    times_between,
    to_datetime,
    to_ns,
)
from pytest_jobs.errors import (
    BridgeError,
    CriterionError,
    NoHarnessError,
    NotPerformedError,
)
from pytest_jobs.harness.jobs import Jobs


def greet(name):
    return f"Hello, {name}!"


class Library:
    """Sends messages to nowhere."""

    def send(self, message):
        raise ConnectionError


library = Library()


class Called(Message):
    __slots__ = ("args",)

    def __init__(self, job_id, args, now_ns, **known):
        super().__init__("greet", job_id, now_ns, **known)
        self.args = args


class SmallBridge(LibraryBridge):
    name = "small"
    capabilities = frozenset()

    def patch(self, seam):
        seam.replace(Library, "send", SmallBridge.sent)

    def new_store(self):
        return []

    def sent(self, library, message):
        self.store.append(message)
        self.report(message)

    def find(self, job):
        return greet if job in ("greet", greet) else None

    def name_of(self, task):
        return "greet"

    def body_of(self, task):
        return greet

    def decoded(self, message):
        return message.args, {}

    def send(self, task, args, kwargs):
        library.send(Called(str(len(self.store)), args, self.sink.now_ns()))

    def deliver(self, attempt):
        return attempt.performed(attempt.around(lambda: greet(*attempt.message.args)))

    def semantics_of(self, task):
        return DeliverySemantics("before", False, False, False)


class OtherLibrary:
    """Numbers its jobs as the first one does."""

    def send(self, message):
        raise ConnectionError


class OtherBridge(SmallBridge):
    name = "other"

    def patch(self, seam):
        seam.replace(OtherLibrary, "send", SmallBridge.sent)


@pytest.fixture
def bridge():
    return SmallBridge()


@pytest.fixture
def jobs(bridge):
    with Jobs([bridge]) as jobs:
        yield jobs


def call(bridge, name="Ann", **known):
    library.send(Called("an-id", (name,), bridge.sink.now_ns(), **known))


def test_a_message_has_defaults():
    message = Message("greet", "an-id", 5)

    assert (message.queue, message.priority, message.headers, message.attempt) == (
        *(None, None, None),
        1,
    )
    assert (message.due_ns, message.expires_ns) == (None, None)
    assert repr(message) == "<Message greet an-id>"


def test_a_job_is_recorded_and_performed_and_a_sandbox_has_a_store_of_its_own(jobs, bridge):
    call(bridge)
    with bridge.sandbox(jobs.harness.ledger):
        assert bridge.store == []
    jobs.drain()

    assert [(d.record.job, d.result) for d in jobs.performed] == [(greet, "Hello, Ann!")]
    assert [jobs.performed[0].record.payload] == bridge.store


def test_a_message_with_the_id_of_the_job_that_runs_is_its_retry(jobs, bridge):
    def sending_again():
        library.send(Called("another-id", ("child",), bridge.sink.now_ns()))
        library.send(Called("an-id", ("Ann",), bridge.sink.now_ns(), attempt=2))
        return current_attempt.get().again

    call(bridge)
    (record,) = jobs.pending
    delivery = bridge.perform(record, now_ns=0, around=lambda body: sending_again())

    assert [record.origin for record in jobs.pending] == ["enqueue", "enqueue", RETRY]
    assert delivery.result is jobs.pending[2]
    assert current_attempt.get() is None


def test_two_libraries_may_give_their_jobs_the_same_id(bridge):
    other = OtherBridge()

    with Jobs([bridge, other]) as jobs:
        call(bridge)
        (record,) = jobs.pending
        bridge.perform(
            record, now_ns=0, around=lambda body: OtherLibrary().send(Called("an-id", ("Bob",), 0))
        )
        jobs.harness.ledger.removed(record)

        assert [(record.bridge, record.origin) for record in jobs.enqueued] == [
            ("small", "enqueue"),
            ("other", "enqueue"),
        ]
        assert bridge.pending_with("an-id") is None
        assert other.pending_with("an-id") is jobs.enqueued[1]


def test_a_retry_says_how_long_it_waits(jobs, bridge):
    call(bridge)
    attempt = Attempt(bridge, jobs.pending[0], bridge.store[0], 0, lambda body: body())
    attempt.again = bridge.report(Called("an-id", (), 10, due_ns=40), RETRY)
    delivery = attempt.retried(ValueError("no"), bounds_ns=(20_000, 40_000))

    assert (delivery.status, str(delivery.error), delivery.handled) == ("retried", "no", True)
    assert delivery.wait.total_seconds() == 0
    assert [bound.microseconds for bound in delivery.wait_bounds] == [20, 40]


def test_a_job_that_was_not_sent_again_is_not_retried(jobs, bridge):
    call(bridge)
    attempt = Attempt(bridge, jobs.pending[0], bridge.store[0], 0, lambda body: body())

    with pytest.raises(BridgeError, match="was not sent again, so it is not retried"):
        attempt.retried(ValueError())


def test_a_coroutine_is_awaited_as_an_attempt(jobs, bridge):
    import asyncio

    async def later(attempt):
        return attempt.performed(current_attempt.get() is attempt)

    bridge.deliver = later
    call(bridge)
    awaitable = bridge.perform(jobs.pending[0], now_ns=0, around=lambda body: body())

    assert current_attempt.get() is None
    assert asyncio.run(_awaited(awaitable)).result is True


def test_a_coroutine_that_is_thrown_away_in_another_context_ends_quietly(jobs, bridge):
    import contextvars
    from types import coroutine

    @coroutine
    def pause():
        yield

    async def later(attempt):
        await pause()

    bridge.deliver = later
    call(bridge)
    awaitable = bridge.perform(jobs.pending[0], now_ns=0, around=lambda body: body())
    contextvars.copy_context().run(awaitable.send, None)

    awaitable.close()


async def _awaited(awaitable):
    return await awaitable


def test_the_errors_of_the_base_class_name_the_library(bridge, jobs):
    call(bridge)
    with pytest.raises(CriterionError, match=r"^7 is not a task of small\.$"):
        bridge.resolve(7)
    with pytest.raises(BridgeError, match="The bridge to small is installed already"):
        bridge.install(jobs.harness.ledger, float)
    error = bridge.not_performed("an-id")
    assert isinstance(error, NotPerformedError)
    assert "has not been performed, so it has no result" in str(error)
    assert "No task with the id gone has been performed here" in str(bridge.not_performed("gone"))


def test_without_a_harness_nothing_is_reported(bridge):
    with pytest.raises(NoHarnessError):
        bridge.sink  # noqa: B018
    with pytest.raises(ConnectionError):
        library.send(None)


def test_what_a_library_draws_is_pinned_during_a_delivery(jobs, bridge):
    pinned = PinnedRandom(random)
    drawn = []

    def draw():
        draws = pinned.random, lambda: pinned.uniform(2, 4), lambda: pinned.randrange(10)
        for one in draws:
            drawn.append((one(), current_attempt.get().drawn))  # noqa: PERF401 - one after the other

    call(bridge)
    bridge.draw = lambda: 0.5
    bridge.perform(jobs.pending[0], now_ns=0, around=lambda body: draw())

    assert drawn == [(0.5, Drawn(0, 0.5, 1)), (3, Drawn(2, 3, 4)), (5, Drawn(0, 5, 9))]


def test_what_a_library_draws_at_other_times_is_left_to_chance():
    pinned = PinnedRandom(random.Random(1))
    plain = random.Random(1)

    assert pinned.random() == plain.uniform(0, 1)
    assert pinned.uniform(2, 4) == plain.uniform(2, 4)
    assert pinned.randrange(10) == plain.randrange(10)
    assert pinned.choice("a") == "a"


def test_a_class_that_patches_has_a_seam_of_its_own():
    class Other(SmallBridge):
        def patch(self, seam):
            """Patch nothing."""

    class Same(SmallBridge):
        pass

    assert Same.seam is SmallBridge.seam is not Other.seam
    assert not hasattr(LibraryBridge, "seam")


@each_row(
    ("base", "method", "given"),
    [
        *(
            (LibraryBridge, method, [None])
            for method in (
                "patch",
                "find",
                "name_of",
                "body_of",
                "decoded",
                "deliver",
                "semantics_of",
            )
        ),
        (LibraryBridge, "send", [None, (), {}]),
        (CountedAttempts, "retried", [Message("greet", "1", 0), 3]),
    ],
)
def test_what_is_to_be_written_says_so(base, method, given):
    with pytest.raises(
        NotImplementedError,
        match=f"^{base.__name__} does not define `{method}`, .*bridge-your-own.md",
    ):
        getattr(base(), method)(*given)


class OfItself(Message):
    def as_attempt(self, attempt):
        return OfItself(self.name, self.job_id, self.enqueued_ns, attempt=attempt)


def test_a_message_is_asked_for_its_next_attempt():
    message = OfItself("greet", "1", 0)
    assert CountedAttempts().retried(message, 3).attempt == 3


@each_row(("order", "ranks"), [(0, [0, 0]), (1, [5, 0]), (-1, [-5, 0])])
def test_the_class_says_which_priority_goes_first(order, ranks):
    kind = type("Ordered", (LibraryBridge,), {"order": order})
    assert [kind().rank(5), kind().rank(None)] == ranks


MONDAY = datetime(2030, 1, 7, tzinfo=UTC)


class HourlyBridge(SmallBridge):
    """A library whose scheduler sends `greet` at each full hour."""

    def firings_between(self, after_ns, until_ns):
        for at_ns in times_between(self.following, after_ns, until_ns):
            yield at_ns, partial(self.send, greet, (f"{to_datetime(at_ns):%H:%M}",), {})

    def following(self, moment):
        return moment.replace(minute=0) + timedelta(hours=1)


@pytest.fixture
def hourly():
    with Jobs([HourlyBridge()]) as harness:
        harness.clock.move_to(MONDAY + timedelta(minutes=30))
        yield harness


def test_what_the_scheduler_of_a_library_sends_comes_while_time_passes(hourly):
    hourly.run_for(timedelta(hours=2, minutes=30))

    assert [record.args for record in hourly.enqueued] == [("01:00",), ("02:00",), ("03:00",)]
    assert [f"{delivery.at:%H:%M}" for delivery in hourly.performed] == ["01:00", "02:00", "03:00"]


def test_a_span_that_begins_at_a_firing_does_not_repeat_it_and_other_verbs_send_nothing(hourly):
    hourly.run_for(timedelta(minutes=30))
    hourly.run_for(timedelta(minutes=59))
    assert [record.args for record in hourly.enqueued] == [("01:00",)]

    hourly.clock.advance(timedelta(hours=1))
    hourly.perform_due()
    hourly.drain()
    assert len(hourly.enqueued) == 1


def test_the_error_of_a_firing_is_raised_by_run_for(hourly, monkeypatch):
    monkeypatch.setattr(HourlyBridge, "send", lambda *given: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        hourly.run_for(timedelta(hours=1))


def test_a_schedule_that_has_ended_has_no_more_times():
    end_ns = to_ns(MONDAY + timedelta(days=1), "end")

    assert list(times_between(lambda moment: None, to_ns(MONDAY, "begin"), end_ns)) == []


def test_the_full_minutes_of_a_span_leave_its_beginning_out():
    second_ns = 1_000_000_000

    assert list(minutes_between(60 * second_ns, 180 * second_ns)) == [
        120 * second_ns,
        180 * second_ns,
    ]
    assert list(minutes_between(61 * second_ns, 119 * second_ns)) == []
