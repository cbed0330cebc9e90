"""What the scripts of this folder share: environments in a temporary folder, and what is run in them."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Unusable(Exception):
    """Nothing can be said, and why."""


def tried(about: str | None, names: Iterable[str], trial: Callable[[str, Path], str]) -> int:
    """Try each name that the command line asks for, say what is wrong, and return the exit code.

    Args:
        about: what the script does.
        names: those that can be asked for; without any all are tried.
        trial: called with a name and a folder of its own; it returns what is wrong, or nothing.
    """
    asked = argparse.ArgumentParser(description=about)
    asked.add_argument("--keep", type=Path, help="where what is installed stays for the next run")
    asked.add_argument("names", nargs="*", help=f"some of {', '.join(names)} (default: all)")
    given = asked.parse_args()
    if unknown := {*given.names} - {*names}:
        asked.error(f"there is no {', '.join(sorted(unknown))}")
    wrong: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.names or names:
            folder = (given.keep or Path(temporary)).resolve() / name
            folder.mkdir(parents=True, exist_ok=True)
            # The others are tried all the same.
            try:
                wrong[name] = trial(name, folder)
            except Unusable as error:
                wrong[name] = str(error)
            except subprocess.CalledProcessError as error:
                wrong[name] = f"this failed: {' '.join(map(str, error.cmd))}"
    for name, why in wrong.items():
        sys.stdout.write(f"\n{name}: {why}\n" if why else "")
    return any(wrong.values())


def made(folder: Path, *arguments: str) -> Path:
    """Make an environment, install with pip, and return its Python.

    Args:
        folder: where it is made; one that was finished there is taken as it is.
        arguments: what pip is to install. This package is installed too, without its sources being copied.
    """
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    finished = folder / "finished"
    if not finished.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
        subprocess.run([*pip, *arguments], check=True, cwd=ROOT)
        finished.touch()
    return python


def said(python: Path, *arguments: str, cwd: Path = ROOT, timeout: float = 1800) -> tuple[int, str]:
    """Run Python, and return its exit code and all that it wrote; -1 if it did not end in time."""
    try:
        ended = subprocess.run(
            [python, *arguments],
            cwd=cwd,
            timeout=timeout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, f"it did not end in {timeout:.0f} seconds"
    return ended.returncode, ended.stdout.decode("utf-8", "replace")
