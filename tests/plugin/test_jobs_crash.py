"""`--jobs-crash` runs a test again for each point of its jobs, and kills a job there."""

from __future__ import annotations

import sqlite3
import sys

import pytest

from pytest_jobs.exploration.engine.ending import signs

GENUINE_CONNECT = sqlite3.connect

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="--jobs-crash needs Python 3.12")

SHOP = '''
"""A shop in sqlite, and its jobs."""

import asyncio
import contextlib
import sqlite3
import threading

import library
from pytest_jobs import job, retry_on

path = "shop.db"
charges = []
ended = []
shared = []
lock = threading.Lock()
others_lock = threading.Lock()


def connect():
    return contextlib.closing(sqlite3.connect(path))


def create():
    with connect() as db:
        db.execute("create table payments (id integer primary key, status)")
        db.execute("insert into payments values (7, 'open')")
        db.commit()


def status():
    with connect() as db:
        return db.execute("select status from payments").fetchone()[0]


@job
def mark():
    with connect() as db:
        db.execute("update payments set status = 'paid'")
        db.commit()


@job
def charge_and_mark():
    with connect() as db:
        (now,) = db.execute("select status from payments").fetchone()
        if now == "paid":
            return
        charges.append(7)
        db.execute("update payments set status = 'paid'")
        db.commit()


@job
def commit_at_last():
    db = sqlite3.connect(path)
    try:
        db.execute("update payments set status = status || '!'")
    finally:
        db.commit()
        db.close()


@job
def swallow():
    try:
        charges.append(1)
        charges.append(2)
    except BaseException:
        charges.append(3)
    charges.clear()


@job
def tell(word="done"):
    return word


@job
def mark_then_tell():
    with connect() as db:
        (now,) = db.execute("select status from payments").fetchone()
        if now == "paid":
            return
        db.execute("update payments set status = 'paid'")
        db.commit()
    tell.perform_later()


@job
def tell_then_mark():
    with connect() as db:
        (now,) = db.execute("select status from payments").fetchone()
        if now == "paid":
            return
        tell.perform_later()
        db.execute("update payments set status = 'paid'")
        db.commit()


@job
async def charge_on_loop():
    if charges:
        return
    await nothing()
    charges.append(7)
    charges.append(8)


async def nothing():
    pass


@retry_on(OSError, wait=60)
@job
def try_again(attempts=[]):
    attempts.append(1)
    if len(attempts) == 1:
        raise OSError
    mark.perform_later()


@job
def suspended():
    rows = generated()
    next(rows)
    charges.append(7)
    next(rows)
    charges.clear()


def generated():
    try:
        yield 1
        yield 2
    finally:
        ended.append(1)


@job
def mark_under_lock():
    lock.acquire()
    try:
        with connect() as db:
            db.execute("update payments set status = 'paid'")
            db.commit()
    finally:
        lock.release()


@job
async def pause():
    for _ in range(3):
        await asyncio.sleep(0)


async def others(number):
    for _ in range(number):
        await asyncio.sleep(0)


@job
def mark_in_savepoint():
    with library.savepoint(shared[0]) as db:
        db.execute("update payments set status = status || '?' where status not like '%!'")
        db.execute("update payments set status = replace(status, '?', '!')")


@job
def use_a_block():
    with library.Block(), OwnBlock():
        charges.append(1)
        charges.append(2)
    charges.append(3)


class OwnBlock:
    def __enter__(self):
        pass

    def __exit__(self, kind, error, traceback):
        ended.append(kind)


@job
def mark_in_block():
    with library.transaction(shared[0]) as db:
        db.execute("update payments set status = status || '!'")
        pass
'''
LIBRARY = """
import contextlib

@contextlib.contextmanager
def transaction(db):
    db.execute("begin")
    try:
        yield db
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")


@contextlib.contextmanager
def savepoint(db):
    db.execute("savepoint s")
    try:
        yield db
    except BaseException:
        db.execute("rollback to s")
        raise
    db.execute("release s")


class Block:
    entered = 0

    def __enter__(self):
        Block.entered += 1

    def __exit__(self, kind, error, traceback):
        Block.entered -= 1
"""
FRESH = """
import pytest
import shop

@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setattr(shop, "path", str(tmp_path / "shop.db"))
    shop.charges.clear()
    shop.ended.clear()
    shop.create()
"""


