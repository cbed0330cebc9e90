"""Run the released test suites of what we stand beside, without and with our plugin: both must end alike.

`python tests/compatibility/peers.py [--keep FOLDER] [PEER ...]`, or `make peers`. The sources come from the
package index, or from the repository of a project that leaves its tests out of them. It takes half an hour, needs
redis-server and libmemcached-dev, and is not for continuous integration.
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from environments import ROOT, Unusable, made, said, tried


class Peer(NamedTuple):
    """A project whose tests are run."""

    #: What its tests import beside itself.
    needs: tuple[str, ...] = ()
    #: The arguments of pytest: its tests that need no server but for Redis, and no network.
    tests: tuple[str, ...] = ()
    #: Where its tests are, and the tag of a version there, if its source distribution lacks them.
    repository: str = ""
    tag: str = ""
    #: Whether its tests want a Redis where one is by default.
    on_redis: bool = False


PEERS = {
    "pluggy": Peer(tests=("testing", "--ignore=testing/benchmark.py")),
    "huey": Peer(("redis", "gevent", "peewee"), ("huey/tests", "-k", "not Redis and not redis")),
    "rq": Peer(
        ("redis", "psutil"),
        # Workers of a pool may stay, and the process that started them would wait for them.
        ("tests", "-m", "not slow", "--ignore=tests/test_worker_pool.py"),
        on_redis=True,
    ),
    "dramatiq": Peer(
        ("pytest-cov", "freezegun", "mypy", "redis", "pika", "pylibmc"),
        ("tests", "-k", "not redis and not rabbitmq and not memcached"),
        "https://github.com/Bogdanp/dramatiq",
        "v{}",
    ),
    "apscheduler": Peer(
        ("apscheduler<4", "anyio", "sqlalchemy", "tornado", "gevent", "twisted", "pytz"),
        ("tests", "--ignore=tests/test_jobstores.py"),
    ),
    "saq": Peer(
        ("saq[redis,postgres,http,web]", "httpx", "hypothesis", "starlette"),
        ("tests", "-k", "not Postgres"),
        "https://github.com/tobymao/saq",
        "v{}",
        on_redis=True,
    ),
    "procrastinate": Peer(
        (
            "procrastinate[aiopg,django,psycopg2,sqlalchemy]",
            "pytest-asyncio",
            "pytest-benchmark",
            "pytest-cov",
            "pytest-django",
            "pytest-mock",
            "results",
            "sphinx",
        ),
        ("tests/unit",),
        "https://github.com/procrastinate-org/procrastinate",
        "{}",
    ),
}


def sources(name: str, version: str, folder: Path) -> Path:
    """Return the folder with the sources of a release, and with its tests."""
    peer = PEERS[name]
    found = folder / f"{name}-{version}"
    if found.exists():
        return found
    if peer.repository:
        clone = [
            "git",
            "-c",
            "advice.detachedHead=false",
            "clone",
            "--quiet",
            "--depth=1",
            "--branch",
            peer.tag.format(version),
        ]
        subprocess.run([*clone, peer.repository, found], check=True)
        return found
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
    subprocess.run([*pip, "--dest", folder, f"{name}=={version}"], check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return found


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[None]:
    """Serve a Redis where clients look for one; if there is one, the suite finds an empty database in it."""
    program = ["redis-server", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL) as server:
        while server.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("localhost", 6379), 1):
                break
            time.sleep(0.1)
        yield
        server.terminate()


def outcomes(python: Path, source: Path, *arguments: str) -> dict[str, str]:
    """Return how each test of a suite ended, by its name in `-rA`.

    Raises:
        Unusable: when none has run.
    """
    run = ["-m", "pytest", "-q", "-rA", "--timeout=120", "-p", "no:cacheprovider"]
    code, text = said(python, *run, *arguments, cwd=source)
    found = re.findall(r"(?m)^(PASSED|FAILED|ERROR|XFAIL|XPASS) (\S+)", text)
    # Errors of the collection are listed likewise.
    if code not in {0, 1}:
        raise Unusable(f"its suite did not run with {arguments}: {text[-2000:]}")
    return {name: outcome for outcome, name in found}


def trial(name: str, folder: Path) -> str:
    """Return what our plugin changes in the suite of a peer; empty if nothing."""
    peer = PEERS[name]
    requirement = next((each for each in peer.needs if each.startswith(name)), name)
    python = made(folder / "environment", str(ROOT), requirement, "pytest-timeout", *peer.needs)
    _, version = said(python, "-c", f"import importlib.metadata as m; print(m.version({name!r}))")
    source = sources(name, version.strip(), folder)
    tests = peer.tests
    with redis(folder) if peer.on_redis else contextlib.nullcontext():
        # On a busy machine a test may end in either way: those that differ are tried again, by themselves.
        for _ in range(3):
            before = outcomes(python, source, *tests, "-p", "no:jobs")
            after = outcomes(python, source, *tests)
            if tests is peer.tests:
                passed = sum(each == "PASSED" for each in before.values())
                sys.stdout.write(
                    f"{name} {version.strip()}: {len(before)} tests, {passed} passed\n"
                )
            differ = [each for each in before | after if before.get(each) != after.get(each)]
            tests = tuple(sorted({each.partition("[")[0] for each in differ}))
            if not differ:
                return "" if passed else "none of its tests passes"
    told = (
        f"{each}: {before.get(each, 'not there')}, with ours {after.get(each, 'not there')}"
        for each in differ
    )
    return "\n  ".join(["our plugin changes it:", *told])


if __name__ == "__main__":
    sys.exit(tried(__doc__, PEERS, trial))
