"""The file in which pytest has its options, for those who ask before pytest runs or without it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import iniconfig

#: The names in the order in which pytest looks for them.
_NAMES: Final = (
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
)
#: These are pytest's own, whatever they contain.
_OWN: Final = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")


class IniFile(NamedTuple):
    """The options of pytest and its plugins, as one file has them."""

    path: Path
    #: Where in the file they stand, such as `[pytest]`.
    section: str
    #: Text from an ini file; from TOML any value.
    values: Mapping[str, Any]


def find_ini_file(directory: Path) -> IniFile | None:
    """Return the file of a directory, or of the nearest one above, as pytest finds it."""
    for folder in (directory, *directory.parents):
        for name in _NAMES:
            path = folder / name
            found = read_ini_file(path) if path.is_file() else None
            if found is not None:
                return found
    return None


def ini_file_in(folder: Path) -> IniFile | None:
    """Return the file of one folder, as pytest chooses it.

    Raises:
        ValueError: when a file is not what its name says.
    """
    for name in _NAMES:
        path = folder / name
        try:
            found = read_ini_file(path) if path.is_file() else None
        except (iniconfig.ParseError, ValueError, RecursionError) as error:
            raise ValueError(f"{name} cannot be read: {error}") from None
        if found is not None:
            return found
    return None


def read_ini_file(path: Path) -> IniFile | None:
    """Return the options in a file; None for a file that has no section of pytest's."""
    sections = _toml_sections(path) if path.suffix == ".toml" else _ini_sections(path)
    for section, values in sections:
        if values is not None:
            return IniFile(path, section, values)
    return IniFile(path, "[pytest]", {}) if path.name in _OWN else None


def tool_tables(path: Path) -> Mapping[str, Any]:
    """Return the tables of a pyproject.toml that begin with `tool`."""
    tables: Mapping[str, Any] = _parsed_toml(path).get("tool", {})
    return tables


def _parsed_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _toml_sections(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    parsed = _parsed_toml(path)
    if path.name != "pyproject.toml":
        yield "[pytest]", parsed.get("pytest")
    table: dict[str, Any] = parsed.get("tool", {}).get("pytest", {})
    yield "[tool.pytest.ini_options]", table.get("ini_options")
    yield "[tool.pytest]", table or None


def _ini_sections(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    parsed = iniconfig.IniConfig(str(path))
    section = "tool:pytest" if path.suffix == ".cfg" else "pytest"
    yield f"[{section}]", dict(parsed[section].items()) if section in parsed else None
