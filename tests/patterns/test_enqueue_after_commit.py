"""Jobs that wait, to be enqueued, for the commit of the transactions that are open."""

import json
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from stub_database import StubDatabase

from pytest_jobs import (
    CurrentAttributes,
    Job,
    JobLog,
    MemoryStore,
    TestAdapter,
    attribute,
    before_enqueue,
    configure,
    hookimpl,
    hooks,
    job,
    later,
    limits_concurrency,
    perform_all_later,
    reference,
    unique,
)
from pytest_jobs.errors import (
    CommitError,
    DeclarationError,
    NoAdapterError,
    RolledBackError,
    SerializationError,
    SignatureError,
    StoreError,
)


class ApplicationJob(Job):
    enqueue_after_commit = True


class Ship(ApplicationJob):
    def perform(self, order_id, *, to=None):
        return order_id


class Count(Job):
    def perform(self):
        pass


@job(enqueue_after_commit=True)
def send(number):
    return number


@reference(id="id", find="find")
@dataclass
class Order:
    id: int | None

    @classmethod
    def find(cls, id):
        return cls(id)

    def ship(self, to="home"):
        pass

    ship_later = later(ship, enqueue_after_commit=True)


class Unreachable(TestAdapter):
    """An adapter whose queue is down for the jobs of some orders."""

    def __init__(self, *down):
        super().__init__()
        self.down = down

    def enqueue(self, payload):
        if any(f"[{number}]" in payload.arguments for number in self.down):
            raise ConnectionError("The queue is down.")
        super().enqueue(payload)


@pytest.fixture
def database():
    return StubDatabase()


@pytest.fixture
def other():
    return StubDatabase("other")


@pytest.fixture
def adapter(database, other):
    adapter = TestAdapter()
    with configure(adapter=adapter, store=MemoryStore(), transactions=[database, other]):
        yield adapter


def arguments(adapter):
    return [payload.arguments for payload in adapter.enqueued]


# Declaring


class AtOnce(Ship):
    enqueue_after_commit = False


@job(base=ApplicationJob, enqueue_after_commit=False)
def at_once(number):
    pass


@pytest.mark.parametrize(
    ("enqueue", "waits"),
    [
        (Ship.perform_later, True),
        (AtOnce.perform_later, False),
        (at_once.perform_later, False),
        (send.perform_later, True),
        (lambda number: Order(number).ship_later(), True),
    ],
    ids=["of a base", "of a class", "of a function with a base", "of a function", "of a twin"],
)
def test_a_class_and_an_option_say_it_for_their_jobs(adapter, database, enqueue, waits):
    with database.transaction():
        enqueue(1)
        assert len(adapter.enqueued) == (not waits)

    assert len(adapter.enqueued) == 1
    assert not Count.enqueue_after_commit


def test_what_is_neither_true_nor_false_is_refused():
    with pytest.raises(DeclarationError) as raised:

        class Wrong(Job):
            enqueue_after_commit = "always"

    assert str(raised.value).endswith(
        "Wrong.enqueue_after_commit is 'always', which is neither True nor False."
    )


# At the call


def test_the_id_is_known_and_the_arguments_are_those_of_the_call(adapter, database):
    numbers = [1]
    with database.transaction():
        known = Ship.perform_later(numbers).job_id
        numbers.append(2)

    assert known
    assert [(each.job_id, each.arguments) for each in adapter.enqueued] == [(known, "[[[1]],{}]")]


@unique(lambda number: object())
@job(enqueue_after_commit=True)
def without_a_key(number): ...


@pytest.mark.parametrize(
    ("enqueue", "error", "text"),
    [
        (Ship.perform_later, SignatureError, "missing 1"),
        (lambda: Ship.perform_later(object()), SerializationError, "of type object"),
        (Order(None).ship_later, SerializationError, "save it before you enqueue a job with it"),
        (lambda: without_a_key.perform_later(1), SerializationError, "which is not a key"),
        (
            lambda: perform_all_later([Ship.new(1), Count.new(), Ship.new(object())]),
            SerializationError,
            "of type object",
        ),
    ],
    ids=["signature", "arguments", "not flushed", "key", "one of many"],
)
def test_what_cannot_be_enqueued_is_an_error_at_the_call(adapter, database, enqueue, error, text):
    with database.transaction(), pytest.raises(error, match=text):
        enqueue()

    assert adapter.enqueued == []


