"""Each delivery has a process id of its own, which is dead when the delivery is."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect

shop = SimpleNamespace(row={}, mail=None, folder=None)

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")


def world():
    shop.row = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        fake(shop, "mail", lambda number, key: None, key="key") as mail,
    ):
        shop.folder = Path(folder)
        yield lambda: {"row": dict(shop.row), "mails": mail.calls}


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def has_folder(pid):
    return Path(f"/proc/{pid}").exists()


def in_a_session(pid):
    try:
        os.getsid(pid)
    except ProcessLookupError:
        return False
    return True


def lock_by_id(number):
    me = f"host:{os.getpid()}"
    if shop.row.get("owner") not in (None, me):
        return
    shop.row["owner"] = me
    shop.mail(number, key=number)
    shop.row.update(owner=None, done=True)


def lock_by_id_of_multiprocessing(number):
    me = multiprocessing.current_process().pid
    if shop.row.get("owner") in (None, me):
        shop.row["owner"] = me
        shop.mail(number, key=number)
        shop.row.update(owner=None, done=True)


def write_by_keyword(number):
    os.getpid()
    with open(file=shop.folder / "log", mode="w") as file:  # noqa: PTH123 - by its name
        file.write("here")
    os.stat(path=shop.folder)  # noqa: PTH116 - by its name
    shop.mail(number, key=number)


def test_a_job_that_knows_its_id_opens_files_by_the_names_of_parameters():
    check_idempotent(write_by_keyword, args=(1,), world=world, histories=["twice"])


@pytest.mark.parametrize("job", [lock_by_id, lock_by_id_of_multiprocessing])
def test_the_lock_of_a_killed_worker_is_held_by_another_process(job):
    with pytest.raises(LostEffect, match=r"LOST mail .*\[crash"):
        check_idempotent(job, args=(1,), world=world)


def test_deliveries_in_one_process_have_one_id():
    check_idempotent(lock_by_id, args=(1,), world=world, histories=["crash"], same_process=True)


def take_over(looks):
    def job(number):
        owner = shop.row.get("owner")
        if owner is not None and looks(owner):
            return
        shop.row["owner"] = os.getpid()
        shop.mail(number, key=number)
        shop.row.pop("owner")

    return job


@pytest.mark.parametrize(
    "looks", [is_alive, in_a_session, pytest.param(has_folder, marks=needs_proc)]
)
def test_the_lock_of_a_dead_process_can_be_taken_over(looks):
    check_idempotent(take_over(looks), args=(1,), world=world, histories=["crash", "overlap"])


def test_the_lock_of_a_living_process_stays():
    seen = []

    def note(pid):
        seen.append(is_alive(pid))
        return seen[-1]

    check_idempotent(take_over(note), args=(1,), world=world, histories=["overlap"])
    assert seen
    assert all(seen)
    seen.clear()
    check_idempotent(take_over(note), args=(1,), world=world, histories=["crash"])
    assert seen
    assert not any(seen)


def test_an_id_that_is_kept_with_the_thread_beside_it_is_no_difference():
    def keep(number):
        me = f"host:{os.getpid()}:{threading.get_ident()}"
        shop.row.update(by=os.getpid(), text=me)
        shop.mail(number, key=number)

    check_idempotent(keep, args=(1,), world=world, histories="all")


def test_an_id_in_the_name_of_a_file_is_no_difference():
    def write(number):
        path = shop.folder / f"out.{os.getpid()}.tmp"
        path.write_text("done")
        path.rename(shop.folder / "out")
        shop.mail(number, key=number)

    explored = check_idempotent(write, args=(1,), world=world, histories=["crash", "overlap"])

    assert "before file: open('out.<pid>.tmp', 'w')" in map(str, explored.explorations[0].points)


def test_an_id_in_an_idempotency_key_is_another_one_in_another_delivery():
    def charge(number):
        shop.mail(number, key=os.getpid())

    with pytest.raises(DuplicateEffect, match=r"\[twice"):
        check_idempotent(charge, args=(1,), world=world)


def test_libraries_that_look_for_a_fork_find_none():
    seen = []

    def look(number):
        record = logging.makeLogRecord({})
        logging.getLogger("jobs").handle(logging.LogRecord("a", 10, "b", 1, "c", (), None))
        seen.append((record.process, threading_process(), asyncio.new_event_loop().close()))
        shop.mail(number, key=number)

    def threading_process():
        return logging.LogRecord("a", 10, "b", 1, "c", (), None).process

    check_idempotent(look, args=(1,), world=world, histories=["twice"])

    assert {process for _, process, _ in seen} == {os.getpid()}


def installed(name):
    """Return a function of an installed package that asks for the process id."""
    namespace = {"__name__": name, "os": os}
    exec(compile("def ask():\n    return os.getpid()\n", pytest.__file__, "exec"), namespace)
    return namespace["ask"]


@pytest.mark.parametrize(
    ("package", "is_real"), [("filelock._soft", False), ("sqlalchemy.pool.base", True)]
)
def test_an_installed_package_sees_the_id_of_the_delivery_only_to_own_a_lock(package, is_real):
    seen, ask = [], installed(package)

    def job(number):
        seen.append(ask())
        shop.mail(number, key=number)

    check_idempotent(job, args=(1,), world=world, histories=["twice"])

    assert {pid == os.getpid() for pid in seen} == {is_real}


def test_a_signal_to_the_worker_itself_is_refused():
    def stop(number):
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(ExplorationError, match=r"os\.kill\(\d+, .*a signal to the worker"):
        check_idempotent(stop, args=(1,), world=world)


@needs_proc
def test_the_own_folder_of_a_process_can_be_read():
    def measure(number):
        with Path(f"/proc/{os.getpid()}/statm").open() as file:
            shop.row["measured"] = bool(file.read())
        shop.mail(number, key=number)

    check_idempotent(measure, args=(1,), world=world)


def test_links_can_be_copied_by_a_job_that_asked_for_its_id():
    def copy(number):
        os.getpid()
        (shop.folder / "link").unlink(missing_ok=True)
        (shop.folder / "copy").unlink(missing_ok=True)
        (shop.folder / "link").symlink_to("nowhere")
        shutil.copy2(shop.folder / "link", shop.folder / "copy", follow_symlinks=False)
        shop.mail(number, key=number)

    def shown():
        with contextmanager(world)() as snapshot:
            yield lambda: {
                **snapshot(),
                "files": sorted(file.name for file in shop.folder.iterdir()),
            }

    check_idempotent(copy, args=(1,), world=shown, histories=["restart"])


def test_an_id_that_a_module_computed_is_the_same_in_all_deliveries():
    me = f"host:{os.getpid()}"

    def lock(number):
        if shop.row.get("owner") not in (None, me):
            return
        shop.row["owner"] = me
        shop.mail(number, key=number)
        shop.row.pop("owner")

    check_idempotent(lock, args=(1,), world=world, histories=["crash"])


def test_nothing_stays_patched():
    before = (os.getpid, os.kill, os.stat, open, set(os.supports_follow_symlinks))

    check_idempotent(take_over(is_alive), args=(1,), world=world, histories=["crash"])

    assert (os.getpid, os.kill, os.stat, open, os.supports_follow_symlinks) == before
