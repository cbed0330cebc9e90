"""The file with which Solid Queue's workers are configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..core.locks.keys import nearest
from ..errors import QueuesError
from ..harness.ledger.queues import Queues

#: The kinds of processes that the file may list.
PROCESSES: Final = ("workers", "dispatchers", "schedulers")
_KEYS: Final = ("queues", "threads", "processes", "polling_interval")
_THREADS: Final = 3


def read(told: Mapping[str, Any], environment: str | None, seed: int, source: str) -> Queues:
    """Return what Solid Queue's file says.

    Raises:
        QueuesError: when something in it cannot be meant.
    """
    said = _of_environment(told, environment, source)
    worker = _worker(said.get("workers"), source)
    for key in worker:
        if key not in _KEYS:
            raise QueuesError(
                f"{source}: a worker has the key {key!r}, which means nothing{nearest(key, _KEYS)} There are "
                f"{', '.join(_KEYS)}."
            )
    threads = _count(worker.get("threads", _THREADS), "threads", source)
    processes = _count(worker.get("processes", 1), "processes", source)
    left_out = [key for key in said if key != "workers"]
    if "polling_interval" in worker:
        left_out.append("polling_interval")
    return Queues(
        _names(worker.get("queues", "*"), source),
        seed=seed,
        concurrency=threads * processes,
        source=source,
        left_out=left_out,
    )


def _of_environment(
    told: Mapping[str, Any], environment: str | None, source: str
) -> Mapping[str, Any]:
    if any(word in told for word in PROCESSES):
        if environment is not None:
            raise QueuesError(
                f"{source} has no environment {environment!r}: it has none, so leave environment= out."
            )
        said: object = told
        where = source
    else:
        names = ", ".join(told)
        if environment is None:
            raise QueuesError(
                f"{source} has values for environments of their own: name one of {names}, as in "
                f"environment={next(iter(told))!r}."
            )
        if environment not in told:
            raise QueuesError(f"{source} has no environment {environment!r}: there are {names}.")
        said, where = told[environment], f"{source}: {environment}"
    if not isinstance(said, Mapping):
        raise QueuesError(f"{where} holds {said!r}: write `workers:` with a list below it.")
    for key in said:
        if key not in PROCESSES:
            raise QueuesError(
                f"{where} has a key {key!r}, which means nothing to Solid Queue{nearest(key, PROCESSES)} There "
                f"are {', '.join(PROCESSES)}."
            )
    return said


def _worker(workers: object, source: str) -> Mapping[str, Any]:
    if not isinstance(workers, list) or not all(isinstance(each, Mapping) for each in workers):
        raise QueuesError(
            f"{source}: workers is {workers!r}: write a list of workers, as in `- queues: [critical, default]`."
        )
    if len(workers) != 1:
        many = f"{len(workers)} workers, each of which takes jobs beside the others in an order of its own"
        raise QueuesError(
            f"{source} has {many if workers else 'no workers'}, so it does not say which job comes next. Write "
            "down the order that is meant, as in Queues(['critical', 'default'])."
        )
    worker: Mapping[str, Any] = {str(k).removeprefix(":"): v for k, v in workers[0].items()}
    return worker


def _names(queues: object, source: str) -> list[Any]:
    names: list[Any] = queues if isinstance(queues, list) else [queues]
    stripped = [name.strip() if isinstance(name, str) else name for name in names]
    for name in stripped:
        if isinstance(name, str) and "," in name:
            raise QueuesError(
                f"{source}: queues has {name!r}, which Solid Queue takes for one name: write a list, as in "
                f"[{name}]."
            )
    return stripped


def _count(given: object, name: str, source: str) -> int:
    if type(given) is not int or given < 1:
        raise QueuesError(f"{source}: {name} is {given!r}: write an int of at least 1.")
    return given
