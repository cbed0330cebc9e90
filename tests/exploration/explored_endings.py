"""Jobs that put something in force and take it back: in every way that Python has."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import io
import locale
import logging
import os
import queue
import signal
import socket
import sys
import tempfile
import threading
import types
import warnings
from pathlib import Path
from unittest import mock

import pytest

from pytest_jobs import fake

fcntl = pytest.importorskip("fcntl", reason="Windows locks files in another way")

STATE = {"n": 0}
FOLDER = Path(tempfile.gettempdir())
app = types.SimpleNamespace(send=None)
#: Every job that follows, by `@ends`.
JOBS = []


def ends(job):
    JOBS.append(job)
    return job


class Box:
    """What lives as long as the process."""

    depth = 0
    lock = threading.Lock()
    rlock = threading.RLock()
    semaphore = threading.Semaphore(2)
    condition = threading.Condition()
    async_lock = asyncio.Lock()
    async_semaphore = asyncio.Semaphore(1)
    by_name = {"a": threading.Lock()}  # noqa: RUF012 - as users write it
    pool = queue.Queue()


class Till:
    def __init__(self):
        self.lock = threading.Lock()


till = Till()
Box.pool.put("connection")


def world():
    STATE["n"] = 0
    try:
        with fake(app, "send", lambda number, key=None: None, key="key") as send:
            yield lambda: {"n": STATE["n"], "sent": send.calls}
    finally:
        STATE["n"] = 0


@contextlib.contextmanager
def scope():
    Box.depth += 1
    try:
        yield
    finally:
        app.send(1, key=1)
        Box.depth -= 1


@contextlib.asynccontextmanager
async def async_scope():
    Box.depth += 1
    try:
        yield
    finally:
        await asyncio.sleep(0)
        Box.depth -= 1


class Scope:
    def __enter__(self):
        Box.depth += 1
        STATE["n"] = STATE["n"]
        return self

    def __exit__(self, *error):
        STATE["n"] = STATE["n"]
        app.send(2, key=2)
        Box.depth -= 1


class AsyncScope:
    async def __aenter__(self):
        Box.depth += 1
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error):
        await asyncio.sleep(0)
        Box.depth -= 1


@ends
def with_a_generator(number):
    with scope():
        STATE["n"] = number


@ends
def with_a_class(number):
    with Scope():
        STATE["n"] = number


@ends
def with_two_at_once(number):
    with Scope(), scope():
        STATE["n"] = number


@ends
def with_a_return_inside(number):
    for each in (number, number + 1):
        with Scope():
            STATE["n"] = each
            return


@ends
def with_a_continue_inside(number):
    for each in (number, number):
        with Scope():
            if STATE["n"] == each:
                continue
            STATE["n"] = each


@ends
def with_a_break_inside(number):
    while True:
        with scope():
            STATE["n"] = number
            break


@ends
def with_an_error_inside(number):
    try:
        with Scope():
            STATE["n"] = number
            raise KeyError(number)
    except KeyError:
        app.send(number, key=number)


@ends
def with_a_finally(number):
    Box.depth += 1
    try:
        STATE["n"] = number
    finally:
        app.send(3, key=3)
        STATE["n"] = STATE["n"]
        Box.depth -= 1


@ends
def with_a_finally_on_one_line(number):
    Box.depth += 1
    # fmt: off
    try: STATE["n"] = number  # noqa: E701
    finally: Box.depth -= 1  # noqa: E701
    # fmt: on


@ends
def with_an_except_that_raises_again(number):
    try:
        Box.depth += 1
        try:
            STATE["n"] = number
            raise KeyError
        except BaseException:
            app.send(4, key=4)
            Box.depth -= 1
            raise
    except KeyError:
        pass


@ends
def with_an_except_that_raises_another(number):
    with Scope():
        Box.depth += 1
        try:
            STATE["n"] = number
            Box.depth -= 1
        except BaseException as error:
            app.send(4, key=4)
            Box.depth -= 1
            raise RuntimeError from error


@ends
def with_a_lock_in_a_finally(number):
    Box.lock.acquire()
    try:
        STATE["n"] = number
    finally:
        Box.lock.release()


@ends
def with_all_sorts_nested(number):
    with Box.rlock, Scope(), contextlib.ExitStack() as stack:
        stack.enter_context(scope())
        stack.callback(app.send, 5, key=5)
        STATE["n"] = number


@ends
def with_a_stack_closed_in_a_finally(number):
    stack = contextlib.ExitStack()
    try:
        stack.enter_context(Scope())
        STATE["n"] = number
    finally:
        stack.close()


def numbers():
    with Scope():
        yield 1
        yield 2


@ends
def with_a_generator_function(number):
    for each in numbers():
        STATE["n"] = each


@ends
def with_statements_that_do_nothing(number):
    for each in (number, number):
        with (
            Scope(),
            scope() as inner,
        ):
            STATE["n"] = each
            try:
                pass
            except KeyError:
                raise
            with Scope():
                if inner is None:
                    continue
                ...  # noqa: PIE790 - its line is an edge
            pass  # noqa: PIE790


@ends
def with_a_constant_returned(number):
    with Scope(), scope():
        STATE["n"] = number
        return -1


@ends
def with_everything_suppressed(number):
    with Scope(), contextlib.suppress(BaseException):
        STATE["n"] = 1
        app.send(6, key=6)
    STATE["n"] = 2


@ends
def with_everything_swallowed_in_a_loop(number):
    while STATE["n"] < 3:
        try:
            with Scope():
                STATE["n"] += 1
        except BaseException:
            continue


@ends
def with_everything_swallowed_for_ever(number):
    with Scope():
        while True:
            try:
                STATE["n"] = number
                app.send(7, key=7)
                return
            except BaseException:
                pass


@ends
def with_another_working_directory(number):
    with contextlib.chdir(FOLDER):
        STATE["n"] = number


@ends
def with_warnings_as_errors(number):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        STATE["n"] = number


@ends
def with_patches(number):
    with mock.patch("math.sqrt"), mock.patch.dict(os.environ, {"EXPLORED": "1"}):
        STATE["n"] = number


@ends
def with_another_precision(number):
    with decimal.localcontext() as context:
        context.prec = 5
        STATE["n"] = number


@ends
def with_a_temporary_folder(number):
    with tempfile.TemporaryDirectory():
        STATE["n"] = number


@ends
def with_a_semaphore(number):
    with Box.semaphore:
        STATE["n"] = number


@ends
def with_another_output(number):
    with contextlib.redirect_stdout(io.StringIO()):
        STATE["n"] = number


@ends
def with_a_lock_of_a_class(number):
    with Box.lock:
        STATE["n"] = number


@ends
def with_a_lock_of_an_object(number):
    with till.lock:
        STATE["n"] = number


@ends
def with_a_lock_in_a_dictionary(number):
    with Box.by_name["a"]:
        STATE["n"] = number


@ends
def with_a_condition(number):
    with Box.condition:
        Box.condition.notify()
        STATE["n"] = number


@ends
def with_a_thread(number):
    def work():
        with Scope():
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    STATE["n"] = number


@ends
def with_a_connection_of_a_pool(number):
    connection = Box.pool.get()
    try:
        STATE["n"] = number
    finally:
        Box.pool.put(connection)


@ends
def with_a_pair_of_sockets(number):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        STATE["n"] = number


@ends
def with_a_locked_file(number):
    with (FOLDER / "pytest-jobs-explored-endings").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        STATE["n"] = number


@ends
async def with_an_async_class(number):
    async with AsyncScope():
        STATE["n"] = number


@ends
async def with_an_async_generator(number):
    async with async_scope():
        STATE["n"] = number
        await asyncio.sleep(1)


class Booking:
    """Gives back what it took even where it is cancelled while it does, as a task of a group is."""

    async def __aenter__(self):
        await asyncio.sleep(0)
        Box.depth += 1

    async def __aexit__(self, *error):
        Box.depth -= 1
        await asyncio.sleep(0)


async def child(number):
    async with Booking():
        await asyncio.sleep(0)
        app.send(number, key=number)


@ends
async def with_a_task_group(number):
    async with asyncio.TaskGroup() as group:
        group.create_task(child(1))
        group.create_task(child(2))


@ends
async def with_tasks_that_are_gathered(number):
    await asyncio.gather(child(1), child(2))


@ends
async def with_a_timeout(number):
    async with asyncio.timeout(5):
        async with AsyncScope():
            await asyncio.sleep(1)
            STATE["n"] = number


async def async_numbers():
    async with AsyncScope():
        yield 1
        yield 2


@ends
async def with_an_async_generator_function(number):
    async with contextlib.aclosing(async_numbers()) as steps:
        async for each in steps:
            STATE["n"] = each


@ends
async def with_a_group_of_errors_swallowed(number):
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(child(1))
        STATE["n"] = 1
    except* BaseException:
        STATE["n"] = 5


@ends
async def with_an_async_lock(number):
    lock = asyncio.Lock()
    async with lock:
        STATE["n"] = number


@ends
async def with_an_async_stack(number):
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(AsyncScope())
        stack.enter_context(Scope())
        STATE["n"] = number


@ends
async def with_a_shielded_task(number):
    await asyncio.shield(child(number))


@ends
def with_a_lock_and_no_block(number):
    till.lock.acquire()
    STATE["n"] = number
    till.lock.release()


@ends
def with_a_lock_that_is_made_late(number):
    lock = Box.by_name.setdefault("late", threading.Lock())
    lock.acquire()
    STATE["n"] = number
    lock.release()


@ends
def with_a_queue_and_no_block(number):
    connection = Box.pool.get()
    STATE["n"] = number
    Box.pool.put(connection)


@ends
def with_a_semaphore_and_no_block(number):
    Box.semaphore.acquire()
    STATE["n"] = number
    Box.semaphore.release()


@ends
def with_an_rlock_and_no_block(number):
    Box.rlock.acquire()
    STATE["n"] = number
    Box.rlock.release()


@ends
@mock.patch("math.sqrt")
def with_a_patch_as_a_decorator(number, sqrt):
    STATE["n"] = number
    app.send(number, key=number)


@ends
@mock.patch.dict(os.environ, {"EXPLORED": "1"})
def with_a_patched_dictionary_as_a_decorator(number):
    STATE["n"] = number
    app.send(number, key=number)


@ends
def with_a_patch_that_is_started(number):
    patch = mock.patch("math.sqrt")
    patch.start()
    STATE["n"] = number
    patch.stop()


@ends
def with_a_working_directory_and_no_block(number):
    before = Path.cwd()
    os.chdir(FOLDER)
    STATE["n"] = number
    os.chdir(before)


@ends
def with_a_variable_of_the_environment(number):
    os.environ["EXPLORED"] = "1"
    STATE["n"] = number
    del os.environ["EXPLORED"]


@ends
def with_warnings_and_no_block(number):
    warnings.simplefilter("ignore")
    STATE["n"] = number


@ends
def with_another_locale(number):
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if before == "C" else "C")
    STATE["n"] = number
    locale.setlocale(locale.LC_ALL, before)


class TimeLimit:
    """A soft time limit, as many jobs have."""

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, lambda *_: None)
        signal.alarm(60)

    def __exit__(self, *error):
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.before)


@ends
def with_a_signal_handler(number):
    with TimeLimit():
        STATE["n"] = number


@ends
def with_a_signal_handler_and_no_block(number):
    signal.signal(signal.SIGUSR1, lambda *_: None)
    STATE["n"] = number


@ends
def with_a_locked_file_and_no_block(number):
    file = (FOLDER / "pytest-jobs-explored-endings").open("a")
    fcntl.flock(file, fcntl.LOCK_EX)
    STATE["n"] = number
    file.close()


@ends
def with_a_mask_of_files_and_no_block(number):
    before = os.umask(0o077)
    app.send(number, key=number)
    os.umask(before)


@ends
def with_a_search_path_and_no_block(number):
    sys.path.insert(0, str(FOLDER))
    app.send(number, key=number)
    sys.path.remove(str(FOLDER))


@ends
def with_a_level_of_logging_and_no_block(number):
    before = logging.root.level
    logging.root.setLevel(logging.CRITICAL)
    app.send(number, key=number)
    logging.root.setLevel(before)


@ends
def with_a_log_handler_and_no_block(number):
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    app.send(number, key=number)
    logging.root.removeHandler(handler)


@ends
def with_a_precision_and_no_block(number):
    before = decimal.getcontext().prec
    decimal.getcontext().prec = 7
    app.send(number, key=number)
    decimal.getcontext().prec = before


@ends
def with_an_exception_hook_and_no_block(number):
    before = sys.excepthook
    sys.excepthook = lambda *error: None
    app.send(number, key=number)
    sys.excepthook = before


@ends
def with_a_recursion_limit_and_no_block(number):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(before + 500)
    app.send(number, key=number)
    sys.setrecursionlimit(before)


@ends
def with_a_timeout_of_sockets_and_no_block(number):
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(7)
    app.send(number, key=number)
    socket.setdefaulttimeout(before)


@ends
def with_a_timer_and_no_block(number):
    timer = threading.Timer(3600, print)
    timer.start()
    app.send(number, key=number)
    timer.cancel()


@ends
async def with_an_async_lock_of_a_class(number):
    async with Box.async_lock:
        await asyncio.sleep(1)
        app.send(number, key=number)


@ends
async def with_an_async_semaphore_and_no_block(number):
    await Box.async_semaphore.acquire()
    app.send(number, key=number)
    Box.async_semaphore.release()
