"""Which queues are served in the tests, by the ini file and by markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..harness.ledger.queues import Queues


def of_ini(config: pytest.Config, words: Sequence[str]) -> Queues:
    """Return the queues of the file that the ini file names.

    Raises:
        pytest.UsageError: when they cannot be read, or more is named.
    """
    if len(words) > 2:
        raise pytest.UsageError(
            f"jobs_queues is {' '.join(words)!r}; it is a file, and its environment where it has any."
        )
    return _load(config, words[0], words[1] if len(words) == 2 else None, "jobs_queues")


def of_marker(config: pytest.Config, value: object, where: str) -> Queues | None:
    """Return the queues that a marker means.

    Raises:
        pytest.UsageError: when it means none, or they cannot be read.
    """
    from ..harness.ledger.queues import Queues

    if value is None or isinstance(value, Queues):
        return value
    if isinstance(value, str | Path):
        return _load(config, value, None, f"{where}: queues")
    raise pytest.UsageError(
        f"{where}: queues is {value!r}; it is a file, Queues(...), or None for all queues alike."
    )


def in_force(queues: Queues) -> str:
    """Say what is in force, and what of the file is not."""
    said = {"concurrency": queues.concurrency, "max_retries": queues.max_retries}
    idle = [name for name, value in said.items() if value is not None] + [*queues.left_out]
    without = f" (not its {', '.join(idle)})" if idle else ""
    return f"queues {queues.described} by {queues.source}{without}"


def _load(config: pytest.Config, name: Any, environment: str | None, where: str) -> Queues:
    from ..errors import QueuesError
    from ..integrations.queues import load_queues

    directory = config.rootpath if config.inipath is None else config.inipath.parent
    try:
        return load_queues(directory / name, environment=environment)
    except QueuesError as error:
        raise pytest.UsageError(f"{where}: {error}") from None
