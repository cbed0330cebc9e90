"""What a project says about the lint: `[tool.pytest-jobs.lint]` in its `pyproject.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from ...errors import LintSettingsError

_TABLE: Final = "[tool.pytest-jobs.lint]"


@dataclass(frozen=True)
class LintSettings:
    """The settings in force."""

    #: Ids of rules, or their beginnings: `JOB3` is all that performing jobs can break. Empty: all rules.
    select: tuple[str, ...] = ()
    #: Ids of rules, or their beginnings, that are switched off.
    ignore: tuple[str, ...] = ()
    #: Patterns of file names that are left out.
    exclude: tuple[str, ...] = ()
    #: Patterns of dotted names: functions that are jobs although no library knows them.
    jobs: tuple[str, ...] = ()
    #: How many KiB a payload may have while tests run.
    max_payload: int = 16

    def wants(self, rule_id: str) -> bool:
        """Say whether a rule is switched on."""
        selected = not self.select or rule_id.startswith(self.select)
        return selected and not (self.ignore and rule_id.startswith(self.ignore))


def read_settings(start: Path) -> LintSettings:
    """Return the settings of the nearest `pyproject.toml`.

    Raises:
        LintSettingsError: when the file is not TOML, or a setting is not known or has a wrong type.
    """
    start = start if start.is_dir() else start.parent
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _settings_in(path)
    return LintSettings()


def _settings_in(path: Path) -> LintSettings:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LintSettingsError(f"{path} cannot be read as TOML: {error}") from None
    table: Any = content
    for name in ("tool", "pytest-jobs", "lint"):
        table = table.get(name, {}) if isinstance(table, Mapping) else {}
    if not isinstance(table, Mapping):
        raise LintSettingsError(f"{path}: {_TABLE} must be a table, got {table!r}.")
    found: dict[str, Any] = {}
    known = {one.name.replace("_", "-"): one.name for one in fields(LintSettings)}
    for name, value in table.items():
        if name not in known:
            names = ", ".join(known)
            raise LintSettingsError(
                f"{path}: {_TABLE} has no setting {name!r}. The settings are: {names}."
            )
        found[known[name]] = _checked(name, value, known[name], path)
    return LintSettings(**found)


def _checked(name: str, value: object, field: str, path: Path) -> object:
    if isinstance(getattr(LintSettings(), field), int):
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        raise LintSettingsError(
            f"{path}: {name} of {_TABLE} must be a number above zero, got {value!r}."
        )
    if isinstance(value, list) and all(isinstance(one, str) and one for one in value):
        return tuple(value)
    raise LintSettingsError(f"{path}: {name} of {_TABLE} must be a list of texts, got {value!r}.")
