"""What the tests of a project import, found by a run of pytest that only collects them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from ...errors import LintSettingsError
from ...harness.records.home import is_test_file
from ..source.running import Running, running_jobs
from ..source.tree import Tree

#: The variable that names the file for what was imported.
_FILE: Final = "PYTEST_JOBS_IMPORTED"
_SECONDS: Final = 600
#: How many lines end a traceback that is shown.
_LAST: Final = 5
#: The files that say where the tests of a project begin.
_ROOTS: Final = ("pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg", "setup.py", "manage.py")
#: What Django raises in a process that has not set it up.
_WITHOUT_SETTINGS: Final = ("ImproperlyConfigured: Requested setting", "AppRegistryNotReady")
_SETTINGS: Final = (
    "Install pytest-django and name the settings of the project, as its manage.py does: "
    "`DJANGO_SETTINGS_MODULE=proj.settings python -m pytest_jobs lint`, or a line in the configuration of pytest."
)
_INSTALL: Final = "Install what is missing, or run this with the Python of the project."
#: How pytest ends when all tests were collected, and when there are none.
_COLLECTED: Final = (0, 5)


def collected(start: Path) -> Running:
    """Return what the tests of a project import; nothing where it has no tests.

    Args:
        start: a file or folder of it. Without a file that says where the project begins, it is all there is.

    Raises:
        LintSettingsError: when the tests cannot be collected.
    """
    start = start if start.is_dir() else start.parent
    above = (start, *start.parents)
    folder = next((one for one in above if any((one / name).is_file() for name in _ROOTS)), start)
    if not any(is_test_file(str(path)) for path in Tree(folder).files):
        return Running()
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "imported.json"
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--color=no"]
        command += ["-p", "pytest_jobs.plugin.insight.collecting", "-p", "no:cacheprovider"]
        try:
            run = subprocess.run(  # noqa: S603 - Python itself, with arguments of ours
                command,
                cwd=folder,
                env={**os.environ, _FILE: str(file)},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LintSettingsError(
                f"`pytest --collect-only` did not end within {_SECONDS} seconds. Run it in {folder} to see where "
                "it waits."
            ) from None
        if run.returncode not in _COLLECTED or not file.exists():
            printed = run.stdout + run.stderr
            needs_settings = any(each in printed for each in _WITHOUT_SETTINGS)
            raise LintSettingsError(
                "The project cannot be imported, so its jobs are not known: `pytest --collect-only` says\n"
                f"{_errors(printed)}\n{_SETTINGS if needs_settings else _INSTALL}"
            )
        return Running.from_dict(json.loads(file.read_text("utf-8")))


def write(root: Path) -> None:
    """Write what this process has imported, for `collected`."""
    text = json.dumps(running_jobs(root).to_dict())
    Path(os.environ[_FILE]).write_text(text, "utf-8")


def _errors(printed: str) -> str:
    """Return the lines of the errors, each once; the last ones where there is no such line."""
    found = [line for line in printed.splitlines() if line.startswith(("E  ", "ERROR"))]
    return "\n".join(dict.fromkeys(found) or printed.strip().splitlines()[-_LAST:])
