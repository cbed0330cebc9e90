"""What leaves no trace in the world is refused, or is an act with a point."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import ctypes
import functools
import linecache
import logging
import logging.handlers
import multiprocessing
import multiprocessing.pool
import multiprocessing.queues
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import syslog
import tempfile
import threading
import uuid
import weakref
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, effects, fake
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect, NotIdempotent

#: What the jobs use. The folder is new in each history, the rest is older than the check.
shop = SimpleNamespace(mail=None, folder=None, line=None)


def world():
    with (
        tempfile.TemporaryDirectory() as folder,
        fake(shop, "mail", lambda number, key: None, key="key") as mail,
    ):
        shop.folder = Path(folder)
        yield lambda: {"mails": mail.calls}


def refused(job):
    with pytest.raises(ExplorationError) as refusal:
        check_idempotent(job, args=(1,), world=world)
    return str(refusal.value)


def acts_of(job):
    explored = check_idempotent(job, args=(1,), world=world, histories=["crash"])
    return [str(point) for point in explored.explorations[0].points if point.kind == "before"]


# Calls that reach outside


def in_a_child(number):
    raise AssertionError("no child is to run this")


def in_a_process(method):
    process = multiprocessing.get_context(method).Process(target=in_a_child, args=(1,))
    process.start()
    process.join()


def in_a_pool():
    with ProcessPoolExecutor(1) as pool:
        pool.submit(in_a_child, 1).result()


def abort():
    os.abort()


def in_c():
    LIBRARY.getppid()


def in_c_by_name():
    ctypes.CDLL(None)["getppid"]()


async def look_up_later():
    await asyncio.get_running_loop().getaddrinfo("shop.invalid", 80)


#: A process that is no child of this one: the job may have started a child.
ELSEWHERE = 2**22 - 1
LIBRARY = ctypes.CDLL(None)
REFUSED = {
    "getaddrinfo": (
        lambda: socket.getaddrinfo("shop.invalid", 80),
        "socket.getaddrinfo('shop.invalid')",
    ),
    "gethostbyname": (
        lambda: socket.gethostbyname("shop.invalid"),
        "socket.gethostbyname('shop.invalid')",
    ),
    "gethostbyaddr": (
        lambda: socket.gethostbyaddr("192.0.2.1"),
        "socket.gethostbyaddr('192.0.2.1')",
    ),
    "create_connection": (
        lambda: socket.create_connection(("shop.invalid", 80)),
        "socket.getaddrinfo('shop.invalid')",
    ),
    "coroutine": (lambda: asyncio.run(look_up_later()), "socket.getaddrinfo('shop.invalid')"),
    "kill": (lambda: os.kill(ELSEWHERE, signal.SIGTERM), f"os.kill({ELSEWHERE})"),
    "killpg": (lambda: os.killpg(ELSEWHERE, signal.SIGTERM), f"os.killpg({ELSEWHERE})"),
    "_exit": (lambda: os._exit(3), "os._exit(3)"),
    "abort": (abort, "os.abort()"),
    **{
        method: (functools.partial(in_a_process, method), "Process.start(in_a_child)")
        for method in multiprocessing.get_all_start_methods()
    },
    "pool": (in_a_pool, "ProcessPoolExecutor.submit(in_a_child)"),
    "C": (in_c, "getppid of the C library by ctypes"),
    "C by name": (in_c_by_name, "getppid of the C library by ctypes"),
    "atexit": (lambda: atexit.register(in_a_child, 1), "atexit.register(in_a_child)"),
}


@pytest.mark.parametrize(("reach", "text"), REFUSED.values(), ids=REFUSED)
def test_what_reaches_outside_is_refused_although_the_job_catches_its_error(reach, text):
    def job(number):
        try:
            reach()
        except OSError:
            shop.mail(number, key=number)

    assert refused(job).startswith(f"The job called {text}, which reaches outside of the world in ")


def test_what_only_asks_or_belongs_to_a_library_is_no_effect():
    class Big:
        """Something with an end."""

    # Once a process, it may look for an address of the machine by commands.
    uuid.getnode()

    def job(number):
        socket.gethostbyname(socket.gethostname())
        socket.getaddrinfo("localhost", 80)
        socket.getaddrinfo("127.0.0.1", 80)
        socket.getfqdn()
        os.kill(os.getppid(), 0)
        # A function in C, and an exit handler.
        uuid.uuid1()
        big = Big()
        weakref.finalize(big, list)
        shop.mail(number, key=number)

    check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])


def test_a_look_up_that_is_declared_a_read_passes():
    def job(number):
        with effects.looking():
            try:
                socket.getaddrinfo("shop.invalid", 80, socket.AF_INET6, 0, 0, socket.AI_NUMERICHOST)
            except OSError:
                shop.mail(number, key=number)

    check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])


# Sockets that were open before


@pytest.fixture(params=["pair", "stream"])
def line(request):
    """Yield a connection that is older than the check, as one of a pool is."""
    if request.param == "pair":
        near, far = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as server:
            near = socket.create_connection(server.getsockname())
            far, _ = server.accept()
    far.setblocking(False)
    with closing(near), closing(far):
        shop.line = near
        yield far


def write_by_a_file():
    with shop.line.makefile("wb") as file:
        file.write(b"charge")


def send_from_a_thread():
    thread = threading.Thread(target=shop.line.sendall, args=[b"charge"])
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    ("name", "send"),
    [
        ("socket.send", lambda: shop.line.send(b"charge")),
        ("socket.sendall", lambda: shop.line.sendall(b"charge")),
        ("socket.sendmsg", lambda: shop.line.sendmsg([b"charge"])),
        ("os.write", lambda: os.write(shop.line.fileno(), b"charge")),
        ("socket.send", write_by_a_file),
        ("socket.sendall", send_from_a_thread),
    ],
)
def test_bytes_on_a_connection_that_was_open_before_are_refused(line, name, send):
    def job(number):
        send()
        shop.mail(number, key=number)

    text = refused(job)

    assert text.startswith(
        (
            f"The job called {name} on a pair of sockets that was open before, which reaches outside",
            f"The job called {name} on the open connection ('127.0.0.1', ",
        )
    )
    with pytest.raises(BlockingIOError):
        line.recv(1)


@pytest.mark.parametrize("is_old", [True, False])
def test_datagrams_as_metrics_send_them_are_no_effects_and_the_result_says_so_once(is_old):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd, ExitStack() as stack:
        statsd.bind(("127.0.0.1", 0))

        def connected():
            line = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            line.connect(statsd.getsockname())
            return line

        old = connected()

        def job(number):
            (old if is_old else connected()).send(b"paid:1|c")
            old.sendto(b"paid:1|c", statsd.getsockname())
            socket.getaddrinfo("127.0.0.1", 8125, 0, socket.SOCK_DGRAM)
            shop.mail(number, key=number)

        explored = check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])

    assert [guess for guess in explored.guesses if "datagram" in guess] == ["datagrams (nothing)"]


def test_bytes_of_a_coroutine_are_refused():
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:

        async def job(number):
            await asyncio.get_running_loop().sock_sendall(near, b"charge")

        assert refused(job).startswith("The job called socket.send on ")


def test_a_connection_that_the_world_makes_is_one_of_the_world():
    def job(number):
        shop.line.sendall(b"charge")
        shop.mail(number, key=number)

    def connected():
        near, far = socket.socketpair()
        with near, far, contextmanager(world)() as snapshot:
            shop.line = near
            far.setblocking(False)
            received = []

            def show():
                with contextlib.suppress(BlockingIOError):
                    received.append(far.recv(100))
                return {**snapshot(), "received": b"".join(received)}

            yield show

    with pytest.raises(NotIdempotent, match=r"received \[twice"):
        check_idempotent(job, args=(1,), world=connected)


def test_an_effect_source_may_send_on_a_connection_that_was_open_before(line):
    class Client:
        def charge(self, number):
            shop.line.sendall(b"charge")

    client = Client()

    def job(number):
        client.charge(number)

    def wrapped():
        with effects.wrap(client, "charge"):
            yield dict

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE Client.*\[twice"):
        check_idempotent(job, args=(1,), world=wrapped)


def test_records_of_a_log_may_leave_the_process(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        host, port = server.getsockname()
        stream = socket.create_server(("127.0.0.1", 0))
        handlers = [
            logging.handlers.DatagramHandler(host, port),
            logging.handlers.SysLogHandler((host, port)),
            logging.handlers.SocketHandler(*stream.getsockname()),
        ]
        log = logging.getLogger("shop")
        for handler in handlers:
            log.addHandler(handler)

        def job(number):
            log.error("charged %s", number)
            shop.mail(number, key=number)

        try:
            log.error("before")
            check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])
        finally:
            for handler in handlers:
                log.removeHandler(handler)
                handler.close()
            stream.close()


def test_a_log_may_begin_a_new_file(tmp_path):
    handler = logging.handlers.RotatingFileHandler(tmp_path / "log", maxBytes=20, backupCount=2)
    log = logging.getLogger("shop")
    log.addHandler(handler)

    def job(number):
        log.error("charged %s, in many words", number)
        shop.mail(number, key=number)

    try:
        assert acts_of(job) == ["before mail: mail(1, key=1)"]
    finally:
        log.removeHandler(handler)
        handler.close()


# Writes to open files


def test_each_write_to_an_open_file_has_a_point():
    def job(number):
        target = os.open(shop.folder / "report", os.O_CREAT | os.O_WRONLY)
        os.write(target, b"charged ")
        os.pwrite(target, b"once", 8)
        os.close(target)
        shop.mail(number, key=number)

    assert acts_of(job)[1:3] == [
        "before file: os.write('report')",
        "before file: os.pwrite('report')",
    ]


def test_output_and_pipes_are_no_effects():
    def job(number):
        os.write(1, b"charged\n")
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as program:
            os.write(program.stdin.fileno(), b"charged")
        shop.mail(number, key=number)

    check_idempotent(job, args=(1,), world=world, at_least_once=["subprocess"], histories=["crash"])


# Signals


def test_a_program_that_the_job_started_may_be_stopped():
    def job(number):
        with subprocess.Popen(["sleep", "600"]) as program:
            os.kill(program.pid, signal.SIGTERM)
        with subprocess.Popen(["sleep", "600"]) as program:
            program.terminate()
        shop.mail(number, key=number)

    check_idempotent(job, args=(1,), world=world, at_least_once=["subprocess"], histories=["crash"])


# What a file is, beside its content


def test_changes_of_what_a_file_is_have_points():
    def job(number):
        path = shop.folder / "report"
        path.write_text("")
        path.chmod(0o600)
        os.utime(path)
        with path.open() as file:
            os.chmod(file.fileno(), 0o640)  # noqa: PTH101 - an open file
        os.chown(path, -1, -1)
        shop.mail(number, key=number)

    assert acts_of(job)[-5:-1] == [
        "before file: os.chmod('report', 0o600)",
        "before file: os.utime('report')",
        "before file: os.chmod('report', 0o640)",
        "before file: os.chown('report', -1, -1)",
    ]


def keep_a_secret(number):
    path = shop.folder / "secret"
    if not path.exists():
        path.write_text("secret")
        path.chmod(0o600)
        shop.mail(number, key=number)


def keep_a_secret_always(number):
    path = shop.folder / "secret"
    path.write_text("secret")
    path.chmod(0o600)
    shop.mail(number, key=number)


def keep_a_secret_at_once(number):
    handle, name = tempfile.mkstemp(dir=shop.folder)
    os.write(handle, b"secret")
    os.fchmod(handle, 0o640)
    os.close(handle)
    Path(name).replace(shop.folder / "secret")
    shop.mail(number, key=number)


def test_a_mode_that_is_never_set_is_lost():
    with pytest.raises(LostEffect) as failure:
        check_idempotent(keep_a_secret, args=(1,), world=world)

    assert "os.chmod('secret', 0o600)" in str(failure.value)


@pytest.mark.parametrize("job", [keep_a_secret_always, keep_a_secret_at_once])
def test_a_mode_that_is_set_again_is_no_second_effect(job):
    check_idempotent(job, args=(1,), world=world, histories=["twice", "crash", "overlap", "late"])


def test_a_job_that_only_sets_a_mode_is_compared_by_it():
    def job(number):
        (shop.folder / "report").chmod(0o600)

    def with_a_report():
        with contextmanager(world)() as snapshot:
            (shop.folder / "report").write_text("")
            yield snapshot

    check_idempotent(job, args=(1,), world=with_a_report, histories=["twice", "crash"])


# Temporary files


def with_a_temporary_file(number):
    with tempfile.NamedTemporaryFile("w", prefix="report-", dir=shop.folder) as file:
        file.write("charged")
        file.flush()
        shop.mail(number, key=number)


def with_a_temporary_folder(number):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "report").write_text("charged")
        shop.mail(number, key=number)


def with_a_file_that_takes_the_place_of_another(number):
    handle, name = tempfile.mkstemp(dir=shop.folder)
    os.write(handle, b"charged")
    os.close(handle)
    Path(name).replace(shop.folder / "report")
    shop.mail(number, key=number)


@pytest.mark.parametrize(
    "job",
    [
        with_a_temporary_file,
        with_a_temporary_folder,
        with_a_file_that_takes_the_place_of_another,
    ],
)
def test_a_job_with_temporary_files_is_deterministic(job):
    check_idempotent(job, args=(1,), world=world, histories=["twice", "crash", "overlap", "late"])


def test_points_call_temporary_files_by_what_they_are():
    assert acts_of(with_a_file_that_takes_the_place_of_another)[:3] == [
        "before file: open('tmp<random>', None)",
        "before file: os.write('tmp<random>')",
        "before file: os.rename('tmp<random>', 'report')",
    ]


def test_a_temporary_name_in_the_state_is_a_random_one():
    def job(number):
        shop.kept = tempfile.mktemp(prefix="", dir="")
        shop.mail(number, key=number)

    def shown():
        shop.kept = None
        with contextmanager(world)() as snapshot:
            yield lambda: {**snapshot(), "kept": shop.kept and Path(shop.kept).name}

    check_idempotent(job, args=(1,), world=shown, histories=["twice", "crash"])


# Other processes of the program


def test_work_is_not_given_to_a_pool_of_processes_that_was_open_before():
    class Pool(multiprocessing.pool.Pool):
        def __init__(self):
            """Start no process."""

        def __del__(self):
            """Have none to end."""

    opened = Pool()

    def job(number):
        opened.map(in_a_child, [number])

    assert refused(job).startswith("The job called Pool.map(in_a_child), which reaches outside")


def test_work_in_a_pool_of_threads_that_was_open_before_is_seen():
    with multiprocessing.pool.ThreadPool(1) as pool:

        def job(number):
            pool.apply(shop.mail, (number,), {"key": None})
            pool.map(lambda each: shop.mail(each, key=None), [number])

        with pytest.raises(DuplicateEffect, match=r"\[twice"):
            check_idempotent(job, args=(1,), world=world)


@pytest.mark.filterwarnings("ignore::pytest_jobs.errors.PartialExploration")
def test_a_pool_of_threads_that_the_job_makes_has_its_pipes_for_itself():
    def job(number):
        with multiprocessing.pool.ThreadPool(1) as pool:
            pool.map(lambda each: shop.mail(each, key=number), [number])

    check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])


@pytest.mark.parametrize(
    "make", [multiprocessing.Queue, multiprocessing.JoinableQueue, multiprocessing.SimpleQueue]
)
def test_nothing_is_sent_to_other_processes(make):
    queue = make()

    def job(number):
        queue.put(number)

    assert ".put(1), which reaches outside" in refused(job)
    queue.close()


def test_memory_that_processes_share_is_not_written():
    memory = SharedMemory(create=True, size=8)
    try:

        def job(number):
            memory.buf[0] = number

        assert refused(job).startswith(f"The job called SharedMemory.buf of {memory.name!r}, which")

        def attach(number):
            SharedMemory(memory.name).buf[0] = number

        assert refused(attach).startswith(f"The job called SharedMemory({memory.name!r}), which")
    finally:
        memory.close()
        memory.unlink()


def test_shared_memory_of_the_world_is_state():
    def shared():
        memory = SharedMemory(create=True, size=8)
        shop.memory = memory
        try:
            yield lambda: {"memory": memory.buf[0]}
        finally:
            memory.close()
            memory.unlink()

    def job(number):
        shop.memory.buf[0] += number

    with pytest.raises(NotIdempotent, match=r"memory \[twice"):
        check_idempotent(job, args=(1,), world=shared)


# Calls of the operating system


def test_a_module_may_use_ctypes_while_a_job_imports_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "explored_with_c.py").write_text(
        "import ctypes\n\ndef load():\n    return ctypes.CDLL(None).getppid()\n\nload()\n"
    )

    def job(number):

        shop.mail(number, key=number)

    try:
        check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])
    finally:
        sys.modules.pop("explored_with_c", None)


def test_a_message_to_the_log_of_the_system_is_an_effect():
    def job(number):
        syslog.syslog(syslog.LOG_INFO, "charged")

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE syslog .*\[twice"):
        check_idempotent(job, args=(1,), world=world)
    check_idempotent(job, args=(1,), world=world, at_least_once=["syslog"], histories=["crash"])


def test_the_log_of_the_system_can_be_faked():
    def job(number):
        syslog.syslog("charged")

    def faked():
        with fake(syslog, "syslog", lambda message: None) as log:
            yield lambda: {"log": log.calls}

    with pytest.raises(DuplicateEffect, match=r"DUPLICATE log|DUPLICATE syslog"):
        check_idempotent(job, args=(1,), world=faked)


# Names that were bound early


def test_functions_that_a_module_has_under_names_of_its_own_are_seen(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "explored_early.py").write_text(
        "from os import getpid\n"
        "from sqlite3 import connect\n"
        "from subprocess import run as start\n\n"
        "def pay(path):\n"
        "    with connect(path) as db:\n"
        "        db.execute('insert into paid values (1)')\n"
    )
    import explored_early

    path = tmp_path / "paid.db"

    def database():
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as keeper:
            keeper.execute("create table paid (id)")
            yield lambda: {"paid": keeper.execute("select * from paid").fetchall()}

    before = dict(vars(explored_early))
    try:
        with pytest.raises(NotIdempotent) as failure:
            check_idempotent(explored_early.pay, args=(path,), world=database)
        assert "sqlite: insert into paid" in str(failure.value)
        assert vars(explored_early) == before
    finally:
        sys.modules.pop("explored_early", None)


# Python refuses to close a connection that is refused while it is opened, and from 3.13 on warns of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_database_that_is_opened_by_a_name_that_nobody_finds_is_refused(tmp_path):
    connect = [sqlite3.connect]

    def job(number):
        with closing(connect[0](tmp_path / "paid.db")) as db:
            db.execute("create table if not exists paid (id)")
        shop.mail(number, key=number)

    assert refused(job).startswith(
        "The job called sqlite3.connect, under a name that it had before the check, which reaches"
    )


# Tasks


async def remind(number):
    await asyncio.sleep(1)
    shop.mail(number, key=number)


async def remind_and_forget(number):
    shop.mail(number, key=number)
    shop.task = asyncio.ensure_future(remind(number))


async def remind_in_a_loop(number):
    shop.mail(number, key=number)
    shop.task = asyncio.get_running_loop().create_task(remind(number))
    await asyncio.sleep(0)


def remind_in_a_loop_of_its_own(number):
    asyncio.run(remind_in_a_loop(number))


def remind_in_a_loop_that_is_closed(number):
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(remind_in_a_loop(number))
    finally:
        loop.close()


@pytest.mark.parametrize(
    "job",
    [
        remind_and_forget,
        remind_in_a_loop,
        remind_in_a_loop_of_its_own,
        remind_in_a_loop_that_is_closed,
    ],
)
def test_a_task_that_nobody_awaits_is_named(job):
    assert refused(job) == (
        "The job has ended, and its task remind() has not: nothing waits for the task, so a worker that stops "
        "now loses its work, and no history shows it. Await the task, start it in an `asyncio.TaskGroup`, or "
        "cancel it before the job ends."
    )


def test_a_task_that_is_cancelled_or_awaited_is_none():
    async def job(number):
        heartbeat = asyncio.create_task(remind(number))
        await asyncio.create_task(remind(number))
        heartbeat.cancel()

    check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])


async def mail_in_a_minute(number):
    shop.mail(number, key=number)
    asyncio.get_running_loop().call_later(60, shop.mail, number)


def mail_at_a_time(number):
    async def main():
        await asyncio.sleep(1)
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + 5, lambda: shop.mail(number))

    shop.mail(number, key=number)
    asyncio.run(main())


def mail_in_a_minute_by_a_loop_that_is_closed(number):
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(mail_in_a_minute(number))
    finally:
        loop.close()


async def mail_after_the_end(number):
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: loop.call_later(60, shop.mail, number))
    shop.mail(number, key=number)


@pytest.mark.parametrize(
    ("job", "function"),
    [
        (mail_after_the_end, "mail_after_the_end.<locals>.<lambda>"),
        (mail_in_a_minute, "mail_in_a_minute"),
        (mail_at_a_time, "mail_at_a_time.<locals>.main"),
        (mail_in_a_minute_by_a_loop_that_is_closed, "mail_in_a_minute"),
    ],
)
def test_a_callback_that_waits_for_its_time_is_named(job, function):
    message = refused(job)

    line = re.search(r"its callback of line (\d+) of ", message)[1]
    assert ".call_" in linecache.getline(__file__, int(line))
    assert message == (
        f"The job has ended, and its callback of line {line} of {function} has not run: nothing waits for the "
        "callback, so a worker that stops now loses its work, and no history shows it. Await a future that it "
        "sets, await `asyncio.sleep`, or cancel it before the job ends."
    )


def mail_by_a_timer(number):
    threading.Timer(60, shop.mail, [number]).start()
    shop.mail(number, key=number)


def test_a_timer_that_waits_for_its_time_is_named():
    message = refused(mail_by_a_timer)

    line = re.search(r"its timer of line (\d+) of ", message)[1]
    assert "threading.Timer" in linecache.getline(__file__, int(line))
    assert message == (
        f"The job has ended, and its timer of line {line} of mail_by_a_timer has not run: nothing waits for the "
        "timer, so a worker that stops now loses its work, and no history shows it. Join the timer, cancel it, or "
        "enqueue a job that runs later before the job ends."
    )


def test_a_callback_that_has_run_or_is_cancelled_or_of_a_library_is_none():
    async def job(number):
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        loop.call_later(60, done.set)
        heartbeat = loop.call_later(120, shop.mail, number)
        async with asyncio.timeout(180):
            await asyncio.wait_for(done.wait(), 90)
        heartbeat.cancel()
        shop.mail(number, key=number)

    check_idempotent(job, args=(1,), world=world, histories=["twice", "crash"])


def test_nothing_stays_patched():
    def functions():
        return [
            socket.socket.__init__,
            socket.socket.send,
            os.write,
            atexit.register,
            syslog.syslog,
            multiprocessing.process.BaseProcess.start,
            multiprocessing.pool.Pool.map,
            SharedMemory.__init__,
            ctypes.CDLL.__getattribute__,
            asyncio.runners._cancel_all_tasks,
            asyncio.base_events.BaseEventLoop.call_later,
        ]

    before = functions()
    check_idempotent(with_a_temporary_file, args=(1,), world=world, histories=["twice", "crash"])

    assert functions() == before
