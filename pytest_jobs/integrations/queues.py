"""The queues that the configuration file of workers names."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import QueuesError
from ..harness.ledger.queues import Queues
from . import queues_of_sidekiq, queues_of_solid_queue
from .recurring.yaml import read_yaml


def load_queues(
    path: str | PathLike[str], *, environment: str | None = None, seed: int = 0
) -> Queues:
    """Read which queues workers serve, from `config/sidekiq.yml` of Sidekiq or `config/queue.yml` of Solid Queue.

    Sidekiq takes from queues without weights in strict order, and otherwise by their weights, a missing one
    being 1. Solid Queue takes in strict order.

    Args:
        path: the file, of YAML.
        environment: which of its environments; needed where the file has any. Of Sidekiq's file the values
            that stand outside of all hold too.
        seed: from what the draws of weighted queues follow.

    Returns:
        The queues, with the `concurrency`, the `max_retries` and the limits of dead letters that the file says.
        What else it says is named in `left_out`.

    Raises:
        QueuesError: when something in it cannot be meant; what to write stands in the message.
    """
    file = Path(path)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QueuesError(f"{file} cannot be read: {error}.") from error
    told = _with_plain_keys(read_yaml(text, file.name, QueuesError), file.name)
    read = queues_of_solid_queue.read if _is_solid_queue(told) else queues_of_sidekiq.read
    return read(told, environment, seed, file.name)


def _is_solid_queue(told: Mapping[str, Any]) -> bool:
    parts = [told, *(value for value in told.values() if isinstance(value, Mapping))]
    words = queues_of_solid_queue.PROCESSES
    return any(word in part for part in parts for word in words)


def _with_plain_keys(told: object, source: str) -> dict[str, Any]:
    """Return a mapping whose keys, and those of mappings in it, are without the colon of a symbol of Ruby.

    Raises:
        QueuesError: when it is no mapping, or has a key both with and without.
    """
    if not isinstance(told, Mapping):
        raise QueuesError(
            f"{source} holds {told!r}: write what workers serve, such as `:queues:` with a list below it."
        )
    plain: dict[str, Any] = {}
    for key, value in told.items():
        name = str(key).removeprefix(":")
        if name in plain:
            raise QueuesError(
                f"{source} has both {name!r} and ':{name}', which mean the same: keep one."
            )
        plain[name] = _with_plain_keys(value, source) if isinstance(value, Mapping) else value
    return plain
