"""Blocks of Django in which jobs 1, 2 and so on are enqueued, for queues that are a table."""

from django.db import transaction

STORIES = {}
#: Django 6.1 has another name for it.
savepoint = getattr(transaction, "savepoint_create", None) or transaction.savepoint


def story(function):
    STORIES[function.__name__] = function
    return function


class No(Exception):
    """Rolls a block back."""


def refused(send, *numbers, **options):
    """Enqueue in a block that is rolled back."""
    try:
        with transaction.atomic(**options):
            for number in numbers:
                send(number)
            raise No
    except No:
        pass


@story
def outside(send):
    send(1)


@story
def committed(send):
    with transaction.atomic():
        send(1)


@story
def rolled_back(send):
    refused(send, 1, 2)


@story
def one_of_two_blocks(send):
    with transaction.atomic():
        send(1)
    refused(send, 2)
    with transaction.atomic():
        send(3)


@story
def a_savepoint_inside(send):
    with transaction.atomic():
        send(1)
        refused(send, 2)
        with transaction.atomic():
            send(3)


@story
def a_savepoint_that_was_released(send):
    with transaction.atomic():
        refused(lambda number: committed(send), 1)
        send(2)


@story
def a_block_around_a_savepoint(send):
    try:
        with transaction.atomic():
            with transaction.atomic():
                send(1)
            raise No
    except No:
        pass


@story
def a_savepoint_by_hand(send):
    with transaction.atomic():
        send(1)
        kept = savepoint()
        send(2)
        transaction.savepoint_rollback(kept)
        send(3)
        transaction.savepoint_commit(savepoint())


@story
def marked_for_a_rollback(send):
    with transaction.atomic():
        send(1)
        transaction.set_rollback(True)


@story
def without_a_savepoint(send):
    try:
        with transaction.atomic():
            refused(send, 1, savepoint=False)
            send(2)
    except transaction.TransactionManagementError:
        pass


@story
def without_a_block(send):
    transaction.set_autocommit(False)
    send(1)
    transaction.commit()
    send(2)
    transaction.rollback()
    transaction.set_autocommit(True)


@story
def after_the_commit(send):
    with transaction.atomic():
        transaction.on_commit(lambda: send(1))
        send(2)


def compared(send, rows):
    """Return what a table has after each story, and what a harness shows after the same.

    Args:
        send: enqueues a number.
        rows: returns the numbers that are in the table, and empties it.
    """
    from pytest_jobs import open_jobs

    found = {}
    for name, tell in STORIES.items():
        tell(send)
        real = rows()
        with open_jobs() as jobs:
            tell(send)
            found[name] = real, [record.kwargs["number"] for record in jobs.enqueued]
        assert rows() == []
    return found