def test_a_wait_counts_from_the_call(database):
    clock = [1_000_000_000]
    adapter = TestAdapter(lambda: clock[0])

    with configure(adapter=adapter, transactions=[database]), database.transaction():
        Ship.set(wait=60).perform_later(1)
        clock[0] += 5_000_000_000

    [payload] = adapter.enqueued
    assert payload.enqueued_ns == 6_000_000_000
    assert payload.due_ns == 61_000_000_000


def test_the_context_is_that_of_the_call(adapter, database):
    class Current(CurrentAttributes):
        tenant: str = attribute()

    with database.transaction():
        with Current.set(tenant="ann"):
            Ship.perform_later(1)
        with Current.set(tenant="bob"):
            assert adapter.enqueued == []

    assert "ann" in str(adapter.enqueued[0].headers)


def test_it_goes_to_the_adapter_of_the_call_and_is_refused_there_without_one(adapter, database):
    elsewhere = TestAdapter()

    with database.transaction():
        Ship.perform_later(1)
        with (
            configure(adapter=None, transactions=[database]),
            pytest.raises(NoAdapterError),
        ):
            Ship.perform_later(1)
        restore = configure(adapter=elsewhere, transactions=[database])
    restore()

    assert (len(adapter.enqueued), len(elsewhere.enqueued)) == (1, 0)


# At the commit


def test_jobs_come_in_order_when_every_open_transaction_has_committed(adapter, database, other):
    with database.transaction():
        Ship.perform_later(1)
        with database.transaction(), other.transaction():
            Ship.perform_later(2)
        with database.transaction(rolls_back=True):
            dropped = Ship.perform_later(9)
        assert isinstance(dropped.enqueue_error, RolledBackError)
        Ship.perform_later(3)
        assert adapter.enqueued == []

    assert arguments(adapter) == ["[[1],{}]", "[[2],{}]", "[[3],{}]"]


@pytest.mark.parametrize(
    ("outer", "inner", "name"),
    [(True, False, "ledger"), (False, True, "other"), (True, True, "other")],
)
def test_a_rollback_of_one_of_them_drops_it(adapter, database, other, outer, inner, name):
    with database.transaction(rolls_back=outer), other.transaction(rolls_back=inner):
        ship = Ship.perform_later(1)

    assert adapter.enqueued == []
    assert not ship.enqueued
    assert str(ship.enqueue_error) == (
        f"{ship!r} was to be enqueued after the commit of a transaction of {name!r}, and was dropped by a "
        "rollback."
    )


def test_a_database_that_tells_its_end_twice_is_heard_once(adapter, database, other):
    with database.transaction(), other.transaction():
        Ship.perform_later(1)
        [wait] = database.blocks[0].waiting
        wait.committed()
        wait.committed()
        wait.dropped()
        assert adapter.enqueued == []

    assert len(adapter.enqueued) == 1


@pytest.mark.parametrize("waits", [True, False])
def test_a_job_that_was_dropped_can_be_enqueued_again_under_its_id(adapter, database, waits):
    with database.transaction(rolls_back=True):
        ship = Ship.perform_later(1)
    known = ship.job_id

    with database.transaction() if waits else nullcontext():
        ship.enqueue()
        assert (ship.enqueued, ship.enqueue_error) == (True, None)

    assert [payload.job_id for payload in adapter.enqueued] == [known]


def test_lifecycle_plugins_hear_of_it_at_the_commit_or_at_the_rollback(adapter, database):
    heard = []

    class Plugin:
        @hookimpl
        def job_enqueued(self, job, payload):
            heard.append(("enqueued", job.args))

        @hookimpl
        def job_not_enqueued(self, job):
            heard.append(("not enqueued", job.args))

    with hooks.using(Plugin()), database.transaction():
        Ship.perform_later(1)
        with database.transaction(rolls_back=True):
            Ship.perform_later(2)
        heard.append("commit")

    assert heard == [("not enqueued", (2,)), "commit", ("enqueued", (1,))]


def test_a_log_says_that_it_was_dropped(adapter, database, caplog):
    with hooks.using(JobLog()), caplog.at_level("INFO"), database.transaction(rolls_back=True):
        ship = Ship.perform_later(1)

    [record] = caplog.records
    assert record.levelname == "INFO"
    line = json.loads(record.getMessage())
    assert (line["event"], line["job_id"]) == ("job_dropped_by_rollback", ship.job_id)


