"""The options of a decorator, with those of the dictionaries that it unpacks: `@app.task(**PATIENT)`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..source.jobs import constant, keywords
from ..source.module import Module, name_from_root

#: The folder of the project, in the names of its modules: what a relative import names is of the project.
ROOT: Final = "<project>"
#: So many names are followed from one to the next.
_MOST: Final = 8


class Sources:
    """The files of a project, in which dictionaries are looked up."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def module(self, shown: str) -> Module:
        """Return a file as a syntax tree.

        Raises:
            SyntaxError: when it is not Python.
        """
        name = f"{ROOT}.{name_from_root(shown)}".rstrip(".")
        return Module(Path(shown), shown, name, self._texts[shown])

    def options_of(
        self, call: ast.Call, module: Module, most: int = _MOST
    ) -> tuple[set[str], list[str]]:
        """Return the names of the options of a call, and what it unpacks and no file writes as a dictionary."""
        found, unread = {*keywords(call)}, list[str]()
        for one in call.keywords:
            if one.arg is None:
                keys = self._keys_of(one.value, module, most)
                found |= keys or set()
                unread += [ast.unparse(one.value)] if keys is None else []
        return found, unread

    def _keys_of(self, node: ast.expr | None, module: Module, most: int) -> set[str] | None:
        """Return the keys of a dictionary; None if no file writes all of it."""
        if node is None or not most:
            return None
        if isinstance(node, ast.Dict):
            found = set[str]()
            for key, value in zip(node.keys, node.values, strict=True):
                keys = {str(constant(key))} if key else self._keys_of(value, module, most - 1)
                if keys is None:
                    return None
                found |= keys
            return found
        if isinstance(node, ast.Call) and module.origin(node.func) == "dict":
            found, unread = self.options_of(node, module, most - 1)
            return None if unread or node.args else found
        local = module.local_value(node.id, node) if isinstance(node, ast.Name) else None
        if local is None:
            module, local = self._assigned(module.origin(node)) or (module, None)
        return self._keys_of(local, module, most - 1)

    def _assigned(self, origin: str) -> tuple[Module, ast.expr | None] | None:
        """Return the module that a dotted name leads to, and what it assigns to the name or imports under it."""
        head, _, name = origin.removeprefix(f"{ROOT}.").rpartition(".")
        ends = tuple(f"/{head.replace('.', '/')}{end}" for end in (".py", "/__init__.py"))
        files = [shown for shown in self._texts if head and f"/{shown}".endswith(ends)]
        if len(files) != 1:
            return None
        try:
            module = self.module(files[0])
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        is_imported = name in module.imported
        return module, ast.Name(name) if is_imported else module.assigned.get(name)
