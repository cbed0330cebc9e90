"""One file of Python as a syntax tree, and where each of its names comes from."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
#: Half of the nodes of a file: nothing is below them.
_LEAVES: Final = frozenset((ast.Name, ast.Constant))


class Module:
    """One file of Python."""

    def __init__(self, path: Path, shown: str, name: str, text: str) -> None:
        """Parse a file.

        Args:
            path: where the file is.
            shown: its name in findings, relative to where the user stands.
            name: its dotted name.
            text: its content.

        Raises:
            SyntaxError: when it is not Python.
        """
        self.path = path
        self.shown = shown
        self.name = name
        self.text = text
        with warnings.catch_warnings():
            # Of escapes such as "\\d", which are the business of another lint.
            warnings.simplefilter("ignore")
            self.tree = ast.parse(text)
        #: What each imported name stands for, as a dotted name.
        self.imported: dict[str, str] = {}
        #: The functions and classes by their dotted name inside the module.
        self.functions: dict[str, Function] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        #: What names of the module are assigned: the first value counts.
        self.assigned: dict[str, ast.expr] = {}
        self.calls: list[ast.Call] = []
        self.parents: dict[ast.AST, ast.AST] = {}
        self._read(self.tree, "", is_top=True)

    @cached_property
    def file(self) -> str:
        """Its path without links, as Python knows it that has imported it."""
        return str(self.path.resolve())

    def origin(self, node: ast.AST | None) -> str:
        """Return the dotted name that an expression stands for; empty when it is not a name."""
        if isinstance(node, ast.Name):
            if node.id in self.imported:
                return self.imported[node.id]
            known = self.functions.keys() | self.classes.keys() | self.assigned.keys()
            return f"{self.name}.{node.id}" if node.id in known else node.id
        if isinstance(node, ast.Attribute):
            base = self.origin(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def function_around(self, node: ast.AST) -> Function | None:
        """Return the innermost function that a node stands in."""
        for outer in self.around(node):
            if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
                return outer
        return None

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node stands in, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def local_value(self, name: str, near: ast.AST) -> ast.expr | None:
        """Return what a name is assigned last before a node: in its function, else in the module."""
        function = self.function_around(near)
        if function is not None:
            line = getattr(near, "lineno", 0)
            values = [
                node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign | ast.AnnAssign)
                and node.value is not None
                and node.lineno <= line
                and any(
                    isinstance(target, ast.Name) and target.id == name
                    for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
                )
            ]
            if values:
                return values[-1]
            if any(argument.arg == name for argument in arguments_of(function)):
                return None
        return self.assigned.get(name)

    def annotation(self, name: str, near: ast.AST) -> ast.expr | None:
        """Return the annotation of a parameter of the function that a node stands in."""
        function = self.function_around(near)
        if function is None:
            return None
        return next((one.annotation for one in arguments_of(function) if one.arg == name), None)

    def _read(self, node: ast.AST, prefix: str, *, is_top: bool) -> None:
        # One pass over the tree takes half of the time of a run, so everything is collected in it.
        parents, calls = self.parents, self.calls
        for child in _children(node):
            parents[child] = node
            if type(child) in _LEAVES:
                continue
            if isinstance(child, ast.Call):
                calls.append(child)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{child.name}"
                self.functions.setdefault(name, child)
                self._read(child, f"{name}.", is_top=False)
                continue
            elif isinstance(child, ast.ClassDef):
                name = f"{prefix}{child.name}"
                self.classes.setdefault(name, child)
                self._read(child, f"{name}.", is_top=False)
                continue
            elif isinstance(child, ast.Import | ast.ImportFrom):
                self._import(child)
            elif is_top and isinstance(child, ast.Assign | ast.AnnAssign) and child.value:
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.assigned.setdefault(target.id, child.value)
            top = is_top and isinstance(child, ast.If | ast.Try | ast.With)
            self._read(child, prefix, is_top=top)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                self.imported[alias.asname or top] = alias.name if alias.asname else top
            return
        base = node.module or ""
        if node.level:
            pieces = self.name.split(".")
            kept = len(pieces) - node.level + (self.path.name == "__init__.py")
            base = ".".join([*pieces[: max(kept, 0)], *([node.module] if node.module else [])])
        for alias in node.names:
            self.imported[alias.asname or alias.name] = (
                f"{base}.{alias.name}" if base else alias.name
            )


def name_from_root(shown: str) -> str:
    """Return the dotted name of a file for those who start Python in the folder that its name begins in."""
    pieces = Path(shown).with_suffix("").parts
    return ".".join(pieces[:-1] if pieces[-1:] == ("__init__",) else pieces)


def first_line(function: Function) -> int:
    """Return the line in which a function begins, decorators included."""
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])


def _children(node: ast.AST) -> list[ast.AST]:
    # Half the time of `ast.iter_child_nodes`, which is half the time of a run. Contexts are nodes without a place.
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [one for one in value if isinstance(one, ast.AST)]
        elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
            found.append(value)
    return found


def arguments_of(function: Function) -> list[ast.arg]:
    """Return the parameters of a function, without those with stars."""
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
