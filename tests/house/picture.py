"""Draws the house from its imports, as it stands in `docs/explanation/architecture.md`.

`python tests/house/picture.py` writes the picture anew.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from package_modules import PACKAGE, imports, is_ours, modules, tree

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "architecture.md"
BEGIN, END = "<!-- not run: a picture -->\n```text\n", "```\n"


def picture() -> str:
    """Return the packages from the top floor down, with their rooms and what each package imports."""
    packages = {_child(PACKAGE.name, name) for name in modules()} - {""}
    lines = []
    for package in _ordered(PACKAGE.name, packages):
        below = sorted(
            {_child(PACKAGE.name, found.imported) for found in _of(PACKAGE.name, package)}
            - {package, ""}
        )
        lines.append(f"{_label(PACKAGE.name, package)}{_arrow(below)}")
        folder = f"{PACKAGE.name}.{package}"
        lines += _floors(folder, "  ")
    return "\n".join(lines) + "\n"


def drawn(page: str) -> str:
    """Return the page with the picture as it is now."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{picture()}{END}{tail}"


def _floors(folder: str, indent: str) -> list[str]:
    """Return the rooms of a folder from the top floor down, then its files by name."""
    children = {_child(folder, name) for name in modules()} - {""}
    rooms = {name for name in children if _is_room(f"{folder}.{name}")}
    lines = []
    files = sorted(children - rooms)
    if files:
        lines.append(f"{indent}{' '.join(files)}")
    for name in _ordered(folder, rooms):
        lines.append(f"{indent}{_label(folder, name)}")
        lines.append(f"{indent}  {' '.join(_inside(f'{folder}.{name}'))}")
    return lines


def _inside(folder: str) -> list[str]:
    """Return the files of a room, and its own rooms with a slash."""
    names = sorted({_child(folder, name) for name in modules()} - {""})
    return [f"{name}/" if _is_room(f"{folder}.{name}") else name for name in names]


def _ordered(folder: str, names: set[str]) -> list[str]:
    """Return the names so that each comes before what it imports."""
    graph = {
        name: sorted(
            ({_child(folder, found.imported) for found in _of(folder, name)} & names) - {name}
        )
        for name in sorted(names)
    }
    return [*reversed([*TopologicalSorter(graph).static_order()])]


def _of(folder: str, name: str) -> list:
    return [
        found
        for found in imports()
        if is_ours(found.imported) and _child(folder, found.importer) == name
    ]


def _child(folder: str, module: str) -> str:
    if not module.startswith(f"{folder}."):
        return ""
    return module.removeprefix(f"{folder}.").partition(".")[0]


def _is_room(module: str) -> bool:
    return modules().get(module, Path()).name == "__init__.py"


def _label(folder: str, name: str) -> str:
    path = modules()[f"{folder}.{name}"]
    described = (ast.get_docstring(tree(path)) or "").splitlines()[0]
    return f"{name}{'/' if path.name == '__init__.py' else ''}: {described}"


def _arrow(below: list[str]) -> str:
    return f"  -> {', '.join(below)}" if below else ""


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")
