"""Real servers and worker processes for the tests that compare a bridge with what really happens."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from redis import Redis

#: How long anything may take on a slow machine before the test fails, in seconds.
PATIENCE = 180
#: Seconds between two questions whether it is there.
_STEP = 0.01


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a redis-server of our own, on a free port, that keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        _missing("redis-server is not installed: apt-get install redis-server")
    directory = tmp_path_factory.mktemp("redis")
    with ExitStack() as stack:
        port = None
        while port is None:
            port = _served(program, directory, stack)
        yield f"redis://127.0.0.1:{port}"


def patient(url: str) -> str:
    """Return the URL of a database for clients of redis-py, which else give a slow server up after 5 seconds."""
    return f"{url}?socket_timeout={PATIENCE}&socket_connect_timeout={PATIENCE}"


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, reached by a socket in a directory; it keeps nothing."""
    programs = _postgresql_programs()
    if programs is None:
        _missing("PostgreSQL is not installed: apt-get install postgresql")
    # It refuses to run as root, and pytest's directories are open to their owner alone.
    user = _server_user("postgres")
    directory = Path(tempfile.mkdtemp(prefix="pytest-jobs-postgresql-"))
    if user is not None:
        shutil.chown(directory, user)
    try:
        data = directory / "data"
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "jobs",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            cwd=directory,
            user=user,
        )
        command = [str(programs / "postgres"), "-D", str(data), "-k", str(directory), "-F"]
        # A session is killed at each point of a job, and so are many.
        command += ["-c", "listen_addresses=", "-c", "max_connections=200"]
        with process(command, directory, log="postgresql.log", user=user, stop=signal.SIGQUIT):
            ask = [programs / "pg_isready", "-q", "-h", directory]
            wait_until(lambda: subprocess.run(ask, check=False).returncode == 0, "PostgreSQL")
            yield f"postgresql://jobs@/postgres?host={directory}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def own_database(url: str, name: str) -> str:
    """Return the URL of a new database on a server of PostgreSQL."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    """The URL of a MariaDB server of our own, reached by a socket in a directory; it keeps nothing.

    It has no accounts, so that it needs no system tables, and takes every user for its owner.
    """
    program = shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        _missing("MariaDB is not installed: apt-get install mariadb-server")
    # It refuses to run as root. A table is a file that is synchronised, which takes no time in memory.
    user = _server_user("mysql")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="pytest-jobs-mysql-", dir=memory))
    if user is not None:
        shutil.chown(directory, user)
    try:
        data, place = directory / "data", directory / "socket"
        data.mkdir()
        if user is not None:
            shutil.chown(data, user)
        # A row that was changed since it was read is an error in MariaDB, and not in MySQL.
        command = [
            *(program, "--no-defaults", f"--datadir={data}", f"--socket={place}"),
            *("--skip-networking", "--skip-grant-tables", "--skip-log-bin", "--skip-ssl"),
            *("--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0"),
            *("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"),
            *("--loose-innodb-snapshot-isolation=OFF", "--max-connections=200"),
        ]
        with process(command, directory, log="mysql.log", user=user):
            wait_until(lambda: _accepts(place), "MariaDB")
            yield f"mysql+pymysql://jobs@localhost/?unix_socket={place}"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _accepts(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(place))
        except OSError:
            return False
        return bool(probe.recv(1))


@contextmanager
def process(
    command: Sequence[str],
    directory: Path,
    *,
    log: str,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    stop: signal.Signals | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as the leader of a group of processes of its own; kill them all at the end.

    Args:
        command: the program and its arguments.
        directory: where it runs.
        log: the name of the file there that its output is added to.
        environment: variables beside ours.
        user: as whom it runs; None as we do.
        stop: the signal that ends it; None for SIGKILL, which Windows lacks, where this module is imported too.
    """
    with (directory / log).open("ab") as output:
        running = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
        )
        try:
            yield running
        finally:
            kill_group(running, stop)


def kill_group(running: subprocess.Popen[bytes], stop: signal.Signals | None = None) -> None:
    """Kill a program and all processes that it started, as an outage of its machine does."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, stop or signal.SIGKILL)
    running.wait()


def wait_until(
    condition: Callable[[], object],
    what: str,
    *,
    every: float = _STEP,
    patience: float = PATIENCE,
) -> None:
    """Wait for a condition by asking again and again; fail the test when it takes too long.

    Args:
        condition: returns something true at last.
        what: how the failure names it.
        every: seconds between two questions.
        patience: seconds after which it takes too long.
    """
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {patience} s for {what}")
        time.sleep(every)


def wait_until_deserted(server: Redis) -> None:
    """Wait until nobody waits for anything in a database of a redis-server.

    It would hand the next message to a worker that is not quite dead: a process that the worker started has its
    connections too, and may die a moment later than the worker itself.

    Args:
        server: a client of the database.
    """
    wait_until(lambda: not waiting_clients(server), "redis-server to have lost a dead worker")


def waiting_clients(server: Redis) -> list[Mapping[str, str]]:
    """Return who waits for something in a database of a redis-server, as `CLIENT LIST` tells of it.

    Args:
        server: a client of the database.
    """
    database = str(server.get_connection_kwargs()["db"])
    clients = server.client_list()
    return [one for one in clients if one["db"] == database and "b" in one["flags"]]


def _missing(reason: str) -> NoReturn:
    """Skip the test; fail it where everything is to be there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _postgresql_programs() -> Path | None:
    """Return the directory of the programs of the server, which Debian has not on the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    return max(
        (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        key=lambda path: int(path.parent.name),
        default=None,
    )


def _server_user(own: str) -> str | None:
    """Return the user as whom a server runs: its own where root starts it; None for the one who does."""
    if os.geteuid() != 0:
        return None
    import pwd  # Windows has none, and its tests import this module.

    known = {entry.pw_name for entry in pwd.getpwall()}
    return own if own in known else "nobody"


def _served(program: str, directory: Path, stack: ExitStack) -> int | None:
    """Start a redis-server for the time of a stack; return its port, or None when it does not get that port."""
    port = _free_port()
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
    running = stack.enter_context(process(command, directory, log="redis.log"))
    # Whoever took its port may be the redis-server of another run: it is to be ours that answers.
    wait_until(
        lambda: running.poll() is not None or _process_at(port) == running.pid,
        "redis-server to answer",
    )
    return port if running.poll() is None else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _process_at(port: int) -> int | None:
    """Return the id of the process that answers at a port as a redis-server does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"INFO server\r\n")
            answer = connection.recv(65_536)
    except OSError:
        return None
    found = re.search(rb"process_id:(\d+)", answer)
    return None if found is None else int(found[1])