@pytest.fixture(autouse=True)
def project(pytester, without_colour):
    pytester.makepyfile(shop=SHOP, library=LIBRARY)
    pytester.makeconftest(FRESH)


def run(pytester, text, *arguments):
    pytester.makepyfile(test_it=text)
    return pytester.runpytest("--jobs-crash", *arguments)


CHARGES_TWICE = """
    import shop

    def test_payment(jobs):
        shop.charge_and_mark.perform_later()
        jobs.drain()

        assert shop.status() == "paid"
        assert shop.charges == [7]
"""


def test_the_point_at_which_a_killed_job_breaks_the_test_is_told(pytester):
    result = run(pytester, CHARGES_TWICE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "jobs: killed at up to 50 points of each test",
            "*assert shop.charges == [[]7]",
            "*Killed and delivered again*",
            "charge_and_mark, killed and delivered again, breaks this test; when nothing is killed it passes.",
            "",
            "- charge_and_mark()",
            "- killed before line * of charge_and_mark: db.execute(*) (shop.py:*)",
            "- delivered again at once, and done",
            "*--jobs-crash*",
            "shop.charge_and_mark broke 1 test:",
            "  test_it.py::test_payment",
            "1 job killed at 5 points, in 1 test of 1.",
            "Not modelled: the globals of modules live on, *",
            "FAILED test_it.py::test_payment - charge_and_mark, killed and delivered again*",
        ]
    )


def test_what_the_delivery_came_to_that_followed_is_told(pytester):
    result = run(
        pytester,
        """
        import pytest
        import shop
        from pytest_jobs import discard_on, job, retry_on

        def pay():
            if shop.charges:
                raise LookupError("paid already")
            shop.charges.append(7)
            shop.ended.append(7)

        @job
        def fail():
            pay()

        @discard_on(LookupError)
        @job
        def discard():
            pay()

        @retry_on(LookupError)
        @job
        def retry():
            pay()

        @pytest.mark.parametrize("job", [fail, discard, retry])
        def test_it(jobs, job):
            job.perform_later()
            assert jobs.perform_due() == {"performed": 1}
        """,
    )

    result.assert_outcomes(failed=3)
    for name, outcome in (("fail", "failed"), ("discard", "discarded"), ("retry", "retried")):
        result.stdout.fnmatch_lines(
            [
                f"- {name}()",
                "- killed before line *",
                f"- delivered again at once, and {outcome}: LookupError: paid already",
            ],
            consecutive=True,
        )


