"""What the doctor says about each tree. `python tests/insight/doctor/doctor_gallery.py` writes the texts anew."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from trees import TREES, plant

from pytest_jobs.__main__ import main

SAID = Path(__file__).parent / "said"


def said_about(name: str, folder: Path, *arguments: str) -> str:
    """Return what the doctor prints about a tree."""
    root = plant(name, folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main(["doctor", str(root), *arguments]) == 0
    return printed.getvalue().replace(str(root), "ROOT")


if __name__ == "__main__":
    for name in TREES.keys() - {"broken"}:
        with tempfile.TemporaryDirectory() as folder:
            (SAID / f"{name}.txt").write_text(said_about(name, Path(folder)), "utf-8")
