"""Run the released test suites of what we stand beside, without and with our plugin: both must end alike.

`python tests/compatibility/peers.py [--keep FOLDER] [PEER ...]`, or `make peers`. The sources come
from the package index. It takes half an hour and is not for continuous integration.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from environments import ROOT, made, said


class Peer(NamedTuple):
    """A project whose tests are run."""

    #: What its tests import beside itself.
    needs: tuple[str, ...] = ()
    #: The arguments of pytest: its tests that need neither a server nor a network.
    tests: tuple[str, ...] = ()


PEERS = {
    "pluggy": Peer(tests=("testing", "--ignore=testing/benchmark.py")),
    "huey": Peer(("redis", "gevent", "peewee"), ("huey/tests", "-k", "not Redis and not redis")),
    "rq": Peer(("redis", "psutil"), ("tests", "-m", "not slow")),
    "dramatiq": Peer(
        ("pytest-cov", "freezegun", "mypy", "redis", "pika", "pylibmc"),
        ("tests", "-k", "not redis and not rabbitmq and not memcached"),
    ),
    "apscheduler": Peer(
        (
            "apscheduler<4",
            "pytest-asyncio",
            "pytest-tornado",
            "anyio",
            "sqlalchemy",
            "tornado",
            "gevent",
            "twisted",
            "pytz",
        ),
        ("tests", "--ignore=tests/test_jobstores.py"),
    ),
    "saq": Peer(
        ("saq[redis,postgres,http,web]", "hypothesis"),
        ("tests", "-k", "not Redis and not Postgres"),
    ),
    "procrastinate": Peer(
        (
            "procrastinate[django,sqlalchemy]",
            "pytest-asyncio",
            "pytest-mock",
            "pytest-cov",
            "pytest-django",
        ),
        ("tests/unit",),
    ),
}


def sources(name: str, requirement: str, folder: Path) -> Path | None:
    """Return the unpacked source distribution of a package; None if there is none, or it has no tests."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
    subprocess.run([*pip, "--dest", folder, requirement], check=True)
    found = next(folder.glob("*.tar.gz"), None)
    if found is None:
        return None
    with tarfile.open(found) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def outcomes(text: str) -> dict[str, str]:
    """Return how each test ended, by its name, as `-rA` lists it."""
    found = re.findall(r"(?m)^(PASSED|FAILED|ERROR|XFAIL|XPASS) (\S+)", text)
    return {name: outcome for outcome, name in found}


def trial(name: str, folder: Path) -> str:
    """Return what our plugin changes in the suite of a peer; empty if nothing."""
    peer = PEERS[name]
    requirement = next((each for each in peer.needs if each.startswith(name)), name)
    python = made(folder / "environment", str(ROOT), requirement, "pytest-timeout", *peer.needs)
    (folder / "source").mkdir(exist_ok=True)
    source = sources(name, requirement, folder / "source")
    if source is None or not (source / peer.tests[0]).exists():
        return "its source distribution has no tests"
    run = ["-m", "pytest", "-q", "-rA", "--timeout=120", "-p", "no:cacheprovider", *peer.tests]
    _, plain = said(python, *run, "-p", "no:jobs", cwd=source)
    _, with_ours = said(python, *run, cwd=source)
    before, after = outcomes(plain), outcomes(with_ours)
    sys.stdout.write(
        f"{name}: {len(before)} tests, {sum(each == 'PASSED' for each in before.values())} passed\n"
    )
    if not before:
        return f"its suite did not run: {plain[-2000:]}"
    changed = [
        f"{test}: {before.get(test, 'not there')}, with ours {after.get(test, 'not there')}"
        for test in sorted(before.keys() | after.keys())
        if before.get(test) != after.get(test)
    ]
    return "\n  ".join(["our plugin changes it:", *changed]) if changed else ""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--keep", type=Path, help="where environments and sources stay for the next run"
    )
    asked.add_argument("peers", nargs="*", help=f"some of {', '.join(PEERS)} (default: all)")
    given = asked.parse_args()
    wrong: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.peers or PEERS:
            folder = (given.keep or Path(temporary)) / name
            folder.mkdir(parents=True, exist_ok=True)
            if why := trial(name, folder):
                wrong[name] = why
    for name, why in wrong.items():
        sys.stdout.write(f"\n{name}: {why}\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