#: What a killed delivery must not leave behind, each in a module.
IN_FORCE = {
    "shop_blocks": """
        import asyncio
        import contextlib
        from pytest_jobs import job

        marks = []

        class Block:
            def __enter__(self):
                marks.append("entered")

            def __exit__(self, kind, error, traceback):
                marks.append("left")

        class AsyncBlock:
            async def __aenter__(self):
                await asyncio.sleep(0)
                marks.append("entered")

            async def __aexit__(self, kind, error, traceback):
                await asyncio.sleep(0)
                marks.append("left")

        @contextlib.contextmanager
        def scope():
            marks.append("entered")
            try:
                yield
            finally:
                marks.append("left")

        @job
        def use_blocks():
            with Block(), scope():
                marks.append("worked")
                with Block():
                    pass

        @job
        def clean_up():
            marks.append("entered")
            try:
                marks.append("worked")
            finally:
                marks.append("left")

        @job
        async def await_blocks():
            async with AsyncBlock():
                await asyncio.sleep(1)
                marks.append("worked")
        """,
    "shop_in_force": """
        import os
        import queue
        import signal
        import threading
        import warnings
        from unittest import mock
        from pytest_jobs import job

        class Till:
            lock = threading.Lock()
            rlock = threading.RLock()
            condition = threading.Condition()
            semaphore = threading.Semaphore(2)
            pool = queue.Queue()

        Till.pool.put("connection")

        @job
        def use_the_till():
            locks = [Till.lock, Till.rlock, Till.condition, Till.semaphore]
            for lock in locks:
                lock.acquire()
            connection = Till.pool.get()
            for lock in locks:
                lock.release()
            Till.pool.put(connection)

        @job
        def change_the_process():
            folder, handler = os.getcwd(), signal.getsignal(signal.SIGUSR1)
            patch = mock.patch("math.pi", 3)
            patch.start()
            os.environ["SHOP"] = "open"
            os.chdir("/")
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            signal.signal(signal.SIGUSR1, handler)
            os.chdir(folder)
            del os.environ["SHOP"]
            patch.stop()
        """,
    "indexing": """
        import fcntl, os, shop
        from pytest_jobs import job

        @job
        def index():
            file = os.open(shop.path + ".lock", os.O_CREAT | os.O_RDWR)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shop.mark.perform_now()
            os.close(file)
        """,
    "shop_waits": """
        import threading
        from pytest_jobs import job

        class Waits:
            def __init__(self):
                self.done = threading.Event()

            def __enter__(self):
                return self.done

            def __exit__(self, *error):
                self.done.wait()

        @job
        def wait():
            with Waits() as done:
                done.set()
        """,
}
SHOP_DONE = """
    import shop
    from pytest_jobs import Job, after_perform

    done = []

    class Transaction:
        def __enter__(self):
            self.db = shop.connect().__enter__()
            return self.db

        def __exit__(self, kind, error, traceback):
            if error is None:
                self.db.commit()
            self.db.close()

    class Mark(Job):
        @after_perform
        def note(self):
            done.append("Mark")

        def perform(self):
            with Transaction() as db:
                db.execute("update payments set status = 'paid'")
"""
SAFE = """
    import asyncio
    import contextlib
    import sqlite3
    import pytest
    import shop
    import shop_done

    @pytest.mark.jobs(strict=True)
    def test_safe(jobs, assert_performed):
        shop.mark.perform_later()
        tally = jobs.drain()

        assert shop.status() == "paid"
        assert tally.total == len(jobs.deliveries) == len(jobs.enqueued) == 1
        assert_performed(shop.mark)

    def test_without_jobs(): ...

    def test_a_job_that_is_killed_at_the_end_of_its_last_block_is_not_done(jobs):
        shop_done.done.clear()
        shop_done.Mark.perform_later()
        jobs.drain()

        assert shop_done.done == ["Mark"]

    @pytest.mark.parametrize("given, waits", [((), 5000), ((2.5,), 2500)])
    def test_connections_wait_for_locks_as_they_do_without_it(given, waits, jobs):
        shop.mark.perform_later()
        jobs.drain()
        with contextlib.closing(sqlite3.connect(shop.path, *given)) as db:
            assert db.execute("pragma busy_timeout").fetchone() == (waits,)

    @pytest.mark.asyncio
    async def test_the_lines_of_another_task_are_no_points(jobs):
        shop.pause.perform_later()
        await asyncio.gather(jobs.adrain(), shop.others(5))
"""


def test_safe_jobs_are_quiet_at_every_point(pytester):
    pytest.importorskip("pytest_asyncio")
    pytester.makepyfile(shop_done=SHOP_DONE)
    result = run(pytester, SAFE)

    result.assert_outcomes(passed=6)
    assert result.ret == 0
    # Eight of each `mark`: `connect` is two beside its three lines, a statement or commit two each. Twelve of the
    # block, and eight of the coroutine, whose two lines are come to several times.
    result.stdout.fnmatch_lines(["3 jobs killed at 44 points, in 5 tests of 6."])


