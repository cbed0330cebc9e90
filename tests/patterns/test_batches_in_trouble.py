"""What batches refuse, and what becomes of one when the adapter or the store does not answer."""

import re

import fakeredis
import pytest
from stub_database import StubDatabase
from tables import each_row

from pytest_jobs import (
    Batch,
    Job,
    MemoryStore,
    RedisStore,
    TestAdapter,
    assert_performed,
    before_perform,
    configure,
    discard_on,
    job,
    perform_all_later,
    rescue_from,
    retry_on,
    unique,
)
from pytest_jobs.errors import (
    BatchError,
    EnqueueError,
    Halt,
    JobsError,
    NoStoreError,
    SerializationError,
    SignatureError,
    StoreError,
)


@job
def load(n):
    if n == 13:
        raise ValueError(n)


@job
def notify(n): ...


@job(enqueue_after_commit=True)
def ship(n): ...


# Refused


@unique(key=lambda n: 1 / n)
@job
def divide(n): ...


_NEITHER = (
    "This batch has neither on_success nor on_complete, so nothing would come of it: give it one, or enqueue its "
    "jobs with perform_all_later."
)


@each_row(
    ("name", "callback", "error", "text"),
    [
        ("import-7", None, BatchError, _NEITHER),
        *(
            (
                "b",
                callback,
                BatchError,
                f"on_success={callback!r} is not a job yet: write `.new(...)` of it, with the arguments.",
            )
            for callback in (notify, notify.job_class, print, "notify")
        ),
        *(
            (
                "b",
                callback,
                BatchError,
                (
                    f"on_success={callback!r} says when it is due, and a callback is due when its batch is done: "
                    "leave wait= and at= out."
                ),
            )
            for callback in (notify.set(wait=wait).new(1) for wait in (0, 60))
        ),
        ("b", notify.new(object()), SerializationError, "of type object"),
        ("b", notify.new(), SignatureError, "missing 1 required positional argument"),
        *(
            (
                name,
                notify.new(1),
                BatchError,
                (
                    f"Batch({name!r}) names a batch by what is not a text: write what it is for, such as "
                    'Batch(f"import-{file_id}"), or leave it out.'
                ),
            )
            for name in ("", 7, b"seven")
        ),
        ("b", divide.new(0), ZeroDivisionError, "division by zero"),
    ],
)
def test_a_batch_that_cannot_be_meant_is_refused(jobs, name, callback, error, text):
    with pytest.raises(error, match=re.escape(text)) as caught:
        Batch(name, on_success=callback)

    assert isinstance(caught.value, JobsError) or error is ZeroDivisionError


def test_a_callback_that_was_enqueued_already_is_refused(jobs):
    with pytest.raises(BatchError) as caught:
        Batch("b", on_complete=notify.perform_later(1))

    assert str(caught.value).endswith(
        "was enqueued already, and a callback is enqueued when its batch is done: make it by `.new(...)`."
    )


_TWICE = load.new(2)


@pytest.mark.parametrize(
    ("listed", "error", "text"),
    [
        (
            [_TWICE, load.new(1), _TWICE],
            BatchError,
            f"{_TWICE!r} is in the list twice, and is one job with one id: make each by a `.new(...)` of its own.",
        ),
        *(
            (
                [load.new(1), wrong],
                SignatureError,
                (
                    f"Batch.enqueue is given {wrong!r}, which is not a job yet: write `.new(...)` of it, with the "
                    "arguments."
                ),
            )
            for wrong in (load, load.job_class, 7)
        ),
        ([load.new(1), load.new(object())], SerializationError, "of type object"),
        ([load.new(1), load.new()], SignatureError, "missing 1 required positional argument"),
        (load.new(1), SignatureError, "takes a list: write Batch.enqueue([job.new"),
    ],
    ids=["twice", "a function", "its class", "a number", "unwritten", "no fit", "no list"],
)
def test_something_wrong_in_the_list_keeps_all_back(jobs, listed, error, text):
    batch = Batch(on_success=notify.new(1))

    with pytest.raises(error, match=re.escape(text)):
        batch.enqueue(listed)
    assert (jobs.enqueued, batch.total) == ([], 0)


def test_a_job_that_is_to_wait_for_a_commit_is_refused(jobs):
    database = StubDatabase()

    with configure(adapter=None, transactions=[database]):
        batch = Batch(on_success=notify.new(1))
        waiting = [ship.new(1), ship.new(2)]
        with (
            database.transaction(),
            pytest.raises(
                BatchError, match=r"commit of a transaction of 'ledger', and a batch counts"
            ),
        ):
            batch.enqueue(waiting)
        assert batch.total == 0

        batch.enqueue(waiting)

    assert jobs.drain() == {"performed": 3}


@pytest.mark.parametrize(
    "enqueue",
    [perform_all_later, lambda made: Batch(on_success=notify.new(1)).enqueue(made)],
    ids=["many", "a batch"],
)
def test_a_key_that_cannot_be_made_keeps_all_back(jobs, enqueue):
    with pytest.raises(ZeroDivisionError):
        enqueue([load.new(1), divide.new(1), divide.new(0)])

    assert (jobs.enqueued, jobs.locks) == ([], [])


