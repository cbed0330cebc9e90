"""What becomes of the job that a lock keeps out."""

import logging
import threading
from contextlib import suppress
from typing import ClassVar

import pytest
from tables import each_row

from pytest_jobs import (
    InlineAdapter,
    Job,
    MemoryStore,
    TestAdapter,
    configure,
    job,
    limits_concurrency,
    retry_on,
    unique,
)
from pytest_jobs.core.foundation.protocols import Held
from pytest_jobs.errors import DeclarationError, EnqueueError, JobLockedError, StoreError

SIDES = ["while_executing", "until_and_while_executing"]


def logged(caplog):
    return [r.getMessage() for r in caplog.records if r.name == "pytest_jobs"]


@pytest.mark.parametrize(("on_conflict", "lines"), [("drop", 0), ("log", 1)])
def test_log_names_both_jobs_and_the_lock_and_drop_says_nothing(jobs, caplog, on_conflict, lines):
    caplog.set_level(logging.INFO)

    @unique(on_conflict=on_conflict, scope="crm")
    @job
    def sync(n): ...

    first, second = sync.perform_later(7), sync.perform_later(7)

    assert second.dropped_for == first.job_id
    assert logged(caplog) == lines * [
        (
            f"Dropped at enqueue: {sync.job_class.__declaration__.name} (job {second.job_id}) may not go on: "
            f"unique:crm:[7] is held by job {first.job_id}."
        )
    ]


@pytest.mark.parametrize("options", [{}, {"wait": 60}])
def test_replace_takes_back_what_waits_and_enqueues_the_new_one(jobs, options):
    @unique(on_conflict="replace", key="n")
    @job
    def sync(n, how): ...

    first = sync.set(**options).perform_later(1, "old")
    second = sync.set(**options).perform_later(1, "new")

    assert (second.enqueued, second.dropped_for) == (True, None)
    assert [record.job_id for record in jobs.pending] == [second.job_id]
    assert [record.job_id for record in jobs.enqueued] == [first.job_id, second.job_id]
    assert [lock.job_id for lock in jobs.locks] == [second.job_id]

    jobs.drain()
    assert [delivery.record.args for delivery in jobs.performed] == [(1, "new")]


def test_replace_takes_back_a_retry(jobs):
    @retry_on(ConnectionError, wait=60)
    @unique(on_conflict="replace")
    @job
    def sync(): ...

    with jobs.fail(sync, raising=ConnectionError, on=[1]):
        sync.perform_later()
        jobs.perform_due()
    second = sync.perform_later()

    assert [record.job_id for record in jobs.pending] == [second.job_id]


def test_replace_leaves_a_job_that_runs_to_its_end_and_takes_its_lock(jobs):
    replaced = []

    @unique(on_conflict="replace")
    @job
    def sync():
        if not replaced:
            replaced.append(sync.perform_later())
            assert [lock.job_id for lock in jobs.locks] == [replaced[0].job_id]

    sync.perform_later()
    jobs.drain()

    assert len(jobs.performed) == 2
    assert jobs.locks == []


@pytest.mark.parametrize("adapter", [TestAdapter(), InlineAdapter()])
def test_the_adapters_for_programs_can_replace(adapter):
    @unique(on_conflict="replace")
    @job
    def sync(): ...

    store = MemoryStore()
    with configure(adapter=adapter, store=store):
        sync.set(wait=60).perform_later()
        second = sync.set(wait=60).perform_later()

    waiting = adapter.pending if isinstance(adapter, TestAdapter) else adapter.scheduled
    assert [payload.job_id for payload in waiting] == [second.job_id]
    assert [held.owner for held in store.held(0)] == [second.job_id]


class KeepsNothing:
    """An adapter with no more than it must have."""

    refuses: Exception | None = None

    def now_ns(self):
        return 10**18

    def enqueue(self, payload):
        if self.refuses is not None:
            raise self.refuses


def test_replace_asks_for_an_adapter_that_can_take_back():
    @unique(on_conflict="replace")
    class Sync(Job):
        def perform(self): ...

    with configure(adapter=KeepsNothing(), store=MemoryStore()):
        Sync.perform_later()
        with pytest.raises(DeclarationError) as caught:
            Sync.perform_later()

    assert str(caught.value) == (
        f"{Sync.__declaration__.name} is declared unique(on_conflict='replace'), and KeepsNothing cannot take "
        "jobs back: write on_conflict='drop', or give the adapter a method `withdraw`."
    )


