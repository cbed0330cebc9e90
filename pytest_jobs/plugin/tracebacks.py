"""The traceback of an error without the frames of the package.

Cutting a frame out of `ExceptionInfo.traceback` does not suffice: pytest goes back to the raw entries when it
filters a traceback itself. So the raw chain of `__traceback__` is shortened and the ExceptionInfo made anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

_PACKAGE = Path(__file__).parent.parent
_OURS = f"{_PACKAGE}{os.sep}"
#: The suite consists of tests and jobs, whose lines are what its user wants to see.
_CONFORMANCE = f"{_PACKAGE / 'conformance'}{os.sep}"


def shortened(
    excinfo: pytest.ExceptionInfo[BaseException], config: pytest.Config
) -> pytest.ExceptionInfo[BaseException]:
    """Return what was raised with its tracebacks shortened, unless options ask for every frame."""
    if config.getoption("fulltrace") or config.getoption("tbstyle") == "native":
        return excinfo
    whole = excinfo.value.__traceback__
    for error in _family(excinfo.value):
        error.__traceback__ = without_ours(error.__traceback__)
    if excinfo.value.__traceback__ is None:
        # pytest cannot describe an error that has no frame at all.
        excinfo.value.__traceback__ = whole
    return pytest.ExceptionInfo.from_exception(excinfo.value)


def _family(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes, its contexts and the parts of its groups, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if id(found) not in seen:
            seen.add(id(found))
            yield found
            parts = found.exceptions if isinstance(found, BaseExceptionGroup) else ()
            related = (found.__cause__, found.__context__, *parts)
            waiting += [other for other in related if other is not None]


def without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of the package; None if it has no others."""
    kept = []
    while traceback is not None:
        if not _is_ours(traceback.tb_frame.f_code.co_filename):
            kept.append(traceback)
        traceback = traceback.tb_next
    rest = None
    for entry in reversed(kept):
        rest = TracebackType(rest, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return rest


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS) and not filename.startswith(_CONFORMANCE)
