"""`--jobs-audit` checks the jobs that a suite reaches, after its tests and without a line of code."""

from __future__ import annotations

import importlib
import json
import re
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from reached_rows import reached_rows

from pytest_jobs.exploration import check
from pytest_jobs.exploration.engine.world import TimeLimit
from pytest_jobs.plugin.audit.arrivals import Reach
from pytest_jobs.plugin.audit.checking import SECONDS, Checked
from pytest_jobs.plugin.audit.result import Audited, Result, Share, together

SHOP = '''
import sqlite3

from pytest_jobs import job


class Gateway:
    def charge(self, number): ...


gateway = Gateway()


def connect():
    return sqlite3.connect("shop.db")


def first_time(number, column):
    """Set a mark, and say whether it was not set before."""
    db = connect()
    changed = db.execute(f"update orders set {column} = 1 where id = ? and {column} = 0", (number,))
    db.commit()
    db.close()
    return changed.rowcount > 0


@job
def pay(number):
    if first_time(number, "paid"):
        gateway.charge(number)


@job
def pay_again(number):
    if first_time(number, "paid"):
        gateway.charge(number)


@job
def ship(number):
    first_time(number, "shipped")


@job
def charge(number):
    gateway.charge(number)


@job
def refuse(number):
    raise LookupError(number)


@job
def idle(number): ...


@job
def forgotten(number): ...
'''
CONFTEST = """
    import pytest
    import shop

    @pytest.fixture(autouse=True)
    def orders(tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        db = shop.connect()
        db.execute("create table orders (id, paid, shipped)")
        db.execute("insert into orders values (1, 0, 0)")
        db.commit()
        db.close()
    """


@pytest.fixture
def audit(pytester):
    """Write a project with the shop, and audit its tests."""
    pytester.makepyfile(shop=SHOP)
    pytester.makeconftest(CONFTEST)

    def run(text, *arguments):
        pytester.makepyfile(test_shop=text)
        return pytester.runpytest("--jobs-audit", "-v", *arguments)

    return run


PAYING = """
    from unittest import mock

    import shop

    def test_paying(jobs):
        with mock.patch.object(shop.gateway, "charge") as charge:
            shop.pay.perform_later(1)
            jobs.drain()

        charge.assert_called_once_with(1)
    """


def test_a_job_that_loses_its_work_when_it_is_killed_fails_the_session(
    pytester, audit, monkeypatch
):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    page = ["--jobs-report=jobs.html"] if find_spec("jinja2") else []
    result = audit(PAYING, "--jobs-report=found.json", *page)

    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "jobs: *audited after the tests*",
            "=* --jobs-audit =*",
            "1 job reached, 1 checked, 1 finding.",
            "",
            "Lost, stuck or half done when the worker is killed:",
            "- LOST shop.gateway.charge in pay(1)",
            "  killed after sqlite: commit (shop.py:21)",
            "  also an effect fails: shop.gateway: charge (shop.py:29)",
            "  hint: a mark that is set before the effect hides that it was never made: *",
            "  reached by 1 test (delivered)",
            '  replay: pytest "test_shop.py::test_paying" --jobs-audit --jobs-replay=crash:pay:*',
            "What the library does with these jobs:",
            "- the core acknowledges this job after it runs; *",
            "  when it is killed, delivered again. (1 job)",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "FAIL --jobs-audit: 1 finding. The session ends with status 1.",
            "::warning file=shop.py,line=21,col=1,title=audit-killed::LOST *",
        ]
    )
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))["audit"]
    assert found["complete"]
    assert [one["kind"] for one in found["findings"]] == ["killed", "own_double"]
    assert found["findings"][0]["line"] == 21
    if not page:
        return
    text = (pytester.path / "jobs.html").read_text("utf-8")
    begin = text.index('<section id="audit"')
    told = text[begin : text.index("</section>", begin)]
    assert text.count("<section", 0, begin) == 0
    for part in (
        "1 job reached, 1 checked, 1 finding.",
        "Lost, stuck or half done when the worker is killed",
        "killed after sqlite: commit (shop.py:21)",
        "--jobs-audit --jobs-replay=crash:pay:",
        "of the registries that no test reaches",
        "forgotten",
    ):
        assert part in told


@pytest.mark.wide
def test_the_replay_line_works_alone_and_passes_when_the_job_is_mended(pytester, audit):
    line = re.search(r"--jobs-audit (--jobs-replay=crash\S+)", audit(PAYING).stdout.str())
    assert line is not None

    result = audit(PAYING, "test_shop.py::test_paying", line[1])

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "pay(1) is not safe to deliver twice: LOST shop.gateway.charge [[]crash]",
            "delivery 1",
            f"replay: pytest * --jobs-audit {line[1]}",
        ]
    )
    pytester.makepyfile(
        shop=SHOP.replace('if first_time(number, "paid"):', 'if first_time(number, "paid") or 1:')
    )
    result = pytester.runpytest_subprocess("--jobs-audit", line[1])

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["test_shop.py::test_paying: the replayed history passes now"])


WAYS = """
    import asyncio
    import unittest
    from unittest import mock

    import shop

    def test_calling_in_vain():
        shop.ship(2)

    def test_calling():
        shop.ship(1)

    def test_leaving_it_pending(jobs, monkeypatch):
        monkeypatch.setattr(shop.gateway, "charge", mock.Mock())
        shop.charge.perform_later(1)

    class TestCase(unittest.TestCase):
        def test_it(self):
            with mock.patch.object(shop.gateway, "charge"):
                shop.pay_again.perform_now(1)

    def test_on_a_loop(jobs):
        async def main():
            shop.pay.perform_later(1)
            await jobs.adrain()

        with mock.patch.object(shop.gateway, "charge"):
            asyncio.run(main())
    """
