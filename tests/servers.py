"""Real servers and worker processes for the tests that compare a bridge with what really happens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

#: How long anything may take on a slow machine before the test fails, in seconds.
_PATIENCE = 20
#: Seconds between two questions whether it is there.
_STEP = 0.01


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a redis-server of our own, on a free port, that keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        reason = "redis-server is not installed: apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    port = _free_port()
    directory = tmp_path_factory.mktemp("redis")
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(directory),
    ]
    with process(command, directory, log="redis.log"):
        wait_until(lambda: _answers(port), "redis-server to answer")
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def process(
    command: Sequence[str],
    directory: Path,
    *,
    log: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as the leader of a group of processes of its own; kill them all at the end.

    Args:
        command: the program and its arguments.
        directory: where it runs.
        log: the name of the file there that its output is added to.
        environment: variables beside ours.
    """
    with (directory / log).open("ab") as output:
        running = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield running
        finally:
            kill_group(running)


def kill_group(running: subprocess.Popen[bytes]) -> None:
    """Kill a program and all processes that it started, as an outage of its machine does."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def wait_until(condition: Callable[[], object], what: str, *, every: float = _STEP) -> None:
    """Wait for a condition by asking again and again; fail the test when it takes too long.

    Args:
        condition: returns something true at last.
        what: how the failure names it.
        every: seconds between two questions.
    """
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {_PATIENCE} s for {what}")
        time.sleep(every)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False
