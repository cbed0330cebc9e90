"""What peewee keeps of a connection: in each delivery its own, as in a new process.

Its statements are those of the driver, `sqlite3`.
"""

from __future__ import annotations

import sys
from typing import Any, Final
from weakref import WeakKeyDictionary

from ...harness.records.patches import Patches
from ..engine.acts import is_explored, watcher

library: Final = "peewee"


def install(patches: Patches) -> None:
    """Let a database that is closed before a delivery be closed again in the next one."""
    kind: Any = vars(sys.modules[library])["Database"]
    own: WeakKeyDictionary[Any, WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()

    def state(database: Any) -> Any:
        genuine = vars(database)["_state"]
        # An open connection of the world is one of each delivery by itself.
        if not is_explored() or not genuine.closed:
            return genuine
        states = own.setdefault(watcher.get(), WeakKeyDictionary())
        if database not in states:
            states[database] = type(genuine)()
        return states[database]

    def put(database: Any, value: Any) -> None:
        vars(database)["_state"] = value

    patches.set(kind, "_state", property(state, put))
