"""A long test says on a terminal how far it has come, and an interrupted one how far it had come."""

import contextlib
import os
import re
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

SLOW = """
    import sys

    from pytest_jobs import check_idempotent, fake

    class Gateway:
        def charge(self, key): pass

    gateway = Gateway()

    def charge(number):
        gateway.charge(number)
        gateway.charge(-number)

    def shop():
        with fake(sys.modules[__name__], "gateway", Gateway(), key="key") as calls:
            yield lambda: calls.calls

    def test_short():
        pass

    def test_long():
        check_idempotent(charge, args=(1,), world=shop)
"""
#: Makes every test a long one, and every step one that is shown.
AT_ONCE = """
    import pytest

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(session):
        progress = session.config.pluginmanager.get_plugin("pytest_jobs_progress")
        if progress is not None:
            progress.patience = progress.pause = 0
"""


def shown_on_a_terminal(*options, **environment):
    """Return what pytest writes to a terminal of 80 columns."""
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", *options]
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    environment = {**inherited, "COLUMNS": "80", "TERM": "xterm", **environment}
    ours, theirs = pty.openpty()
    written = bytearray()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        with contextlib.suppress(OSError):  # so Linux ends the output of a terminal
            while got := os.read(ours, 4096):
                written += got
        os.close(ours)
    return written.decode()


def test_a_long_check_shows_how_far_it_has_come_in_a_line_that_is_gone_afterwards(pytester):
    pytester.makeconftest(AT_ONCE)
    pytester.makepyfile(test_shop=SLOW)

    text = shown_on_a_terminal()

    steps = re.findall(r"check of charge: (\d+) of (\d+) histories, (?:about|now) ", text)
    planned = steps[0][1]
    assert steps == [(str(number + 1), planned) for number in range(int(planned))]
    assert "\r\x1b[K\x1b[A\x1b[15G" in text  # back behind "test_shop.py ."
    assert "2 passed" in text


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(lambda pytester: shown_on_a_terminal(CI="true"), id="in CI"),
        pytest.param(lambda pytester: shown_on_a_terminal("-s"), id="beside what tests print"),
        pytest.param(lambda pytester: pytester.runpytest_subprocess().stdout.str(), id="in a pipe"),
    ],
)
def test_nothing_is_shown_where_nobody_looks_or_the_test_prints_itself(run, pytester):
    pytester.makeconftest(AT_ONCE)
    pytester.makepyfile(test_shop=SLOW)

    text = run(pytester)

    assert "2 passed" in text
    assert "check of charge:" not in text


def test_an_audit_writes_lines_into_a_log(pytester):
    pytester.makeconftest(AT_ONCE)
    pytester.makepyfile(test_shop=SLOW)

    result = pytester.runpytest_subprocess("--jobs-audit", "-p", "no:randomly")

    steps = [line for line in result.outlines if line.startswith("check of charge: ")]
    assert len(steps) > 3
    assert "\x1b[K" not in result.stdout.str()
    result.stdout.fnmatch_lines(["test_shop.py .", "check of charge: 1 of *", "*2 passed*"])


def test_ctrl_c_says_how_far_the_work_had_come(pytester):
    pytester.makepyfile(
        """
        from pytest_jobs import Job

        class Pay(Job):
            def perform(self, number):
                if number == 3:
                    raise KeyboardInterrupt

        def test_pay(jobs):
            for number in range(1, 6):
                Pay.perform_later(number)
            jobs.drain()
        """
    )

    result = pytester.runpytest_inprocess(no_reraise_ctrlc=True)

    result.stdout.fnmatch_lines(["interrupted: jobs.drain(): 3 of 5 deliveries, now *Pay(3)*"])
