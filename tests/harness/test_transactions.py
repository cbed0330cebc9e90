"""Transactions are installed with the bridges, committed by a verb, and waited for inline."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from stub_transactions import StubTransactions, callback

from pytest_jobs import job
from pytest_jobs.bridges.core.bridge import ReferenceBridge
from pytest_jobs.errors import CommitError, UnfinishedJobsError, VerbInsideJobError
from pytest_jobs.harness.jobs import Jobs

performed = []


@job(enqueue_after_commit=False)
def send(number, *, child=None):
    performed.append(number)
    if child is not None:
        send.perform_later(child)


@job(enqueue_after_commit=False)
def commit_all():
    from pytest_jobs import current_jobs

    current_jobs().commit()


@job(enqueue_after_commit=False)
async def asend(number):
    performed.append(number)


@pytest.fixture(autouse=True)
def _none_performed():
    performed.clear()


@pytest.fixture
def stub():
    return StubTransactions()


@pytest.fixture
def harness(stub):
    with Jobs([ReferenceBridge()], transactions=[stub]) as jobs:
        yield jobs


@pytest.fixture
def inline(stub):
    with Jobs([ReferenceBridge()], transactions=[stub], mode="inline") as jobs:
        yield jobs


# Opening and closing


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
def test_they_are_installed_and_uninstalled_with_the_bridges(stub, error):
    with suppress(ZeroDivisionError), Jobs([ReferenceBridge()], transactions=[stub]):
        assert stub.calls == ["install"]
        if error is not None:
            raise error

    assert stub.calls == ["install", "uninstall"]


def test_everything_is_uninstalled_when_one_of_them_cannot_be_installed(stub, stub_bridge):
    class Broken(StubTransactions):
        def install(self, commits, ended):
            raise RuntimeError("no database")

    bridge = stub_bridge()
    with pytest.raises(RuntimeError, match="no database"):
        Jobs([bridge], transactions=[stub, Broken()]).open()

    assert stub.calls == ["install", "uninstall"]
    assert bridge.calls == ["install", "uninstall"]


def test_the_rest_is_uninstalled_when_one_cannot_be(stub, stub_bridge):
    class Broken(StubTransactions):
        def uninstall(self):
            raise RuntimeError("stuck")

    bridge = stub_bridge()
    harness = Jobs([bridge], transactions=[stub, Broken()])
    harness.open()
    with pytest.raises(RuntimeError, match="stuck"):
        harness.close()

    assert stub.calls == ["install", "uninstall"]
    assert bridge.calls == ["install", "uninstall"]


# Committing


def test_a_commit_returns_what_the_callbacks_enqueued(stub, harness):
    assert harness.commit() == ()
    send.perform_later(1)
    stub.functions = [lambda: send.perform_later(2), lambda: send.perform_later(3)]

    assert [record.args for record in harness.commit()] == [(2,), (3,)]
    assert [record.args for record in harness.enqueued] == [(1,), (2,), (3,)]
    stub.functions = [lambda: 1 / 0]
    with pytest.raises(ZeroDivisionError):
        harness.commit()


def test_inline_it_returns_no_children(stub, inline):
    stub.functions = [lambda: send.perform_later(1, child=2)]

    assert [record.args for record in inline.commit()] == [(1,)]
    assert performed == [1, 2]


def test_without_transactions_it_is_an_error():
    with Jobs([ReferenceBridge()]) as jobs, pytest.raises(CommitError) as caught:
        jobs.commit()

    assert str(caught.value) == (
        "jobs.commit() has nothing to commit: no database library whose transactions pytest-jobs knows is in use. "
        "It finds Django by its settings, so set DJANGO_SETTINGS_MODULE; elsewhere leave the call out, or pass "
        "`transactions=` to the harness."
    )


def test_inside_a_transaction_it_is_an_error(stub, harness):
    with stub.transaction(), pytest.raises(CommitError) as caught:
        harness.commit()

    assert str(caught.value) == (
        "jobs.commit() was called inside a transaction of 'stub' that the test, or the application, has not left: "
        "nothing is committed before its end. Leave the block first, then call jobs.commit()."
    )


def test_a_job_cannot_commit(harness):
    commit_all.perform_later()

    with pytest.raises(VerbInsideJobError, match=r"jobs\.commit\(\) was called by commit_all\(\)"):
        harness.drain()


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["record", "inline"])
async def test_the_twin_does_the_same_and_waits_for_coroutine_jobs_that_are_inline(stub, mode):
    with Jobs([ReferenceBridge()], transactions=[stub], mode=mode) as jobs:
        stub.functions = [lambda: asend.perform_later(1)]

        assert [record.args for record in await jobs.acommit()] == [(1,)]
        assert performed == [1] * (mode == "inline")


# Looking


def test_the_views_show_what_waits_and_what_was_dropped():
    stub = StubTransactions(
        callback("send.delay(7)"),
        callback("send.delay(8)", state="ran"),
        callback("send.delay(9)", state="dropped", dropped="by a rollback", line=30),
    )
    with Jobs([ReferenceBridge()], transactions=[stub]) as jobs:
        assert [found.text for found in jobs.waiting_for_commit] == ["send.delay(7)"]
        assert str(jobs.waiting_for_commit) == (
            "waiting for commit: 1\n"
            "callback       using    registered at     state\n"
            "send.delay(7)  default  shop/views.py:12  waiting"
        )
        assert str(jobs.dropped_by_rollback) == (
            "dropped by rollback: 1\n"
            "callback       using    registered at     state\n"
            "send.delay(9)  default  shop/views.py:30  dropped by a rollback"
        )
        assert repr(jobs.waiting_for_commit) == "<waiting for commit: send.delay(7)>"


def test_without_transactions_nothing_waits():
    with Jobs([ReferenceBridge()]) as jobs:
        assert str(jobs.waiting_for_commit) == "waiting for commit: none"


# When callbacks run by themselves


def test_recorded_jobs_leave_callbacks_waiting_and_inline_or_in_a_job_they_run(stub, harness):
    @job
    def look():
        seen.append(stub.commits())

    seen = [stub.commits()]
    with harness.inline():
        seen.append(stub.commits())
    seen.append(stub.commits())
    look.perform_later()
    harness.drain()

    assert seen == [False, True, False, True]


# Inline


def test_a_job_waits_for_the_end_of_the_transaction_and_goes_before_one_that_follows(stub, inline):
    send.perform_later(0)
    assert performed == [0]
    with stub.transaction():
        send.perform_later(1)
        send.perform_later(2)
        assert performed == [0]
    assert performed == [0, 1, 2]

    stub.block = "a transaction"
    send.perform_later(3)
    stub.block = None
    send.perform_later(4)
    assert performed == [0, 1, 2, 3, 4]


def test_the_end_of_a_transaction_performs_nothing_else(stub, inline):
    send.set(wait=timedelta(hours=1)).perform_later(1)
    inline.clock.move_to(inline.clock.now() + timedelta(hours=2))
    with stub.transaction():
        pass

    assert performed == []


def test_another_thread_leaves_it_alone(stub, inline):
    with stub.transaction():
        send.perform_later(1)
        stub.block = None
        thread = threading.Thread(target=send.perform_later, args=(2,))
        thread.start()
        thread.join()
        assert performed == [2]

    assert performed == [2, 1]


def test_a_verb_performs_it_all_the_same(stub, inline):
    with stub.transaction():
        send.perform_later(1)
        inline.drain()
        assert performed == [1]

    assert performed == [1]


def test_a_transaction_that_outlasts_the_block_is_an_error(stub, harness):
    stub.block = "a transaction"
    with pytest.raises(UnfinishedJobsError) as caught, harness.inline():
        send.perform_later(1)

    assert str(caught.value) == (
        "send(1): enqueued inline inside a transaction that is still open, so nothing was performed: a worker "
        "would not see its rows. Let the transaction end inside `with jobs.inline():`, or inside the test."
    )
    assert len(harness.pending) == 1