@pytest.mark.parametrize("refusal", [EnqueueError("full"), RuntimeError("broken")])
def test_a_job_that_the_queue_refuses_holds_nothing(refusal):
    @unique()
    @job
    def sync(): ...

    adapter, store = KeepsNothing(), MemoryStore()
    adapter.refuses = refusal
    with configure(adapter=adapter, store=store):
        if isinstance(refusal, EnqueueError):
            assert sync.perform_later().enqueue_error is refusal
        else:
            with pytest.raises(RuntimeError, match="broken"):
                sync.perform_later()

        assert store.held(0) == ()
        adapter.refuses = None
        assert sync.perform_later().enqueued


class FailsAt(MemoryStore):
    """A store that goes down at one of the next questions, for good or for that one."""

    asked = -1000
    fails_at = 0
    stays_down = False

    def ask(self):
        self.asked += 1
        if self.asked == self.fails_at or (self.stays_down and self.asked > self.fails_at):
            raise StoreError("down")

    def acquire(self, *args, **kwargs):
        self.ask()
        return super().acquire(*args, **kwargs)

    def release(self, *args, **kwargs):
        self.ask()
        return super().release(*args, **kwargs)


@unique("n", on_conflict="replace")
@limits_concurrency(to=1, key="n", on_conflict="discard")
@job
def refresh(n, how): ...


def put_in_a_queue_and_replaced(adapter, store):
    """Enqueue a job, and one that replaces it; return both, the second None when that raised."""
    first = refresh.perform_later(1, "old")
    store.asked = -1
    with suppress(StoreError):
        return first, refresh.perform_later(1, "new")
    return first, None


@each_row("stays_down", [False, True])
@each_row("question", range(8))
def test_a_store_that_goes_down_while_a_job_is_replaced_loses_neither(question, stays_down):
    adapter, store = TestAdapter(), FailsAt()
    store.fails_at, store.stays_down = question, stays_down
    with configure(adapter=adapter, store=store):
        first, second = put_in_a_queue_and_replaced(adapter, store)

        expected = first if second is None else second
        assert [payload.job_id for payload in adapter.pending] == [expected.job_id]
        store.asked = -1000
        assert [execution.status for execution in adapter.perform_due()] == ["performed"]


@pytest.mark.parametrize("options", [{}, {"wait": 60}])
def test_a_job_stays_that_was_to_be_replaced_by_one_that_the_queue_refuses(options):
    class Refuses(TestAdapter):
        full = False

        def enqueue(self, payload):
            if self.full and payload.job_id != first.job_id:
                raise EnqueueError("full")
            super().enqueue(payload)

    adapter, store = Refuses(), MemoryStore()
    with configure(adapter=adapter, store=store):
        first = refresh.set(**options).perform_later(1, "old")
        adapter.full = True
        second = refresh.set(**options).perform_later(1, "new")

    assert str(second.enqueue_error) == "full"
    assert [payload.job_id for payload in adapter.pending] == [first.job_id]
    assert "unique" in {held.key.partition(":")[0] for held in store.held(0)}
    assert {held.owner for held in store.held(0)} == {first.job_id}


def test_a_job_is_logged_as_lost_that_a_full_queue_does_not_take_back(caplog):
    adapter, store = TestAdapter(), MemoryStore()
    with configure(adapter=adapter, store=store):
        first = refresh.perform_later(1, "old")
        adapter.enqueue = KeepsNothing.enqueue.__get__(adapter)
        adapter.refuses = EnqueueError("full")
        second = refresh.perform_later(1, "new")

    assert str(second.enqueue_error) == "full"
    assert logged(caplog) == [
        (
            f"{refresh.job_class.__declaration__.name} (job {first.job_id}) is lost: it was taken back "
            f"for job {second.job_id}, which was not enqueued, and could not be put back: full"
        )
    ]


def test_a_job_stays_that_was_to_be_replaced_by_one_beyond_a_limit(jobs):
    @unique("n", on_conflict="replace")
    @limits_concurrency(to=1, on_conflict="discard")
    @job
    def sync(n): ...

    other = sync.perform_later(2)
    first = sync.set(wait=60).perform_later(1)
    second = sync.perform_later(1)

    assert (second.enqueued, second.dropped_for) == (False, other.job_id)
    assert [record.job_id for record in jobs.pending] == [other.job_id, first.job_id]
    assert [record.job_id for record in jobs.enqueued] == [other.job_id, first.job_id]
    assert {lock.job_id for lock in jobs.locks} == {other.job_id, first.job_id}

    assert jobs.drain() == {"performed": 2}
    assert jobs.locks == []


