"""Context: what is set where a job is made is what the job sees, and nobody else."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import pytest
from stub_database import StubDatabase

from pytest_jobs import (
    Batch,
    CurrentAttributes,
    InlineAdapter,
    Job,
    MemoryStore,
    Payload,
    TestAdapter,
    after_discard,
    attribute,
    before_enqueue,
    before_perform,
    check_idempotent,
    configure,
    discard_on,
    hookimpl,
    hooks,
    job,
    later,
    open_jobs,
    perform_all_later,
    reference,
    rescue_from,
    retry_on,
    unique,
)
from pytest_jobs.errors import (
    DeclarationError,
    DeserializationError,
    Halt,
    RecordNotFoundError,
    SerializationError,
)


@reference(id="id", find="find")
@dataclass
class Account:
    id: int | None
    members: list[int]

    table: ClassVar[dict[int, Account]] = {}

    @classmethod
    def find(cls, id):
        return cls.table.get(id)

    def clean(self):
        seen.append(("clean", self.id))

    clean_later = later(clean)


@reference(id="id", find="find")
@dataclass
class Member:
    """Is found among the members of the current account only."""

    id: int

    @classmethod
    def find(cls, id):
        seen.append(("looked up by", Current.account and Current.account.id))
        return cls(id) if id in Current.account.members else None


class Plan(Enum):
    FREE = "free"
    PAID = "paid"


class Current(CurrentAttributes):
    account: Account | None = None
    member: Member | None = None
    plan: Plan = Plan.FREE
    tags: list[str] = attribute(factory=list)
    request: object = attribute(default=None, carried=False)


seen: list[object] = []


@pytest.fixture(autouse=True)
def accounts():
    """Begin with two accounts, and with nothing seen."""
    seen.clear()
    Account.table = {1: Account(1, [10, 11]), 2: Account(2, [20])}
    yield Account.table
    assert Current.attributes() == {}


@pytest.fixture
def acme(accounts):
    return accounts[1]


@pytest.fixture
def other(accounts):
    return accounts[2]


def current_id():
    return Current.account and Current.account.id


@job
def look():
    seen.append(current_id())
    return current_id()


@job
async def alook():
    await asyncio.sleep(1)
    seen.append(current_id())


@retry_on(ConnectionError, wait=60, attempts=3)
@job
def flaky():
    seen.append(current_id())
    raise ConnectionError


@job
def parent():
    look.perform_later()
    with Current.set(account=Account.table[2]):
        look.perform_later()


class Watched(Job):
    @before_enqueue
    def enqueueing(self):
        seen.append(("before_enqueue", current_id()))

    @before_perform
    def performing(self):
        seen.append(("before_perform", current_id()))

    @after_discard
    def discarded(self, error):
        seen.append(("after_discard", current_id()))

    def perform(self):
        seen.append(("perform", current_id()))
        raise KeyError


# Carried by every way of enqueueing


@pytest.mark.parametrize(
    "enqueue",
    [
        look.perform_later,
        look.set(wait=60).perform_later,
        lambda: look.new().enqueue(),
        lambda: perform_all_later([look.new()]),
        look.job_class.perform_later,
        alook.perform_later,
    ],
    ids=["later", "set", "new", "all", "class", "coroutine"],
)
def test_a_job_sees_what_was_set_where_it_was_made(jobs, acme, enqueue):
    with Current.set(account=acme):
        enqueue()
    jobs.drain()

    assert seen == [1]


def test_a_later_twin_carries_it(jobs, acme, other):
    with Current.set(account=acme):
        other.clean_later()
    record = jobs.pending[0]
    jobs.drain()

    assert Current.carried_by(record) == {"account": acme}
    assert seen == [("clean", 2)]


def test_it_is_what_was_set_at_construction_that_counts(jobs, acme, other):
    with Current.set(account=acme):
        made = look.new()
    with Current.set(account=other):
        perform_all_later([made, look.new()])
    jobs.drain()

    assert seen == [1, 2]


def account_id(*args):
    return Current.account and Current.account.id


class EnqueuedLater(Job):
    queue = staticmethod(lambda *args: f"account-{account_id()}")
    priority = staticmethod(lambda *args: account_id())

    @before_enqueue
    def look(self):
        seen.append(account_id())

    def perform(self): ...


@pytest.mark.parametrize(
    "enqueue",
    [lambda made: made.enqueue(), lambda made: perform_all_later([made])],
    ids=["one", "many"],
)
def test_what_a_job_is_asked_when_it_is_enqueued_sees_it_too(jobs, acme, other, enqueue):
    with Current.set(account=acme):
        made = EnqueuedLater.new()
    with Current.set(account=other):
        enqueue(made)
        assert account_id() == 2

    assert (jobs.pending[0].queue, jobs.pending[0].priority) == ("account-1", 1)
    assert seen == [1]


@unique(key=account_id)
@job
def close_month(): ...


@job
def load(): ...


def test_a_key_of_one_tenant_keeps_no_job_of_another_out(jobs, acme, other):
    made = []
    for account in (acme, other, acme):
        with Current.set(account=account):
            made.append(close_month.new())
    perform_all_later(made)

    assert [each.enqueued for each in made] == [True, True, False]
    assert [lock.key.rpartition(":")[2] for lock in jobs.locks] == ["[1]", "[2]"]
    jobs.drain()
    for account in (acme, other):
        with Current.set(account=account):
            finish = close_month.new()
        Batch(on_success=finish).enqueue([load.new()])
    jobs.drain()
    assert [record.job for record in jobs.enqueued].count(close_month) == 4


def test_nor_does_it_when_they_are_enqueued_by_a_commit(acme, other):
    @unique(key=account_id)
    @job(enqueue_after_commit=True)
    def close_month(): ...

    database, adapter = StubDatabase(), TestAdapter()
    with (
        configure(adapter=adapter, store=MemoryStore(), transactions=[database]),
        database.transaction(),
    ):
        for account in (acme, other):
            with Current.set(account=account):
                close_month.perform_later()

    assert len(adapter.enqueued) == 2


def test_the_payload_has_a_snapshot_of_what_is_set(jobs, acme, other):
    look.perform_later()
    with Current.set(account=acme, tags=["a"]):
        look.perform_later()
        Current.account = other
        Current.tags.append("b")
    outside, inside = jobs.pending

    assert outside.payload.headers is None
    assert Current.carried_by(inside) == {"account": acme, "tags": ["a"]}
    jobs.drain()
    assert seen == [None, 1]


# Seen by every way of performing


def verbs():
    return {
        "perform": lambda jobs: jobs.perform(jobs.pending[0]),
        "perform_due": lambda jobs: jobs.perform_due(),
        "drain": lambda jobs: jobs.drain(),
        "run_for": lambda jobs: jobs.run_for(1),
    }


@pytest.mark.parametrize("verb", verbs().values(), ids=verbs())
@pytest.mark.parametrize("carries", [True, False])
def test_every_verb_brings_it_back_and_nothing_of_whoever_performs_it_is_seen(
    jobs, acme, other, verb, carries
):
    with Current.set(account=acme) if carries else nullcontext():
        look.perform_later()
    with Current.set(account=other, request="of the caller"):
        verb(jobs)
        mine = Current.attributes()

    assert seen == [1 if carries else None]
    assert mine == {"account": other, "request": "of the caller"}


@pytest.mark.parametrize("verb", ["aperform_due", "adrain"])
@pytest.mark.asyncio
async def test_every_awaited_verb_brings_it_back(jobs, acme, other, verb):
    with Current.set(account=acme):
        look.perform_later()
    with Current.set(account=other):
        await getattr(jobs, verb)()
        mine = Current.account

    assert (seen, mine) == ([1], other)


@pytest.mark.parametrize("is_mode", [True, False])
def test_inline_leaves_the_values_of_the_caller_alone(jobs, acme, other, is_mode):
    @job
    def change():
        Current.account = None
        Current.tags.append("changed")

    with Current.set(account=acme, tags=["mine"]):
        with open_jobs(mode="inline") if is_mode else jobs.inline():
            for each in (look, change, look):
                each.perform_later()
        mine = Current.attributes()

    assert seen == [1, 1]
    assert mine == {"account": acme, "tags": ["mine"]}


def test_adapters_without_a_harness_carry_it(acme, other):
    queue = TestAdapter()
    with configure(adapter=queue):
        with Current.set(account=acme):
            look.perform_later()
        with Current.set(account=other):
            queue.perform_due()
            mine = current_id()
    with configure(adapter=InlineAdapter()), Current.set(account=other):
        look.perform_later()

    assert (seen, mine) == ([1, 2], 2)


def test_performing_now_makes_the_same_round_trip_also_on_the_loop(jobs, acme):
    async def anow():
        await alook.aperform_now()

    with Current.set(account=acme, request="lives here only"):

        @job
        def now():
            return current_id(), Current.request

        assert now.perform_now() == (1, None)
        assert Current.request == "lives here only"
    with Current.set(account=acme):
        asyncio.run(anow())
    assert seen == [1]


# Over retries and redeliveries


class Again(Job):
    def perform(self):
        seen.append(current_id())
        Current.account = None
        if self.attempt == 1:
            self.retry(wait=5)


class Chain(Job):
    def perform(self):
        seen.append(current_id())
        Current.account = None
        if len(seen) == 1:
            self.enqueue()


@pytest.mark.parametrize(
    ("kind", "times"),
    [(flaky, 4), (Again, 3), (Chain, 3), (look, 2)],
    ids=["a rule", "by itself", "enqueued again", "delivered again"],
)
def test_retries_and_redeliveries_see_it(jobs, acme, other, kind, times):
    with Current.set(account=acme):
        kind.perform_later()
    with Current.set(account=other):
        jobs.drain(raise_errors=False)
        jobs.redeliver(jobs.deliveries[-1].record)
        jobs.drain(raise_errors=False)

    assert seen == [1] * times


def test_a_retry_carries_what_the_job_was_made_under_and_not_what_it_set(jobs, acme, other):
    @retry_on(ConnectionError, wait=60)
    @job
    def astray():
        seen.append(current_id())
        Current.account = other
        raise ConnectionError

    with Current.set(account=acme):
        astray.perform_later()
    jobs.perform_due()

    assert Current.carried_by(jobs.pending[0]) == {"account": acme}


def test_simulated_retries_see_it(jobs, acme):
    def wait(n):
        seen.append(current_id())
        return n

    @retry_on(ConnectionError, wait=wait, attempts=3, then=lambda job, error: look.perform_now())
    @job
    def call():
        """Call somebody."""

    with Current.set(account=acme):
        timeline = jobs.simulate_retries(call, raising=ConnectionError)

    assert timeline.wait_seconds == [1, 2]
    assert seen == [1, 1, 1]


def test_every_history_of_an_exploration_sees_it(acme):
    paid, found = set(), []

    @job
    def pay(amount):
        found.append(current_id())
        paid.add(amount)

    @contextmanager
    def till():
        paid.clear()
        yield lambda: {"paid": sorted(paid)}

    with Current.set(account=acme):
        check_idempotent(pay, args=(7,), world=till)

    assert set(found) == {1}
    assert len(found) > 2


# Around perform


def test_callbacks_and_rules_see_it(jobs, acme):
    class Rescued(Job):
        @rescue_from(KeyError)
        def rescue(self, error):
            seen.append(("rescue", current_id()))

        def perform(self):
            raise KeyError

    @discard_on(KeyError, then=lambda job, error: seen.append(("then", current_id())))
    @job
    def dropped():
        raise KeyError

    with Current.set(account=acme):
        for enqueue in (Watched.perform_later, Rescued.perform_later, dropped.perform_later):
            enqueue()
    jobs.drain(raise_errors=False)

    names = ("before_enqueue", "before_perform", "perform", "after_discard", "rescue", "then")
    assert seen == [(name, 1) for name in names]


def test_lifecycle_plugins_see_it(jobs, acme):
    class Log:
        @hookimpl
        def job_enqueued(self):
            seen.append(("enqueued", current_id()))

        @hookimpl
        def job_started(self):
            seen.append(("started", current_id()))

        @hookimpl
        def job_finished(self):
            seen.append(("finished", current_id()))

    with hooks.using(Log()):
        with Current.set(account=acme):
            look.perform_later()
        jobs.drain()

    assert seen == [("enqueued", 1), ("started", 1), 1, ("finished", 1)]


def test_the_account_is_there_before_arguments_and_other_attributes_are_read(jobs, acme):
    @job
    def greet(member: Member):
        return member.id, Current.member.id

    with Current.set(account=acme, member=Member(10)):
        greet.perform_later(Member(11))
    jobs.drain()

    assert seen == [("looked up by", 1)] * 2
    assert jobs.performed[0].result == (11, 10)


def test_children_carry_what_is_current_in_their_parent(jobs, acme):
    with Current.set(account=acme):
        parent.perform_later()
    jobs.drain()

    assert seen == [1, 2]


@pytest.mark.parametrize("error", [None, Halt, ValueError, KeyboardInterrupt])
def test_what_a_job_sets_does_not_reach_the_next_job_however_it_ends(jobs, other, error):
    class Leak(Job):
        @before_perform
        def stop(self):
            Current.account = other
            if error is Halt:
                raise Halt

        def perform(self):
            Current.account = other
            if error is not None:
                raise error

    Leak.perform_later()
    with suppress(ValueError, KeyboardInterrupt):
        jobs.drain()
    assert Current.attributes() == {}
    look.perform_later()
    jobs.drain(only=look)

    assert seen == [None]


# Kept apart


def test_threads_have_values_of_their_own(jobs, acme, other):
    barrier = threading.Barrier(2)

    def request(account):
        before = current_id()
        with Current.set(account=account):
            barrier.wait()
            look.perform_later()
            return before, current_id()

    with Current.set(account=acme), ThreadPoolExecutor(2) as pool:
        results = [f.result() for f in [pool.submit(request, each) for each in (acme, other)]]
        mine = current_id()
    jobs.drain()

    assert results == [(None, 1), (None, 2)]
    assert (mine, sorted(seen)) == (1, [1, 2])


@pytest.mark.asyncio
@pytest.mark.parametrize("now", [True, False])
async def test_tasks_and_coroutine_jobs_at_the_same_time_have_values_of_their_own(
    jobs, acme, other, now
):
    async def request(account):
        with Current.set(account=account):
            await asyncio.sleep(0)
            await alook.aperform_now() if now else look.perform_later()
            await asyncio.sleep(0)
            return current_id()

    ids = await asyncio.gather(request(acme), request(other))
    await jobs.adrain()

    assert (ids, seen, current_id()) == ([1, 2], [1, 2], None)


def test_what_a_test_leaves_behind_is_gone_with_its_harness(acme, other):
    with Current.set(account=acme):
        with open_jobs():
            Current.account = other
            Current.tags.append("left")
        after = Current.attributes()

    assert after == {"account": acme}


def test_nothing_leaks_into_the_next_test(run_test):
    run_test("""
        from pytest_jobs import CurrentAttributes

        class Current(CurrentAttributes):
            account: str | None = None

        def test_one(jobs):
            assert Current.account is None
            Current.account = "acme"

        def test_two(jobs):
            assert Current.account is None
            Current.account = "acme"
        """).assert_outcomes(passed=2)


# In the payload


def test_it_travels_as_data_beside_the_arguments(jobs, acme):
    with Current.set(account=acme, plan=Plan.PAID, tags=["a"], request=object()):
        look.perform_later()
    record = jobs.pending[0]

    assert record.headers == {
        "context": {
            f"{__name__}.Current": {
                "account": {"~": "record", "v": 1, "t": f"{__name__}.Account"},
                "plan": {"~": "enum", "v": "PAID", "t": f"{__name__}.Plan"},
                "tags": ["a"],
            }
        }
    }
    assert json.loads(json.dumps(record.payload.to_dict()))["headers"] == record.headers


def test_it_survives_a_transport(acme):
    queue = TestAdapter()
    with configure(adapter=queue):
        with Current.set(account=acme, plan=Plan.PAID):
            look.perform_later()
        text = json.dumps(queue.pending[0].to_dict())
        execution = queue.perform(Payload.from_dict(json.loads(text)))

    assert execution.result == 1


def test_it_is_found_by_importing_its_module(pytester, monkeypatch):
    pytester.syspathinsert()
    pytester.makepyfile(
        ambient_of_shop="""
        from pytest_jobs import CurrentAttributes

        class Current(CurrentAttributes):
            account: str | None = None
        """
    )

    @job
    def read():
        from ambient_of_shop import Current as Shop

        return Shop.account

    queue = TestAdapter()
    with configure(adapter=queue):
        read.perform_later()
        payload = queue.pending[0]
        payload.headers = {"context": {"ambient_of_shop.Current": {"account": "acme"}}}
        execution = queue.perform(payload)

    assert execution.result == "acme"


def test_a_value_that_cannot_be_written_is_refused_at_enqueue(jobs):
    with Current.set(tags=[object()]), pytest.raises(SerializationError) as caught:
        look.perform_later()

    assert str(caught.value) == (
        "Current.tags[0] is of type object, which a payload cannot carry: pass its id or plain data, or declare "
        "its class with `@reference` or `@argument_type`. Jobs carry the current attributes that are set where "
        "they are made; declare it with `attribute(carried=False)` if they do not need this one."
    )
    assert len(jobs.enqueued) == 0


def test_an_attribute_that_is_gone_is_left_out(jobs, acme):
    with Current.set(account=acme):
        payload = parent.perform_later().payload
    payload.headers["context"][f"{__name__}.Current"]["gone"] = 7
    jobs.drain()

    assert seen == [1, 2]
    assert Current.carried_by(payload) == {"account": acme}


@pytest.mark.parametrize(
    ("carried", "text", "cause"),
    [
        (
            {"no_such_module.Current": {"account": 1}},
            (
                "The payload carries values of no_such_module.Current, and no current attributes have that name. "
                "They were moved or renamed while the job was waiting: keep the old name as an alias until its "
                "jobs are done."
            ),
            None,
        ),
        (
            {f"{__name__}.Current": {"plan": {"~": "nonsense", "v": 1}}},
            "The value {'~': 'nonsense', 'v': 1} cannot be read back: KeyError: 'nonsense'",
            KeyError,
        ),
    ],
    ids=["a class that is gone", "a value that cannot be read"],
)
def test_what_cannot_be_read_is_an_error_of_the_job(jobs, acme, carried, text, cause):
    with Current.set(account=acme):
        payload = look.perform_later().payload
    payload.headers["context"].update(carried)

    with pytest.raises(DeserializationError) as caught:
        jobs.drain()

    assert (str(caught.value), seen) == (text, [])
    assert cause is None or isinstance(caught.value.__cause__, cause)


def test_an_account_that_is_gone_is_judged_by_the_rules_of_the_job(jobs, accounts, acme):
    @discard_on(RecordNotFoundError)
    @job
    def clean():
        seen.append("ran")

    with Current.set(account=acme):
        clean.perform_later()
        look.perform_later()
    del accounts[1]
    with pytest.raises(RecordNotFoundError, match="The Account 1 does not exist any more"):
        jobs.drain()

    assert [d.status for d in jobs.deliveries] == ["discarded", "failed"]
    assert seen == []


def test_several_classes_are_carried_and_an_attribute_that_is_not_keeps_to_its_process(jobs, acme):
    class Locale(CurrentAttributes):
        language: str = "en"

    @job
    def read():
        return current_id(), Locale.language, Current.request

    with Current.set(account=acme, request=object()), Locale.set(language="eo"):
        read.perform_later()
    jobs.drain()

    assert jobs.performed[0].result == (1, "eo", None)
    assert Locale.carried_by(jobs.enqueued[0]) == {"language": "eo"}
    assert Current.carried_by(jobs.enqueued[0]) == {"account": acme}


# In failure text


def test_a_failure_shows_the_context_of_a_record(jobs, assert_enqueued, acme):
    with Current.set(account=acme, tags=["a"]):
        look.set(queue="low").perform_later()
        look.perform_later().payload.headers["context"] = {"no_such_module.Current": {}}
    look.perform_later()

    with pytest.raises(AssertionError) as caught:
        assert_enqueued(look, queue="high")

    assert (
        "Closest: #0 look() queue='low' context=Current(account=<Account 1>, tags=['a'])"
        in str(caught.value).splitlines()
    )
    assert [repr(record) for record in jobs.enqueued[1:]] == [
        "<#1 look() queue='default' context=unreadable: DeserializationError>",
        "<#2 look() queue='default'>",
    ]


# The leak that this is for


def test_a_leak_between_tenants_is_caught(jobs, acme, other):
    cache: dict[str, object] = {}

    @job
    def leaky():
        account = cache.setdefault("account", Current.account)
        seen.append((account.id, current_id()))

    for account in (acme, other):
        with Current.set(account=account):
            leaky.perform_later()
    jobs.drain()

    assert [used for used, current in seen if used != current] == [1]


@pytest.mark.parametrize("options", [{"factory": 3}, {"default": 1, "carried": 3}])
def test_an_attribute_that_cannot_be_meant_is_refused(options):
    with pytest.raises(DeclarationError):
        attribute(**options)