MORE_WAYS = """
    from dataclasses import dataclass

    import pytest
    from pytest_jobs import check_idempotent, job, reference

    @pytest.fixture(scope="session", autouse=True)
    def server():
        yield
        raise RuntimeError("it does not stop")

    @reference(id="number", find="find")
    @dataclass(frozen=True)
    class Order:
        number: int

        @classmethod
        def find(cls, number):
            return cls(number)

    @job
    def pay_for(order):
        if shop.first_time(order.number, "paid"):
            shop.gateway.charge(order.number)

    @job
    def split(number):
        db = shop.connect()
        if not db.execute("select shipped from orders where id = ?", (number,)).fetchone()[0]:
            db.execute("insert into orders values (2, 0, 0)")
            db.commit()
            db.execute("update orders set shipped = 1 where id = ?", (number,))
            db.commit()
        db.close()

    def test_records_as_arguments(jobs, monkeypatch):
        monkeypatch.setattr(shop.gateway, "charge", lambda number: None)
        pay_for.perform_later(Order(1))
        jobs.drain()

    def test_splitting(jobs):
        split.perform_later(1)
        jobs.drain()

    @job
    def ship_at_once(number):
        shop.first_time(number, "shipped")

    def test_workers_that_overlap(jobs):
        ship_at_once.perform_later(1)
        jobs.drain(workers=2)

    @job
    def checked(number):
        shop.first_time(number, "shipped")

    def test_that_checks_a_job_itself():
        check_idempotent(checked, args=(1,), histories=["twice"])
    """


def test_jobs_are_checked_however_a_test_reaches_them_and_a_mistake_is_one_finding(audit):
    result = audit(WAYS + MORE_WAYS)

    result.assert_outcomes(passed=9, errors=1)
    result.stdout.fnmatch_lines(["7 jobs reached, 6 checked, 3 findings."])
    for lines in (
        ["No finding:", "  shop.ship (1 check)"],
        [
            "Lost, stuck or half done when the worker is killed:",
            "- LOST shop.gateway.charge in pay(1)",
            "  killed after sqlite: commit (shop.py:21)",
            "  also an effect fails: shop.gateway: charge (shop.py:29)",
            "  so are shop.pay_again, test_shop.pay_for",
        ],
        # A row too many after a kill is work that was left half done.
        [
            "Lost, stuck or half done when the worker is killed:",
            "- DUPLICATE table orders of * in split(1)",
        ],
        [
            "Seen only through a double of your own code, which may hide what prevents it:",
            "- DUPLICATE shop.gateway.charge in charge(1)",
            "  delivered again after it was done, which repeats shop.gateway: charge (shop.py:45)",
            "  a double stands in the place of shop.gateway.charge",
            "  reached by 1 test (only enqueued)",
        ],
        [
            "- Perform it by a harness, *",
            "    test_shop.ship_at_once: Its tests perform it in a thread *",
        ],
        ["Delivered only by checks of the tests themselves:", "  test_shop.checked"],
    ):
        result.stdout.fnmatch_lines(lines)
    result.stdout.no_fnmatch_line("*changes nothing that the check compares*")


CHANCE = (
    SHOP
    + """

import gc


@job
def wrong_once(number):
    gen0, gen1, gen2 = gc.get_threshold()
    # Nothing of a check puts that back.
    if not first_time(number, "shipped") and gen2 != 11:
        gc.set_threshold(gen0, gen1, 11)
        first_time(number, "paid")
"""
)


def test_what_does_not_fail_again_when_it_is_replayed_is_no_finding(pytester):
    pytester.makepyfile(
        shop=CHANCE,
        test_shop="""
        import shop

        def test_shipping(jobs):
            shop.wrong_once.perform_later(1)
            jobs.drain()
        """,
    )
    pytester.makeconftest(CONFTEST)
    # The next test would be wrong no more.
    result = pytester.runpytest_subprocess("--jobs-audit")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "1 job reached, 1 checked, 0 findings.",
            "No finding:",
            "  shop.wrong_once (1 check, in part: 1 that did not fail again when replayed)",
        ]
    )
    assert result.ret == pytest.ExitCode.OK


def test_all_findings_of_a_check_are_replayed_in_one_run_of_the_test(pytester):
    pytester.makepyfile(
        shop=f"{CHANCE}    pay(number)\n",
        test_shop="""
        from unittest import mock

        import pytest
        import shop

        @pytest.fixture
        def counted():
            with open(f"{__file__}.runs", "a") as runs:
                runs.write("run\\n")

        def test_shipping(jobs, counted):
            with mock.patch.object(shop.gateway, "charge"):
                shop.wrong_once.perform_later(1)
                jobs.drain()
        """,
    )
    pytester.makeconftest(CONFTEST)
    result = pytester.runpytest_subprocess("--jobs-audit")

    result.stdout.fnmatch_lines(
        ["1 job reached, 1 checked, 1 finding.", "- LOST shop.gateway.charge in wrong_once(1)"]
    )
    # The test, the check and the replay.
    assert len((pytester.path / "test_shop.py.runs").read_text("utf-8").splitlines()) == 3


def test_a_call_in_the_world_of_a_check_reaches_no_job(audit):
    result = audit("""
        import shop
        from pytest_jobs import check_idempotent

        marked = set()

        def mark(number):
            marked.add(number)

        def world():
            marked.clear()
            shop.idle(1)
            yield lambda: {"marked": set(marked)}

        def test_marking():
            check_idempotent(mark, args=(1,), world=world)
        """)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["No test reaches a job, so this run shows nothing."])


def test_what_was_not_checked_is_told_with_the_reason(audit):
    result = audit("""
        import pytest
        import shop

        def test_refusing():
            with pytest.raises(LookupError):
                shop.refuse(1)

        def test_idling():
            shop.idle(1)

        @pytest.mark.jobs(audit=False)
        def test_shipping():
            shop.ship(1)
        """)

    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for lines in (
        ["3 jobs reached, and none was checked, so this run shows nothing.", "", "Not checked:"],
        [
            "- Write a test in which it returns.",
            "    shop.refuse: It raises in its tests, so no delivery that ends well shows what it should do.",
        ],
        [
            "- Write a test in which it has something to do.",
            "    shop.idle: It ends at shop.py:54 *",
        ],
        ["- Its tests say audit=False.", "    shop.ship"],
        ["* of the registries that no test reaches:", "  shop.charge", "  shop.forgotten"],
    ):
        result.stdout.fnmatch_lines(lines, consecutive=lines[0][:1] != "*")


def test_a_job_whose_clean_runs_differ_is_told_with_the_columns(audit):
    result = audit("""
        import shop
        import time
        from pytest_jobs import job

        @job
        def measure(number):
            db = shop.connect()
            db.execute("update orders set paid = ? where id = ?", (time.process_time_ns(), number))
            db.commit()
            db.close()

        def test_measuring():
            measure(1)
        """)

    assert (
        "Two clean runs of the job at the same time and with the same random values differ in files: paid, so "
        in " ".join(str(result.stdout).split())
    )


