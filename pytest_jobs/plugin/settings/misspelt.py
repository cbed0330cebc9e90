"""Names that look like ours and are not: of options, of tables in pyproject.toml, and of the marker."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from ...assertions.options import KEYWORDS, NAMES, nearest_option
from .declared import WRONG_MARKER


def check_names_in_files(config: pytest.Config) -> None:
    """Refuse options of ours that there are not, in the ini file and by `-o`, and tables that nobody reads.

    Raises:
        pytest.UsageError: with the nearest name.
    """
    overrides = [text.partition("=")[0] for text in config.getoption("override_ini") or ()]
    for name in overrides:
        if _is_unknown(name, config):
            _refuse(name, f"-o {name}")
    path, project = config.inipath, config.rootpath / "pyproject.toml"
    lines = _lines_about_jobs(path)
    # Parsing a large file takes milliseconds of every start-up: only where a line of it looks wrong.
    names = (line.partition("=")[0].partition(":")[0].strip(" \t\"'") for line in lines)
    if path is not None and any(_is_unknown(name, config) for name in names):
        from ...integrations.ini_file import read_ini_file

        found = read_ini_file(path)
        for name in () if found is None else found.values:
            if _is_unknown(name, config):
                _refuse(name, f"{path.name}: {name}")
    if path != project:
        lines = _lines_about_jobs(project)
    if any(line.startswith("[") and "pytest" in line for line in lines):
        _refuse_tables(project, path)


def _lines_about_jobs(path: Path | None) -> list[str]:
    """Return the lines of a file that may be about jobs, stripped."""
    if path is None or not path.is_file():
        return []
    text = path.read_text("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if "job" in line]


def _is_unknown(name: str, config: pytest.Config) -> bool:
    """Say whether a name looks like an option of ours, and neither we nor another plugin declared it."""
    if not name.startswith(("jobs_", "jobs-", "job_", "job-")):
        return False
    # An option of another plugin, such as `job_location`, is not ours.
    if not name.startswith("jobs_") and nearest_option(name, cutoff=0.75) is None:
        return False
    try:
        config.getini(name)
    except ValueError as error:
        return "unknown configuration value" in str(error)
    return False


def _refuse(name: str, where: str) -> None:
    meant = nearest_option(name)
    hint = f": did you mean {meant}?" if meant else "."
    raise pytest.UsageError(
        f"{where} is not an option of pytest-jobs{hint} The options are {', '.join(NAMES)}."
    )


def _refuse_tables(project: Path, ini: Path | None) -> None:
    from ...integrations.ini_file import read_ini_file, tool_tables

    found = None if ini is None else read_ini_file(ini)
    place = (
        "[tool.pytest.ini_options]" if found is None else f"{found.section} of {found.path.name}"
    )
    for table in ("pytest-jobs", "pytest_jobs"):
        written = tool_tables(project).get(table)
        if written is None:
            continue
        if table == "pytest-jobs" and "lint" in written:
            # The settings of the lint, which are read without pytest too.
            written = {key: value for key, value in written.items() if key != "lint"}
            if not written:
                continue
        keys = [key if key.startswith("jobs") else f"jobs_{key}" for key in written]
        meant = ", ".join(nearest_option(key) or key for key in keys)
        raise pytest.UsageError(
            f"{project.name}: pytest-jobs reads no table [tool.{table}]. Its options stand with those of pytest: "
            f"write {meant or 'them'} under {place} instead."
        )


def check_marker_names(items: Iterable[pytest.Item]) -> None:
    """Note in each test its marker with the keywords of ours and nearly its name.

    Without keywords of ours it is a marker of the project. Of one that is not registered pytest itself warns.
    """
    for item in items:
        for mark in item.iter_markers():
            if (
                mark.kwargs.keys() & set(KEYWORDS)
                and _looks_like_the_marker(mark.name)
                and mark.name not in _registered(item.config)
            ):
                item.stash[WRONG_MARKER] = (
                    f"@pytest.mark.{mark.name} of {item.nodeid} is not a marker of pytest-jobs: did you mean "
                    "@pytest.mark.jobs? If it is a marker of your own, register it under `markers`."
                )


def _looks_like_the_marker(name: str) -> bool:
    import difflib

    return name != "jobs" and difflib.SequenceMatcher(None, name.casefold(), "jobs").ratio() >= 0.75


def _registered(config: pytest.Config) -> Iterable[str]:
    return [re.split(r"[:(]", line)[0].strip() for line in config.getini("markers")]
