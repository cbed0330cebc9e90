"""What an exploration does not model, so that the page which says so is true."""

from __future__ import annotations

import ctypes
import threading

import explored_jobs
import pytest
from explored_worlds import Gateway, files, shop

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DuplicateEffect


class Memory:
    def __init__(self):
        self.seen = set()


def remembering():
    explored_jobs.till = Memory()
    with fake(explored_jobs, "gateway", Gateway()) as made:
        yield lambda: {"charges": made.calls}


def test_what_an_object_outside_of_the_world_remembers_is_not_forgotten_by_a_restart():
    def charge_once_an_object(number):
        memory = explored_jobs.till
        if number not in memory.seen:
            explored_jobs.gateway.charge(number)
            memory.seen.add(number)

    check_idempotent(charge_once_an_object, args=(1,), world=remembering, histories=["restart"])
    with pytest.raises(DuplicateEffect):
        check_idempotent(charge_once_an_object, args=(1,), world=remembering, histories=["crash"])


def test_threads_of_one_job_never_go_on_between_two_lines_of_another():
    def add_twice(number):
        explored_jobs.till.paid = 0
        threads = [threading.Thread(target=add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def add():
        before = explored_jobs.till.paid
        explored_jobs.till.paid = before + 1

    def world():
        explored_jobs.till = Memory()
        yield lambda: {"paid": getattr(explored_jobs.till, "paid", None)}

    check_idempotent(add_twice, args=(1,), world=world, histories=["twice", "crash"])


def test_a_write_to_an_open_file_is_no_point():
    def write_in_one_line(number):
        with (explored_jobs.folder / "report.txt").open("w") as file:
            file.writelines([f"{number}\n", f"{number}\n"])

    explored = check_idempotent(write_in_one_line, args=(1,), world=files)

    assert [
        str(point) for point in explored.explorations[0].points if "line" not in str(point)
    ] == ["before file: open('report.txt', 'w')"]


def test_no_history_has_three_deliveries_at_once():
    most = [0, 0]

    def count(number):
        most[0] += 1
        most[1] = max(most)
        explored_jobs.gateway.charge(number, key=number)
        most[0] -= 1

    def world():
        most[0] = 0
        yield from keyed()

    check_idempotent(count, args=(1,), world=world, histories=["overlap"], depth=2)

    assert most[1] == 2


def keyed():
    with fake(explored_jobs, "gateway", Gateway(), key="key") as made:
        yield lambda: {"charges": made.calls}


def test_sqlite_has_no_update_that_is_lost_between_two_transactions():
    def add_in_one_transaction(number):
        db = explored_jobs.connect()
        db.isolation_level = None
        db.execute("begin")
        status = explored_jobs.status_of(db, number)
        if status == "pending":
            db.execute("update payments set status = 'done' where id = ?", (number,))
            db.execute("insert into ledger values (?)", (number,))
        db.execute("commit")

    check_idempotent(add_in_one_transaction, args=(1,), world=shop, histories="all")


def test_the_hash_of_a_text_is_the_same_in_a_new_process():
    def charge_by_hash(number):
        explored_jobs.gateway.charge(number, key=hash(f"payment-{number}"))

    check_idempotent(charge_by_hash, args=(1,), world=keyed, histories=["restart", "crash"])


def test_a_function_in_c_under_a_name_of_its_own_is_not_seen():
    ask_for_the_parent = ctypes.CDLL(None).getppid

    def charge(number):
        ask_for_the_parent()
        explored_jobs.gateway.charge(number, key=number)

    check_idempotent(charge, args=(1,), world=keyed)
