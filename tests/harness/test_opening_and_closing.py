"""A harness is in force while it is open, and leaves nothing behind."""

# ruff: noqa: PT012 - a harness, and a block of one, raises at its end

import gc
import inspect
import random
import time
import weakref

import pytest

from pytest_jobs import Job, job, retry_on
from pytest_jobs.adapters import TestAdapter
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.bridges.opening import open_jobs
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import ClockConflictError, NoAdapterError, NoHarnessError
from pytest_jobs.harness.jobs import current_jobs
from pytest_jobs.harness.open_harness import open_harnesses
from pytest_jobs.harness.records.record import current_record
from pytest_jobs.harness.time.clock import VirtualClock


class Note(Job):
    def perform(self, text):
        pass


class Fail(Job):
    def perform(self):
        raise ValueError("no")


@retry_on(ValueError, wait=100, jitter=0.5, attempts=4)
class Flaky(Fail):
    pass


@pytest.fixture(autouse=True)
def nothing_is_left(sleepless):
    """Compare, with `is`, what a harness replaces."""
    before = settings._adapter, settings.draw, time.sleep, list(open_harnesses._open)
    yield
    after = settings._adapter, settings.draw, time.sleep, list(open_harnesses._open)
    assert all(one is other for one, other in zip(before[:3], after[:3], strict=True))
    assert before[3] == after[3]
    assert current_record.get() is None


def test_jobs_are_recorded_while_the_harness_is_open():
    jobs = open_jobs()
    with pytest.raises(NoAdapterError):
        Note.perform_later("before")
    jobs.open()
    Note.perform_later("a")
    jobs.close()
    jobs.close()
    open_jobs().close()

    with pytest.raises(NoAdapterError):
        Note.perform_later("b")
    assert len(jobs.enqueued) == 1


def test_the_adapter_of_the_application_is_put_back():
    adapter = TestAdapter()
    draw = lambda: 0.25  # noqa: E731
    with settings.replace(adapter=adapter, draw=draw):
        with open_jobs():
            Note.perform_later("a")
        Note.perform_later("b")
        after = settings.adapter, settings.draw

    assert after[0] is adapter
    assert after[1] is draw
    assert len(adapter.enqueued) == 1


def test_nothing_of_time_is_patched_until_the_clock_moves(monkeypatch):
    def start(self, ns):
        raise AssertionError("the time was patched")

    monkeypatch.setattr(VirtualClock, "_start", start)
    with open_jobs() as jobs:
        Note.perform_later("a")
        jobs.drain()


@job
def interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("mode", "enqueue", "error"),
    [
        ("record", "".index, TypeError),
        ("inline", Fail.perform_later, ValueError),
        ("inline", interrupted.perform_later, KeyboardInterrupt),
    ],
    ids=["of the block", "of the check", "of a job"],
)
def test_everything_is_restored_after_an_error(mode, enqueue, error):
    with pytest.raises(error), open_jobs(mode=mode) as jobs:
        jobs.clock.advance(60)
        enqueue()


def test_nested_harnesses_record_each_its_own_and_the_innermost_is_the_current_one():
    with open_jobs() as outer:
        Note.perform_later("outer")
        with open_jobs() as inner:
            Note.perform_later("inner")
            assert current_jobs() is inner
            inner.drain()
        Note.perform_later("outer again")
        assert current_jobs() is outer
        outer.drain()

    assert [record.args[0] for record in outer.enqueued] == ["outer", "outer again"]
    assert [record.args[0] for record in inner.enqueued] == ["inner"]
    assert (len(outer.performed), len(inner.performed)) == (2, 1)


def test_without_a_harness_there_is_no_current_one(monkeypatch):
    monkeypatch.setattr(open_harnesses, "_open", [])
    with pytest.raises(NoHarnessError) as caught:
        current_jobs()

    assert str(caught.value) == inspect.cleandoc(NoHarnessError.__doc__)
    assert "with pytest_jobs.open_jobs():" in str(caught.value)


def test_a_closed_harness_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        with open_jobs() as jobs:
            Note.perform_later("a")
            jobs.drain()
        freed = weakref.ref(jobs), weakref.ref(jobs.harness)
        del jobs

        assert [each() for each in freed] == [None, None]
    finally:
        gc.enable()


class Broken(ReferenceBridge):
    """Fails where it is told to."""

    name = "broken"
    calls = ()

    def __init__(self, at, calls):
        super().__init__()
        self.at = at
        self.calls = calls

    def install(self, sink, draw):
        self.calls.append("install broken")
        if self.at == "install":
            raise RuntimeError("cannot be installed")

    def uninstall(self):
        self.calls.append("uninstall broken")
        if self.at == "uninstall":
            raise RuntimeError("cannot be uninstalled")


