"""Doing something to a module as soon as it is imported."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ...harness.records.patches import Patches


def when_imported(actions: Mapping[str, Callable[[ModuleType], object]], patches: Patches) -> None:
    """Do something to each of some modules: now when it is imported, else as soon as it is.

    Args:
        actions: the names of modules, and what is called with each.
        patches: puts an end to it.
    """
    waiting = dict(actions)
    for name in actions:
        if name in sys.modules:
            waiting.pop(name)(sys.modules[name])
    finder = _Finder(waiting)
    sys.meta_path.insert(0, finder)
    patches.undo_by(lambda: sys.meta_path.remove(finder))


class _Finder(MetaPathFinder):
    """Finds the modules that are waited for as the others do, and hears when they are loaded."""

    def __init__(self, waiting: dict[str, Callable[[ModuleType], object]]) -> None:
        self._waiting = waiting

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        action = self._waiting.pop(name, None)
        if action is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            self._waiting[name] = action
            return None
        spec.loader = _Loader(spec.loader, action)
        return spec


class _Loader(Loader):
    """Loads as another does, and then tells."""

    def __init__(self, loader: Any, action: Callable[[ModuleType], object]) -> None:
        self._loader = loader
        self._action = action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._action(module)
