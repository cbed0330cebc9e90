"""Replacing attributes of other libraries, and putting back exactly what was there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self

_ABSENT: Final = object()


class Patches:
    """The attributes that were replaced, the newest last. As a block, it puts everything back at its end."""

    __slots__ = ("_restores",)

    def __init__(self) -> None:
        self._restores: list[Callable[[], object]] = []

    def set(self, owner: Any, name: str, value: object) -> None:
        """Replace an attribute of an object, a class or a module.

        An attribute that the owner only inherits is deleted again by `restore`.
        """
        before = vars(owner).get(name, _ABSENT)
        setattr(owner, name, value)

        def restore() -> None:
            if vars(owner).get(name, _ABSENT) is not value:
                # Somebody has put something else there meanwhile, and puts it back when it is time.
                return
            if before is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, before)

        self._restores.append(restore)

    def undo_by(self, undo: Callable[[], object]) -> None:
        """Call a function in its turn when everything is put back."""
        self._restores.append(undo)

    def restore(self) -> None:
        """Put everything back, the newest first, also after one of the steps has failed."""
        while self._restores:
            try:
                self._restores.pop()()
            except BaseException:
                self.restore()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.restore()

    def __bool__(self) -> bool:
        return bool(self._restores)
