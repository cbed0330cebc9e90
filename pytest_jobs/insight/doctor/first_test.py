"""A first test of a job of the project, which `init` writes where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

from .project.facts import FirstJob

FILE: Final = "tests/test_jobs.py"
_TEXT: Final = '''\
"""A first test of a job: what a worker does when it fails. Write your own beside it."""

from {module} import {name}


def test_what_a_worker_does_when_{snake}_fails(jobs):
    # The body of the job does not run. `print(timeline)` draws how often the job is tried again, and when.
    timeline = jobs.simulate_retries({name}, raising=RuntimeError("a first test"))

    assert timeline.attempts
'''


class FirstTest(NamedTuple):
    """A file of one test."""

    #: Relative to the project.
    file: str
    text: str
    #: The folder from which its import starts, if pytest does not look there by itself; empty if it does.
    python_path: str


def first_test(root: Path, job: FirstJob | None) -> FirstTest | None:
    """Return a first test of a job; None where a file is there, or no job can be imported by a plain name.

    Args:
        root: the project.
        job: a job of it; None if there is none.
    """
    path = root / FILE
    if job is None or path.exists() or path.is_symlink() or path.parent.is_symlink():
        return None
    folder, module = _imported(job)
    if not all(piece.isidentifier() for piece in module.split(".")):
        return None
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", job.name).lower()
    text = _TEXT.format(module=module, name=job.name, snake=snake)
    is_package = (path.parent / "__init__.py").is_file()
    is_found = (root / folder / "conftest.py").is_file() or (folder == "." and is_package)
    return FirstTest(FILE, text, "" if is_found else folder)


def _imported(job: FirstJob) -> tuple[str, str]:
    """Return the folder from which the module of a job is imported, and its name there."""
    file = Path(job.path).with_suffix("")
    depth = job.module.count(".") + 1
    if depth > 1:
        return file.parents[depth - 1].as_posix(), job.module
    # Folders without `__init__.py` are packages too, for those who start Python above them.
    pieces = file.parts[1:] if file.parts[0] == "src" else file.parts
    return "src" if file.parts[0] == "src" else ".", ".".join(pieces)
