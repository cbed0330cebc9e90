"""The job libraries that a project depends on: what its dependency files and its imports name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ...bridges.libraries.known import LIBRARIES
from ...integrations.requirements import Requirement, holds_requirements, requirements_in
from .tree import Tree

#: The lock of a large project is long, and names what it has.
_LOCK_BYTES: Final = 16 << 20
#: By the name of a distribution: the files that name it, each with the line.
Requirements = dict[str, list[tuple[str, Requirement]]]


def required(tree: Tree, shown: Callable[[Path], str]) -> tuple[Requirements, list[str]]:
    """Return what the dependency files name, and why some of them were not read."""
    found: Requirements = {}
    unread: list[str] = []
    for path in tree.files:
        name = shown(path)
        if not holds_requirements(name):
            continue
        text = tree.text(path, most=_LOCK_BYTES)
        if text is None:
            continue
        try:
            for one in requirements_in(name, text):
                found.setdefault(one.name, []).append((name, one))
        except ValueError as error:
            unread.append(f"{name} cannot be read: {error}")
    return found, unread


def required_libraries(requirements: Requirements) -> Iterator[str]:
    """Yield the job libraries that a project asks for itself: a lock names those of others, too."""
    for library in LIBRARIES.values():
        for name in library.own_distributions:
            if any(not one.is_locked for _, one in requirements.get(name, ())):
                yield library.name
                break
