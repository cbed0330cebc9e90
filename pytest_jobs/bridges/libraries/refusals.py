"""The refusal of an enqueue that nobody could record."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Protocol

from ...errors import RefusedEnqueueError
from ..seam import Seam
from .known import Library


class Refused(Protocol):
    """Where refusals are noted: the ledger of a harness."""

    def refused(self, why: str) -> None: ...


class Beside(ABC):
    """What is in force for one harness at the methods of a library, without being a bridge to it."""

    def __init__(self, seam: Seam) -> None:
        """Prepare it; `install` puts it in force."""
        self.seam = seam

    def install(self) -> None:
        self.seam.enter(self)

    def uninstall(self) -> None:
        self.seam.leave(self)

    def takes(self, application: object) -> bool:
        return True

    @abstractmethod
    def patch(self, seam: Seam) -> None:
        """Stand in for the methods, once for all harnesses."""


class Refusal(Beside):
    """Refuses every enqueue of a library for one harness: the job would go to the real queue, unseen."""

    def __init__(self, library: Library, ledger: Refused, why: str) -> None:
        """Prepare it; `install` puts it in force.

        Args:
            library: the library.
            ledger: where refusals are noted.
            why: why the library cannot be captured, as a sentence without its full stop.
        """
        super().__init__(library.seam)
        self._library = library
        self._ledger = ledger
        self._why = why

    def patch(self, seam: Seam) -> None:
        for owner, name in methods_at(self._library.enqueues):
            method = partial(Refusal._refuse, call=name)
            if isinstance(vars(owner).get(name), classmethod):
                seam.set(owner, name, classmethod(_refused_of_class(seam, owner, name)))
            else:
                seam.replace(owner, name, method)
                seam.replace_below(owner, name, method)

    def _refuse(self, sender: object, /, *args: Any, call: str, **kwargs: Any) -> Any:
        shown = ", ".join(_shown(args, kwargs))
        of_class = sender if isinstance(sender, type) else type(sender)
        error = RefusedEnqueueError(
            f"{of_class.__name__}.{call}({shown}) was refused: the job would go to the real queue, where no "
            f"assertion sees it. {self._why}. Replace the call in this test, or say "
            f"jobs_ignore = {self._library.name} to let {self._library.title} through unseen."
        )
        self._ledger.refused(str(error))
        raise error


def methods_at(paths: Iterable[str]) -> Iterator[tuple[type, str]]:
    """Yield the class and the name of each method that is named as "module:Class.method" and exists."""
    for path in paths:
        module_name, _, attributes = path.partition(":")
        class_name, _, name = attributes.partition(".")
        owner = getattr(_imported(module_name), class_name, None)
        if isinstance(owner, type) and hasattr(owner, name):
            yield owner, name


def _refused_of_class(seam: Seam, owner: type, name: str) -> Callable[..., Any]:
    """Return what takes the place of a class method that enqueues."""
    genuine: Callable[..., Any] = vars(owner)[name].__func__

    def refuse(cls: type, *args: Any, **kwargs: Any) -> Any:
        refusal = seam.bridge_of(cls)
        if refusal is None:
            return genuine(cls, *args, **kwargs)
        return Refusal._refuse(refusal, cls, *args, call=name, **kwargs)

    return refuse


def _imported(name: str) -> ModuleType | None:
    """Return a module of a library; None when this version has no such module."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _shown(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the functions, tasks and messages among some arguments."""
    for value in (*args, *kwargs.values()):
        name = value
        for attribute in ("__qualname__", "func_name", "actor_name", "task_name", "name"):
            if isinstance(name, str):
                break
            name = getattr(value, attribute, None)
        if isinstance(name, str):
            yield name