QUIET = """
    import gc
    import math
    import os
    import signal
    import indexing
    import pytest
    import shop
    import shop_blocks
    import shop_in_force
    import shop_waits

    def test_a_job_that_waits_for_ever_at_the_end_of_a_block_is_interrupted(jobs):
        shop_waits.wait.perform_later()
        jobs.drain()

    @pytest.mark.filterwarnings("error")
    def test_a_generator_ends_without_a_word(jobs):
        shop.suspended.perform_later()
        jobs.drain()
        gc.collect()

        assert shop.charges == []
        assert 1 <= len(shop.ended) <= 2

    def test_a_faulty_delivery_that_is_killed_is_faulty_again(jobs):
        jobs.fail(shop.try_again, raising=OSError, times=1, after=True)
        shop.try_again.perform_later([0])
        jobs.perform_due()

        assert [delivery.status for delivery in jobs.deliveries][0] == "retried"

    @pytest.mark.parametrize("name", ["use_blocks", "clean_up", "await_blocks"])
    def test_blocks(name, jobs):
        shop_blocks.marks.clear()
        getattr(shop_blocks, name).perform_later()
        jobs.drain()

        left, entered = map(shop_blocks.marks.count, ("left", "entered"))
        assert left == entered

    def test_an_except_block_that_catches_everything(jobs):
        shop.swallow.perform_later()
        jobs.drain()

        assert 3 not in shop.charges
        assert shop.charges == []

    def test_a_lock_and_not_that_of_another(jobs):
        with shop.others_lock:
            shop.mark_under_lock.perform_later()
            jobs.drain()

            assert shop.others_lock.locked()
        assert not shop.lock.locked()
        assert shop.status() == "paid"

    def test_a_lock_of_a_file(jobs):
        indexing.index.perform_later()
        jobs.drain()

        assert shop.status() == "paid"

    def test_synchronisers(jobs):
        shop_in_force.use_the_till.perform_later()
        jobs.drain()

    def test_the_process(jobs):
        before = math.pi, os.getcwd(), signal.getsignal(signal.SIGUSR1)
        shop_in_force.change_the_process.perform_later()
        jobs.drain()

        assert (math.pi, os.getcwd(), signal.getsignal(signal.SIGUSR1)) == before
        assert "SHOP" not in os.environ
"""


def test_nothing_that_a_dead_job_put_in_force_stays_in_force(pytester, monkeypatch):
    monkeypatch.setattr(signs, "PATIENCE", 0.2)
    pytester.makepyfile(**IN_FORCE)
    result = run(pytester, QUIET)

    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(["* jobs killed at * points, in 11 tests of 11."])


ATOMIC = """
    import sqlite3
    import library
    import shop

    def test_a_library_rolls_back_to_a_savepoint_in_a_transaction_of_the_test(jobs):
        shop.shared[:] = [sqlite3.connect(shop.path, isolation_level=None)]
        db = shop.shared[0]
        db.execute("begin")
        db.execute("update payments set status = 'mine'")
        shop.mark_in_savepoint.perform_later()
        try:
            jobs.drain()
            assert db.execute("select status from payments").fetchone() == ("mine!",)
        finally:
            db.close()

    def test_blocks_of_a_library_and_of_the_project_are_left(jobs):
        library.Block.entered = 0
        shop.use_a_block.perform_later()
        jobs.drain()

        assert library.Block.entered == 0
        assert shop.ended[-1] is None
        assert shop.charges[-2:] == [2, 3]
"""


def test_a_library_that_is_one_step_ends_what_a_dead_job_began_in_it(pytester):
    result = run(pytester, ATOMIC, "-o", "jobs_crash_atomic=library")

    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["2 jobs killed at 13 points, in 2 tests of 2."])


