"""Which row a connection has."""

from __future__ import annotations

import functools
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .basis.driver import Driver, own_connection


@functools.cache
def driver_named(package: str) -> Driver | None:
    """Return the row of a package: the one in the file that is named as it is; None if there is none."""
    own = f"{__package__}.{package.lower()}"
    if find_spec(own) is not None:
        row = getattr(import_module(own), "source", None)
    else:
        row = getattr(import_module(f"{__package__}.c_drivers"), package, None)
    return row if isinstance(row, Driver) else None


def driver_of(connection: Any) -> Driver:
    """Return the row of a connection; one that says what holds of most drivers if it has none."""
    return _driver_of(own_connection(connection).__class__)


@functools.cache
def _driver_of(kind: type[Any]) -> Driver:
    # The application may have a class of its own, which derives from one of the driver.
    packages = [base.__module__.partition(".")[0] for base in kind.__mro__]
    found = filter(None, map(driver_named, packages))
    return next(found, Driver(packages[0]))
