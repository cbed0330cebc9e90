"""What `on_commit` registers inside a test case waits for `jobs.commit()`."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

import pytest

pytest.importorskip("django")

from django.db import connection, connections, transaction

from pytest_jobs import job
from pytest_jobs.errors import CommitError


@job
def send(number, *, copy=False):
    pass


def numbers(records):
    return [record.args[0] for record in records]


def test_it_waits_and_enqueues_nothing(jobs):
    transaction.on_commit(partial(send.perform_later, 7))

    assert jobs.enqueued == []
    assert [found.text for found in jobs.waiting_for_commit] == ["send.perform_later(7)"]


def test_a_commit_runs_it(jobs):
    transaction.on_commit(partial(send.perform_later, 7))
    records = jobs.commit()

    assert numbers(records) == [7]
    assert jobs.enqueued == list(records)
    assert jobs.waiting_for_commit == []
    assert jobs.commit() == ()


def test_they_run_in_the_order_in_which_they_were_registered(jobs):
    for number, using in enumerate(("other", "default", "other", "default")):
        transaction.on_commit(partial(send.perform_later, number), using=using)

    assert [found.using for found in jobs.waiting_for_commit] == [
        "other",
        "default",
        "other",
        "default",
    ]
    assert numbers(jobs.commit()) == [0, 1, 2, 3]


def test_the_same_callback_twice_runs_twice(jobs):
    callback = partial(send.perform_later, 7)
    transaction.on_commit(callback)
    transaction.on_commit(callback)

    assert numbers(jobs.commit()) == [7, 7]


def test_what_an_ended_block_registered_waits_too(jobs):
    with transaction.atomic():
        with transaction.atomic():
            transaction.on_commit(partial(send.perform_later, 1))
        transaction.on_commit(partial(send.perform_later, 2))
    assert jobs.enqueued == []

    assert numbers(jobs.commit()) == [1, 2]


def test_what_a_callback_registers_runs_at_once(jobs):
    order = []

    def first():
        transaction.on_commit(lambda: order.append("inner"))
        order.append("first")

    transaction.on_commit(first)
    transaction.on_commit(lambda: order.append("second"))
    jobs.commit()

    assert order == ["inner", "first", "second"]


def test_what_a_callback_registers_in_a_block_runs_at_its_end(jobs):
    order = []

    def first():
        with transaction.atomic():
            transaction.on_commit(lambda: order.append("inner"))
            order.append("in the block")
        order.append("after it")

    transaction.on_commit(first)
    jobs.commit()

    assert order == ["in the block", "inner", "after it"]


def test_an_error_drops_what_stands_behind_it_on_the_same_database(jobs):
    def fail():
        raise ValueError("no mail")

    transaction.on_commit(partial(send.perform_later, 1))
    transaction.on_commit(fail)
    transaction.on_commit(partial(send.perform_later, 2))
    transaction.on_commit(partial(send.perform_later, 3), using="other")
    with pytest.raises(ValueError, match="no mail"):
        jobs.commit()

    assert numbers(jobs.enqueued) == [1]
    assert [(found.text, found.dropped) for found in jobs.dropped_by_rollback] == [
        (
            "send.perform_later(2)",
            "since test_an_error_drops_what_stands_behind_it_on_the_same_database.<locals>.fail raised before it",
        )
    ]
    assert numbers(jobs.commit()) == [3]


def test_an_error_of_a_robust_callback_is_logged(jobs, caplog):
    transaction.on_commit(lambda: 1 / 0, robust=True)
    transaction.on_commit(partial(send.perform_later, 2))
    with caplog.at_level(logging.ERROR, "django.db.backends.base"):
        assert numbers(jobs.commit()) == [2]

    assert "in on_commit() during transaction (division by zero)." in caplog.text


def test_inside_an_atomic_block_it_is_an_error(jobs):
    transaction.on_commit(partial(send.perform_later, 1))
    with transaction.atomic("other"), pytest.raises(CommitError) as caught:
        jobs.commit()

    assert str(caught.value) == (
        "jobs.commit() was called inside an atomic block of 'other' that the test, or the application, has not "
        "left: nothing is committed before its end. Leave the block first, then call jobs.commit()."
    )
    assert numbers(jobs.commit()) == [1]


def test_what_is_no_callable_is_refused_as_before(jobs):
    with pytest.raises(TypeError, match="must be a callable"):
        transaction.on_commit(None)

    assert jobs.waiting_for_commit == []


def test_what_the_test_registered_before_the_harness_is_run(test_case, open_harness):
    transaction.on_commit(partial(send.perform_later, 1))
    with open_harness() as jobs:
        transaction.on_commit(partial(send.perform_later, 2))

        assert jobs.waiting_for_commit[0].registered_at == ""
        assert numbers(jobs.commit()) == [1, 2]


def test_the_inner_of_two_harnesses_commits(jobs, open_harness):
    with open_harness() as inner:
        transaction.on_commit(partial(send.perform_later, 1))

        assert jobs.waiting_for_commit == []
        assert numbers(inner.commit()) == [1]
    transaction.on_commit(partial(send.perform_later, 2))

    assert numbers(jobs.commit()) == [2]


def test_what_an_inner_harness_leaves_waits_in_the_outer(jobs, open_harness):
    with open_harness():
        transaction.on_commit(partial(send.perform_later, 1))

    assert numbers(jobs.commit()) == [1]


# The words


def test_a_function_goes_by_its_qualified_name(jobs):
    def notify():
        pass

    transaction.on_commit(notify)
    transaction.on_commit(lambda: None)

    assert [found.text.rpartition("<locals>.")[2] for found in jobs.waiting_for_commit] == [
        "notify",
        "<lambda>",
    ]


def test_it_says_where_it_was_registered(jobs):
    transaction.on_commit(send.perform_later)
    path, _, line = jobs.waiting_for_commit[0].registered_at.rpartition(":")

    assert path.endswith("tests/integrations/django_integration/test_django_commits.py")
    assert int(line) == test_it_says_where_it_was_registered.__code__.co_firstlineno + 1


def test_partials_are_written_as_calls(jobs):
    transaction.on_commit(partial(partial(send.perform_later, 7), copy=True))
    transaction.on_commit(partial(print, "a", sep=""))

    assert [found.text for found in jobs.waiting_for_commit] == [
        "send.perform_later(7, copy=True)",
        "print('a', sep='')",
    ]


# Where Django commits by itself


def test_without_a_test_case_django_runs_it_at_the_commit(transactional, open_harness):
    with open_harness() as jobs:
        with transaction.atomic():
            transaction.on_commit(partial(send.perform_later, 1))
            assert [found.state for found in jobs.waiting_for_commit] == ["waiting"]
        assert numbers(jobs.enqueued) == [1]

        assert jobs.waiting_for_commit == []
        assert jobs.dropped_by_rollback == []
        assert jobs.commit() == ()


def test_without_a_test_case_it_runs_at_once_in_autocommit(transactional, open_harness):
    with open_harness() as jobs:
        transaction.on_commit(partial(send.perform_later, 1))

        assert numbers(jobs.enqueued) == [1]


def test_without_a_test_case_an_error_in_autocommit_is_raised(transactional, open_harness):
    with open_harness() as jobs:
        with pytest.raises(ZeroDivisionError):
            transaction.on_commit(lambda: 1 / 0)

        assert jobs.waiting_for_commit == []
        assert jobs.dropped_by_rollback == []


def test_without_a_test_case_a_rollback_drops_it(transactional, open_harness):
    with open_harness() as jobs:
        with suppress(ValueError), transaction.atomic():
            transaction.on_commit(partial(send.perform_later, 1))
            raise ValueError("no")

        assert [found.dropped for found in jobs.dropped_by_rollback] == ["by a rollback"]


def test_without_a_test_case_an_error_drops_what_stands_behind_it(transactional, open_harness):
    def fail():
        raise ValueError("no mail")

    @transaction.atomic
    def order():
        transaction.on_commit(fail)
        transaction.on_commit(partial(send.perform_later, 1))

    with open_harness() as jobs:
        with pytest.raises(ValueError, match="no mail"):
            order()

        assert [found.dropped.rpartition(".")[2] for found in jobs.dropped_by_rollback] == [
            "fail raised before it"
        ]


def test_in_manual_transactions_it_is_refused_as_before(transactional, open_harness):
    with open_harness() as jobs:
        transaction.set_autocommit(False)
        try:
            with pytest.raises(transaction.TransactionManagementError):
                transaction.on_commit(partial(send.perform_later, 1))
        finally:
            transaction.set_autocommit(True)

        assert jobs.waiting_for_commit == []


# What captures callbacks


def test_captured_and_executed_it_is_not_run_again(jobs):
    from django.test import TestCase

    transaction.on_commit(partial(send.perform_later, 1))
    with TestCase.captureOnCommitCallbacks(execute=True) as callbacks:
        transaction.on_commit(partial(send.perform_later, 2))
    assert numbers(jobs.enqueued) == [2]
    assert len(callbacks) == 1

    assert numbers(jobs.commit()) == [1]


def test_captured_and_called_by_the_test_it_is_not_run_again(jobs):
    from django.test import TestCase

    with TestCase.captureOnCommitCallbacks() as callbacks:
        transaction.on_commit(partial(send.perform_later, 1))
    callbacks[0]()
    callbacks[0]()
    assert numbers(jobs.enqueued) == [1, 1]

    assert jobs.commit() == ()


def test_committed_inside_a_capture_it_is_not_executed_again(jobs):
    from django.test import TestCase

    with TestCase.captureOnCommitCallbacks(execute=True) as callbacks:
        transaction.on_commit(partial(send.perform_later, 1))
        jobs.commit()
        transaction.on_commit(partial(send.perform_later, 2))

    assert numbers(jobs.enqueued) == [1, 2]
    assert len(callbacks) == 2


def test_a_captured_callback_equals_what_was_registered(jobs):
    from django.test import TestCase

    callback = partial(send.perform_later, 1)
    with TestCase.captureOnCommitCallbacks() as callbacks:
        transaction.on_commit(callback)
        transaction.on_commit(numbers)

    assert callbacks == [callback, numbers]
    assert numbers in callbacks
    assert set(callbacks) == {callback, numbers}
    assert callbacks[0].args == (1,)
    assert callbacks[1].__qualname__ == "numbers"


# Restoring


def seams():
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.transaction import Atomic

    return [
        vars(BaseDatabaseWrapper)["on_commit"],
        vars(Atomic)["__enter__"],
        vars(Atomic)["__exit__"],
    ]


def test_everything_is_restored(test_case, open_harness):
    before = seams()
    with open_harness():
        assert seams() != before

    assert seams() == before


def test_everything_is_restored_after_an_error(test_case, open_harness):
    before = seams()
    with pytest.raises(ZeroDivisionError), open_harness():
        1 / 0  # noqa: B018

    assert seams() == before


def test_what_waits_is_left_as_it_was_registered(test_case, open_harness):
    callback = partial(send.perform_later, 1)
    with open_harness():
        transaction.on_commit(callback)
        assert connection.run_on_commit[0][1] is not callback

    assert connection.run_on_commit[0][1] is callback


def test_installed_twice_is_an_error():
    from pytest_jobs.errors import BridgeError
    from pytest_jobs.integrations.django.transactions import DjangoTransactions

    transactions = DjangoTransactions()
    transactions.install(bool, bool)
    try:
        with pytest.raises(BridgeError) as caught:
            transactions.install(bool, bool)
    finally:
        transactions.uninstall()

    assert str(caught.value) == (
        "DjangoTransactions is installed already: uninstall it first, or make another one."
    )


def test_a_version_without_a_seam_is_an_error(monkeypatch):
    import django

    from pytest_jobs.errors import UnknownVersionError
    from pytest_jobs.integrations.django.transactions import DjangoTransactions

    monkeypatch.setattr(django, "get_version", lambda: "4.1.1")
    monkeypatch.setattr(
        "django.db.backends.base.base.BaseDatabaseWrapper.on_commit", lambda self, func: None
    )
    with pytest.raises(
        UnknownVersionError,
        match=r"Django 4\.1\.1 does not take the call .*\.on_commit\(_, _, _\) ",
    ):
        DjangoTransactions()


def test_no_connection_is_opened_to_look(open_harness):
    connections.close_all()
    with open_harness() as jobs:
        assert jobs.waiting_for_commit == []
        assert jobs.commit() == ()