BREAKING = """
    import pytest
    import shop

    def test_no_finally_of_a_dead_job_commits(jobs):
        shop.commit_at_last.perform_later()
        jobs.drain()

        assert shop.status() == "open!"

    def test_both(jobs, assert_enqueued):
        shop.tell_then_mark.perform_later()
        jobs.drain()

        assert_enqueued(shop.tell, at_least=1)
        assert {record.parent for record in jobs.enqueued[1:]} == {0}
        assert len(jobs.deliveries[0].enqueued) == len(jobs.enqueued) - 1
        assert len(jobs.enqueued) < 4

    def test_once(jobs, assert_enqueued):
        shop.tell_then_mark.perform_later()
        jobs.drain()

        assert_enqueued(shop.tell)

    def test_lost(jobs, assert_enqueued):
        shop.mark_then_tell.perform_later()
        jobs.drain()

        assert_enqueued(shop.tell)

    @pytest.mark.asyncio
    async def test_on_its_loop(jobs):
        shop.charge_on_loop.perform_later()
        await jobs.adrain()

        assert shop.charges == [7, 8]

    def test_on_ours(jobs):
        shop.charge_on_loop.perform_later()
        jobs.drain()

        assert shop.charges == [7, 8]

    def test_that_fails_anyway(jobs):
        shop.mark.perform_later()
        jobs.drain()

        assert shop.status() == "open"

    signed_up = set()

    def test_that_fails_when_it_is_run_again(jobs):
        assert "ann" not in signed_up
        signed_up.add("ann")
        shop.mark.perform_later()
        jobs.drain()

    orders = []

    def test_that_finds_what_the_first_run_left(jobs):
        orders.append(7)
        shop.mark.perform_later()
        jobs.drain()

        assert orders == [7]

    runs = []

    def test_flaky(jobs):
        shop.mark.perform_later()
        jobs.drain()
        runs.append(1)

        assert len(runs) != 3

    def test_whose_second_run_does_something_else(jobs):
        shop.try_again.perform_later()
        jobs.perform_due()
"""


def test_where_a_job_breaks_a_test_and_what_else_makes_it_fail_is_told(told, capsys):
    pytest.importorskip("pytest_asyncio")
    reports = told(BREAKING, "--jobs-crash", passed=3, failed=8)

    commit = "- killed after sqlite: commit (shop.py:*)"
    for name, line in {
        # Killed after the commit it is really done twice; nowhere before.
        "no_finally_of_a_dead_job_commits": commit,
        # An enqueued job is a point too.
        "once": "- killed after enqueue: tell() (shop.py:*)",
        "lost": commit,
        "on_its_loop": "- killed before line *: charges.append(8) (shop.py:*)",
        "on_ours": "- killed before line *: charges.append(8) (shop.py:*)",
    }.items():
        reports[f"test_{name}"].fnmatch_lines([line])
    reports["test_that_fails_anyway"].no_fnmatch_line("*killed and delivered*")
    reports["test_that_fails_when_it_is_run_again"].fnmatch_lines(
        [
            "*assert 'ann' not in *",
            "*Run again*",
            "this test fails when it is run again, with no job killed: --jobs-crash runs it once more for each *",
            "",
            "- its first run passed",
            "- 0 of 8 points tried before it failed",
            "",
            "Something that the test changes outlives it: *",
            "Let a fixture set it up for each run, or leave the test out: *crash=False*",
        ]
    )
    left = reports["test_that_finds_what_the_first_run_left"]
    left.fnmatch_lines(["*Run again*", "- 1 of 8 points tried before it failed"])
    left.no_fnmatch_line("*mark, killed and delivered again*")
    told_at_last = capsys.readouterr().out.partition("= --jobs-crash =")[2]
    for text in (
        "shop.mark_then_tell broke 1 test:\n",
        "test_it.py::test_flaky: failed once and then not again: it may be flaky: mark(), before line ",
        "2 tests, which -v names: fails when it is run again, with no job killed\n",
        "test_it.py::test_whose_second_run_does_something_else: points that no second run came to: ",
    ):
        assert text in told_at_last
    assert "test_that_fails_anyway" not in told_at_last.partition("short test summary")[0]


