"""The modules of the package, and what they import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest_jobs

PACKAGE = Path(pytest_jobs.__file__).parent
#: Private attributes that Django gives to models, and a world sets.
_OF_THIRD_PARTIES = {"_state"}
#: What the standard library of the oldest Python does not have.
_NEWER = {"annotationlib"}
#: Private attributes of other libraries that have the name of one of ours, by the module that reads them.
_OF_OTHERS = {
    "pytest_jobs.harness.time.loop": {"_scheduled"},
    "pytest_jobs.integrations.django.records": {"_state"},
}


@dataclass(frozen=True)
class Import:
    """One import in the source."""

    importer: str
    imported: str
    line: int
    #: Whether it is carried out when the module is imported.
    early: bool

    def __str__(self):
        return f"{self.importer}:{self.line} imports {self.imported}"


@cache
def modules() -> dict[str, Path]:
    """Return the file of each module by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        names = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
        found[".".join(names[:-1] if names[-1] == "__init__" else names)] = path
    return found


@cache
def imports() -> list[Import]:
    """Return every import of every module."""
    known = modules()
    return [found for name, path in known.items() for found in _imports_of(name, path, known)]


def cycles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other, each sorted."""
    graph: dict[str, set[str]] = {}
    for importer, imported in edges:
        graph.setdefault(importer, set()).add(imported)
        graph.setdefault(imported, set())
    reached = {node: _reached(graph, node) for node in graph}
    groups = {
        frozenset(other for other in reached[node] if node in reached[other]) for node in graph
    }
    return sorted(sorted(group) for group in groups if group)


def private_reads() -> list[str]:
    """Return where a module reads a private attribute that only another module of ours defines.

    What an object reads of itself, by `self` or `cls`, counts as its own: a base class may lie elsewhere.
    """
    trees = {name: tree(path) for name, path in modules().items()}
    defined = {name: _private_names(found) for name, found in trees.items()}
    # A name that a module only spells, as in `getattr(model, "_meta", None)`, may be that of another library.
    spelled = {name: _spelled_names(found) for name, found in trees.items()}
    everywhere = set().union(*defined.values())
    foreign = {
        name: everywhere - defined[name] - spelled[name] - _OF_OTHERS.get(name, set())
        for name in trees
    }
    return [
        f"{name}:{node.lineno} reads {ast.unparse(node)}"
        for name, found in trees.items()
        for node in ast.walk(found)
        if isinstance(node, ast.Attribute)
        and _is_private(node.attr)
        and node.attr in foreign[name]
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    ]


def private_imports() -> list[str]:
    """Return where a module imports a private name of another."""
    return [
        f"{name}:{node.lineno} imports {alias.name}"
        for name, path in modules().items()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
        if _is_private(alias.name)
    ]


def room(module: str) -> str:
    """Return the part of the package that a module belongs to; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def is_ours(module: str) -> bool:
    """Say whether a module belongs to the package."""
    return module == PACKAGE.name or module.startswith(f"{PACKAGE.name}.")


def is_third_party(module: str) -> bool:
    """Say whether a module is neither ours nor of the standard library."""
    top = module.partition(".")[0]
    return not is_ours(module) and top not in sys.stdlib_module_names and top not in _NEWER


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text("utf-8"))


def _imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[Import]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    waiting: list[tuple[ast.AST, bool]] = [(tree(path), True)]
    while waiting:
        node, early = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name, node.lineno, early)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(name, inner if inner in known else base, node.lineno, early)
        elif not isinstance(node, ast.expr):
            waits = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
                isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            )
            inside = [(child, early and not waits) for child in ast.iter_child_nodes(node)]
            waiting += reversed(inside)


def _base(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    pieces = package.split(".")
    pieces = pieces[: len(pieces) - node.level + 1]
    return ".".join([*pieces, node.module] if node.module else pieces)


def _reached(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += graph[node]
    return found


def _is_private(name: str) -> bool:
    # The methods of a NamedTuple are public: the underscore keeps them apart from its fields.
    return (
        name.startswith("_") and not name.startswith("__") and name not in ("_asdict", "_replace")
    )


def _private_names(tree: ast.Module) -> set[str]:
    """Return the private names that a module gives to its classes and objects."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            found |= _spelled_names(node.value)
    return {name for name in found if _is_private(name)} - _OF_THIRD_PARTIES


def _spelled_names(tree: ast.AST) -> set[str]:
    """Return the private names in the strings of a module."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _is_private(node.value)
    }