def test_a_finished_batch_takes_no_job_and_a_callback_cannot_add_to_its_own(jobs):
    @job
    def more():
        Batch.current().enqueue([load.new(1)])

    batch = Batch("import-7", on_success=more.new())
    batch.enqueue([])

    for add in (lambda: batch.enqueue([load.new(1)]), jobs.drain):
        with pytest.raises(BatchError) as caught:
            add()
        assert str(caught.value) == (
            "The batch import-7 is finished, or not kept any more, so no job can be added to it. Enqueue all of "
            "them at once; what is only known later is added by a job of the batch while it runs: "
            "Batch.current().enqueue([...])."
        )
    assert [record.job for record in jobs.enqueued] == [more]


class Locks:
    acquire = release = MemoryStore.acquire


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {},
            "No store is configured, so nothing knows which jobs are unique, limited or in a batch.",
        ),
        (
            {"store": Locks()},
            (
                "Locks keeps no batches: give it an attribute `batches`, which is a "
                "pytest_jobs.core.foundation.protocols.BatchStore, or use MemoryStore or RedisStore."
            ),
        ),
    ],
    ids=["none", "without batches"],
)
def test_without_a_store_of_batches_nothing_is_enqueued(options, text):
    adapter = TestAdapter()
    batch = Batch(on_success=notify.new(1))

    with configure(adapter=adapter, **options), pytest.raises(NoStoreError) as caught:
        batch.enqueue([load.new(1)])
    assert str(caught.value).startswith(text)
    assert adapter.enqueued == []


# The adapter refuses


class Full(TestAdapter):
    """Takes so many payloads, and then none until there is room."""

    __test__ = False

    def __init__(self, room, error=None):
        super().__init__()
        self.room = room
        self.error = error or EnqueueError("the queue is full.")

    def enqueue(self, payload):
        if self.room == 0:
            raise self.error
        self.room -= 1
        super().enqueue(payload)


def test_an_adapter_that_does_not_take_all_is_an_error_and_the_batch_waits():
    adapter = Full(room=1)
    batch = Batch("import-7", on_success=notify.new(1))
    listed = [load.new(1), load.new(2), load.new(3)]

    with configure(adapter=adapter, store=MemoryStore()):
        with pytest.raises(EnqueueError) as caught:
            batch.enqueue(listed)
        adapter.perform_due()
        assert (batch.total, batch.pending, batch.finished) == (3, 2, False)

        adapter.room = 9
        batch.enqueue(listed)
        adapter.perform_due()
        assert batch.finished
    assert str(caught.value) == (
        "The adapter did not take 2 of 3 jobs of the batch import-7: the queue is full. The batch waits for them: "
        "enqueue the same jobs again, and those that are missing are handed over."
    )
    assert [job.enqueued for job in listed] == [False, True, True]
    assert len(adapter.enqueued) == 4


def test_an_error_of_the_adapter_comes_through_and_the_batch_waits():
    adapter = Full(room=1, error=OSError("no route"))
    batch = Batch(on_success=notify.new(1))

    with configure(adapter=adapter, store=MemoryStore()):
        with pytest.raises(OSError, match="no route"):
            batch.enqueue([load.new(1), load.new(2)])
        adapter.perform_due()
        assert (batch.total, batch.pending) == (2, 1)


def test_a_job_whose_callback_is_not_taken_fails_and_sends_it_when_it_comes_again():
    adapter = Full(room=1)
    with configure(adapter=adapter, store=MemoryStore()):
        Batch(on_success=notify.new(1)).enqueue([load.new(1)])
        first = adapter.pending[0]
        (execution,) = adapter.perform_due()
        assert (execution.status, str(execution.error)) == ("failed", "the queue is full.")

        adapter.room = 9
        adapter.perform(first)
    assert [payload.job for payload in adapter.pending] == [notify.job_class]


# The store is down


@pytest.fixture
def server():
    return fakeredis.FakeServer()


@pytest.fixture
def adapter(server):
    adapter = TestAdapter(lambda: 0)
    with configure(adapter=adapter, store=RedisStore(fakeredis.FakeRedis(server=server))):
        yield adapter


def test_a_batch_that_cannot_be_announced_enqueues_nothing(server, adapter):
    server.connected = False

    with pytest.raises(StoreError, match=r"^Could not add jobs to batch import-7: "):
        Batch("import-7", on_success=notify.new(1)).enqueue([load.new(1)])
    assert adapter.enqueued == []


class DownAtTheThird(MemoryStore):
    """A store that does not answer when the third lock is asked for."""

    asked = 0

    def acquire(self, *args, **kwargs):
        self.asked += 1
        if self.asked == 3:
            raise StoreError("down")
        return super().acquire(*args, **kwargs)


@unique()
@job
def once(n): ...