@pytest.mark.wide
def test_a_test_that_cannot_run_once_more_says_why(audit):
    result = audit("""
        import pytest
        import shop

        opened = []

        @pytest.fixture(scope="module")
        def connection():
            opened.append(True)
            yield
            opened[0] = False

        def test_shipping(connection):
            assert opened[0], "it is closed " * 100
            shop.ship(1)
        """)

    result.assert_outcomes(passed=1)
    lines = str(result.stdout).splitlines()
    said = (
        "- Its tests do not reach it again when they run once more: AssertionError: it is closed "
    )
    [begin] = [number for number, line in enumerate(lines) if line.startswith(said)]
    # A reason has three lines at most.
    assert "    shop.ship" in lines[begin + 1 : begin + 4]


def test_no_test_is_broken_by_its_second_run_and_fixtures_of_the_session_are_made_once(audit):
    result = audit(
        """
        import pytest
        import shop

        runs = []
        made = []

        @pytest.fixture(scope="session", autouse=True)
        def server():
            assert not made
            made.append("server")
            yield
            print(f"ended after {len(runs)} runs")

        def test_once():
            runs.append("run")
            assert len(runs) == 1
            shop.ship(1)

        def test_twice():
            runs.append("run")
            shop.ship(1)
            assert len(runs) == 2
        """,
        "-s",
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*ended after 4 runs*"])
    result.stdout.fnmatch_lines(["1 job reached, 1 checked, 0 findings."])


TRIALS = """
    import shop

    from pytest_jobs import job, retry_on

    @retry_on(TimeoutError, attempts=2)
    @job
    def ship_on_trial(number):
        shop.first_time(number, "shipped")

    @job
    def ship_to_check(number):
        shop.first_time(number, "shipped")
    """
REACHING = """
    import shop
    import trials
    from pytest_jobs import check_idempotent

    def test_delivering(jobs):
        trials.ship_on_trial.perform_later(1)
        jobs.drain()

    def test_calling():
        shop.ship(1)

    def test_checking():
        check_idempotent(trials.ship_to_check, args=(1,), histories=["twice"])
    """


def test_the_page_has_each_job_as_the_tests_reach_it_and_nothing_of_the_second_runs(
    pytester, audit
):
    pytest.importorskip("jinja2")
    pytester.makepyfile(trials=TRIALS)
    result = audit(REACHING, "--jobs-report=jobs.html")
    text = (pytester.path / "jobs.html").read_text("utf-8")

    assert text.count('class="test"') == 1
    assert {*reached_rows(text)} >= {
        (
            "trials.ship_on_trial",
            "enqueued, delivered",
            "retry_on TimeoutError, exhausted TimeoutError",
        ),
        ("trials.ship_to_check", "checked", ""),
        ("shop.ship", "called", ""),
        ("shop.forgotten", "not at all", ""),
    }
    result.stdout.fnmatch_lines(
        [
            "Rules, callbacks and schedules of the jobs:",
            "- * were seen in no test: the page of --jobs-report names them.",
        ]
    )


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param("raise KeyboardInterrupt", id="ctrl_c", marks=pytest.mark.wide),
        pytest.param("os.kill(os.getpid(), signal.SIGTERM)", id="sigterm"),
    ],
)
def test_a_session_that_is_stopped_tells_what_was_found_until_then(pytester, audit, stop):
    pytester.makepyfile(
        # The first delivery of a process imports what it needs, and its time says nothing.
        test_shop=PAYING
        + PAYING.replace("test_paying", "test_paying_once_more")
        + """
    import os
    import signal
    from pytest_jobs import job

    runs = []

    @job
    def ship_slowly(number):
        # The audit begins with the jobs that take the least time.
        for _ in range(2_000_000):
            pass
        shop.first_time(number, "shipped")

    def test_stopping():
        runs.append("run")
        if len(runs) == 2:
            STOP
        ship_slowly(1)
    """.replace("STOP", stop)
    )

    result = pytester.runpytest_subprocess("--jobs-audit", "--jobs-report=found.json")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["2 jobs reached, *"])
    result.stdout.fnmatch_lines(["- The audit was interrupted before it."])
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))["audit"]
    assert len(found["findings"]) == 2
    assert not found["complete"]


def test_an_audit_that_is_stopped_before_its_second_looks_is_not_complete(pytester, audit):
    pytester.makeconftest(f"""{CONFTEST}
    from pytest_jobs.exploration import check

    check.TimeLimit.__call__ = lambda limit: False
    """)
    pytester.makepyfile(
        test_shop=PAYING
        + """
    import os
    import signal
    import pytest

    runs = []

    @pytest.fixture(autouse=True)
    def stop():
        runs.append("run")
        # After the first pass and the check.
        if len(runs) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
    """.replace("@pytest", "import os, pytest, signal\n\n    @pytest")
    )

    result = pytester.runpytest_subprocess("--jobs-audit", "--jobs-report=found.json")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["  shop.pay (1 check, in part: 0 of * histories)"])
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))["audit"]
    [unfinished] = found["no_finding"]
    assert not found["complete"]
    assert (unfinished["job"], unfinished["tried"]) == ("shop.pay", 0)
    assert unfinished["planned"] > 0
    assert unfinished["left_out"] == [f"0 of {unfinished['planned']} histories"]


def test_an_effect_that_is_repeated_and_is_also_lost_is_two_findings(audit):
    result = audit(
        """
        from contextlib import suppress
        from unittest import mock

        import shop

        from pytest_jobs import job

        @job
        def charge_quietly(number):
            with suppress(Exception):
                shop.gateway.charge(number)

        def test_charging(jobs):
            with mock.patch.object(shop.gateway, "charge"):
                charge_quietly.perform_later(1)
                jobs.drain()
        """
    )

    result.stdout.fnmatch_lines(
        [
            "Seen only through a double of your own code, which may hide what prevents it:",
            "- DUPLICATE shop.gateway.charge in charge_quietly(1)",
            "- LOST shop.gateway.charge in charge_quietly(1)",
        ]
    )


def test_a_check_that_was_cut_short_is_made_again_with_the_time_that_is_left(audit, monkeypatch):
    def has_time(limit):
        return limit.seconds > SECONDS

    monkeypatch.setattr(TimeLimit, "__call__", has_time)

    result = audit(PAYING)

    result.stdout.fnmatch_lines(
        ["1 job reached, 1 checked, 1 finding.", "- LOST shop.gateway.charge in pay(1)"]
    )


