"""What the doctor says about each tree. `python tests/insight/doctor/doctor_gallery.py` writes the texts anew."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from trees import TREES, plant

from pytest_jobs.__main__ import main
from pytest_jobs.insight.doctor import reading

SAID = Path(__file__).parent / "said"
#: Libraries that have a bridge in these texts, whichever have one today.
BRIDGED = ("background_tasks", "celery", "core", "django", "taskiq")
#: What the others are called here, whatever their bridges will call them.
TITLES = {
    "django_q": "Django Q2",
    "arq": "arq",
    "saq": "SAQ",
    "huey": "Huey",
    "dramatiq": "Dramatiq",
    "rq": "RQ",
}


@contextlib.contextmanager
def some_bridges() -> Iterator[None]:
    """Let these texts be the same when another library gets a bridge."""
    libraries = reading.EVERY
    vars(reading)["EVERY"] = type(libraries)(
        (name, replace(library, is_bridged=name in BRIDGED, title=TITLES.get(name, library.title)))
        for name, library in libraries.items()
    )
    try:
        yield
    finally:
        vars(reading)["EVERY"] = libraries


def said_about(name: str, folder: Path, *arguments: str) -> str:
    """Return what the doctor prints about a tree."""
    root = plant(name, folder)
    printed = io.StringIO()
    with some_bridges(), contextlib.redirect_stdout(printed):
        assert main(["doctor", str(root), *arguments]) == 0
    return printed.getvalue().replace(str(root), "ROOT")


if __name__ == "__main__":
    for name in TREES.keys() - {"broken"}:
        with tempfile.TemporaryDirectory() as folder:
            (SAID / f"{name}.txt").write_text(said_about(name, Path(folder)), "utf-8")
