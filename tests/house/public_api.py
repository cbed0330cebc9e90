"""What users of the package can write: `python tests/house/public_api.py` writes it, one thing a line.

A line that goes away, or takes fewer arguments, breaks somebody. CONTRIBUTING says what has to come first.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest_jobs
from pytest_jobs import errors, plugin, types
from pytest_jobs.assertions.options import KEYWORDS, OPTIONS
from pytest_jobs.bridges import toolkit
from pytest_jobs.exploration import effects
from pytest_jobs.plugin.hookspecs import JobsHookSpecs

SNAPSHOT = Path(__file__).with_name("public_api.txt")
#: Defaults that are the same text in each run; another one is shown as dots.
_PLAIN = (str, bytes, int, float, bool, type(None))


def described() -> str:
    """Return the public API as text."""
    lines: list[str] = []
    for name in pytest_jobs.__all__:
        lines += _described(name, getattr(pytest_jobs, name))
    for home, module in (("toolkit", toolkit), ("effects", effects), ("types", types)):
        for name in module.__all__:
            lines += _described(f"{home}.{name}", getattr(module, name))
    lines += [
        f"errors.{name}({', '.join(base.__name__ for base in found.__bases__)})"
        for name, found in vars(errors).items()
        if isinstance(found, type)
        and issubclass(found, BaseException | Warning)
        and found.__module__ == errors.__name__
    ]
    lines += [f"fixture {name}" for name in plugin.__all__ if not name.startswith("pytest_")]
    lines += [f"flag {each.flag}" for each in OPTIONS if each.flag]
    lines += [f"option {each.ini}" for each in OPTIONS if each.ini]
    lines += [f"marker jobs({name}=)" for name in KEYWORDS]
    lines += [f"hook {line}" for line in _members("", JobsHookSpecs)]
    return "".join(f"{line}\n" for line in sorted(lines))


def _described(name: str, found: Any) -> Iterator[str]:
    yield f"{name}{_call(found)}"
    if isinstance(found, type):
        yield from _members(f"{name}.", found)


def _members(prefix: str, cls: type) -> Iterator[str]:
    """Yield what the class, and its bases in the package, let a user ask of an object."""
    names = {
        name
        for base in cls.__mro__
        if base.__module__.startswith("pytest_jobs")
        for name in vars(base)
        if not name.startswith("_")
    }
    for name in names:
        found = inspect.getattr_static(cls, name)
        function = getattr(found, "__func__", found)
        yield f"{prefix}{name}{_call(function) if inspect.isfunction(function) else ''}"


def _call(found: Any) -> str:
    """Return the parameters of a callable, without annotations, which each Python writes in another way."""
    if not (inspect.isfunction(found) or inspect.isclass(found)):
        return ""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return ""
    shown = [
        each.replace(
            annotation=each.empty,
            default=each.default if each.default is each.empty else _Shown(each.default),
        )
        for each in signature.parameters.values()
    ]
    return str(signature.replace(parameters=shown, return_annotation=signature.empty))


class _Shown:
    def __init__(self, default: object) -> None:
        self._text = repr(default) if isinstance(default, _PLAIN) else "..."

    def __repr__(self) -> str:
        return self._text


if __name__ == "__main__":
    SNAPSHOT.write_text(described(), "utf-8")
