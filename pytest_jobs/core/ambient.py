"""Where the values of current attributes are while code runs."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import DeserializationError
from .registry import import_module_of, name_of

if TYPE_CHECKING:
    from .current import CurrentAttributes

#: The values of each class. It is replaced as a whole, never changed: so a job can keep it.
Ambient: TypeAlias = Mapping[type["CurrentAttributes"], Mapping[str, Any]]

EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})

#: What is set in this context.
ambient: ContextVar[Ambient] = ContextVar("pytest_jobs_ambient", default=EMPTY)


class CurrentClasses:
    """The classes of current attributes of the process, by name. It does not keep them alive."""

    __slots__ = ("_by_name", "any")

    def __init__(self) -> None:
        self._by_name: weakref.WeakValueDictionary[str, type[CurrentAttributes]] = (
            weakref.WeakValueDictionary()
        )
        #: Whether one was ever declared: without any, jobs spend no time on them.
        self.any = False

    def add(self, cls: type[CurrentAttributes]) -> None:
        """Remember a class; of two with the same name the last one counts."""
        self._by_name[name_of(cls)] = cls
        self.any = True

    def find(self, name: str) -> type[CurrentAttributes]:
        """Return the class of this name, importing its module if need be.

        Raises:
            DeserializationError: when there is none.
        """
        if name not in self._by_name:
            import_module_of(name)
        found = self._by_name.get(name)
        if found is None:
            raise DeserializationError(
                f"The payload carries values of {name}, and no current attributes have that name. They were moved "
                "or renamed while the job was waiting: keep the old name as an alias until its jobs are done."
            )
        return found


#: Where every class of current attributes is found.
current_classes = CurrentClasses()
