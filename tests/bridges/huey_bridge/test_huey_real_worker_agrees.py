"""What a real consumer makes of a task is what the harness says: outcomes, attempts and waits."""

import contextlib
import itertools
import sys
import textwrap

import pytest

pytest.importorskip("huey")

from servers import process, wait_until

APPLICATION = """
import pathlib, time
from huey import CancelExecution, RetryTask, SqliteHuey

huey = SqliteHuey("agreeing", filename="huey.db")
runs = pathlib.Path("runs")
signals = pathlib.Path("signals")

def note(path, *words):
    with path.open("a") as file:
        print(*words, file=file)

def run(name):
    note(runs, name, time.time())
    return len([line for line in runs.read_text().splitlines() if line.startswith(name + " ")])

@huey.signal()
def signal(name, task, error=None):
    note(signals, task.name, name)

@huey.task(retries=2, retry_delay=1)
def flaky():
    run("flaky")
    raise ValueError

@huey.task()
def asks():
    if run("asks") < 3:
        raise RetryTask(delay=1)

@huey.task(retries=3)
def cancels():
    run("cancels")
    raise CancelExecution(retry=False)

@huey.task(retries=1)
def at_once():
    if run("at_once") == 1:
        raise ValueError

@huey.task(expires=10)
def later():
    run("later")

@huey.task()
def ready():
    run("ready")

def send():
    for task in (flaky, asks, cancels, at_once):
        task()
    later.schedule(delay=1)
"""
#: How often each task runs.
RUNS = {"ready": 1, "flaky": 3, "asks": 3, "cancels": 1, "at_once": 2, "later": 1}


def noted(directory, name):
    """Return the lines of a file by their first words."""
    path = directory / name
    found = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        first, rest = line.split()
        found.setdefault(first, []).append(rest)
    return found


@contextlib.contextmanager
def application_in(directory, monkeypatch):
    directory.mkdir()
    source = textwrap.dedent(APPLICATION)
    (directory / "app.py").write_text(source)
    monkeypatch.chdir(directory)
    application = {"__name__": "app"}
    exec(source, application)
    # The connection of this process to the file is closed at the end.
    with contextlib.closing(application["huey"].storage):
        yield application


@pytest.mark.slow
def test_a_consumer_does_what_the_harness_says(tmp_path, monkeypatch, open_over):
    real, virtual = tmp_path / "real", tmp_path / "virtual"
    command = [
        sys.executable,
        "-m",
        "huey.bin.huey_consumer",
        "app.huey",
        "-d",
        "0.01",
        "-m",
        "0.05",
    ]
    with (
        application_in(virtual, monkeypatch) as application,
        open_over(application["huey"]) as jobs,
    ):
        application["ready"]()
        jobs.drain()
        application["send"]()
        jobs.drain(raise_errors=False)
        waits = [each.wait.total_seconds() for each in jobs.retried]
    signals = sum(map(len, noted(virtual, "signals").values()))

    with application_in(real, monkeypatch) as application:
        application["ready"]()
        with process(command, real, log="consumer.log"):
            # The consumer takes a task that is due before it has started at once.
            wait_until(lambda: noted(real, "runs"), "the start of the consumer")
            application["send"]()
            wait_until(
                lambda: {n: len(runs) for n, runs in noted(real, "runs").items()} == RUNS,
                "the end of all tasks",
            )
            # The signal of a run comes after the run.
            wait_until(
                lambda: sum(map(len, noted(real, "signals").values())) >= signals,
                f"{signals} signals",
            )

    assert noted(virtual, "signals") == noted(real, "signals")
    ran, really_ran = noted(virtual, "runs"), noted(real, "runs")
    assert {n: len(runs) for n, runs in ran.items()} == RUNS
    assert sorted(waits) == [0, 1, 1, 1, 1]
    for name, runs in really_ran.items():
        pairs = zip(itertools.pairwise(ran[name]), itertools.pairwise(runs), strict=True)
        for (a, b), (really_a, really_b) in pairs:
            # Waits are whole seconds. What a run itself takes depends on the machine.
            assert float(b) - float(a) <= float(really_b) - float(really_a) + 0.5
