"""How the death of a delivery arrives: alone, in a group of errors, or behind an error of the clean-up."""

from __future__ import annotations

from collections.abc import Generator

from ....harness.records.attributes import identity


def holds(error: BaseException | None, death: type[BaseException]) -> bool:
    """Return whether an error is a death, has one in its group, or came about while one was handled."""
    return any(isinstance(each, death) for each in related(error))


def related(error: BaseException | None) -> Generator[BaseException, None, None]:
    """Yield an error, the errors in its group, and those that were handled when it came about."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or identity(each) in seen:
            continue
        seen.add(identity(each))
        yield each
        waiting.append(each.__context__)
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
