"""A first test of a job of the project, which `init` writes where there is none, and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ...bridges.libraries.known import EVERY
from .facts import Declared, Facts
from .start import base_of, uses_manage

_HEAD: Final = (
    '"""A first test of a job: what a worker does when it fails. Write your own beside it."""\n\n'
)
_BODY: Final = (
    "# The body of the job does not run. `print(timeline)` draws how often the job is tried again, and "
    "when."
)
_PYTEST: Final = f"""\
{_HEAD}from {{module}} import {{name}}


def test_what_a_worker_does_when_{{snake}}_fails(jobs):
    {_BODY}
    timeline = jobs.simulate_retries({{name}}, raising=RuntimeError("a first test"))

    assert timeline.attempts
"""
_UNITTEST: Final = f"""\
{_HEAD}from pytest_jobs import JobsTestCase

from {{module}} import {{name}}


class FirstJobTest(JobsTestCase):
    def test_what_a_worker_does_when_{{snake}}_fails(self):
        {_BODY}
        timeline = self.jobs.simulate_retries({{name}}, raising=RuntimeError("a first test"))

        self.assertTrue(timeline.attempts)
"""
_SECONDS: Final = 300
#: How pytest ends when tests passed, or were collected, or when there are none.
_GOOD: Final = (0, 5)


class FirstTest(NamedTuple):
    """A file of one test."""

    #: The folder of the settings of pytest, and the file relative to the project.
    base: Path
    file: str
    text: str
    #: The folder from which its import starts, if pytest does not look there by itself; empty if it does.
    python_path: str


def first_tests(root: Path, facts: Facts) -> Iterator[FirstTest]:
    """Yield tests of jobs that a plain import names, those of public functions first. Which passes, a run says.

    Args:
        root: the project.
        facts: what is found about it.
    """
    simple = [one for one in facts.declared if _is_simple(one)]
    for job in sorted(simple, key=lambda one: one.name.startswith("_")):
        base = base_of(root, job.place.path)
        is_unittest = uses_manage(base, facts)
        path = base / ("test_jobs.py" if is_unittest else "tests/test_jobs.py")
        folder, module = _imported(root / job.place.path, base)
        if (
            path.exists()
            or path.is_symlink()
            or path.parent.is_symlink()
            or not folder.is_relative_to(base)
        ):
            continue
        if not all(piece.isidentifier() for piece in module.split(".")):
            continue
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", job.name).lower()
        text = (_UNITTEST if is_unittest else _PYTEST).format(
            module=module, name=job.name, snake=snake
        )
        is_package = (path.parent / "__init__.py").is_file()
        is_found = (folder / "conftest.py").is_file() or (
            folder == base and (is_package or is_unittest)
        )
        python_path = "" if is_found else folder.relative_to(base).as_posix()
        yield FirstTest(base, path.relative_to(root).as_posix(), text, python_path)


def run(base: Path, file: Path | None) -> str:
    """Run the tests of a file as the project does; return the lines of what went wrong, empty if they pass.

    Args:
        base: the folder of the settings of pytest.
        file: the file; None to collect all tests, and run none.
    """
    if file is None:
        command = ["pytest", "--collect-only"]
    elif file.parent == base:
        command = ["manage.py", "test", file.stem]
    else:
        command = ["pytest", str(file)]
    options = (
        []
        if command[0] == "manage.py"
        else ["-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"]
    )
    try:
        done = subprocess.run(  # noqa: S603 - Python itself, with arguments of ours
            [sys.executable, *options, *(command if not options else command[1:])],
            cwd=base,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"`{' '.join(command)}` did not end within {_SECONDS} seconds."
    # The one test must have run; a folder may have none.
    if done.returncode in (_GOOD if file is None else (0,)):
        return ""
    printed = done.stdout + done.stderr
    errors = [
        line
        for line in printed.splitlines()
        if re.match(r"E  |ERROR|\w*Error\b|\w+(?:\.\w+)+:", line)
    ]
    return "\n".join(dict.fromkeys(errors)) or printed.strip()


def _is_simple(job: Declared) -> bool:
    """Say whether a test can simulate a job without knowing more than its name."""
    return (
        len(job.libraries) == 1
        and all(EVERY[library].is_simulated_alone for library in job.libraries)
        and "." not in job.name
        and not job.place.path.endswith("__init__.py")
    )


def _imported(file: Path, base: Path) -> tuple[Path, str]:
    """Return the folder from which the module of a file is imported, and its name there."""
    folder, pieces = file.parent, [file.stem]
    while (folder / "__init__.py").is_file():
        pieces.insert(0, folder.name)
        folder = folder.parent
    if len(pieces) == 1 and folder.is_relative_to(base):
        # Folders without `__init__.py` are packages too, for those who start Python above them.
        start = base / "src" if folder.is_relative_to(base / "src") else base
        return start, ".".join([*folder.relative_to(start).parts, *pieces])
    return folder, ".".join(pieces)