# When the job is to run


def conflicting(until, strategy, **more):
    """Return a job whose first run has another delivered while it runs, on another thread."""

    class Sync(Job):
        runs: ClassVar[list[str]] = []

        def perform(self, n):
            type(self).runs.append(self.job_id)
            inside = type(self).inside
            type(self).inside = None
            if inside is not None:
                worker = threading.Thread(target=inside)
                worker.start()
                worker.join()

    Sync.runs = []
    Sync.inside = None
    on_conflict = strategy if until == "while_executing" else {"perform": strategy}
    return unique(key=lambda n: "all", until=until, on_conflict=on_conflict, **more)(Sync)


def overlap(sync, adapter):
    """Enqueue two and let the second be delivered inside the first; return both, and what the second came to."""
    first = sync.perform_later(1)
    executions = []

    def inside():
        second = sync.perform_later(2)
        executions.extend([second, adapter.perform(second.payload)])

    sync.inside = inside
    assert adapter.perform(first.payload).status == "performed"
    second, execution = executions
    assert sync.runs == [first.job_id]
    return first, second, execution


@pytest.fixture
def adapter():
    adapter = TestAdapter(lambda: 10**18)
    adapter.store = MemoryStore()
    with configure(adapter=adapter, store=adapter.store):
        yield adapter


@pytest.mark.parametrize("until", SIDES)
@pytest.mark.parametrize(("strategy", "lines"), [("drop", 0), ("log", 1)])
def test_a_job_that_may_not_run_is_halted(adapter, caplog, until, strategy, lines):
    caplog.set_level(logging.INFO)
    sync = conflicting(until, strategy)
    first, second, execution = overlap(sync, adapter)

    text = (
        f"{sync.__declaration__.name} (job {second.job_id}) may not go on: "
        f'running:{sync.__declaration__.name}:["all"] is held by job {first.job_id}.'
    )
    assert (execution.status, execution.handled) == ("halted", True)
    assert (type(execution.error), str(execution.error)) == (JobLockedError, text)
    assert logged(caplog) == [f"Dropped when it was to run: {text}"] * lines
    assert (adapter.pending, adapter.dead, adapter.store.held(0)) == ([], [], ())


@pytest.mark.parametrize("until", SIDES)
@pytest.mark.parametrize(
    ("strategy", "status", "handled"), [("raise", "failed", False), ("reject", "discarded", True)]
)
def test_raise_and_reject_make_a_dead_letter(adapter, until, strategy, status, handled):
    _, second, execution = overlap(conflicting(until, strategy), adapter)

    assert (execution.status, execution.handled) == (status, handled)
    assert type(execution.error) is JobLockedError
    (letter,) = adapter.dead
    assert (letter.payload, letter.error) == (second.payload, execution.error)


@pytest.mark.parametrize("until", SIDES)
def test_raise_lets_a_rule_decide(adapter, until):
    sync = retry_on(JobLockedError, wait=30, jitter=0)(conflicting(until, "raise"))
    _, second, execution = overlap(sync, adapter)

    assert (execution.status, execution.wait_ns) == ("retried", 30 * 10**9)
    (payload,) = adapter.pending
    assert (payload.job_id, payload.attempt) == (second.job_id, 2)


@pytest.mark.parametrize("until", SIDES)
def test_reschedule_puts_the_job_off_without_an_attempt(adapter, until):
    _, second, execution = overlap(conflicting(until, "reschedule"), adapter)

    assert (execution.status, execution.wait_ns) == ("snoozed", 5 * 10**9)
    (payload,) = adapter.pending
    assert (payload.job_id, payload.attempt, payload.due_ns) == (
        second.job_id,
        1,
        10**18 + 5 * 10**9,
    )
    assert (payload.headers["snoozed"], payload.is_first) == (1, False)
    assert payload.snoozed(0, None).headers["snoozed"] == 2

    expected = (
        [Held(f'unique:{second.__declaration__.name}:["all"]', second.job_id, None)]
        if until != SIDES[0]
        else []
    )
    assert list(adapter.store.held(0)) == expected
    assert adapter.perform(payload).status == "performed"
    assert adapter.store.held(0) == ()


@pytest.mark.parametrize("strategy", ["drop", "reschedule", "reject", "raise"])
def test_a_job_that_may_not_run_gives_its_place_back(adapter, strategy):
    sync = limits_concurrency(key="n")(conflicting("while_executing", strategy))
    overlap(sync, adapter)

    assert adapter.store.held(0) == ()
