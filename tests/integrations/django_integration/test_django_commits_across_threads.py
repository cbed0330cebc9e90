"""Connections belong to threads: a commit reaches those of its own, and says so of others."""

from __future__ import annotations

import threading
from functools import partial

import pytest

pytest.importorskip("django")

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django_project import close_connections

from pytest_jobs import job
from pytest_jobs.errors import CommitError


@job
def send(number):
    pass


def in_a_thread(function):
    found = []

    def run():
        try:
            found.append(function())
        except BaseException as error:
            found.append(error)
        finally:
            close_connections()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_the_twin_commits_where_synchronous_code_runs(jobs):
    async def body():
        await sync_to_async(transaction.on_commit)(partial(send.perform_later, 1))
        return await jobs.acommit()

    assert [record.args for record in async_to_sync(body)()] == [(1,)]


def test_what_waits_in_another_thread_alone_is_an_error(jobs):
    transaction.on_commit(partial(send.perform_later, 1))
    error = in_a_thread(jobs.commit)

    assert isinstance(error, CommitError)
    assert str(error) == (
        "jobs.commit() found nothing on the database connections of this thread, while send.perform_later(1) "
        "waits on those of another: connections belong to threads. In an async test write `await jobs.acommit()`; "
        "otherwise commit in the thread that registered it."
    )
    assert len(jobs.commit()) == 1


def test_another_thread_commits_by_itself(jobs):
    def work():
        with transaction.atomic():
            transaction.on_commit(partial(send.perform_later, 1))

    assert in_a_thread(work) is None
    assert [record.args for record in jobs.enqueued] == [(1,)]


def test_a_block_of_another_thread_holds_nothing_back(inline_jobs):
    done = []

    @job
    def note():
        done.append(threading.get_ident())

    def work():
        with transaction.atomic():
            inside.set()
            go_on.wait(10)

    inside, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=in_a_thread, args=(work,))
    thread.start()
    inside.wait(10)
    note.perform_later()
    go_on.set()
    thread.join()

    assert done == [threading.get_ident()]
