"""What jobs do by the clients of AWS, with moto, a Stubber or a server of the test behind them.

All operations of all services go through one method of a client. moto and the Stubber answer below it.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from ...harness.records.patches import Patches
from ..engine.acts import Act, acting, looking, watcher
from .doubles.arguments import comparable, text_of, usual_key
from .wrapping import source_of, surround

_READS: Final = re.compile(
    r"(Get|List|Describe|Head|Query|Scan|BatchGet|Select|Search|Lookup|TransactGet|Receive|Test|Validate)(?=[A-Z]|$)"
)
#: Repeating these has no further effect, although services that know only POST are asked for them.
_REPEATABLE: Final = re.compile(
    r"(Delete|Tag|Untag|Set|PutItem|PutObject|ChangeMessageVisibility)(?=[A-Z]|$)"
)


@source_of("botocore.client")
def blocking(patches: Patches, module: Any) -> None:
    surround(patches, module.BaseClient, "_make_api_call", _block)


@source_of("aiobotocore.client")
def awaited(patches: Patches, module: Any) -> None:
    """Watch aiobotocore, whose clients have a coroutine method of the same name."""
    surround(patches, module.AioBaseClient, "_make_api_call", _block)


def _block(
    client: Any, operation: str, parameters: Mapping[str, Any]
) -> AbstractContextManager[None]:
    if watcher.get() is None:
        return nullcontext()
    service = client.meta.service_model
    model = service.operation_model(operation)
    method = model.http.get("method", "POST")
    if method in ("GET", "HEAD") or _READS.match(operation):
        return looking()
    tokens = [name for name in model.idempotent_members if parameters.get(name) is not None]
    key = parameters[tokens[0]] if tokens else usual_key(parameters)
    others = {
        # A file stands for its content.
        name: _content(value) if hasattr(value, "read") and hasattr(value, "seek") else value
        for name, value in parameters.items()
        if name not in tokens
    }
    value = (operation, *sorted(comparable(others).items()))
    if key is None and (method in ("PUT", "DELETE") or _REPEATABLE.match(operation)):
        # It is as if it had a key.
        key = repr(value)
    return acting(
        Act(
            str(service.service_name),
            text_of(operation, (), parameters),
            value=value,
            key=None if key is None else (operation, key),
            refused=functools.partial(_error, "EndpointConnectionError"),
            answer_lost=functools.partial(_error, "ReadTimeoutError"),
        )
    )


def _content(stream: Any) -> bytes:
    place = stream.tell()
    read = stream.read()
    stream.seek(place)
    return read if isinstance(read, bytes) else str(read).encode()


def _error(name: str) -> Exception:
    # The package of the clients has always imported it.
    kind: Callable[..., Exception] = getattr(sys.modules["botocore.exceptions"], name)
    return kind(endpoint_url="https://aws")
