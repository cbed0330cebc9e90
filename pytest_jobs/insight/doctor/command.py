"""`python -m pytest_jobs doctor [PATH]` and `python -m pytest_jobs init [PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from .facts import Evidence, Facts, UsedLibrary
from .first_test import FirstTest, first_tests, run
from .patterns import Advice, advice
from .reading import read_project
from .start import Start, base_of, start_of, written

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
    first = next((one.place.path for one in facts.declared), "")
    said, start = advice(facts), start_of(root, base_of(root, first), facts)
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


def _text(facts: Facts, said: Sequence[Advice], start: Start) -> Iterator[str]:
    if not facts.libraries:
        yield "No job library was found."
    yield from map(_shown, facts.libraries)
    for title, found in _found(facts).items():
        for name, places in found.items():
            yield f"{title}: {name}{_places(places)}"
    for library in facts.libraries:
        seen, places = facts.seen(library.name)
        yield f"in the text: {seen or 'nothing'} of {library.title}{_places(places)}"
    if facts.libraries:
        yield "jobs: `pytest --jobs-lint` asks the running libraries for them"
    width = max((len(one.pattern) for one in said), default=0) + 2
    for index, one in enumerate(said):
        if not index:
            yield ""
        yield f"{one.fit:<10}{one.pattern:<{width}}{one.why}"
        yield from (f"{'':<10}{'':<{width}}{place}" for place in one.evidence[:_PLACES])
        more = len(one.evidence) - _PLACES
        if more > 0:
            yield f"{'':<10}{'':<{width}}and {more} more"
    for index, why in enumerate(facts.unread):
        if not index:
            yield ""
        yield f"not read: {why}"
    if facts.libraries:
        yield ""
        yield from _first_lines(start)


def _shown(library: UsedLibrary) -> str:
    bridge = "captured by pytest-jobs" if library.is_bridged else "no bridge yet"
    if library.needed:
        bridge = f"too old: pytest-jobs needs {library.needed}"
    version = f" {library.version}" if library.version else ""
    return f"{library.title}{version} ({bridge}){_places(library.evidence)}"


def _found(facts: Facts) -> dict[str, Mapping[str, list[Evidence]]]:
    return {
        "broker": facts.brokers,
        "result backend": facts.backends,
        "scheduler": facts.schedulers,
        "locks": facts.locks,
        "transactions": facts.transactions,
        "tenants": facts.tenants,
        "tests": facts.tests,
        "workers": facts.queues,
        "told of failures": facts.failures,
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
    shown = ", ".join(f"{one.path}:{one.line}" for one in evidence[:_PLACES])
    more = f" and {len(evidence) - _PLACES} more" if len(evidence) > _PLACES else ""
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
        "in_the_text": {
            library.name: {"words": seen, "evidence": _dicts(places)}
            for library in facts.libraries
            for seen, places in [facts.seen(library.name)]
        },
        "patterns": [{**one._asdict(), "evidence": _dicts(one.evidence)} for one in said],
        "start": start._asdict(),
        "not_read": facts.unread,
    }


def _dicts(evidence: Sequence[Evidence]) -> list[dict[str, object]]:
    return [one._asdict() for one in evidence]