def test_clean_runs_that_take_all_the_time_of_a_check_end_it(audit, monkeypatch):
    monkeypatch.setattr(check, "TimeLimit", lambda seconds: TimeLimit(0.0))

    result = audit(PAYING)

    result.stdout.fnmatch_lines(
        [
            "1 job reached, and none was checked, so this run shows nothing.",
            "- Check it in a test of its own, which can say more: check_idempotent(job, ...).",
            "    shop.pay: 0 s did not suffice for the clean runs of the job alone.",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_no_check_begins_when_the_time_is_used_up(audit):
    result = audit(WAYS, "--jobs-audit-time=0.001")

    result.stdout.fnmatch_lines(["4 jobs reached, *"])
    result.stdout.fnmatch_lines(
        ["- Raise --jobs-audit-time.", "    *: No time was left of 0.001 s of computing."]
    )


def test_an_audit_that_reaches_no_job_fails(audit):
    result = audit("def test_it(): ...")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["No test reaches a job, so this run shows nothing."])


def test_the_line_of_the_ini_file_audits_as_the_flag_does(pytester, audit):
    pytester.makeini("[pytest]\njobs_audit = true\n")
    pytester.makepyfile(test_shop="import shop\n\ndef test_it():\n    shop.ship(1)\n")

    result = pytester.runpytest()

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["1 job reached, 1 checked, 0 findings."])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--jobs-audit", "--jobs-mode=off"],
            "ERROR: --jobs-audit checks the jobs of every test, and --jobs-mode=off lets none in: *",
        ),
        (
            ["--jobs-audit-time=3"],
            "ERROR: --jobs-audit-time says something about --jobs-audit, which *: add --jobs-audit.",
        ),
        (
            ["--jobs-baseline=accepted.json"],
            "ERROR: --jobs-baseline says something about --jobs-audit or --jobs-lint, which *",
        ),
        (
            ["--jobs-audit", "--jobs-update-baseline"],
            "ERROR: --jobs-update-baseline says something about --jobs-baseline, which *",
        ),
        (
            ["--jobs-audit", "--jobs-baseline=accepted.json"],
            "ERROR: --jobs-baseline: there is no accepted.json: add --jobs-update-baseline once, which writes it.",
        ),
        (
            ["--jobs-audit", "--jobs-audit-time=soon"],
            "ERROR: --jobs-audit-time is 'soon'; valid are numbers of seconds above 0.",
        ),
    ],
)
def test_flags_that_contradict_each_other_are_an_error(pytester, arguments, message):
    result = pytester.runpytest(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


@pytest.mark.wide
def test_processes_of_xdist_audit_together_and_end_with_one_result(pytester, audit):
    pytest.importorskip("xdist")
    text = PAYING + PAYING.replace("test_paying", "test_paying_once_more")
    text += """
    def test_shipping():
        shop.ship(1)

    def test_idling():
        shop.idle(1)
    """
    flags = ("-n2", "-p", "xdist", "--jobs-report=found.json")
    flags += ("--jobs-baseline=accepted.json",)
    result = audit(text, *flags, "--jobs-update-baseline")

    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for lines in (
        ["3 jobs reached, 2 checked, 1 finding."],
        ["- LOST shop.gateway.charge in pay(1)", "  reached by 2 tests (delivered)"],
        ["No finding:", "  shop.ship (1 check)"],
        ["Not checked:", "- Write a test in which *", "    shop.idle: It ends at shop.py:54 *"],
        ["* jobs of the registries that no test reaches:", "  shop.charge"],
    ):
        result.stdout.fnmatch_lines(lines)
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))["audit"]
    assert found["complete"]
    assert [one["kind"] for one in found["findings"]] == ["killed", "own_double"]

    accepted = json.loads((pytester.path / "accepted.json").read_text("utf-8"))
    for one in accepted["audit"]:
        one["reason"] = "A sweeper charges it."
    (pytester.path / "accepted.json").write_text(json.dumps(accepted), "utf-8")
    result = audit(text, *flags, "-n1")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["3 jobs reached, 2 checked, 0 findings."])

    token = found["findings"][0]["replay"].split()[-1]
    result = audit(text, "-n1", "-p", "xdist", token)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["pay(1) is not safe to deliver twice: LOST *"])


@pytest.mark.slow
def test_sigterm_of_the_controller_of_xdist_tells_what_was_found_until_then(pytester, audit):
    pytest.importorskip("xdist")
    pytester.makeconftest(f"""{CONFTEST}
    import os

    def pytest_configure(config):
        if not hasattr(config, "workerinput"):
            os.mkfifo("ended")

    # The controller has gathered what its workers wrote.
    def pytest_keyboard_interrupt():
        open("ended", "w").close()
    """)
    pytester.makepyfile(
        # The first delivery of a process imports what it needs, and its time says nothing.
        test_shop=PAYING
        + PAYING.replace("test_paying", "test_paying_once_more")
        + """
    import os
    import pathlib
    import signal

    from pytest_jobs import job

    ended = pathlib.Path("ended").resolve()
    runs = []

    @job
    def ship_slowly(number):
        # The audit begins with the jobs that take the least time.
        for _ in range(2_000_000):
            pass
        shop.first_time(number, "shipped")

    def test_stopping():
        runs.append("run")
        if len(runs) == 2:
            os.kill(os.getppid(), signal.SIGTERM)
            ended.read_text()
            os._exit(0)
        ship_slowly(1)
    """
    )

    result = pytester.runpytest_subprocess(
        "--jobs-audit", "--jobs-report=found.json", "-n1", "-p", "xdist"
    )

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["2 jobs reached, *1 finding."])
    result.stdout.fnmatch_lines(
        ["- The audit was interrupted before it.", "    test_shop.ship_slowly"]
    )
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))["audit"]
    assert not found["complete"]


def test_workers_begin_with_different_jobs_and_leave_out_those_that_another_has_checked(tmp_path):
    first, second, named = (Share(tmp_path, worker, 2) for worker in ("gw0", "gw1", "spare"))
    jobs = [f"shop.job_{number}" for number in range(9)]
    result = Result({name: Audited(name, 1, ["called"]) for name in jobs[:2]}, is_begun=True)
    reach = Reach(jobs[0], "test_shop.py::test_it", "called", "int", raised=False, seconds=0.1)
    result.audited[jobs[0]].note(Checked(reach))
    result.audited[jobs[0]].is_done = True
    first.write(result)

    assert {*first.in_turn(jobs)} == {*second.in_turn(jobs)} == {*named.in_turn(jobs)} == {*jobs}
    assert first.in_turn(jobs)[0] != second.in_turn(jobs)[0]
    assert [second.is_checked(job) for job in jobs[:3]] == [True, False, False]
    assert not together(tmp_path).is_complete


