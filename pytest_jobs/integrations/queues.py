"""Which queues workers serve, read from `config/sidekiq.yml` of Sidekiq or `config/queue.yml` of Solid Queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final

from ..core.foundation.options import nearest
from ..core.foundation.vocabulary import in_our_words
from ..errors import QueuesError, SignatureError
from ..harness.ledger.queues import Queues
from .recurring.yaml import read_yaml

# What Sidekiq's file may say

_SIDEKIQ_READ: Final = (
    "queues",
    "concurrency",
    "max_retries",
    "dead_max_jobs",
    "dead_timeout_in_seconds",
)
#: Keys of Sidekiq, and of what extends it, without a meaning here.
_SIDEKIQ_LEFT_OUT: Final = (
    *("average_scheduled_poll_interval", "backtrace", "daemon", "environment", "fetch", "index"),
    *("labels", "logfile", "logger", "max_iteration_runtime", "on_complex_arguments", "pidfile"),
    *("poll_interval_average", "profile", "reloader", "require", "strict", "tag"),
    *("thread_priority", "timeout", "verbose", "redis", "namespace", "skip_default_job_logging"),
    *("scheduler", "schedule", "dynamic", "enabled", "listened_queues_only"),
    *("limits", "process_limits", "blocking", "cron_poll_interval"),
)
#: A key that changes which job comes next, in a way that tests cannot repeat.
_CAPSULES: Final = "capsules"

# What Solid Queue's file may say

#: The kinds of processes.
_PROCESSES: Final = ("workers", "dispatchers", "schedulers")
_WORKER: Final = ("queues", "threads", "processes", "polling_interval")
#: The threads of a worker that says nothing of them.
_THREADS: Final = 3

_IN_PYTHON: Final = "Write down the order that is meant, as in Queues(['critical', 'default'])."


@in_our_words(SignatureError, by_position="environment")
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
    content = _without_colons(read_yaml(text, file.name, QueuesError), file.name)
    parts = [content, *(value for value in content.values() if isinstance(value, Mapping))]
    is_solid_queue = any(word in part for part in parts for word in _PROCESSES)
    read = _of_solid_queue if is_solid_queue else _of_sidekiq
    return read(content, environment, seed, file.name)


def _without_colons(content: object, source: str) -> dict[str, Any]:
    """Return a mapping with plain keys, at any depth: a symbol of Ruby begins with a colon."""
    if not isinstance(content, Mapping):
        raise QueuesError(
            f"{source} holds {content!r}: write what workers serve, such as `:queues:` with a list below it."
        )
    plain: dict[str, Any] = {}
    for key, value in content.items():
        name = str(key).removeprefix(":")
        if name in plain:
            raise QueuesError(
                f"{source} has both {name!r} and ':{name}', which mean the same: keep one."
            )
        plain[name] = _without_colons(value, source) if isinstance(value, Mapping) else value
    return plain


def _environment(content: Mapping[str, Any], name: str | None, source: str) -> Any:
    """Return what a file says for one of its environments."""
    names = ", ".join(content)
    if name is None:
        raise QueuesError(
            f"{source} has values for environments of their own: name one of {names}, as in "
            f"environment={next(iter(content))!r}."
        )
    if name not in content:
        there = f"there are {names}" if names else "it has none, so leave environment= out"
        raise QueuesError(f"{source} has no environment {name!r}: {there}.")
    return content[name]


# Sidekiq


def _of_sidekiq(
    content: Mapping[str, Any], environment: str | None, seed: int, source: str
) -> Queues:
    known = (*_SIDEKIQ_READ, *_SIDEKIQ_LEFT_OUT, _CAPSULES)
    environments = {
        key: value or {}
        for key, value in content.items()
        if key not in known and (value is None or isinstance(value, Mapping))
    }
    said = {key: value for key, value in content.items() if key not in environments}
    _check_sidekiq_keys(said, known, source)
    if environment is not None or environments:
        own = _environment(environments, environment, source)
        _check_sidekiq_keys(own, known, f"{source}: {environment}")
        said |= own
    if _CAPSULES in said:
        raise QueuesError(
            f"{source} has {_CAPSULES}: each of them takes jobs beside the others, in an order of its own, which "
            f"no test can tell. {_IN_PYTHON}"
        )
    return Queues(
        _sidekiq_queues(said.get("queues"), source),
        seed=seed,
        concurrency=said.get("concurrency"),
        max_retries=said.get("max_retries"),
        dead_max_jobs=said.get("dead_max_jobs"),
        dead_timeout=said.get("dead_timeout_in_seconds"),
        source=source,
        left_out=[key for key in said if key in _SIDEKIQ_LEFT_OUT],
    )


def _check_sidekiq_keys(said: Iterable[str], known: tuple[str, ...], source: str) -> None:
    for key in said:
        if key not in known:
            raise QueuesError(
                f"{source} has a key {key!r}, which means nothing to Sidekiq{nearest(key, (*known, *_PROCESSES))} "
                f"Read here are {', '.join(_SIDEKIQ_READ)}."
            )


def _sidekiq_queues(queues: object, source: str) -> list[Any]:
    if not queues:
        raise QueuesError(
            f"{source} names no queues, so that Sidekiq serves 'default' alone: if that is meant write `:queues:` "
            "with `- default` below it."
        )
    if not isinstance(queues, list):
        raise QueuesError(
            f"{source}: queues is {queues!r}: write a list, as in `- [critical, 2]` and `- default`."
        )
    listed = [_sidekiq_queue(entry) for entry in queues]
    for name in listed:
        if isinstance(name, str) and "*" in name:
            raise QueuesError(
                f"{source}: {name!r} has a *, which is not a wildcard to Sidekiq: name the queues."
            )
    return listed


def _sidekiq_queue(entry: Any) -> Any:
    """Return the name, or the name and the weight. `Queues` refuses anything else."""
    if isinstance(entry, list):
        return (_plain(entry[0]), *entry[1:]) if entry else entry
    if not isinstance(entry, str) or "," not in entry:
        return _plain(entry)
    name, _, weight = entry.partition(",")
    return _plain(name), int(weight) if weight.strip().isdecimal() else weight


def _plain(name: object) -> object:
    return name.strip().removeprefix(":") if isinstance(name, str) else name


# Solid Queue


def _of_solid_queue(
    content: Mapping[str, Any], environment: str | None, seed: int, source: str
) -> Queues:
    said: object = content
    where = source
    if not any(word in content for word in _PROCESSES):
        said, where = _environment(content, environment, source), f"{source}: {environment}"
    elif environment is not None:
        _environment({}, environment, source)
    if not isinstance(said, Mapping):
        raise QueuesError(f"{where} holds {said!r}: write `workers:` with a list below it.")
    for key in said:
        if key not in _PROCESSES:
            raise QueuesError(
                f"{where} has a key {key!r}, which means nothing to Solid Queue{nearest(key, _PROCESSES)} There "
                f"are {', '.join(_PROCESSES)}."
            )
    worker = _solid_queue_worker(said.get("workers"), source)
    left_out = [key for key in said if key != "workers"]
    left_out += [key for key in worker if key == "polling_interval"]
    threads, processes = worker.get("threads", _THREADS), worker.get("processes", 1)
    for name, count in (("threads", threads), ("processes", processes)):
        if type(count) is not int or count < 1:
            raise QueuesError(f"{source}: {name} is {count!r}: write an int of at least 1.")
    queues = worker.get("queues", "*")
    names = [
        name.strip() if isinstance(name, str) else name
        for name in (queues if isinstance(queues, list) else [queues])
    ]
    for name in names:
        if isinstance(name, str) and "," in name:
            raise QueuesError(
                f"{source}: queues has {name!r}, which Solid Queue takes for one name: write a list, as in "
                f"[{name}]."
            )
    return Queues(
        names, seed=seed, concurrency=threads * processes, source=source, left_out=left_out
    )


def _solid_queue_worker(workers: object, source: str) -> Mapping[str, Any]:
    """Return the one worker of a file: several take jobs in an order that nothing says."""
    if not isinstance(workers, list) or not all(isinstance(each, Mapping) for each in workers):
        raise QueuesError(
            f"{source}: workers is {workers!r}: write a list of workers, as in `- queues: [critical, default]`."
        )
    if len(workers) != 1:
        many = f"{len(workers)} workers, each of which takes jobs beside the others in an order of its own"
        raise QueuesError(
            f"{source} has {many if workers else 'no workers'}, so it does not say which job comes next. "
            f"{_IN_PYTHON}"
        )
    worker = {str(key).removeprefix(":"): value for key, value in workers[0].items()}
    for key in worker:
        if key not in _WORKER:
            raise QueuesError(
                f"{source}: a worker has the key {key!r}, which means nothing{nearest(key, _WORKER)} There are "
                f"{', '.join(_WORKER)}."
            )
    return worker
