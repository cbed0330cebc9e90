"""Servers of fakeredis that clients name by a host: each history has servers of its own."""

from __future__ import annotations

import functools
from typing import Any, Final
from weakref import WeakKeyDictionary

from ....harness.records.patches import Patches
from ...stores.account import Account, accounts

library: Final = "fakeredis"


def install(patches: Patches) -> None:
    """Let a server that a history is the first to name end with the history.

    `FakeRedis()` draws the name of its server, and the histories of a check draw the same random values. A server
    that the test has named before stays the same.
    """
    import fakeredis

    server_class: Any = fakeredis.FakeServer
    genuine = server_class.get_server
    known: dict[str, Any] = server_class._servers_map
    own: WeakKeyDictionary[Account, dict[str, Any]] = WeakKeyDictionary()

    @functools.wraps(genuine)
    def get_server(key: str, *args: Any, **kwargs: Any) -> Any:
        account = accounts.current
        if account is None or key in known:
            return genuine(key, *args, **kwargs)
        of_history = own.setdefault(account, {})
        if key not in of_history:
            of_history[key] = genuine(key, *args, **kwargs)
            del known[key]
        return of_history[key]

    patches.set(server_class, "get_server", staticmethod(get_server))
