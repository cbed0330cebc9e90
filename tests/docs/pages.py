"""Reads a page of the documentation as a script: what its comments and captions say is done with its blocks.

The line before a block is the name of its file, which readers see too:

    **`shop.py`**
    ```python

Such a block is written to the file. A comment above says that something else is done with it:

- `<!-- python -->`: the block is run as a script.
- `<!-- output -->`: the block is what the last run printed; a line `...` stands for any lines.
- `<!-- not run: REASON -->`: the block is only read.

Alone stand `<!-- pytest ARGUMENTS: OUTCOMES -->`, which runs pytest on the files so far, as in
`<!-- pytest test_pay.py: 1 passed, 1 failed -->`; `<!-- pytest_jobs ARGUMENTS: EXIT CODE -->`, which
runs `python -m pytest_jobs`; `<!-- empty NAME -->`, which writes an empty file;
`<!-- needs MODULES -->`, which says without which modules the page cannot be run; and `<!-- django project -->`,
which writes the settings that a page takes for granted; `<!-- change FILE: THIS => THAT -->`, which
makes the change that the page names. Blocks of `console` are only read.
Any other block without a name or a comment is an error, and so is source without a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_STEP = re.compile(
    r"^<!-- (?P<kind>file|empty|change|python|output|not run|pytest_jobs|pytest|needs|django project)"
    r"(?P<rest>[^\n]*?) -->\n|"
    r"^\*\*`(?P<name>[^`\n]+)`\*\*\n(?=`{3})|"
    r"^(?P<fence>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_ALONE = ("console",)
_WITHOUT_BLOCK = ("pytest", "pytest_jobs", "needs", "empty", "change", "django project")
#: What is written to files.
_SOURCE = ("python", "ini", "toml", "yaml")
#: The settings of a project that has Django, and what pytest-django does with them.
DJANGO_PROJECT = {
    "proj_settings.py": """
SECRET_KEY = "tests"
INSTALLED_APPS = []
TASKS = {"default": {"BACKEND": "TASKS_PACKAGE.backends.dummy.DummyBackend", "QUEUES": []}}
""",
    "conftest.py": """
import os
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "proj_settings"
django.setup()
""",
}


@dataclass(frozen=True)
class Step:
    """One thing to do, in the order of the page."""

    kind: str
    argument: str
    text: str
    line: int


def steps(page: str) -> Iterator[Step]:
    """Go through what a page says is to be done."""
    announced = name = ""
    for found in _STEP.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        if found["kind"] == "file":
            raise ValueError(f"line {line}: write **`{found['rest'].strip()}`**, which is shown")
        if found["kind"] == "change" and page.count(found["rest"].partition(" => ")[2]) < 2:
            raise ValueError(f"line {line}: readers do not see this change")
        if found["kind"] in _WITHOUT_BLOCK:
            yield Step(found["kind"], found["rest"].strip(), "", line)
        elif found["kind"]:
            announced = found["kind"]
        elif found["name"]:
            name = found["name"]
        else:
            language = found["language"].strip()
            if name or announced:
                yield Step(announced or "file", name, found["text"], line)
            elif language not in _ALONE and not language.startswith("{"):
                raise ValueError(f"line {line}: this block says nothing of what it is")
            if language in _SOURCE and not name:
                raise ValueError(f"line {line}: this block does not show the name of its file")
            if not found["text"].strip():
                raise ValueError(f"line {line}: this block is empty")
            announced = name = ""
    if announced:
        raise ValueError(f"the last comment ({announced}) has no block")


def doors(docs: Path) -> dict[str, str]:
    """Return where the first page leads by what happened, with what a reader sees there first."""
    rows = (docs / "index.md").read_text("utf-8").partition("## What happened?")[2]
    found = {}
    for name, anchor in re.findall(
        r"\]\((how-to/[\w/-]+\.md)(#[\w-]+)?\)", rows.partition("\n## ")[0]
    ):
        text = (docs / name).read_text("utf-8")
        if anchor:
            heading = re.compile(f"(?im)^## {anchor[1:].replace('-', ' ')}$")
            text = heading.split(text)[1]
        found[name + anchor] = text.partition("\n## ")[0]
    return found


def change(folder: Path, argument: str) -> None:
    """Change a file in a folder, as `FILE: THIS => THAT` says."""
    name, _, both = argument.partition(": ")
    this, _, that = both.partition(" => ")
    path = folder / name
    source = path.read_text("utf-8")
    if source.count(this) != 1:
        raise ValueError(f"{this!r} stands {source.count(this)} times in {name}")
    path.write_text(source.replace(this, that), "utf-8")


def outcomes(text: str) -> dict[str, int]:
    """Return outcomes written as `1 passed, 2 failed`."""
    return {name: int(count) for count, name in re.findall(r"(\d+) (\w+)", text)}


def plain(printed: str) -> str:
    """Return what was printed without the margin of pytest, which a page may leave out."""
    return re.sub(r"(?m)^E {3}|^E$|^    (?=\S)|[ \t]+$", "", printed)


def contains(printed: str, shown: str) -> bool:
    """Say whether lines stand in an output one after the other, `...` standing for any lines."""
    pieces = [piece.strip("\n") for piece in re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)]
    position = 0
    for piece in pieces:
        if piece:
            position = printed.find(piece, position)
            if position < 0:
                return False
            position += len(piece)
    return True