def test_workers_on_another_machine_are_an_error(pytester):
    config = pytester.parseconfigure("--jobs-audit", "-p", "xdist")
    spec = pytest.importorskip("execnet").XSpec("ssh=other")
    node = SimpleNamespace(gateway=SimpleNamespace(spec=spec))

    with pytest.raises(pytest.UsageError, match="ssh=other is on another machine: start workers"):
        config.hook.pytest_configure_node(node=node)


#: What `append(` stands for in jobs: in one function it would be one cause in all of them.
APPEND = 'open("log.txt", "a").write('
OUTSIDE = """
    import pytest

    @pytest.fixture(autouse=True)
    def own_folder(tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
    """


@pytest.fixture
def audit_of(pytester):
    """Write an application, and audit one test of it."""

    def run(app, test, *arguments):
        pytester.makeconftest(OUTSIDE)
        pytester.makepyfile(app=app.replace("append(", APPEND), test_app=test)
        # A library keeps what was declared in a process, where other tests would find it.
        return pytester.runpytest_subprocess("--jobs-audit", "-v", *arguments)

    return run


CELERY = """
    from celery import Celery

    app = Celery("audited", broker="memory://")

    @app.task
    def add(number):
        append(f"{number}\\n")

    @app.task
    def never(number): ...
    """
#: By library: what a job of it is, how tests reach one of them each, and what the audit calls that.
LIBRARIES = {
    "celery": (
        """
    from celery import Celery

    celery = Celery("audited", broker="memory://")
    eager = Celery("eager", task_always_eager=True, set_as_current=False)
    """,
        [
            ("@celery.task", "{job}.delay(1)\n    jobs.drain()", "delivered"),
            ("@celery.task", "{job}(1)", "called directly or performed at once"),
            ("@celery.task", "{job}.run(1)", "called directly or performed at once"),
            ("@celery.task", "{job}.apply((1,))", "called directly or performed at once"),
            ("@eager.task", "{job}.delay(1)", "called directly or performed at once"),
        ],
    ),
    "rq": (
        """
    import fakeredis, rq

    def queue(**options):
        return rq.Queue(connection=fakeredis.FakeStrictRedis(), **options)
    """,
        [
            ("", "app.queue().enqueue({job}, 1)\n    jobs.drain()", "delivered"),
            ("", "app.queue(is_async=False).enqueue({job}, 1)", "called directly *"),
        ],
    ),
    "huey": (
        """
    from huey import MemoryHuey

    huey = MemoryHuey(immediate=True)
    # As django_huey has them.
    hueys = {"first": MemoryHuey("first", immediate=True)}
    """,
        [
            ("@huey.task()", "{job}(1)", "called directly *"),
            ("@huey.task()", "{job}.call_local(1)", "called directly *"),
            ("@huey.task()", "{job}.func(1)", "called directly *"),
            ("@hueys['first'].task()", "{job}.func(1)", "called directly *"),
        ],
    ),
    "dramatiq": (
        """
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    dramatiq.set_broker(StubBroker())
    """,
        [
            ("@dramatiq.actor", "{job}(1)", "called directly *"),
            ("@dramatiq.actor", "{job}.fn(1)", "called directly *"),
        ],
    ),
    "procrastinate": (
        """
    import procrastinate.testing

    worker = procrastinate.App(connector=procrastinate.testing.InMemoryConnector())
    """,
        [
            ("@worker.task", "{job}(1)", "called directly *"),
            ("@worker.task", "{job}.func(1)", "called directly *"),
        ],
    ),
    "taskiq": (
        """
    import taskiq

    broker = taskiq.InMemoryBroker()
    """,
        [("@broker.task", "{job}(1)", "called directly *")],
    ),
}


LOSES = """
    import sqlite3
    from celery import Celery

    app = Celery("audited", broker="memory://")

    def mark(status):
        with sqlite3.connect("videos.db") as database:
            database.execute("update video set status = ?", (status,))
        database.close()

    @app.task
    def render():
        mark("processing")
        mark("done")

    @app.task
    def render_at_once():
        mark("done")

    @app.task(acks_late=True, reject_on_worker_lost=True)
    def render_late():
        mark("processing")
        mark("done")
    """
LOSING = """
    import sqlite3
    import app
    import pytest

    @pytest.mark.parametrize("job", [app.render, app.render_at_once, app.render_late])
    def test_rendering(job, jobs):
        with sqlite3.connect("videos.db") as database:
            database.execute("create table video (id integer primary key, status text)")
            database.execute("insert into video values (7, 'open')")
        database.close()
        job.delay()
        jobs.drain()
    """


def test_what_a_job_leaves_half_done_is_a_finding_where_its_library_loses_it(audit_of):
    result = audit_of(LOSES, LOSING)

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "3 jobs reached, 3 checked, 1 finding.",
            "Lost, stuck or half done when the worker is killed:",
            "- HALF_DONE table video of videos.db: status in render()",
            "  killed, and not delivered again, after sqlite: commit (app.py:*)",
            "  hint: nobody takes up what a killed worker leaves: *",
            "  replay: * --jobs-replay=abandoned:render:*",
        ]
    )


def test_jobs_of_libraries_are_checked_however_a_test_reaches_them(audit_of):
    """All of them at once, since a library keeps what a process has declared, and a process takes a second."""
    app, tests, told = "", "import app\n", {}
    for library, (begin, cases) in LIBRARIES.items():
        try:
            for name in {"rq": ("rq", "fakeredis")}.get(library, (library,)):
                importlib.import_module(name)
        except ImportError:
            continue
        app += f"{begin}\n"
        for decorator, body, ways in cases:
            job = f"add_{len(told)}"
            app += f'\n    {decorator}\n    def {job}(number):\n        append(f"{job} {{number}}\\n")\n'
            fixture = "jobs" if "jobs." in body else ""
            tests += f"\ndef test_{job}({fixture}):\n    {body.format(job=f'app.{job}')}\n"
            told[job] = ways
    if not told:
        pytest.skip("no library is installed")
    result = audit_of(app, tests)

    result.assert_outcomes(passed=len(told))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            f"{len(told)} job* reached, {len(told)} checked, {len(told)} finding*.",
            "Another state when it is done twice:",
        ]
    )
    for job, ways in told.items():
        result.stdout.fnmatch_lines(
            [
                # Taskiq calls it `app:add_14`.
                f"- DUPLICATE files in *{job}(1)",
                f"  reached by 1 test ({ways})",
                f'  replay: pytest "test_app.py::test_{job}" --jobs-audit --jobs-replay=twice:*{job}',
            ]
        )
    result.stdout.no_fnmatch_line("Not seen:*")


