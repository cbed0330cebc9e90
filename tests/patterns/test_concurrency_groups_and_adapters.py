"""Limits of several classes, and in other places than the records of a test."""

from pytest_jobs import (
    InlineAdapter,
    Job,
    MemoryStore,
    TestAdapter,
    configure,
    job,
    limits_concurrency,
    unique,
)


@limits_concurrency(key="owner")
class Materialize(Job):
    def perform(self, owner): ...


def test_classes_of_one_group_share_their_places(jobs):
    @limits_concurrency(group="contacts", key="contact")
    class Merge(Job):
        def perform(self, contact, into): ...

    @limits_concurrency(group="contacts", key=lambda person: person)
    class Export(Job):
        def perform(self, person): ...

    Merge.perform_later(1, into=2)
    Export.perform_later(1)
    Export.perform_later(2)

    assert [record.sequence for record in jobs.blocked] == [1]
    assert jobs.locks[0].key == "contacts:[1]"


def test_a_replaced_job_gives_its_place_to_the_next(jobs):
    @unique("n", on_conflict="replace")
    @limits_concurrency()
    @job
    def load(n): ...

    load.perform_later(1)
    load.perform_later(2)
    load.perform_later(1)

    assert [(r.args, r in jobs.blocked) for r in jobs.pending] == [((2,), False), ((1,), True)]


def test_inline_jobs_go_one_after_another(jobs):
    with jobs.inline():
        Materialize.perform_later("a")
        Materialize.perform_later("a")

    assert [d.record.sequence for d in jobs.performed] == [0, 1]
    assert jobs.locks == []


def test_a_parent_and_its_children_of_one_key_do_not_wait_for_each_other(jobs):
    @limits_concurrency()
    @job
    def walk(depth):
        if depth:
            walk.perform_later(depth - 1)
            assert len(jobs.blocked) == 1

    walk.perform_later(3)
    jobs.drain()

    assert len(jobs.performed) == 4


def test_an_adapter_that_cannot_unblock_keeps_the_job_until_the_place_ends():
    adapter = TestAdapter(lambda: 10**18)
    with configure(adapter=adapter, store=MemoryStore()):
        Materialize.perform_later("a")
        Materialize.perform_later("a")
        assert [payload.due_ns for payload in adapter.pending] == [None, 10**18 + 180 * 10**9]

        assert len(adapter.perform_due()) == 1
        adapter.now_ns = lambda: 10**18 + 180 * 10**9
        assert [e.status for e in adapter.perform_due()] == ["performed"]


def test_the_inline_adapter_performs_one_after_another():
    adapter = InlineAdapter()
    store = MemoryStore()
    with configure(adapter=adapter, store=store):
        Materialize.perform_later("a")
        Materialize.perform_later("a")

    assert (adapter.scheduled, store.held(0)) == ([], ())
