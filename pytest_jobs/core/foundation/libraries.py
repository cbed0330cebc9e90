"""The database libraries that the program uses, and our modules for them."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


def django_is_set_up() -> bool:
    """Return whether Django's databases are imported and it has its settings."""
    if "django.db" not in sys.modules:
        return False
    configured = sys.modules["django.conf"].settings.configured
    return bool(configured) or bool(os.environ.get("DJANGO_SETTINGS_MODULE"))


def settings_module() -> ModuleType | None:
    """Return the module with the settings of Django; None where it is not set up, or was given them by a call."""
    if not django_is_set_up():
        return None
    settings: Any = sys.modules["django.conf"].settings
    return sys.modules.get(str(getattr(settings, "SETTINGS_MODULE", "")))


def sqlalchemy_is_known() -> bool:
    """Return whether SQLAlchemy is imported, in a version that our modules know: 2.0 was the first."""
    return hasattr(sys.modules.get("sqlalchemy"), "Connection")


def integrations_in_use(*, django: str, sqlalchemy: str) -> Iterator[Any]:
    """Yield our modules for the libraries that the program has imported and set up.

    They are imported by name, since the package that knows third parties lies above the core.

    Args:
        django: the module for Django, below `pytest_jobs.integrations`.
        sqlalchemy: the module for SQLAlchemy.
    """
    if django_is_set_up():
        yield importlib.import_module(f"pytest_jobs.integrations.{django}")
    if "sqlalchemy.orm" in sys.modules and sqlalchemy_is_known():
        yield importlib.import_module(f"pytest_jobs.integrations.{sqlalchemy}")