BOUND = """
    from celery import Celery

    app = Celery("audited", broker="memory://")

    @app.task(bind=True)
    def add(self, number):
        append(f"{number}\\n")
    """


def test_a_bound_task_is_still_the_one_that_a_test_asserts_about(audit_of):
    pytest.importorskip("celery")
    result = audit_of(
        BOUND,
        """
    import app
    from pytest_jobs import assert_enqueued

    def test_adding(jobs):
        app.add.delay(1)
        assert_enqueued(app.add, args=(1,))
        jobs.drain()
    """,
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 job reached, 1 checked, 1 finding."])


@pytest.mark.wide
def test_direct_calls_of_django_tasks_are_checked(audit_of):
    pytest.importorskip("django_tasks")
    app = """
    import django
    from django.conf import settings

    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "app.db"}
    settings.configure(SECRET_KEY="tests", DATABASES={"default": database})
    django.setup()

    from django_tasks import task

    @task()
    def add(number):
        append(f"add {number}\\n")

    @task()
    async def add_on_a_loop(number):
        append(f"add_on_a_loop {number}\\n")
    """
    tests = """
    import asyncio
    import app

    def test_calling():
        app.add.call(1)

    def test_awaiting():
        asyncio.run(app.add_on_a_loop.acall(1))
    """
    result = audit_of(app, tests)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["2 jobs reached, 2 checked, 2 findings."])
    for job in ("add", "add_on_a_loop"):
        result.stdout.fnmatch_lines([f"- DUPLICATE files in {job}(1)"])


@pytest.mark.wide
def test_jobs_that_are_enqueued_outside_of_any_harness_are_told(audit_of):
    pytest.importorskip("celery")
    result = audit_of(CELERY, "import app\n\ndef test_it():\n    app.add.delay(1)\n")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "No test reaches a job, so this run shows nothing.",
            "Not seen: the jobs that 1 test enqueued outside of any harness. Add --jobs-inline, *",
        ]
    )


MOCKED = """
    from unittest import mock

    import app
    import pytest

    def test_of_a_method():
        with mock.patch.object(app.add, "delay") as delay:
            app.add.delay(1)

        delay.assert_called_once_with(1)

    def test_of_a_method_to_the_end_of_the_test(monkeypatch):
        monkeypatch.setattr(app.multiply, "apply_async", mock.Mock())
        app.multiply.apply_async((1,), countdown=3)

    @mock.patch("app.divide")
    def test_of_the_task(divide):
        app.divide.s(1).delay()

    def test_of_arguments_that_no_message_takes():
        with mock.patch("app.never"):
            app.never.delay(mock.Mock())

    def test_of_a_method_that_was_not_called():
        with mock.patch.object(app.untouched, "delay"):
            app.divide

    def test_of_a_broker_that_is_down():
        with mock.patch.object(app.untouched, "delay", side_effect=OSError):
            with pytest.raises(OSError):
                app.untouched.delay(1)
    """


def test_a_mock_in_the_place_of_a_task_or_of_what_enqueues_it_is_an_enqueue(pytester, audit_of):
    pytest.importorskip("celery")
    pytest.importorskip("jinja2")
    tasks = "".join(
        f"""
    @app.task
    def {name}(number):
        append(f"{name} {{number}}\\n")
    """
        for name in ("multiply", "divide", "untouched")
    )
    result = audit_of(CELERY + tasks, MOCKED, "--jobs-report=jobs.html")

    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["4 jobs reached, 3 checked, 3 findings."])
    for name in ("add", "multiply", "divide"):
        result.stdout.fnmatch_lines(
            [
                f"- DUPLICATE files in {name}(1)",
                "  reached by 1 test (only enqueued, and a mock or an open transaction kept it from its queue)",
            ]
        )
    result.stdout.fnmatch_lines(["Not checked:", "- *Mock*", "    app.never"])
    result.stdout.fnmatch_lines(["* of the registries that no test reaches:", "  app.untouched"])
    shown = reached_rows((pytester.path / "jobs.html").read_text("utf-8"))
    assert {name: how for name, how, _ in shown} == {
        **dict.fromkeys(("app.add", "app.multiply", "app.divide", "app.never"), "only mocked"),
        "app.untouched": "not at all",
    }


GIVEN = """
    import functools

    import fakeredis
    from rq import Queue

    waiting = None
    if "PRODUCTION" in globals():
        waiting = Queue("waiting")

    def queue():
        return Queue(connection=fakeredis.FakeStrictRedis())

    def of_a_class(number):
        append(f"{number}\\n")

    def passed_on(number):
        append(f"{number}\\n")

    def passed_on_twice(number):
        append(f"{number}\\n")

    def by_a_method(number):
        append(f"{number}\\n")

    def by_a_partial(number):
        append(f"{number}\\n")

    def by_a_queue_of_production(number):
        append(f"{number}\\n")

    def helper(number):
        append(f"{number}\\n")

    def enqueue(function, *args):
        named = Queue("high", connection=fakeredis.FakeStrictRedis())
        return (lambda: named.enqueue(function, *args))()

    def enqueue_soon(function, *args):
        enqueue(function, *args)

    class Producer:
        @classmethod
        def enqueue(cls, function, *args):
            Queue("low").enqueue(function, *args)

    def enqueue_later(function, *args):
        return functools.partial(Queue("low").enqueue, function, *args)

    def call(function, *args):
        function(*args)

    def place(number, queue: Queue):
        queue.enqueue(of_a_class, number)
        enqueue(passed_on, number)
        enqueue_soon(passed_on_twice, number)
        Producer.enqueue(by_a_method, number)
        enqueue_later(by_a_partial, number)
        if waiting is not None:
            waiting.enqueue(by_a_queue_of_production, number)
        call(helper, number)
    """


