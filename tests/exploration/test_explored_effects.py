"""Effects by the methods of objects, in threads, and of a project's own sources."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import explored_jobs
import pytest
from explored_worlds import Gateway

from pytest_jobs import check_idempotent, effects, fake
from pytest_jobs.errors import (
    DuplicateEffect,
    ExplorationError,
    NotIdempotent,
)


class Service:
    """Works in a test as it is."""

    def __init__(self):
        self.orders = []

    def order(self, number, token=None):
        self.orders.append(number)

    async def order_later(self, number, *, token=None):
        await asyncio.sleep(1)
        self.orders.append(number)


def _world(name="order", key=None):
    @contextmanager
    def world():
        explored_jobs.gateway = Service()
        with effects.wrap(explored_jobs.gateway, name, key=key):
            yield dict
        explored_jobs.gateway = None

    return world


def order(number):
    explored_jobs.gateway.order(number)


def order_with_token(number):
    explored_jobs.gateway.order(number, token=f"order-{number}")


async def order_later(number):
    await explored_jobs.gateway.order_later(number)


def test_a_wrapped_method_is_an_effect():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE Service\.order "):
        check_idempotent(order, args=(1,), world=_world())


def test_a_wrapped_coroutine_method_is_an_effect():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE Service\.order_later "):
        check_idempotent(order_later, args=(1,), world=_world("order_later"))


def test_a_call_with_a_key_that_was_used_is_no_second_effect():
    check_idempotent(order_with_token, args=(1,), world=_world(key="token"), histories="all")


def test_a_call_without_the_key_is_a_second_effect():
    with pytest.raises(DuplicateEffect):
        check_idempotent(order, args=(1,), world=_world(key="token"))


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(ExplorationError, match=r"has no 'ordr' to be called"):
        check_idempotent(order, args=(1,), world=_world("ordr"))


def test_a_key_that_is_no_parameter_is_refused():
    with pytest.raises(ExplorationError, match=r"has no parameter 'tokn'"):
        check_idempotent(order, args=(1,), world=_world(key="tokn"))


def gateway():
    with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
        yield lambda: {"charges": made.calls}


def charge(number):
    explored_jobs.gateway.charge(number, key=number)


def charge_in_a_thread(number):
    thread = threading.Thread(target=charge, args=(number,))
    thread.start()
    thread.join()


def charge_in_a_pool(number):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(charge, number).result()


async def charge_off_the_loop(number):
    await asyncio.to_thread(charge, number)


@pytest.mark.parametrize("job", [charge_in_a_thread, charge_in_a_pool, charge_off_the_loop])
@pytest.mark.filterwarnings("error::pytest_jobs.errors.PartialExploration")
def test_work_in_other_threads_is_interrupted_as_the_rest_is(job):
    explored = check_idempotent(job, args=(1,), world=gateway, histories=["twice", "crash"])

    points = [str(point) for point in explored.explorations[0].points]
    assert any("before gateway: charge(1" in point for point in points)
    assert any("of charge" in point for point in points)


def charge_without_key_in_a_thread(number):
    thread = threading.Thread(target=explored_jobs.gateway.charge, args=(number,))
    thread.start()
    thread.join()


def test_what_is_done_twice_in_another_thread_is_found():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway.charge \[twice\]"):
        check_idempotent(charge_without_key_in_a_thread, args=(1,), world=gateway)


def test_a_source_of_the_project_is_asked_for_by_a_hook(pytester, run_test):
    pytester.makeconftest(
        """
        import queue
        from pytest_jobs import effects

        class Queues:
            library = "queue"

            def install(self, patches):
                put = queue.Queue.put

                def heard(self, item):
                    act = effects.Act("queue", f"put({item!r})")
                    return effects.perform_act(act, lambda: put(self, item))

                patches.set(queue.Queue, "put", heard)

        def pytest_jobs_effect_sources(config):
            return [Queues()]
        """
    )
    result = run_test("""
        import queue
        from pytest_jobs import check_idempotent

        def world():
            yield lambda: {}

        def put(number):
            queue.Queue().put(number)

        def test_it():
            check_idempotent(put, args=(1,), world=world)
        """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*DUPLICATE queue*"])


def test_libraries_that_a_job_imports_one_after_the_other_are_heard_of(pytester):
    library = """
        import socket

        def send(number):
            socket.create_connection(("127.0.0.1", 9)).close()
        """
    pytester.makepyfile(first=library, second=library)
    pytester.makeconftest(
        """
        import sys
        from pytest_jobs import effects

        class Source:
            def __init__(self, library):
                self.library = library

            def install(self, patches):
                def heard(number):
                    effects.perform_act(effects.Act(self.library, f"send({number})", key=number), int)

                patches.set(sys.modules[self.library], "send", heard)

        def pytest_jobs_effect_sources(config):
            return [Source("first"), Source("second")]
        """
    )
    pytester.makepyfile(
        """
        from pytest_jobs import check_idempotent

        asked = set()

        def world():
            yield lambda: {}

        def send(number):
            if number in asked:
                return
            asked.add(number)
            import first
            first.send(number)
            import second
            second.send(number)

        def test_it():
            check_idempotent(send, args=(1,), world=world, histories=["crash"])
        """
    )

    result = pytester.runpytest("-W", "default::pytest_jobs.errors.JobsWarning")

    result.assert_outcomes(passed=1)


def test_a_file_is_reported_once_although_its_source_was_imported_again(tmp_path, monkeypatch):
    """A test that runs pytest forgets the modules that the inner run has imported."""
    path = tmp_path / "sent.txt"

    def append():
        with path.open("a") as file:
            file.write("x")

    def world():
        path.unlink(missing_ok=True)
        yield lambda: {"sent": path.read_text() if path.exists() else ""}

    def report():
        with pytest.raises(NotIdempotent) as found:
            check_idempotent(append, world=contextmanager(world), histories=["twice"])
        return str(found.value)

    first = report()
    monkeypatch.delitem(sys.modules, "pytest_jobs.exploration.effects.audit")

    assert report() == first
    assert first.count("file: open('sent.txt', 'a')") == 2


def test_an_open_file_that_is_cut_is_reported_by_its_name_where_the_system_knows_it(tmp_path):
    path = tmp_path / "sent.txt"

    def cut():
        with path.open("r+b") as file:
            os.truncate(file.fileno(), len(file.read()) - 1)

    def world():
        path.write_text("xxx")
        yield lambda: {"sent": path.read_text()}

    with pytest.raises(NotIdempotent, match=r"file: os\.truncate\('(sent\.txt|an open file)'\)"):
        check_idempotent(cut, world=contextmanager(world), histories=["twice"])
