"""A library without what its source patches, such as a version that is too old."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from ...harness.records.patches import Patches
from ...harness.records.texts import error_text
from .wrapping import before_calls


class Unwatched:
    """Stands in for the source of a library: deliveries that call the library are refused, and no others."""

    def __init__(self, library: str, error: Exception) -> None:
        self.library = library
        self._why = error_text(error)

    def install(self, patches: Patches) -> None:
        module = sys.modules[self.library]
        owners: list[Any] = [module, *self._classes(module)]
        for owner in owners:
            for name, value in [*vars(owner).items()]:
                if not name.startswith("_") and isinstance(value, FunctionType):
                    text = (
                        f"{owner.__name__}.{name} of a version of {self.library} that cannot be "
                        f"watched ({self._why})"
                    )
                    before_calls(
                        patches,
                        owner,
                        name,
                        lambda current, *args, text=text, **kwargs: current.outside(text),
                    )

    def _classes(self, module: Any) -> Iterator[type]:
        """Yield the classes that a module shows, with their own bases."""
        package, shown = self.library.partition(".")[0], [*vars(module).values()]
        classes = {base for kind in shown if isinstance(kind, type) for base in kind.__mro__}
        for kind in classes:
            if kind.__module__.partition(".")[0] == package and not issubclass(kind, BaseException):
                yield kind
