"""`python -m pytest_jobs doctor [PATH]` and `python -m pytest_jobs init [PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from .first_test import first_test
from .patterns import Advice, advice
from .project.facts import Evidence, Facts
from .project.reading import read_project
from .start import Start, start_of, with_python_path, written

#: How many places the text shows of each fact; JSON has all of them.
_SHOWN: Final = 2


def take_doctor_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of `doctor`, and what it does."""
    command.add_argument(
        "path", nargs="?", type=Path, default=Path(), help="the project; without it, this folder"
    )
    command.add_argument(
        "--json", action="store_true", help="print everything that was found as JSON"
    )
    command.set_defaults(act=_doctor)


def take_init_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of `init`, and what it does."""
    command.add_argument(
        "path", nargs="?", type=Path, default=Path(), help="the project; without it, this folder"
    )
    command.add_argument("--yes", action="store_true", help="write without asking")
    command.set_defaults(act=_init)


def _doctor(asked: argparse.Namespace) -> int:
    root = _folder(asked.path)
    if root is None:
        return 2
    facts = read_project(root)
    said, start = advice(facts), start_of(root, facts)
    if asked.json:
        sys.stdout.write(
            json.dumps(_as_dict(facts, said, start), indent=2, ensure_ascii=False) + "\n"
        )
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _text(facts, said, start)))
    return 0


def _init(asked: argparse.Namespace) -> int:
    root = _folder(asked.path)
    if root is None:
        return 2
    facts = read_project(root)
    start, test = start_of(root, facts), first_test(root, facts.first_job)
    if test is not None and test.python_path:
        start = with_python_path(root, start, test.python_path)
    for line in _first_lines(start):
        sys.stdout.write(f"{line}\n")
    try:
        text = written(root, start)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    files = {} if text is None else {start.file: text}
    if test is not None and start.file:
        sys.stdout.write(f"# {test.file}\n{test.text}")
        files[test.file] = test.text
    if not files:
        sys.stdout.write("There is nothing to write.\n")
        return 0
    if not asked.yes and not _is_agreed(" and ".join(files)):
        sys.stdout.write("Nothing was written.\n")
        return 1
    for file, content in files.items():
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(content, "utf-8")
        sys.stdout.write(f"{file} is written.\n")
    return 0


def _is_agreed(file: str) -> bool:
    sys.stdout.write(f"Write this to {file}? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _folder(path: Path) -> Path | None:
    if path.is_dir():
        return path.resolve()
    sys.stderr.write(f"There is no folder {path}.\n")
    return None


def _text(facts: Facts, said: Sequence[Advice], start: Start) -> Iterator[str]:
    if not facts.libraries:
        yield "No job library was found."
    for library in facts.libraries:
        version = f" {library.version}" if library.version else ""
        bridge = "captured by pytest-jobs" if library.is_bridged else "no bridge yet"
        if library.needed:
            bridge = f"too old: pytest-jobs needs {library.needed}"
        yield f"{library.title}{version} ({bridge}){_places(library.evidence)}"
    for title, found in _found(facts).items():
        for name, places in found.items():
            yield f"{title}: {name}{_places(places)}"
    if facts.libraries:
        yield f"jobs: {len(facts.jobs)}{_places(facts.jobs)}"
        yield from facts.handoffs.lines()
    width = max((len(one.pattern) for one in said), default=0) + 2
    for index, one in enumerate(said):
        if not index:
            yield ""
        yield f"{one.fit:<10}{one.pattern:<{width}}{one.why}"
        yield from (f"{'':<10}{'':<{width}}{place}" for place in one.evidence[:_SHOWN])
        more = len(one.evidence) - _SHOWN
        if more > 0:
            yield f"{'':<10}{'':<{width}}and {more} more"
    for index, why in enumerate(facts.unread):
        if not index:
            yield ""
        yield f"not read: {why}"
    if facts.libraries:
        yield ""
        yield from _first_lines(start)


def _found(facts: Facts) -> dict[str, Mapping[str, list[Evidence]]]:
    return {
        "broker": facts.brokers,
        "result backend": facts.backends,
        "scheduler": facts.schedulers,
        "locks": facts.locks,
        "transactions": facts.transactions,
        "tenants": facts.tenants,
        "tests": facts.tests,
    }


def _first_lines(start: Start) -> Iterator[str]:
    if start.install is not None:
        yield f"$ {start.install}"
    if start.lines:
        yield f"# {start.file}"
        yield start.section
        yield from start.lines
    yield from start.reads


def _places(evidence: Sequence[Evidence]) -> str:
    shown = ", ".join(f"{one.path}:{one.line}" for one in evidence[:_SHOWN])
    more = f" and {len(evidence) - _SHOWN} more" if len(evidence) > _SHOWN else ""
    return f"  {shown}{more}" if shown else ""


def _as_dict(facts: Facts, said: Sequence[Advice], start: Start) -> dict[str, object]:
    return {
        "libraries": [
            {**library._asdict(), "evidence": _dicts(library.evidence)}
            for library in facts.libraries
        ],
        **{
            title.replace(" ", "_"): {name: _dicts(places) for name, places in found.items()}
            for title, found in _found(facts).items()
        },
        "jobs": _dicts(facts.jobs),
        "unseen": [vars(one) for one in facts.handoffs.unseen],
        "unresolved": [list(one) for one in facts.handoffs.unresolved],
        "patterns": [{**one._asdict(), "evidence": _dicts(one.evidence)} for one in said],
        "start": start._asdict(),
        "not_read": facts.unread,
    }


def _dicts(evidence: Sequence[Evidence]) -> list[dict[str, object]]:
    return [one._asdict() for one in evidence]
