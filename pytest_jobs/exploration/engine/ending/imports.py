"""Modules that a delivery imports for the first time: a new process would find them as they are then."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

from ....harness.records.patches import Patches


def follow_imports(patches: Patches, imported: Callable[[ModuleType], object]) -> None:
    """Report each module whose code has just run, before anybody uses it.

    Args:
        patches: ends that.
        imported: called with the module.
    """
    # The loaders of files and of zips inherit it.
    owner: Any = next(kind for kind in SourceFileLoader.__mro__ if "exec_module" in vars(kind))
    genuine = owner.exec_module

    @functools.wraps(genuine)
    def exec_module(loader: Any, module: ModuleType) -> None:
        genuine(loader, module)
        imported(module)

    patches.set(owner, "exec_module", exec_module)
