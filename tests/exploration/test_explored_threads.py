"""What a job hands over to other threads and waits for is a part of its delivery."""

import asyncio
import multiprocessing.pool
import queue
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from pytest_jobs import check_idempotent, fake, sqlite_world
from pytest_jobs.errors import DuplicateEffect, ExplorationError

pytestmark = pytest.mark.filterwarnings("error::pytest_jobs.errors.PartialExploration")

POOL = ThreadPoolExecutor(1)


HERE = SimpleNamespace(charged=[], gateway=None)


class Gateway:
    def charge(self, number, key=None): ...


gateway = Gateway()


def connect():
    raise AssertionError("the world gives connections")


def world():
    with (
        sqlite_world(
            "create table payments (id integer primary key)",
            bind=(sys.modules[__name__], "connect"),
        ) as rows,
        fake(sys.modules[__name__], "gateway", Gateway(), key="key"),
    ):
        yield lambda: {"payments": rows("payments")}


def pay(number, key=None):
    """Charges, and marks afterwards: a kill between both lets it charge twice, but for a key."""
    with closing(connect()) as db:
        if db.execute("select 1 from payments where id = ?", (number,)).fetchall():
            return
        gateway.charge(number, key=key)
        db.execute("insert into payments values (?)", (number,))
        db.commit()


def by_pool(number, key=None):
    with ThreadPoolExecutor(2) as pool:
        pool.submit(pay, number, key).result()


def by_pool_of_the_module(number, key=None):
    POOL.submit(pay, number, key).result()


def by_map(number, key=None):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: pay(each, key and key + str(each)), [number, number + 1]))


def by_those_that_end_first(number, key=None):
    with ThreadPoolExecutor(2) as pool:
        for each in as_completed([pool.submit(pay, number, key)]):
            each.result()


def by_thread(number, key=None):
    thread = threading.Thread(target=pay, args=(number, key))
    thread.start()
    thread.join()


def by_queue(number, key=None):
    work, done = queue.Queue(), queue.Queue()

    def consume():
        try:
            pay(work.get(), key)
        finally:
            done.put(None)

    thread = threading.Thread(target=consume)
    thread.start()
    work.put(number)
    done.get()
    thread.join()


def by_lock(number, key=None):
    lock = threading.Lock()

    def wait():
        with lock:
            pay(number, key)

    with lock, ThreadPoolExecutor(1) as pool:
        future = pool.submit(wait)
        lock.release()
        future.result()
        lock.acquire()


def by_sleeping_pool(number, key=None):
    def late():
        time.sleep(3600)
        pay(number, key)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(late).result()


def by_pool_of_multiprocessing(number, key=None):
    with multiprocessing.pool.ThreadPool(1) as pool:
        pool.apply(pay, (number, key))


async def by_to_thread(number, key=None):
    await asyncio.to_thread(pay, number, key)


async def by_gathering(number, key=None):
    await asyncio.gather(asyncio.to_thread(pay, number, key), asyncio.to_thread(int))


def by_loop_in_a_thread(number, key=None):
    thread = threading.Thread(target=lambda: asyncio.run(by_to_thread(number, key)))
    thread.start()
    thread.join()


WAYS = [
    *(
        by_pool,
        by_pool_of_the_module,
        by_map,
        by_those_that_end_first,
        by_thread,
        by_queue,
        by_lock,
    ),
    *(
        by_sleeping_pool,
        by_pool_of_multiprocessing,
        by_to_thread,
        by_gathering,
        by_loop_in_a_thread,
    ),
]


def name_of(way):
    return way.__name__


@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_a_kill_between_two_lines_in_a_helper_is_tried(way):
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway.charge \[crash"):
        check_idempotent(way, args=(7,), world=world, histories=["twice", "crash"])


@pytest.mark.parametrize("way", WAYS, ids=name_of)
def test_a_helper_with_a_key_passes(way):
    check_idempotent(way, args=(7, "key"), world=world, histories=["twice", "crash", "overlap"])


def test_a_thread_whose_function_is_no_line_of_the_job_is_waited_for_too():
    def charge(number):
        if not HERE.charged:
            thread = threading.Thread(target=HERE.gateway.charge, args=(number,))
            thread.start()
            thread.join()
            HERE.charged.append(number)

    def world():
        HERE.charged, HERE.gateway = [], Mock()
        yield lambda: {"charged": list(HERE.charged)}

    with pytest.raises(DuplicateEffect, match=r"charge \[crash") as found:
        check_idempotent(charge, args=(7,), world=world, histories=["crash"])
    first, *_ = found.value.report.to_dict()["deliveries"]
    assert "charge" in first["acts"][0]


def test_nothing_is_left_in_a_pool_that_was_open_before():
    check_idempotent(by_pool_of_the_module, args=(7, "key"), world=world)

    assert POOL.submit(int, "1").result() == 1
    assert POOL._work_queue.empty()


def test_no_thread_of_a_dead_delivery_stays():
    before = threading.active_count()
    check_idempotent(by_queue, args=(7, "key"), world=world, histories=["crash"])

    assert threading.active_count() <= before


def test_a_thread_for_which_nobody_waits_is_refused():
    def forget(number):
        threading.Thread(target=pay, args=(number,)).start()

    with pytest.raises(
        ExplorationError, match=r"its thread pay\(\) has not: nothing waits for the"
    ):
        check_idempotent(forget, args=(7,), world=world)


def test_a_future_for_which_nobody_waits_is_refused():
    def forget(number):
        POOL.submit(pay, number)

    with pytest.raises(ExplorationError, match=r"its thread pay\(\) has not"):
        check_idempotent(forget, args=(7,), world=world)


def test_a_thread_that_does_nothing_may_be_left():
    def leave(number, key):
        threading.Thread(target=count, daemon=True).start()
        pay(number, key)

    def count():
        threading.Event().wait()

    check_idempotent(leave, args=(7, "key"), world=world, histories=["twice", "crash"])


def test_a_thread_that_never_comes_back_is_an_error():
    def wait(number):
        pay(number)
        thread = threading.Thread(target=for_ever)
        thread.start()
        thread.join()

    def for_ever():
        threading.Event().wait()

    before = threading.active_count()
    with pytest.raises(ExplorationError, match="waits for something that does not come"):
        check_idempotent(wait, args=(7,), world=world)

    assert threading.active_count() <= before


def test_a_pool_that_is_shut_down_is_told_of():
    def submit(number):
        with ThreadPoolExecutor(1) as pool:
            pay(number)
        pool.submit(pay, number).result()

    with pytest.raises(ExplorationError, match="cannot schedule new futures after shutdown"):
        check_idempotent(submit, args=(7,), world=world)


def test_a_pool_whose_threads_do_not_start_is_told_of():
    def submit(number):
        with ThreadPoolExecutor(1, initializer=int, initargs=("no number",)) as pool:
            pay(number)
            pool.submit(pay, number).result()

    with pytest.raises(ExplorationError, match="BrokenThreadPool"):
        check_idempotent(submit, args=(7,), world=world)


def test_a_thousand_threads_are_no_hindrance():
    def start(number, key):
        threads = [threading.Thread(target=int) for _ in range(1_000)]
        for thread in threads:
            thread.start()
        pay(number, key)
        for thread in threads:
            thread.join()

    check_idempotent(start, args=(7, "key"), world=world, histories=["twice"])
