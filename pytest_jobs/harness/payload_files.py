"""Payloads in files: written by the code of today, to be read by later code."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import PayloadError
from .records.bridge import KeepsPayloads, WrittenPayload
from .records.record import JobRecord, call_text

#: The version of the layout of a file.
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """The contents of one file."""

    #: The name of the bridge.
    library: str
    #: The name of the job.
    job: str
    #: The names of the parameters that took the positional arguments; empty when they are not known.
    parameters: tuple[str, ...]
    #: The values from which the bridge makes a record.
    data: Mapping[str, Any]


def write_payloads(
    records: Iterable[JobRecord], directory: str | os.PathLike[str]
) -> tuple[Path, ...]:
    """Write a file for each job and shape of arguments that has none yet; return the new files.

    Raises:
        PayloadError: when there is nothing to write, or a library writes no text.
    """
    folder = Path(directory)
    found: dict[str, tuple[JobRecord, WrittenPayload]] = {}
    for record in records:
        bridge = record.source
        if not isinstance(bridge, KeepsPayloads):
            encoding = getattr(bridge, "encoding", "")
            if encoding:
                raise PayloadError(
                    f"{call_text(record)} cannot be recorded: {record.bridge} writes {encoding}, and recorded "
                    "payloads are text that people can read. Record in tests that enqueue no such job."
                )
            raise PayloadError(
                f"{call_text(record)} cannot be recorded: the bridge of {record.bridge} does not write payloads "
                "as text. Give it `written` and `record_from`, or record in tests that enqueue no such job."
            )
        written = bridge.written(record)
        # Two calls of one shape are read by the same code.
        named = {name: _shape(value) for name, value in written.kwargs.items()}
        shape = json.dumps([[*map(_shape, written.args)], named], sort_keys=True)
        identity = f"{record.bridge} {record.name} {shape}"
        digest = hashlib.sha256(identity.encode()).hexdigest()
        name = re.sub(r"[^A-Za-z0-9._-]", "_", record.name)
        found.setdefault(f"{name}-{digest[:8]}.json", (record, written))
    if not found:
        raise PayloadError(
            f"Nothing has been enqueued, so there is no payload to record in {folder}: enqueue first, or ask "
            "`if jobs.enqueued:` before."
        )
    new = [name for name in sorted(found) if not (folder / name).exists()]
    for name in new:
        record, written = found[name]
        parameters: tuple[str, ...] = ()
        if not isinstance(record.job, str):
            parameters = record.source.signature(record.job).positional_names
        content = {
            "format": FORMAT,
            "library": record.bridge,
            "job": record.name,
            "parameters": list(parameters[: len(written.args)]),
            "payload": dict(written.data),
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"{json.dumps(content, indent=2)}\n".encode("ascii"))
    return tuple(folder / name for name in new)


def read_payload(path: Path) -> PayloadFile:
    """Return the contents of a file.

    Raises:
        PayloadError: when `jobs.record_payloads` did not write it, or a later version did.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, RecursionError, ValueError) as error:
        raise PayloadError(f"It cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(data, Mapping) or "format" not in data:
        raise PayloadError("It is not a payload that `jobs.record_payloads` wrote.")
    if data["format"] != FORMAT:
        raise PayloadError(
            f"It has format {data['format']!r}, and this version of pytest-jobs reads format {FORMAT}."
        )
    try:
        return PayloadFile(
            data["library"], data["job"], tuple(data["parameters"]), dict(data["payload"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PayloadError(
            f"It lacks what every payload of format {FORMAT} has ({type(error).__name__}: {error})."
        ) from error


#: The keys under which a library writes the type that an object stands for: the core, and Celery.
_KINDS: Final = ("~", "t", "__type__")


def _shape(value: Any) -> Any:
    if isinstance(value, list):
        shapes = {json.dumps(_shape(item), sort_keys=True) for item in value}
        return ["some", *sorted(shapes)]
    if not isinstance(value, Mapping):
        return type(value).__name__
    if value.get("~") == "tuple":
        return {"tuple": [_shape(item) for item in value["v"]]}
    tagged = "~" in value or "__type__" in value
    return {
        key: item if tagged and key in _KINDS and isinstance(item, str) else _shape(item)
        for key, item in value.items()
    }