@pytest.mark.parametrize(
    "enqueue", [lambda made: made.enqueue(), lambda made: perform_all_later([made])]
)
def test_a_key_is_that_of_the_arguments_at_the_call(adapter, database, enqueue):
    @unique("numbers")
    @job(enqueue_after_commit=True)
    def post(numbers): ...

    numbers = [1]
    with database.transaction():
        enqueue(post.new(numbers))
        numbers.append(2)

    (payload,) = adapter.pending
    assert json.loads(payload.arguments)[0] == [[1]]
    assert payload.headers["unique"].endswith(":[[1]]")


@pytest.mark.parametrize(
    "rule",
    [
        unique(key="number", until="executed"),
        limits_concurrency(to=1, key="number", on_conflict="discard"),
    ],
    ids=["lock", "place"],
)
def test_a_lock_or_a_place_is_taken_at_the_commit(adapter, database, rule):
    @rule
    class Sync(ApplicationJob):
        def perform(self, number):
            pass

    with database.transaction(rolls_back=True):
        Sync.perform_later(1)
    with database.transaction():
        first, second = Sync.perform_later(1), Sync.perform_later(1)
        assert second.enqueued

    assert first.enqueued
    assert (second.enqueued, second.dropped_for) == (False, first.job_id)


def test_what_a_callback_changes_of_the_arguments_comes_too_late(adapter, database):
    class Changed(ApplicationJob):
        @before_enqueue
        def change(self):
            self.args = (2,)

        def perform(self, number):
            pass

    with database.transaction():
        Changed.perform_later(1)

    assert arguments(adapter) == ["[[1],{}]"]


def test_an_error_of_the_adapter_is_raised_by_the_commit(database):
    with (
        configure(adapter=Unreachable(1), transactions=[database]),
        pytest.raises(ConnectionError) as raised,
        database.transaction(),
    ):
        ship = Ship.perform_later(1)

    [note] = raised.value.__notes__
    assert note == (
        f"{ship!r} was to be enqueued after the commit: the transaction has committed, and the job is not "
        "enqueued."
    )
    assert not ship.enqueued


def test_an_error_of_the_store_is_raised_by_the_commit(database):
    class Gone(MemoryStore):
        def acquire(self, *args, **kwargs):
            raise StoreError("The store is gone.")

    @unique(key="number", until="executed")
    class Sync(ApplicationJob):
        def perform(self, number):
            pass

    with (
        configure(adapter=TestAdapter(), store=Gone(), transactions=[database]),
        pytest.raises(StoreError, match="The store is gone"),
        database.transaction(),
    ):
        Sync.perform_later(1)


# Many at once


def test_of_many_jobs_those_that_need_not_wait_come_at_once(adapter, database):
    with database.transaction():
        perform_all_later([Ship.new(1), Count.new(), Order(3).ship_later.new()])
        assert [payload.name.rpartition(".")[2] for payload in adapter.enqueued] == ["Count"]

    assert len(adapter.enqueued) == 3


# Which databases


def test_where_nothing_knows_of_transactions_a_job_is_refused(monkeypatch):
    monkeypatch.setattr("pytest_jobs.core.enqueueing.commits.sources_in_use", list)

    with configure(adapter=TestAdapter()), pytest.raises(CommitError) as raised:
        Ship.perform_later(1)

    assert str(raised.value) == (
        "Ship is enqueued after the commit, and no database library whose transactions pytest-jobs knows is in "
        "use: neither is sqlalchemy.orm (2.0 or later) imported, nor does Django have its settings. "
        "For another one write pytest_jobs.configure(..., transactions=[...]), with what knows its transactions; "
        "in a program without a database transactions=[], and the job is enqueued at once."
    )


def test_a_program_without_a_database_says_so_and_what_was_configured_is_put_back(
    adapter, database
):
    with configure(adapter=adapter, transactions=[]), database.transaction():
        Ship.perform_later(1)
        assert len(adapter.enqueued) == 1

    with database.transaction():
        Ship.perform_later(2)
        assert len(adapter.enqueued) == 1


def test_a_retry_waits_for_no_commit(adapter, database):
    class Again(ApplicationJob):
        def perform(self):
            if self.attempt == 1:
                with database.transaction():
                    self.retry()
                    assert len(adapter.enqueued) == 2

    Again.perform_later()

    assert [execution.status for execution in adapter.perform_due()] == ["retried", "performed"]
