"""What the package and its tests weigh: lines, files, and how much of a function is wrapping.

    python tests/house/weight.py [ROOT]

ROOT is the checkout that is weighed, by default the one of this file. A function is wrapped by its decorators, its
signature, its docstring and blank lines, those above it included; the other lines are its body. A module with one
importer may be a part of that.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Weight(NamedTuple):
    """What some files weigh."""

    files: int
    lines: int
    comments: int
    #: How many lines of body each function has.
    bodies: list[int]
    wrapping: int

    def __str__(self) -> str:
        inside = sum(self.bodies)
        return (
            f"{self.lines:7,} lines {self.files:4} files {len(self.bodies):6,} functions"
            f"  mean body {inside / (len(self.bodies) or 1):5.2f}  wrapping {self.wrapping / (inside or 1):.2f}"
            f"  comments {self.comments / (self.lines or 1):.1%}"
        )


def weight_of(folder: Path) -> Weight:
    """Weigh the Python files in a folder, or one file."""
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.py"))
    texts = [file.read_text("utf-8") for file in files]
    functions = [each for text in texts for each in _functions(text)]
    return Weight(
        len(files),
        sum(len(text.splitlines()) for text in texts),
        sum(line.lstrip().startswith("#") for text in texts for line in text.splitlines()),
        [body for body, _ in functions],
        sum(wrapping for _, wrapping in functions),
    )


def _functions(text: str) -> Iterator[tuple[int, int]]:
    """Yield how many lines of body each function of a module has, and how many lines of wrapping."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        has_docstring = ast.get_docstring(node, clean=False) is not None
        body = node.body[1:] if has_docstring else node.body
        begin = body[0].lineno if body else node.end_lineno or node.lineno
        inside = (
            [line for line in lines[begin - 1 : node.end_lineno] if line.strip()] if body else []
        )
        first = min(decorator.lineno for decorator in [*node.decorator_list, node]) - 1
        while first and not lines[first - 1].strip():
            first -= 1
        yield len(inside), (node.end_lineno or node.lineno) - first - len(inside)


def with_one_importer(package: Path) -> int:
    """Return how many modules of the package are imported by one other module alone."""
    names = {
        ".".join(file.relative_to(package.parent).with_suffix("").parts): file
        for file in package.rglob("*.py")
    }
    importers: Counter[str] = Counter()
    for name, file in names.items():
        found: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                up = name.split(".")[: -node.level] if node.level else []
                base = ".".join([*up, *filter(None, [node.module])])
                found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        importers.update(found & names.keys() - {name})
    return sum(count == 1 for name, count in importers.items() if names[name].name != "__init__.py")


def table(root: Path) -> Iterator[str]:
    """Yield the lines of the table of a checkout."""
    for folder in (root / "pytest_jobs", root / "tests"):
        yield f"{folder.name:28}{weight_of(folder)}"
        rooms = (room for room in sorted(folder.iterdir()) if any(room.glob("**/*.py")))
        yield from (f"  {room.name:26}{weight_of(room)}" for room in rooms)
    yield f"modules with one importer: {with_one_importer(root / 'pytest_jobs')}"


if __name__ == "__main__":
    sys.stdout.writelines(
        f"{line}\n" for line in table(Path(sys.argv[1]) if sys.argv[1:] else ROOT)
    )
