"""The names of job classes, and the class that a name means."""

from __future__ import annotations

import ast
import gc
import importlib
import sys
import weakref
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import resolve_name
from pathlib import Path
from typing import Any, Final, NamedTuple

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
                "the old name as an alias until they are done. A payload has a module imported only if the text "
                "of the module declares the job: where it does not, import the module where the worker starts."
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


# Importing for a payload

#: The package with which jobs are made.
_OURS: Final = ("pytest_jobs",)


def import_module_of(name: str, made_with: Sequence[str] = _OURS) -> None:
    """Import the module of an object of this name, if the text of the module makes the object as is expected.

    A payload names the object, and a payload can be written by everyone who can write to the queue. To import a
    module is to run it, so every other module is left alone.

    Args:
        name: the dotted name.
        made_with: the packages with one of which such an object is made.
    """
    is_name = all(map(str.isidentifier, name.split(".")))
    if not is_name or standing_at(name) is not None or not _Texts(made_with).make(name):
        return
    module, _, _ = name.rpartition(".")
    while module:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            module, _, _ = module.rpartition(".")
        else:
            return


class _Text(NamedTuple):
    """What the text of a module says of its names."""

    #: The names that the statements of each name mention.
    mentioned: dict[str, list[str]]
    #: What each imported name is elsewhere; under "*" the modules from which all names are imported.
    imported: dict[str, list[str]]


class _Texts:
    """The texts of modules that are not imported, and what they make their names with."""

    #: An application needs few modules to make a job; who needs more is looking at a library.
    _MOST: Final = 50

    def __init__(self, made_with: Sequence[str]) -> None:
        self._made_with = made_with
        self._asked: set[str] = set()
        self._texts: dict[str, _Text] = {}

    def make(self, name: str) -> bool:
        """Return whether the object of this name is made with one of the packages, however indirectly."""
        module, _, path = name.partition(".")
        if module in self._made_with:
            return True
        if module in sys.stdlib_module_names or name in self._asked:
            return False
        self._asked.add(name)
        spec = _spec(module, None)
        while spec is not None and spec.submodule_search_locations is not None and path:
            piece, _, rest = path.partition(".")
            inner = _spec(f"{module}.{piece}", [*spec.submodule_search_locations])
            if inner is None:
                break
            module, spec, path = f"{module}.{piece}", inner, rest
        if spec is None or not path:
            return False
        text = self._text_of(module, spec)
        first, dot, rest = path.partition(".")
        return text is None or any(
            map(
                self.make,
                [
                    *(f"{module}.{each}" for each in text.mentioned.get(first, ())),
                    *(f"{each}{dot}{rest}" for each in text.imported.get(first, ())),
                    *(f"{each}.{path}" for each in text.imported.get("*", ())),
                ],
            )
        )

    def _text_of(self, module: str, spec: ModuleSpec) -> _Text | None:
        """Return what a module says; None if its text is wrong, which its import will say better."""
        if module not in self._texts:
            if len(self._texts) == self._MOST or not (spec.origin or "").endswith(".py"):
                return _Text({}, {})
            try:
                tree = ast.parse(Path(str(spec.origin)).read_bytes())
            except (SyntaxError, ValueError):
                return None
            is_package = spec.submodule_search_locations is not None
            package = module if is_package else module.rpartition(".")[0]
            self._texts[module] = _read(tree, package)
        return self._texts[module]


def _spec(module: str, folders: list[str] | None) -> ModuleSpec | None:
    """Find a module without importing the package that it is in, as `importlib.util.find_spec` would."""
    try:
        found = (finder.find_spec(module, folders) for finder in sys.meta_path)
        return next((spec for spec in found if spec is not None), None)
    except KeyError:
        # A folder without `__init__` asks the package that it is in, which is not imported.
        spec = ModuleSpec(module, None, is_package=True)
        spec.submodule_search_locations = [
            str(Path(folder, module.rpartition(".")[2])) for folder in folders or ()
        ]
        return spec


def _read(tree: ast.Module, package: str) -> _Text:
    """Read the statements of a module, those inside of others too.

    Args:
        tree: the module.
        package: what its relative imports start from.
    """
    text = _Text({}, {})
    for node in ast.walk(tree):
        match node:
            case (
                ast.ClassDef(name=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.Assign(targets=[*_, ast.Name(id=name)])
                | ast.AnnAssign(target=ast.Name(id=name))
            ):
                text.mentioned.setdefault(name, []).extend(_names_in(node))
            case ast.Import(names=names):
                for each in names:
                    target = each.name if each.asname else each.name.partition(".")[0]
                    text.imported.setdefault(each.asname or target, []).append(target)
            case ast.ImportFrom(module=module, names=names, level=level) if package or not level:
                source = resolve_name(f"{'.' * level}{module or ''}", package)
                for each in names:
                    target = source if each.name == "*" else f"{source}.{each.name}"
                    text.imported.setdefault(each.asname or each.name, []).append(target)
            case _:
                pass
    return text


def _names_in(tree: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement mentions, with the attributes that are asked of them."""
    for node in ast.walk(tree):
        match node:
            case ast.Name() | ast.Attribute():
                written = ast.unparse(node)
                if all(map(str.isidentifier, written.split("."))):
                    yield written
            case ast.ImportFrom(names=names):
                yield from (each.asname or each.name for each in names)
            case _:
                pass


#: Where every job class of the process is found.
registry = Registry()