def test_functions_are_jobs_that_callers_give_to_what_passes_them_to_a_queue(audit_of):
    pytest.importorskip("rq")
    pytest.importorskip("fakeredis")
    names = [
        "of_a_class",
        "passed_on",
        "passed_on_twice",
        "by_a_method",
        "by_a_partial",
        "by_a_queue_of_production",
    ]
    tests = "".join(f"\ndef test_{name}():\n    app.{name}(1)\n" for name in [*names, "helper"])
    result = audit_of(GIVEN, f"import app\n{tests}")

    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(
        [
            "6 jobs reached, 6 checked, 6 findings.",
            "- rq acknowledges this job *",
            "  is killed, lost. (6 jobs)",
        ]
    )
    for name in names:
        result.stdout.fnmatch_lines([f"- DUPLICATE files in {name}(1)"])


RUNNERS = """
    from abc import ABC, abstractmethod

    import fakeredis
    from rq import Queue

    class Runner(ABC):
        @abstractmethod
        def run(self, number):
            pass

        @classmethod
        def handle(cls, number):
            cls().run(number)

        @classmethod
        def enqueue(cls, number):
            Queue(connection=fakeredis.FakeStrictRedis()).enqueue(cls.handle, number)

    class Charge(Runner):
        def run(self, number):
            append(f"charge {number}\\n")

    class Refund(Runner):
        def run(self, number):
            append(f"refund {number}\\n")

    class Wait(Refund):
        pass
    """


def test_class_methods_are_jobs_of_each_class(audit_of):
    pytest.importorskip("rq")
    pytest.importorskip("fakeredis")
    result = audit_of(
        RUNNERS,
        """
        import app

        def test_charging(jobs):
            app.Charge.enqueue(1)
            jobs.drain()

        def test_refunding():
            app.Refund.handle(1)
        """,
    )

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "2 jobs reached, 2 checked, 2 findings.",
            "- DUPLICATE files in Charge.handle(1)",
            "- DUPLICATE files in Refund.handle(1)",
            "1 job of the registries that no test reaches:",
            "  app.Wait.handle",
        ]
    )


def test_a_function_that_rq_performs_at_once_is_a_job_of_rq(audit_of):
    pytest.importorskip("rq")
    pytest.importorskip("fakeredis")
    result = audit_of(
        """
        import fakeredis
        from rq import Queue

        queue = Queue(is_async=False, connection=fakeredis.FakeStrictRedis())

        def charge(number):
            append(f"{number}\\n")

        class Refund:
            @classmethod
            def handle(cls, number):
                append(f"{cls.__name__} {number}\\n")
        """,
        """
        import app

        def enqueue(function):
            app.queue.enqueue(function, 1)

        def test_charging():
            enqueue(app.charge)

        def test_refunding():
            enqueue(app.Refund.handle)
        """,
    )

    result.stdout.fnmatch_lines(
        [
            "2 jobs reached, 2 checked, 2 findings.",
            "- rq acknowledges this job before it runs; *",
            "  is killed, lost. (2 jobs)",
        ]
    )


FUNCTIONS = """
    import functools

    from arq import ArqRedis
    from rq import Queue

    queue = Queue(connection=object())

    def traced(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs)

        return call

    @traced
    def add(number, *, name="none"):
        append(f"{number} {name}\\n")

    def helper(number):
        append(f"{number}\\n")

    def as_job(function):
        function.delay = functools.partial(queue.enqueue, function)
        return function

    @as_job
    def divide(number):
        append(f"{number}\\n")

    def enqueue(number):
        queue.enqueue(add, number)

    async def multiply(ctx, number):
        append(f"{number}\\n")

    class WorkerSettings:
        functions = [multiply]
    """


def test_functions_that_are_jobs_are_checked_when_a_test_calls_them_as_functions(audit_of):
    pytest.importorskip("rq")
    pytest.importorskip("arq")
    result = audit_of(
        FUNCTIONS,
        """
    import asyncio
    import inspect

    import app
    from app import add

    def test_calling():
        assert add is app.add
        assert list(inspect.signature(add).parameters) == ["number", "name"]
        add(1, name="one")
        app.helper(1)

    def test_calling_what_has_a_method_of_the_project():
        app.divide(1)

    def test_awaiting():
        assert list(inspect.signature(app.multiply).parameters) == ["ctx", "number"]
        asyncio.run(app.multiply({}, 1))
    """,
    )

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["3 jobs reached, 3 checked, 3 findings."])
    result.stdout.fnmatch_lines(["- DUPLICATE files in divide(1)"])
    result.stdout.fnmatch_lines(["- DUPLICATE files in add(1, name='one')"])
    result.stdout.fnmatch_lines(["- DUPLICATE files in multiply(1)"])
    result.stdout.fnmatch_lines(["- arq acknowledges this job after it runs; *"])


def test_a_job_gets_the_context_of_its_test_in_place_of_what_a_worker_puts_there(audit_of):
    pytest.importorskip("arq")
    pytest.importorskip("saq")
    result = audit_of(
        """
    import arq
    from saq import Queue
    from sqlalchemy import column, select

    async def startup(ctx):
        raise OSError("There is no database in the tests.")

    async def charge(ctx, order):
        with ctx["session_factory"]() as session:
            session.execute(select(column("paid")))
            ctx["gateway"].charge(order)

    async def refund(ctx, *, order):
        ctx["gateway"].refund(order)

    class WorkerSettings:
        functions = [charge]
        on_startup = startup

    settings = {"queue": Queue.from_url("redis://shop"), "functions": [refund], "startup": startup}
    """,
        """
    import asyncio
    from unittest.mock import MagicMock, Mock

    import app

    def test_charging():
        gateway = Mock()
        asyncio.run(app.charge({"gateway": gateway, "session_factory": MagicMock()}, 1))
        gateway.charge.assert_called_once_with(1)

    def test_refunding():
        gateway = Mock()
        asyncio.run(app.refund({"gateway": gateway}, order=1))
        gateway.refund.assert_called_once_with(1)
    """,
    )

    result.stdout.fnmatch_lines(["2 jobs reached, 2 checked, 2 findings."])
    result.stdout.fnmatch_lines(["- DUPLICATE gateway.charge in charge(1)"])
    result.stdout.fnmatch_lines(["- DUPLICATE gateway.refund in refund(order=1)"])


