"""Environments of their own for the scripts of this folder, in a temporary folder, and what is run in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def made(folder: Path, *arguments: str) -> Path:
    """Make an environment, install with pip, and return its Python.

    Args:
        folder: where it is made; one that is there is taken as it is.
        arguments: what pip is to install. This package is installed too, without its sources being copied.
    """
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
        subprocess.run([*pip, *arguments], check=True, cwd=ROOT)
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
