"""Noticing enqueues in a test that has no harness: eager ones, and those that reach a real queue."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from ...harness.open_harness import open_harnesses
from ...harness.records.attributes import derived_from
from ...harness.records.patches import Patches
from .known import LIBRARIES


@contextmanager
def noticing_enqueues(notice: Callable[[], object]) -> Generator[None, None, None]:
    """Call a function, in a block, for each enqueue of an imported library while no harness is open."""
    patches = Patches()
    for owner, name in _places():
        patches.set(owner, name, _noticed(getattr(owner, name), notice))
    try:
        yield
    finally:
        patches.restore()


def _places() -> Iterator[tuple[Any, str]]:
    """Yield what enqueues in the libraries that are imported: classes and modules, each with a name."""
    for library in LIBRARIES.values():
        for path in library.enqueues if library.is_imported else ():
            module, _, attributes = path.partition(":")
            *within, name = attributes.split(".")
            try:
                owner: Any = importlib.import_module(module)
            except ImportError:
                continue
            for part in within:
                owner = getattr(owner, part, None)
            derived = derived_from(owner) if isinstance(owner, type) else []
            for each in (owner, *derived):
                if each is not None and name in vars(each):
                    yield each, name


def _noticed(enqueue: Callable[..., Any], notice: Callable[[], object]) -> Callable[..., Any]:
    @functools.wraps(enqueue)
    def noticed(*args: Any, **kwargs: Any) -> Any:
        if not open_harnesses.any_open():
            notice()
        return enqueue(*args, **kwargs)

    return noticed
