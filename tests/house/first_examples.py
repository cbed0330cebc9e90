"""Try the first examples of the README, of the first page and of where it leads: `python first_examples.py BUILT`.

Each has an environment with nothing but the wheel, installed as its section says, and the library of the example.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/docs"))

from pages import DJANGO_PROJECT, change, contains, doors, outcomes, plain, steps  # noqa: E402

PAGES = ("README.md", "docs/index.md")
#: The sections that have a first example, and what a project of this kind has installed.
LIBRARIES = {
    "Celery": ["celery"],
    "Django tasks": ["django>=6"],
    "Taskiq": ["taskiq-redis"],
    "RQ": ["rq"],
    "Without a job library": [],
}
_SECTION = re.compile(r"(?m)^(?:## |:::\{tab\} )(.+)\n")


def sections(page: str) -> dict[str, str]:
    """Return the sections and tabs of a page that run a test."""
    _, *pieces = _SECTION.split(page)
    return {
        name: text
        for name, text in zip(pieces[::2], pieces[1::2], strict=True)
        if any(step.kind == "pytest" for step in steps(text))
    }


def environment(folder: Path, wheel: Path, extra: str, library: list[str]) -> Path:
    """Make an environment, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", f"{wheel}{extra}", *library]
    subprocess.run(install, check=True)
    return python


def problems(text: str, python: Path, folder: Path) -> list[str]:
    """Do what a section says, and return what differs."""
    found, printed = [], ""
    for step in steps(text):
        if step.kind == "file":
            (folder / step.argument).write_text(step.text, "utf-8")
        elif step.kind == "change":
            change(folder, step.argument)
        elif step.kind == "django project":
            for name, source in DJANGO_PROJECT.items():
                (folder / name).write_text(source.replace("TASKS_PACKAGE", "django.tasks"), "utf-8")
        elif step.kind == "pytest":
            arguments, _, expected = step.argument.rpartition(":")
            command = [python, "-m", "pytest", *arguments.split()]
            ran = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
            printed = ran.stdout + ran.stderr
            ended = outcomes(printed.rstrip().rpartition("\n")[2])
            if ended != outcomes(expected):
                found.append(f"expected{expected}:\n{printed}")
        elif step.kind == "output" and not contains(plain(printed), plain(step.text)):
            found.append(f"expected\n{step.text}\nin\n{printed}")
    return found


def main(built: Path) -> int:
    (wheel,) = built.glob("*.whl")
    wrong = 0
    pages = {page: sections((ROOT / page).read_text("utf-8")) for page in PAGES}
    for name in dict.fromkeys(name for texts in pages.values() for name in texts):
        texts_of = {page: texts[name] for page, texts in pages.items() if name in texts}
        if "django>=6" in LIBRARIES[name] and sys.version_info < (3, 12):
            sys.stderr.write(f"{name}: left out, since Django 6 needs Python 3.12\n")
            continue
        extra = re.search(r"pip install \"?pytest-jobs(\[\w+\])?", "".join(texts_of.values()))
        with TemporaryDirectory() as place:
            python = environment(
                Path(place, "venv"), wheel, (extra and extra[1]) or "", LIBRARIES[name]
            )
            for page, text in texts_of.items():
                folder = Path(place, Path(page).stem)
                folder.mkdir()
                wrong += told(f"{page}: {name}", problems(text, python, folder))
    return wrong + try_doors(wheel)


def try_doors(wheel: Path) -> int:
    """Try each page to which the first page leads by what happened; return how many of them fail."""
    by_install: dict[str, dict[str, str]] = {}
    for name, text in doors(ROOT / "docs").items():
        install = re.search(r"pip install pytest-jobs ?([^`]*)`", text)
        by_install.setdefault(install[1] if install else "", {})[name] = text
    wrong = 0
    for install, pages in by_install.items():
        with TemporaryDirectory() as place:
            python = environment(Path(place, "venv"), wheel, "", shlex.split(install))
            for name, text in pages.items():
                folder = Path(place, name.replace("/", "-"))
                folder.mkdir()
                wrong += told(name, problems(text, python, folder))
    return wrong


def told(where: str, found: list[str]) -> bool:
    """Say whether an example does what its page says; return whether it fails."""
    sys.stderr.write(f"{where}: {'fails' if found else 'as it says'}\n")
    sys.stderr.writelines(f"{problem}\n" for problem in found)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