def test_a_call_that_no_message_can_carry_is_checked_as_the_call_that_it_is(audit_of):
    pytest.importorskip("taskiq")
    result = audit_of(
        """
    from taskiq import TaskiqDepends, async_shared_broker

    def connect():
        raise OSError("There is no gateway in the tests.")

    @async_shared_broker.task
    async def charge(order, gateway=TaskiqDepends(connect)):
        gateway.charge(order)

    @async_shared_broker.task
    async def refund(order, gateway=TaskiqDepends(connect)):
        if order < 0:
            gateway.refund(order)
    """,
        """
    import asyncio
    from unittest.mock import Mock

    import app

    def test_charging():
        gateway = Mock()
        asyncio.run(app.charge(1, gateway=gateway))
        gateway.charge.assert_called_once_with(1)

    def test_refunding():
        asyncio.run(app.refund(1, gateway=Mock()))
    """,
    )

    result.stdout.fnmatch_lines(["2 jobs reached, 1 checked, 1 finding."])
    result.stdout.fnmatch_lines(["- DUPLICATE * in app:charge()"])
    result.stdout.fnmatch_lines(
        ["- at least once, as brokers do: its library cannot send what the test gives it. (1 job)"]
    )
    result.stdout.fnmatch_lines(
        ["    app:refund: It ends at app.py:* in 1 test, and changes nothing *"]
    )


def test_a_baseline_accepts_what_it_has_a_reason_for_and_lets_go_what_is_mended(pytester, audit):
    file = pytester.path / "accepted.json"
    flags = ("--jobs-baseline=accepted.json",)
    assert audit(PAYING, *flags, "--jobs-update-baseline").ret == pytest.ExitCode.TESTS_FAILED
    written = json.loads(file.read_text("utf-8"))
    kinds = ["killed", "own_double"]
    assert [
        (one["kind"], one["job"], one["verdict"], one["reason"]) for one in written["audit"]
    ] == [(kind, "shop.pay", "LOST shop.gateway.charge", "") for kind in kinds]

    result = audit(PAYING, *flags)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  accepted.json lists it without a reason: write one *"])

    for one in written["audit"]:
        one["reason"] = "A sweeper charges it."
    file.write_text(json.dumps(written), "utf-8")
    result = audit(PAYING, *flags)

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "1 job reached, 1 checked, 0 findings.",
            "Accepted by accepted.json:",
            "- LOST shop.gateway.charge in shop.pay: A sweeper charges it.",
        ]
    )

    text = SHOP.replace('if first_time(number, "paid"):', 'if first_time(number, "paid") or 1:')
    pytester.makepyfile(shop=text)
    result = audit(PAYING, *flags, "--jobs-update-baseline")

    result.stdout.fnmatch_lines(["Not found again, so accepted.json can do without *"])
    assert "LOST" not in file.read_text("utf-8")


HANDOFFS = """
    import shop
    from pytest_jobs import job

    def place(number):
        shop.first_time(number, "paid")
        shop.ship.perform_later(
            number,
        )

    def sweep():
        shop.ship.perform_later(1)

    @job
    def ship_again(number):
        shop.ship.perform_later(number)
    """


def test_places_that_hand_work_off_are_counted_and_those_are_named_that_nobody_checked(
    pytester, audit
):
    pytester.makepyfile(orders=HANDOFFS)
    audit(
        """
    import orders
    import shop
    from pytest_jobs import check_handoff, check_idempotent

    def test_shipping():
        shop.ship(1)

    def test_placing():
        check_handoff(orders.place, args=(1,), histories=["early"])

    def test_sweeping():
        check_idempotent(orders.sweep, histories=["twice"])
    """,
        "--jobs-report=found.json",
    ).stdout.fnmatch_lines(
        [
            "Handed off:",
            "- 2 places outside of jobs enqueue one, and check_handoff checks 1 of them.",
            "    It does not check:",
            "    orders.py:11 (sweep)",
        ],
        consecutive=True,
    )
    found = json.loads((pytester.path / "found.json").read_text("utf-8"))["audit"]

    assert found["handoffs"] == {"places": 2, "unchecked": ["orders.py:11"]}


FAILING = """
    from unittest import mock

    import pytest
    import shop
    from pytest_jobs import job

    path = None

    @job
    def note_failures(number):
        try:
            shop.gateway.charge(number)
        except Exception:
            db = shop.sqlite3.connect(path)
            db.execute("insert into orders values (2, 0, 0)")
            db.commit()
            db.close()
            raise

    def test_noting(jobs, tmp_path, monkeypatch):
        monkeypatch.setattr(f"{__name__}.path", str(tmp_path / "shop.db"))
        with mock.patch.object(shop.gateway, "charge"):
            note_failures.perform_later(1)
            jobs.drain()
    """


def test_a_verdict_is_the_same_in_each_run_wherever_the_folder_of_the_test_lies(pytester, audit):
    audit(FAILING, "--jobs-report=found.sarif")
    found = json.loads((pytester.path / "found.sarif").read_text("utf-8"))["runs"][0]["results"]

    assert {one["ruleId"] for one in found} == {"audit-effect_fails", "audit-own_double"}
    assert any("DUPLICATE table orders of shop.db in" in one["message"]["text"] for one in found)


SHARED = """
import pytest
import shop


@pytest.fixture(scope="{scope}", autouse=True)
def shop_opens():
    yield [1]
    with open({log!r}, "a") as log:
        log.write("{scope} ends\\n")


class TestPaying:
    def test_paying(self, jobs, shop_opens):
        {line}
        shop.pay.perform_later(1)
        shop.ship.perform_later(1)
"""


@pytest.mark.parametrize(
    ("scope", "line", "ends"),
    [
        ("class", "", 2),
        ("module", "", 2),
        # A test that uses up what its class shares comes to its job with a fixture of its own.
        ("class", "shop_opens.pop()", 3),
    ],
)
def test_tests_of_one_class_and_module_share_its_fixtures_in_the_second_pass(
    audit, pytester, scope, line, ends
):
    log = pytester.path / "log"
    result = audit(SHARED.format(scope=scope, log=str(log), line=line), "-p", "no:randomly")

    result.stdout.fnmatch_lines(["2 jobs reached, 2 checked, 0 findings."])
    assert len(log.read_text().splitlines()) == ends


ENDING = """
import pytest
import shop

ENDED = []


@pytest.fixture(scope="module", autouse=True)
def shop_opens():
    yield
    ENDED.append(1)
    assert len(ENDED) == 1, "it ends once"


@pytest.mark.parametrize("job", [shop.pay, shop.ship])
def test_selling(jobs, job):
    if ENDED:
        pytest.skip("the shop has closed")
    job.perform_later(1)
"""


def test_a_fixture_that_cannot_end_again_ends_no_second_pass(audit):
    result = audit(ENDING, "-p", "no:randomly")

    result.stdout.fnmatch_lines(["2 jobs reached, and none was checked*"])
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
