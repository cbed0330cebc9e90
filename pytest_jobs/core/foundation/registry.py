"""The names of job classes, and the class that a name means."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from collections.abc import Iterable
from typing import Any

from ...errors import AmbiguousJobError, UnknownJobError


def name_of(cls: type) -> str:
    """Return the name under which a class travels: `package.module.Class`."""
    return f"{cls.__module__}.{cls.__qualname__}"


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """Return the dotted name that was most likely meant; None when none is near.

    That is one with the same last part in another module, or one whose last part is spelt alike, first in the same
    module.
    """
    import difflib

    module, _, last = name.rpartition(".")
    elsewhere: dict[str, str] = {}
    siblings: dict[str, str] = {}
    for other in sorted(names):
        its_module, _, its_last = other.rpartition(".")
        elsewhere.setdefault(its_last, other)
        if its_module == module:
            siblings[its_last] = other
    if last in elsewhere:
        return elsewhere[last]
    for found, cutoff in ((siblings, 0.6), (elsewhere, 0.85)):
        near = difflib.get_close_matches(last, found, n=1, cutoff=cutoff)
        if near:
            return found[near[0]]
    return None


class Registry:
    """The job classes of the process, by name. It does not keep them alive."""

    __slots__ = ("_classes",)

    def __init__(self) -> None:
        self._classes: dict[str, weakref.WeakSet[type[Any]]] = {}

    def add(self, cls: type[Any]) -> None:
        """Remember a job class; it is forgotten with the class itself."""
        self._classes.setdefault(name_of(cls), weakref.WeakSet()).add(cls)

    def known(self, name: str) -> bool:
        """Return whether a job class of this name is loaded."""
        return bool(self._classes.get(name))

    def names(self) -> list[str]:
        """Return the names of the loaded job classes that a worker could find and perform.

        A name that several classes share counts if a loaded module has one of them under it. The others are what
        reloaded modules and earlier tests left, which `find` has to collect: half a second in a big process.
        """
        return [
            name
            for name, found in [*self._classes.items()]
            if "<locals>" not in name
            and any(hasattr(cls, "perform") for cls in [*found])
            and (len(found) == 1 or _meant_by(name) in found)
        ]

    def find(self, name: str) -> type[Any]:
        """Return the job class of this name, importing its module if need be.

        Where a job was moved or renamed, its old name may go on as an alias: so a job class that a module
        has under this name counts too, whatever its own name is.

        Raises:
            UnknownJobError: when there is none.
            AmbiguousJobError: when there are several.
        """
        if not self.known(name):
            import_module_of(name)
        found = self._sharing(name) or self._aliased(name)
        if not found:
            near = nearest_name(name, self.names())
            nearest = f"; the nearest is {near!r}" if near else ""
            raise UnknownJobError(
                f"No job is named {name!r}{nearest}. It was moved or renamed while its jobs were waiting: keep "
                "the old name as an alias until they are done, or make sure that its module can be imported here."
            )
        if len(found) > 1:
            raise AmbiguousJobError(_ambiguous(name, len(found)))
        return found[0]

    def check_findable(self, cls: type[Any]) -> None:
        """Check that a worker could find this class by its name.

        Raises:
            UnknownJobError: when the class was made inside a function.
            AmbiguousJobError: when another class has the same name.
        """
        name = name_of(cls)
        if "<locals>" in name:
            raise UnknownJobError(
                f"{name} was defined inside a function, so no worker can find it by its name: define it "
                "at the top of a module."
            )
        if len(found := self._sharing(name)) > 1:
            raise AmbiguousJobError(_ambiguous(name, len(found)))

    def _sharing(self, name: str) -> list[type[Any]]:
        found = list(self._classes.get(name, ()))
        if len(found) > 1:
            # A reloaded module leaves its old classes behind in reference cycles.
            del found
            gc.collect()
            found = list(self._classes.get(name, ()))
        return found

    def _aliased(self, name: str) -> list[type[Any]]:
        """Return the job class to which a loaded module gives this name, in a list, or an empty list."""
        found = _meant_by(name)
        return [found] if found and found in self._classes.get(name_of(found), ()) else []


def _ambiguous(name: str, count: int) -> str:
    return f"{count} job classes are named {name!r}, so a payload cannot say which it means: rename all but one."


def _meant_by(name: str) -> type[Any] | None:
    """Return the job class to which a loaded module gives this name; None when there is none."""
    found = getattr(standing_at(name), "job_class", None)
    return found if isinstance(found, type) else None


def standing_at(name: str) -> object:
    """Return the object that a loaded module has under a dotted name; None when there is none."""
    module, _, path = name.rpartition(".")
    while module and module not in sys.modules:
        module, _, last = module.rpartition(".")
        path = f"{last}.{path}"
    found: object = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def import_module_of(name: str) -> None:
    """Import the module of an object of this name, if there is one."""
    module, _, _ = name.rpartition(".")
    while module and "<locals>" not in name:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            module, _, _ = module.rpartition(".")
        else:
            return


#: Where every job class of the process is found.
registry = Registry()
