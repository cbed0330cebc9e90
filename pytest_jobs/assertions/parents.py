"""Pending jobs whose code may enqueue another job: a guess, from the names that it mentions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from ..core.foundation.vocabulary import names_in
from ..harness.ledger.ledger import Ledger
from ..harness.records.record import JobRecord
from ..harness.records.targets import Target

#: How many functions are followed from one job, so that a failure is shown at once.
_FOLLOWED: Final = 100
_OURS: Final = "pytest_jobs"


def likely_parents(ledger: Ledger, target: Target) -> Iterator[tuple[JobRecord, JobRecord | None]]:
    """Yield each pending record that may enqueue a job, and one like it that did so before, if any.

    Of several records of one job only the first is yielded.
    """
    did = {
        delivery.record.name: delivery.record
        for delivery in reversed(ledger.deliveries)
        if any(target.is_job_of(enqueued) for enqueued in delivery.enqueued)
    }
    seen: set[tuple[str, str]] = set()
    for record in ledger.pending():
        kind = (record.bridge, record.name)
        if kind not in seen and not target.is_job_of(record):
            seen.add(kind)
            before = did.get(record.name)
            if before is not None or _mentions(record, target):
                yield record, before


def _mentions(record: JobRecord, target: Target) -> bool:
    """Return whether the code of a job, or a function of the project that it calls, mentions another job."""
    try:
        job = record.job
        body = inspect.unwrap(record.source.resolve(job))
    except Exception:  # The job is not known here, or its library cannot say.
        return False
    last = target.name.rpartition(".")[2]
    owner = getattr(job, "job_class", job)
    waiting: list[tuple[FunctionType, object]] = (
        [(body, owner)] if isinstance(body, FunctionType) else []
    )
    followed: set[CodeType] = set()
    while waiting and len(followed) < _FOLLOWED:
        function, owner = waiting.pop()
        if function.__code__ in followed:
            continue
        followed.add(function.__code__)
        names = names_in(function.__code__)
        if last in names or target.name in _texts_in(function.__code__):
            return True
        for value, its_owner in _values(names, function, owner):
            if value is target.job:
                return True
            called = inspect.unwrap(value) if callable(value) else value
            if isinstance(called, FunctionType):
                package = (called.__module__ or _OURS).partition(".")[0]
                if package not in sys.stdlib_module_names and package != _OURS:
                    waiting.append((called, its_owner))
    return False


def _values(names: set[str], function: FunctionType, owner: object) -> Iterator[tuple[Any, object]]:
    """Yield what some names may stand for: globals, what these have under a name, and methods of the own class."""
    spaces: list[object] = [owner] if isinstance(owner, type) else []
    for name in names:
        value = function.__globals__.get(name)
        if value is not None:
            yield value, value
            if isinstance(value, type | ModuleType):
                spaces.append(value)
    for space in spaces:
        for name in names:
            value = vars(space).get(name)
            if value is not None:
                yield getattr(value, "__func__", value), space


def _texts_in(code: CodeType) -> set[str]:
    """Return the texts in some code, such as the name that is given to `send_task`."""
    texts: set[str] = set()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            texts |= _texts_in(constant)
        elif isinstance(constant, str):
            texts.add(constant)
    return texts