def test_a_direct_call_in_a_finally_of_the_test_is_left_as_any_other(pytester):
    result = run(
        pytester,
        """
        import shop

        def test_it(jobs):
            try:
                shop.charges.append(0)
            finally:
                shop.charge_and_mark()
            assert shop.charges == [0, 7]
        """,
        "--jobs-attack-calls",
    )

    result.stdout.fnmatch_lines(
        ["- killed before line * of charge_and_mark: db.execute(*) (shop.py:*)"]
    )


@pytest.mark.parametrize("by_library", [True, False])
def test_what_a_dead_job_left_open_is_rolled_back_by_a_library_or_by_us(pytester, by_library):
    if not by_library:
        library = LIBRARY.replace('db.execute("rollback")', "pass")
        pytester.makepyfile(library=library)
    result = run(
        pytester,
        """
        import sqlite3
        import shop

        def test_it(jobs):
            closed = sqlite3.connect(shop.path)
            closed.close()
            shop.shared[:] = [sqlite3.connect(shop.path, isolation_level=None), closed]
            shop.mark_in_block.perform_later()
            try:
                jobs.drain()
                assert shop.status() == "open!"
            finally:
                shop.shared[0].close()
        """,
        "-o",
        "jobs_crash_atomic=library",
    )

    # Killed after the commit it is really done twice; nowhere before.
    result.stdout.fnmatch_lines(["- killed after sqlite: commit (shop.py:*)"])


def test_a_bound_cuts_the_points_and_says_so(pytester):
    result = run(
        pytester,
        """
        import shop

        def test_payment(jobs):
            shop.mark.perform_later()
            jobs.drain()
        """,
        "--jobs-crash-points=2",
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "jobs: killed at up to 2 points of each test",
            "1 job killed at 2 points, in 1 test of 1.",
            "1 test had more points, 2 of up to 8 were tried: --jobs-crash-points=8 tries all.",
        ]
    )


def test_the_summary_fits_a_screen_and_names_everything_with_v(pytester):
    text = """
        import atexit
        import shop
        import pytest
        from pytest_jobs import job

        @job
        def shout(number):
            atexit.register(print, b"hey" * 100 * number)
            atexit.unregister(print)

        @pytest.mark.parametrize("number", range(9))
        def test_payment(jobs, number):
            shop.charge_and_mark.perform_later()
            shout.perform_later(number)
            jobs.drain()
            assert shop.charges == [7]

        @pytest.mark.parametrize("number", range(9))
        @pytest.mark.jobs(crash=False)
        def test_left(number):
            pass
    """

    short = run(pytester, text, "--jobs-crash-points=1")
    long = run(pytester, text, "--jobs-crash-points=1", "-v")

    summary = short.stdout.str().rpartition("= --jobs-crash =")[2].partition("\n===")[0]
    assert len(summary.splitlines()) < 20
    assert max(map(len, summary.splitlines())) < 120
    short.stdout.fnmatch_lines(
        [
            "9 tests had more points, 1 of up to * were tried: --jobs-crash-points=* tries all.",
            "Reached outside, where nothing was killed:",
            "  atexit.register()",
            "9 tests left alone (crash=False):",
            "  and 4 more",
        ]
    )
    left = "test_it.py::test_payment[[]{}]: points left out: *; and * more"
    long.stdout.fnmatch_lines([left.format(0), left.format(8), "  test_it.py::test_left[[]8]"])