def test_a_store_that_goes_down_in_between_leaves_the_rest_for_another_call():
    adapter = TestAdapter()
    batch = Batch("import-7", on_success=notify.new(7))
    with configure(adapter=adapter, store=DownAtTheThird()):
        with pytest.raises(StoreError, match=r"^down$"):
            batch.enqueue([once.new(n) for n in range(4)])
        assert (len(adapter.enqueued), batch.pending) == (2, 4)

        batch.enqueue([once.new(n) for n in range(4)])
        assert len({payload.job_id for payload in adapter.enqueued}) == len(adapter.enqueued) == 4
        adapter.perform_due()
        assert (batch.finished, batch.failed) == (True, 0)


def test_a_job_whose_end_cannot_be_noted_fails_and_counts_when_it_comes_again(server, adapter):
    batch = Batch("import-7", on_success=notify.new(1))
    batch.enqueue([load.new(1)])
    first = adapter.pending[0]
    server.connected = False
    (execution,) = adapter.perform_due()
    assert execution.status == "failed"
    assert str(execution.error).startswith("Could not end a job of batch import-7: ")

    server.connected = True
    assert batch.pending == 1
    adapter.perform(first)
    assert batch.finished


def test_a_job_can_be_retried_for_it(server, adapter):
    answers = [True, False]

    @retry_on(StoreError, wait=0)
    @job
    def patient():
        server.connected = answers.pop()

    batch = Batch(on_success=notify.new(1))
    batch.enqueue([patient.new()])
    executions = adapter.perform_due()

    assert [each.status for each in executions] == ["retried", "performed", "performed"]
    assert batch.finished


def test_a_failure_that_cannot_be_noted_is_logged(server, adapter, caplog):
    Batch("import-7", on_success=notify.new(1)).enqueue([load.new(13)])
    job_id = adapter.pending[0].job_id
    server.connected = False
    (execution,) = adapter.perform_due()

    assert type(execution.error) is ValueError
    (line,) = caplog.messages
    assert line.startswith(
        f"{__name__}.load (job {job_id}) has ended failed, and its batch import-7 could not be told: Could not "
        "end a job of batch import-7: redis answers with ConnectionError: "
    )
    assert line.endswith(" Until the job is delivered once more, the batch is not done.")


def test_a_rule_that_rescues_the_store_is_asked_once(server, adapter, caplog):
    class Careless(Job):
        def perform(self):
            server.connected = False

        @rescue_from(StoreError)
        def whatever(self, error):
            return "rescued"

    Batch("import-7", on_success=notify.new(1)).enqueue([Careless.new()])
    (execution,) = adapter.perform_due()

    assert (execution.status, execution.result) == ("performed", "rescued")
    (line,) = caplog.messages
    assert "has ended performed, and its batch import-7 could not be told: " in line


def test_a_batch_that_is_not_kept_any_more_is_logged(server, adapter, caplog):
    Batch("import-7", on_success=notify.new(1)).enqueue([load.new(1)])
    job_id = adapter.pending[0].job_id
    fakeredis.FakeRedis(server=server).flushall()
    (execution,) = adapter.perform_due()

    assert execution.status == "performed"
    (line,) = caplog.messages
    assert line == (
        f"{__name__}.load (job {job_id}) has ended performed, and its batch import-7 is not kept any more: it "
        "counts for nothing."
    )


def test_two_batches_of_one_id_are_noticed(jobs):
    Batch("7", on_success=notify.new(1)).enqueue([load.new(1)])

    with pytest.raises(BatchError, match=r"The batch 7 is kept with on_success .*\.notify, and"):
        Batch("7", on_complete=ship.new(1)).enqueue([load.new(2)])
    assert len(jobs.pending) == 1


def test_a_callback_that_another_job_keeps_out_is_shown(jobs):
    @unique()
    @job
    def refresh(): ...

    with jobs.holding(refresh):
        first = refresh.perform_later()
        Batch("b", on_success=refresh.new()).enqueue([load.new(1)])
        jobs.drain()

    assert [kept_out.dropped_for for kept_out in jobs.kept_out] == [first.job_id]
    assert Batch.find("b").finished


class Paused(Job):
    @before_perform
    def wait(self):
        if self.attempt == 1:
            self.retry(wait=60)
            raise Halt

    def perform(self): ...


def _again(job, error):
    if job.attempt == 1:
        job.retry(wait=60)


@discard_on(KeyError, then=_again)
@job
def stubborn(): ...


@pytest.mark.parametrize("goes_on", [Paused, stubborn])
def test_a_job_that_asks_for_its_next_attempt_has_not_ended(jobs, goes_on):
    if goes_on is stubborn:
        jobs.fail(stubborn, raising=KeyError, on=[1])
    batch = Batch(on_success=notify.new(1))
    batch.enqueue([goes_on.new()])
    jobs.perform_due()

    assert (batch.pending, batch.failed) == (1, 0)

    jobs.drain()

    assert (batch.pending, batch.failed) == (0, 0)
    assert_performed(notify)
