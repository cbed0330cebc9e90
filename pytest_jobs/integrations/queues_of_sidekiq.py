"""The file with which Sidekiq's workers are configured."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ..core.locks.keys import nearest
from ..errors import QueuesError
from ..harness.ledger.queues import Listed, Queues
from .queues_of_solid_queue import PROCESSES

#: What is read.
_READ: Final = (
    "queues",
    "concurrency",
    "max_retries",
    "dead_max_jobs",
    "dead_timeout_in_seconds",
)
#: What the file may say besides, and has no meaning here: of the process, and of what extends Sidekiq.
_LEFT_OUT: Final = (
    *("average_scheduled_poll_interval", "backtrace", "daemon", "environment", "fetch", "index"),
    *("labels", "logfile", "logger", "max_iteration_runtime", "on_complex_arguments", "pidfile"),
    *(
        "poll_interval_average",
        "profile",
        "reloader",
        "require",
        "strict",
        "tag",
        "thread_priority",
    ),
    *("timeout", "verbose", "redis", "namespace", "skip_default_job_logging"),
    *("scheduler", "schedule", "dynamic", "enabled", "listened_queues_only"),
    *("limits", "process_limits", "blocking", "cron_poll_interval"),
)
#: What changes which job comes next, in a way that is not carried out here.
_REFUSED: Final = {
    "capsules": "each of them takes jobs beside the others, in an order of its own",
}
_WEIGHTED = re.compile(r"(.*?),(.*)")


def read(told: Mapping[str, Any], environment: str | None, seed: int, source: str) -> Queues:
    """Return what Sidekiq's file says.

    Raises:
        QueuesError: when something in it cannot be meant.
    """
    said = _of_environment(told, environment, source)
    for key, why in _REFUSED.items():
        if key in said:
            raise QueuesError(
                f"{source} has {key}: {why}, which no test can tell. Write down the order that is meant, as in "
                "Queues(['critical', 'default'])."
            )
    return Queues(
        _listed(said.get("queues"), source),
        seed=seed,
        concurrency=said.get("concurrency"),
        max_retries=said.get("max_retries"),
        dead_max_jobs=said.get("dead_max_jobs"),
        dead_timeout=said.get("dead_timeout_in_seconds"),
        source=source,
        left_out=[key for key in said if key in _LEFT_OUT],
    )


def _of_environment(
    told: Mapping[str, Any], environment: str | None, source: str
) -> Mapping[str, Any]:
    """Return the values for all environments, changed by those of one."""
    known = (*_READ, *_LEFT_OUT, *_REFUSED)
    environments = {
        key: value or {}
        for key, value in told.items()
        if key not in known and (value is None or isinstance(value, Mapping))
    }
    common = {key: value for key, value in told.items() if key not in environments}
    _check_keys(common, known, source)
    if environment is None and not environments:
        return common
    names = ", ".join(environments)
    if environment is None:
        raise QueuesError(
            f"{source} has values for environments of their own: name one of {names}, as in "
            f"environment={next(iter(environments))!r}."
        )
    if environment not in environments:
        there = f"there are {names}" if names else "it has none, so leave environment= out"
        raise QueuesError(f"{source} has no environment {environment!r}: {there}.")
    _check_keys(environments[environment], known, f"{source}: {environment}")
    return {**common, **environments[environment]}


def _check_keys(said: Mapping[str, Any], known: tuple[str, ...], source: str) -> None:
    for key in said:
        if key not in known:
            raise QueuesError(
                f"{source} has a key {key!r}, which means nothing to Sidekiq{nearest(key, (*known, *PROCESSES))} "
                f"Read here are {', '.join(_READ)}."
            )


def _listed(queues: object, source: str) -> list[Listed]:
    if not queues:
        raise QueuesError(
            f"{source} names no queues, so that Sidekiq serves 'default' alone: if that is meant write `:queues:` "
            "with `- default` below it."
        )
    if not isinstance(queues, list):
        raise QueuesError(
            f"{source}: queues is {queues!r}: write a list, as in `- [critical, 2]` and `- default`."
        )
    listed = [_entry(entry) for entry in queues]
    for name in listed:
        if isinstance(name, str) and "*" in name:
            raise QueuesError(
                f"{source}: {name!r} has a *, which is no wildcard to Sidekiq: name the queues."
            )
    return listed


def _entry(entry: Any) -> Any:
    """Return the name, or the name and the weight; what is neither is for `Queues` to refuse."""
    if isinstance(entry, list):
        return (_plain(entry[0]), *entry[1:]) if entry else entry
    found = _WEIGHTED.fullmatch(entry) if isinstance(entry, str) else None
    if found is None:
        return _plain(entry)
    name, weight = found.groups()
    return _plain(name), int(weight) if weight.strip().isdecimal() else weight


def _plain(name: object) -> object:
    return name.strip().removeprefix(":") if isinstance(name, str) else name
