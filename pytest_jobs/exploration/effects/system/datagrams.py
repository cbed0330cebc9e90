"""Datagrams, as statsd and its relatives send metrics: each may be lost or come twice, so none is an effect."""

from __future__ import annotations

import socket
from typing import Any, Final

from ...engine.acts import ActWatcher
from ..doubles.kinds import kinds_of

#: What the result of a check says of them, once.
_NAME: Final = "datagrams"


def is_datagram(current: ActWatcher, connection: Any) -> bool:
    """Return whether a socket sends datagrams, and have the result of the check say that none of them counts."""
    kind = connection if isinstance(connection, int) else getattr(connection, "type", None)
    if kind != socket.SOCK_DGRAM:
        return False
    kinds_of(current.of_search).note(_NAME, "nothing")
    return True
