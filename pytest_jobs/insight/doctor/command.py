"""`python -m pytest_jobs doctor [PATH]` and `python -m pytest_jobs init [PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from .facts import Facts, Place, UsedLibrary
from .first_test import FirstTest, first_tests, run
from .reading import read_project
from .rows import AWAY, EVERYWHERE, ROWS
from .start import Start, base_of, next_command, start_of, written

#: How many places the text shows of each fact; JSON has all of them.
_PLACES: Final = 2
#: How many jobs `init` tries a first test of.
_TRIED: Final = 3


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
    base = base_of(root, next((one.place.path for one in facts.declared), ""))
    start = start_of(root, base, facts)
    command = next_command(asked.path, base, facts, start)
    if asked.json:
        sys.stdout.write(
            json.dumps(_as_dict(facts, start, command), indent=2, ensure_ascii=False) + "\n"
        )
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _text(facts, start, command)))
    return 0


def _init(asked: argparse.Namespace) -> int:
    root = _folder(asked.path)
    if root is None:
        return 2
    facts = read_project(root)
    tests: list[FirstTest | None] = [*islice(first_tests(root, facts), _TRIED)]
    why = ""
    for test in tests or [None]:
        base = root if test is None else test.base
        start = start_of(root, base, facts, "" if test is None else test.python_path)
        try:
            text = written(root, start)
        except (ValueError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
        files = {} if text is None else {start.file: text}
        if test is not None and (start.file or not start.section):
            files[test.file] = test.text
        if not why:
            sys.stdout.write("".join(f"{line}\n" for line in _first_lines(start)))
            if test is not None and test.file in files:
                sys.stdout.write(f"# {test.file}\n{test.text}")
            if not files:
                sys.stdout.write("There is nothing to write.\n")
                return 0
            if not asked.yes and not _is_agreed(" and ".join(files)):
                sys.stdout.write("Nothing was written.\n")
                return 1
        wrong = _tried(root, base, files, None if test is None else test.file)
        if not wrong:
            passes = "" if test is None else f" The test of {test.file} passes."
            sys.stdout.write(f"Written: {' and '.join(files)}.{passes}\n")
            return 0
        why = why or wrong
    sys.stderr.write(
        f"Nothing was written: a run of the tests says\n{why}\nInstall what is missing, or run this with the "
        "Python of the project.\n"
    )
    return 1


def _tried(root: Path, base: Path, files: Mapping[str, str], test: str | None) -> str:
    """Write some files and run the test in them; without it, collect all. What does not pass is taken back."""
    before = {
        path: path.read_bytes() if path.is_file() else None
        for path in (root / file for file in files)
    }
    made = [folder for path in before if not (folder := path.parent).exists()]
    for file, content in files.items():
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(content, "utf-8")
    wrong = run(base, root / test if test in files and test else None)
    if wrong:
        for path, old in before.items():
            path.unlink() if old is None else path.write_bytes(old)
        for folder in made:
            folder.rmdir()
    return wrong


def _is_agreed(file: str) -> bool:
    sys.stdout.write(f"Write this to {file}? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _folder(path: Path) -> Path | None:
    if path.is_dir():
        return path.resolve()
    sys.stderr.write(f"There is no folder {path}.\n")
    return None


def _text(facts: Facts, start: Start, command: str) -> Iterator[str]:
    if not facts.libraries:
        yield "No job library was found."
    for library in facts.libraries:
        yield _shown(library)
        said, places = facts.jobs_of(library.name)
        unseen = (
            f"nothing of {library.title} in the text; `pytest --jobs-lint` asks the running library"
        )
        yield f"jobs: {f'{said} of {library.title}' if said else unseen}{_places(places)}"
    for row in ROWS:
        found = facts.seen.get(row.name, {})
        for index, (what, places) in enumerate(found.items()):
            page = AWAY.get(what, row.page if index == 0 else "")
            yield f"{row.name}{_link(page)}: {what}{_places(places)}"
    if facts.libraries:
        yield f"nothing seen of: {', '.join(_unseen(facts))}"
        links = (f"{name}{_link(page)}" for name, page in EVERYWHERE.items())
        yield f"for every project: {', '.join(links)}"
    for index, why in enumerate(facts.unread):
        if not index:
            yield ""
        yield f"not read: {why}"
    if facts.libraries:
        yield ""
        yield from _first_lines(start)
    if command:
        yield f"$ {command}"


def _unseen(facts: Facts) -> list[str]:
    return [row.name for row in ROWS if row.name not in facts.seen]


def _link(page: str) -> str:
    return f' ("{page}")' if page else ""


def _shown(library: UsedLibrary) -> str:
    bridge = "captured by pytest-jobs" if library.is_bridged else "no bridge yet"
    if library.needed:
        bridge = f"too old: pytest-jobs needs {library.needed}"
    version = f" {library.version}" if library.version else ""
    return f"{library.title}{version} ({bridge}){_places(library.places)}"


def _first_lines(start: Start) -> Iterator[str]:
    if start.install is not None:
        yield f"$ {start.install}"
    if start.lines:
        yield f"# {start.file}"
        yield start.section
        yield from start.lines
    yield from start.reads


def _places(places: Sequence[Place]) -> str:
    shown = ", ".join(map(str, places[:_PLACES]))
    more = f" and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
    return f"  {shown}{more}" if shown else ""


def _as_dict(facts: Facts, start: Start, command: str) -> dict[str, object]:
    jobs = {library.name: facts.jobs_of(library.name) for library in facts.libraries}
    pages = {row.name: row.page for row in ROWS}
    return {
        "libraries": [
            {**library._asdict(), "places": [*map(str, library.places)]}
            for library in facts.libraries
        ],
        "jobs": {name: {said: [*map(str, places)]} for name, (said, places) in jobs.items()},
        "seen": {
            row: {what: [*map(str, places)] for what, places in found.items()}
            for row, found in facts.seen.items()
        },
        "nothing_seen_of": _unseen(facts),
        "pages": {**pages, **EVERYWHERE},
        "not_read": facts.unread,
        "start": start._asdict(),
        "next": command,
    }