def test_the_points_around_effects_come_before_the_many_lines_of_a_long_job(pytester):
    lines = "\n".join(f"    shop.ended.append({number})" for number in range(300))
    pytester.makepyfile(
        long=f"""
import shop
from pytest_jobs import job

@job
def pay():
{lines}
    with shop.connect() as db:
        for number in range(100):
            shop.ended.append(number)
        db.execute("update payments set status = status || '!'")
        db.commit()
    shop.ended.clear()
"""
    )
    result = run(
        pytester,
        """
        import long
        import shop

        def test_it(jobs):
            long.pay.perform_later()
            jobs.drain()

            assert shop.status() == "open!"
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "- killed after sqlite: commit (long.py:*)",
            "1 job killed at 1 point, in 1 test of 1.",
            "1 test had more points, 50 of up to 5* were tried: --jobs-crash-points=5* tries all.",
        ]
    )


def test_modules_that_are_one_step_have_no_points(pytester):
    pytester.makepyfile(
        fake_gateway="calls = []\ndef charge():\n    calls.append(1)\n    calls.append(2)\n"
    )
    text = """
        import fake_gateway
        from pytest_jobs import job

        @job
        def pay():
            fake_gateway.charge()

        def test_it(jobs):
            pay.perform_later()
            jobs.drain()
    """

    run(pytester, text).stdout.fnmatch_lines(["1 job killed at 4 points, *"])
    run(pytester, text, "-o", "jobs_crash_atomic=fake_gateway").stdout.fnmatch_lines(
        ["1 job killed at 2 points, *"]
    )


def test_fakes_in_a_folder_of_tests_have_no_points(pytester):
    pytester.mkdir("tests")
    (pytester.path / "tests" / "standin.py").write_text("def charge():\n    return 1\n", "utf-8")
    pytester.makeini("[pytest]\npythonpath = tests")
    result = run(
        pytester,
        """
        import standin
        from pytest_jobs import job

        @job
        def pay():
            standin.charge()

        def test_it(jobs):
            pay.perform_later()
            jobs.drain()
        """,
    )

    result.stdout.fnmatch_lines(["1 job killed at 2 points, *"])


def test_a_module_that_cannot_be_imported_is_an_error(pytester):
    result = run(pytester, CHARGES_TWICE, "-o", "jobs_crash_atomic=no_such_module")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*jobs_crash_atomic names 'no_such_module', which cannot be *"])


def test_a_test_that_explores_a_job_itself_goes_on_doing_so(pytester):
    result = run(
        pytester,
        """
        import shop
        from pytest_jobs import check_idempotent, sqlite_world

        def world():
            schema = "create table payments (id, status); insert into payments values (7, 'open')"
            with sqlite_world(schema, bind=(shop, "connect")) as rows:
                yield lambda: {"payments": rows("payments")}

        def test_it(jobs):
            shop.mark.perform_later()
            jobs.drain()
            check_idempotent(shop.tell_then_mark, world=world, histories=["twice"])
        """,
        "--jobs-crash-points=2",
    )

    result.assert_outcomes(passed=1)


def test_opt_outs_are_told(pytester):
    result = run(
        pytester,
        """
        import pytest
        import shop

        @pytest.mark.jobs(idempotent=False)
        def test_payment(jobs):
            shop.charge_and_mark.perform_later()
            jobs.drain()
            assert shop.charges == [7]

        @pytest.mark.jobs(crash=False)
        def test_another(jobs):
            shop.charge_and_mark.perform_later()
            jobs.drain()
            assert shop.charges == [7]
        """,
    )

    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines_random(
        [
            "No job was killed, so this run shows nothing: *",
            "1 test left alone (idempotent=False):",
            "  test_it.py::test_payment",
            "1 test left alone (crash=False):",
            "  test_it.py::test_another",
        ]
    )


def test_tests_of_unittest(pytester):
    pytester.makeini("[pytest]\njobs_mode = inline")
    result = run(
        pytester,
        """
        import unittest
        import shop

        class TestIt(unittest.TestCase):
            def test_broken(self):
                shop.charge_and_mark.perform_later()
                self.assertEqual(shop.charges, [7])

            def test_safe(self):
                shop.mark.perform_later()
                self.assertEqual(shop.status(), "paid")
        """,
    )

    result.assert_outcomes(passed=1, failed=1)


@pytest.mark.slow
def test_workers_of_xdist_are_added_up(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(test_a=CHARGES_TWICE, test_b="def test_other(): ...")
    result = pytester.runpytest_subprocess("--jobs-crash", "-n2")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["shop.charge_and_mark broke 1 test:", "1 job killed at * points, in 1 test of 2."]
    )


@pytest.mark.parametrize("wrong", ["0", "-1", "many"])
def test_a_bound_that_is_none_is_an_error(pytester, wrong):
    result = run(pytester, CHARGES_TWICE, f"--jobs-crash-points={wrong}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*--jobs-crash-points is '{wrong}'; valid are whole numbers from 1."]
    )


def test_what_a_fixture_of_a_module_puts_in_place_stays_there_in_every_run(pytester):
    result = run(
        pytester,
        """
        import sqlite3
        import pytest
        import shop

        opened = []

        @pytest.fixture(scope="module", autouse=True)
        def counted():
            connect = sqlite3.connect
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sqlite3, "connect", lambda path: opened.append(path) or connect(path))
                yield

        def test_it(jobs):
            opened.clear()
            shop.mark.perform_later()
            jobs.drain()

            assert opened

        def test_restored():
            pass
        """,
    )

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["1 job killed at 8 points, in 1 test of 2."])
    assert sqlite3.connect is GENUINE_CONNECT


def test_a_defect_that_breaks_several_tests_is_one_finding(pytester):
    result = run(
        pytester,
        """
        import pytest
        import shop
        from pytest_jobs import job

        @job
        def swap():
            shop.ended.append(1)
            shop.mark()
            shop.ended.append(1)

        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_payment(number, jobs):
            shop.charge_and_mark.perform_later()
            jobs.drain()
            assert shop.charges == [7]

        def test_another_job(jobs):
            swap.perform_later()
            jobs.drain()
            assert shop.ended == [1, 1]
        """,
    )

    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        [
            "*assert shop.charges == [[]7]",
            "charge_and_mark, killed and delivered again, breaks this test; when nothing is killed it passes.",
            "*test_payment[[]2]*",
            "E   assert [[]7, 7] == [[]7] (test_it.py:*)",
            "charge_and_mark, *, breaks this test, as it breaks test_it.py::test_payment[[]1], whose report has *",
            "*Killed and delivered again*",
            "- charge_and_mark()",
            "- killed before line *",
            "- delivered again at once, and done",
            "*test_payment[[]3]*",
            "swap, killed and delivered again, breaks this test; *",
            "shop.charge_and_mark broke 3 tests:",
            "One finding in 3 tests: charge_and_mark, killed before line * (shop.py:*).",
            "FAILED test_it.py::test_payment[[]2] - charge_and_mark, killed and delivered *",
        ]
    )
    assert result.stdout.str().count("assert shop.charges == [7]") == 1
    # Points of the first test, and in each other test the one that is known to break it.
    result.stdout.fnmatch_lines(["2 jobs killed at 9 points, in 4 tests of 4."])


def test_a_delivery_is_killed_around_the_call_of_a_mock(pytester):
    pytester.makepyfile(
        bank="""
        from pytest_jobs import job

        gateway = None
        done = []

        @job
        def pay(order):
            if order not in done:
                gateway.charge(order)
                done.append(order)
        """,
        test_bank="""
        from unittest.mock import patch

        import bank

        def test_it(jobs):
            bank.done.clear()
            with patch("bank.gateway") as gateway:
                bank.pay.perform_later(7)
                jobs.drain()
                gateway.charge.assert_called_once_with(7)
        """,
    )

    result = pytester.runpytest("--jobs-crash")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*killed after bank.gateway: charge(7) (bank.py:9)"])