def test_a_bridge_that_cannot_be_installed_takes_the_others_down_with_it(make_jobs, stub_bridge):
    first, second, last = stub_bridge("first"), stub_bridge("second"), stub_bridge("last")
    calls = []
    jobs = make_jobs([first, second, Broken("install", calls), last])
    with pytest.raises(RuntimeError, match=r"^cannot be installed$"):
        jobs.open()

    assert first.calls == second.calls == ["install", "uninstall"]
    assert calls == ["install broken"]
    assert last.calls == []
    assert jobs.harness not in open_harnesses._open


def test_a_bridge_that_cannot_be_uninstalled_does_not_keep_the_others_in(make_jobs, stub_bridge):
    first, calls = stub_bridge("first"), []
    jobs = make_jobs([first, ReferenceBridge(), Broken("uninstall", calls)])
    with pytest.raises(RuntimeError, match=r"^cannot be uninstalled$"), jobs:
        jobs.clock.advance(60)

    assert first.calls == ["install", "uninstall"]
    assert calls == ["install broken", "uninstall broken"]


def test_bridges_are_uninstalled_in_the_opposite_order(make_jobs, stub_bridge):
    calls = []
    first, second = stub_bridge("first"), stub_bridge("second")
    first.calls = second.calls = calls
    first.uninstall = lambda: calls.append("uninstall first")
    second.uninstall = lambda: calls.append("uninstall second")
    with make_jobs([first, second]):
        pass

    assert calls == ["install", "install", "uninstall second", "uninstall first"]


def test_a_conflict_about_the_time_keeps_nothing_from_being_restored(make_jobs, stub_bridge):
    import time_machine

    first = stub_bridge("first")
    jobs = make_jobs([first, ReferenceBridge()])
    jobs.open()
    jobs.clock.advance(60)
    with time_machine.travel(0), pytest.raises(ClockConflictError):
        jobs.close()

    assert first.calls == ["install", "uninstall"]


def test_jobs_are_asked_of_the_first_bridge_that_knows_them(make_jobs, stub_bridge):
    with make_jobs([ReferenceBridge(), stub_bridge("stub")]) as jobs:
        assert jobs.harness.targets.get(Note).bridge.name == "core"
        assert jobs.harness.targets.get("anything").bridge.name == "stub"
        assert jobs.harness.targets.get(target := jobs.harness.targets.get(Note)) is target


def waits(jobs):
    Flaky.perform_later()
    return [d.wait.total_seconds() for d in jobs.drain(raise_errors=False).deliveries if d.wait]


def test_jitter_is_zero_or_the_same_in_every_run_or_chance_which_is_restored(monkeypatch):
    before = settings.draw
    found = {}
    for jitter in ("zero", "seeded"):
        for turn in range(2):
            with open_jobs(**{"jitter": jitter} if turn else {}) as jobs:
                assert settings.draw is jobs.harness._draw
                found[jitter, turn] = waits(jobs)
    with open_jobs(jitter="seeded") as jobs:
        again = waits(jobs)
    generator = random.Random(0)
    assert settings.draw is before is random.random

    assert found["zero", 0] == found["zero", 1] == [100, 100, 100]
    assert (
        found["seeded", 1] == again == pytest.approx([100 + 50 * generator.random() for _ in "123"])
    )
    assert len(set(again)) == 3
    drawn = iter([0.0, 0.5, 0.25])
    monkeypatch.setattr(random, "random", lambda: next(drawn))
    with open_jobs(jitter="live") as jobs:
        assert waits(jobs) == [100, 125, 112.5]


@pytest.mark.parametrize("jitter", ["zero", "seeded", "live"])
def test_the_bounds_of_a_wait_do_not_depend_on_the_jitter(jitter):
    with open_jobs(jitter=jitter) as jobs:
        Flaky.perform_later()
        low, high = jobs.perform(jobs.pending[0]).wait_bounds

    assert (low.total_seconds(), high.total_seconds()) == (100, 150)


def test_the_performer_tells_a_listener_of_every_delivery():
    heard = []
    with open_jobs() as jobs:
        jobs.harness.performer.when_delivered.append(heard.append)
        Note.perform_later("a")
        Flaky.perform_later()
        jobs.drain(raise_errors=False)

    assert heard == list(jobs.deliveries)


def test_what_is_enqueued_can_be_reported_to_another_harness():
    with open_jobs() as outer, open_jobs() as inner:
        Note.perform_later("inner")
        with inner.harness.bridges.sandboxed(outer.harness.ledger):
            Note.perform_later("outer")
        Note.perform_later("inner again")

    assert [record.args[0] for record in outer.enqueued] == ["outer"]
    assert [record.args[0] for record in inner.enqueued] == ["inner", "inner again"]
