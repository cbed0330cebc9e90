"""`python -m pytest_jobs lint [PATHS]`: habits of jobs that will hurt. The tests are collected, and not run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import BaselineError, LintSettingsError
from .baseline import Baseline, Section
from .collecting import collected
from .linter import RULES, lint, with_baseline
from .output import FORMATS
from .pages import page_of
from .settings import read_settings


def take_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command, and what it does."""
    command.add_argument(
        "paths", nargs="*", type=Path, help="files and folders; without them, this folder"
    )
    command.add_argument("--format", choices=[*FORMATS], default="text", help="text is for people")
    command.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="IDS",
        help="only these rules, joined by commas; JOB3 for a group",
    )
    command.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="IDS",
        help="not these rules, joined by commas; JOB3 for a group",
    )
    command.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="only findings that FILE does not list with a reason",
    )
    command.add_argument(
        "--update-baseline",
        action="store_true",
        help="write FILE: what is gone leaves it, and what is new waits there for a reason",
    )
    command.add_argument("--rules", action="store_true", help="list the rules")
    command.set_defaults(act=_act)


def _act(asked: argparse.Namespace) -> int:
    if asked.rules:
        pages = [page_of(rule.id) for rule in RULES]
        sys.stdout.write("".join(f"{page.id}  {page.title}\n" for page in pages))
        return 0
    paths = asked.paths or [Path()]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        sys.stderr.write(f"There is no file or folder {missing[0]}.\n")
        return 2
    try:
        settings = read_settings(paths[0].resolve())
    except LintSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    select, ignore = _listed(asked.select), _listed(asked.ignore)
    every = (*select, *ignore, *settings.select, *settings.ignore)
    unknown = [one for one in every if not any(rule.id.startswith(one) for rule in RULES)]
    if unknown:
        sys.stderr.write(
            f"No rule begins with {unknown[0]!r}. `python -m pytest_jobs lint --rules` lists all rules.\n"
        )
        return 2
    settings = replace(
        settings,
        select=select or settings.select,
        ignore=(*settings.ignore, *ignore),
    )
    resolved = [path.resolve() for path in paths]
    try:
        section = _section(asked)
        running = collected(resolved[0])
        found = lint(resolved, settings, base=Path.cwd(), running=running)
        findings = with_baseline(found, section, settings, running, Path.cwd())
    except (BaselineError, LintSettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(FORMATS[asked.format](findings))
    sys.stderr.write("".join(f"{line}\n" for line in findings.handoffs.lines()))
    if findings.handoffs.unseen:
        return 2
    return 1 if findings.found else 0


def _section(asked: argparse.Namespace) -> Section | None:
    if asked.baseline is None:
        if asked.update_baseline:
            raise BaselineError("--update-baseline writes a file: add --baseline=FILE.")
        return None
    baseline = Baseline(
        asked.baseline,
        where="--baseline",
        written=str(asked.baseline),
        updates=asked.update_baseline,
    )
    return baseline["lint"]


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(one.strip() for text in given for one in text.split(",") if one.strip())
