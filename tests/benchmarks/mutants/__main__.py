"""What the tests are worth: mutants of the package, drawn by chance, and which tests catch them.

    python tests/benchmarks/mutants FOLDER [--count 250] [--seed 1] [--only NAME ...] [-m MARKS] [--tests PATH ...]
                                        [--report]

The first run draws mutants into FOLDER; a later one takes those that are there, tries those that no test has
caught yet, and goes on where a run was interrupted. Two versions of the tests are compared by the same mutants.
Tests that fail without a mutant catch none. An environment needs all the libraries:

    pip install -e . --group companions --group bridges && pip install --no-deps arq
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import schemata

ROOT = Path(__file__).parents[3]
#: Libraries whose tests run in a process of their own, as in the environment `coverage`.
_APART = ("apscheduler", "arq", "django_q", "dramatiq", "huey", "oban", "procrastinate", "saq")


def groups() -> dict[str, list[str]]:
    """Return the arguments of pytest for each process, by the name of the process."""
    apart = {
        library: [
            f"tests/bridges/{library}_bridge",
            f"tests/conformance/test_{library}_conformance.py",
        ]
        for library in _APART
    }
    ignored = [f"--ignore={path}" for paths in apart.values() for path in paths]
    # A mutant that one process catches is not tried in those that follow.
    return {
        "rest": [*ignored, "--ignore=tests/companions"],
        "companions": ["tests/companions"],
        **apart,
    }


def run(folder: Path, only: list[str], marks: str, tests: list[str]) -> None:
    for group, arguments in groups().items():
        if only and group not in only:
            continue
        # What a group leaves out, it leaves out of the tests that are asked for as well.
        ignored = [each for each in arguments if each.startswith("--")]
        environment = {
            **os.environ,
            "MUTANTS": str(folder / "mutants.json"),
            "MUTANTS_GROUP": group,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(ROOT)]),
        }
        django = [] if group == "companions" else ["-p", "no:django"]
        command = [
            sys.executable,
            "-P",
            "-m",
            "pytest",
            "-q",
            "-s",
            "-p",
            "runs",
            "-p",
            "no:cacheprovider",
        ]
        print(group, flush=True)
        subprocess.run(
            [*command, *django, "-m", marks, *([*tests, *ignored] if tests else arguments)],
            env=environment,
            cwd=ROOT,
            check=False,
        )


def report(folder: Path) -> None:
    """Print how many mutants were reached and caught, by whom, and the others by name."""
    mutants = [
        schemata.Mutant(*fields) for fields in json.loads((folder / "mutants.json").read_text())
    ]
    reached: set[int] = set()
    for path in folder.glob("reach-*.jsonl"):
        for line in path.read_text().splitlines():
            reached.update(json.loads(line)[4])
    killers: dict[int, list[tuple[str, str]]] = {}
    for path in folder.glob("killed-*.jsonl"):
        for line in path.read_text().splitlines():
            number, found, _ = json.loads(line)
            killers.setdefault(number, []).extend(tuple(one) for one in found)
    caught = {number for number, found in killers.items() if found}
    quickly = {number for number, found in killers.items() if any(not kind for _, kind in found)}
    widely = {
        number for number, found in killers.items() if any(kind == "wide" for _, kind in found)
    }
    print(
        f"{'room':14}{'mutants':>8}{'reached':>9}{'caught':>8}{'by make test':>14}{'by wide only':>14}"
    )
    for room in [*schemata.ROOMS, ""]:
        chosen = {number for number, mutant in enumerate(mutants) if mutant.room.startswith(room)}
        sets = (chosen, reached, caught, quickly, widely - quickly)
        counts = [len(chosen & some) for some in sets]
        print(
            f"{room or 'all':14}{counts[0]:8}{counts[1]:9}{counts[2]:8}{counts[3]:14}{counts[4]:14}"
        )
    modules = Counter(
        module
        for found in killers.values()
        for module in {test.partition("::")[0] for test, _ in found}
    )
    print("\nmodules that catch most:")
    for name, count in modules.most_common(20):
        print(f"  {count:4} {name}")
    print("\ncaught by nothing:")
    for number in sorted({*range(len(mutants))} - caught):
        mutant = mutants[number]
        what = "" if number in reached else "not reached; "
        print(
            f"  {number:3} {mutant.file} {mutant.function}: {what}{mutant.fault}: {mutant.text[:80]}"
        )


def main() -> None:
    """Draw, run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", nargs="*", default=[], choices=groups(), help="these processes only"
    )
    parser.add_argument("-m", dest="marks", default="", help="these tests only, as for pytest")
    parser.add_argument("--tests", nargs="*", default=[], help="these files and folders only")
    parser.add_argument("--report", action="store_true", help="run nothing")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "mutants.json").exists():
        drawn = schemata.drawn(options.count, options.seed)
        (folder / "mutants.json").write_text(json.dumps(drawn, indent=1))
    if not options.report:
        run(folder, options.only, options.marks, options.tests)
    report(folder)


if __name__ == "__main__":
    main()
