"""What peewee keeps of a connection: in each delivery its own, as in a new process.

Its statements are those of the driver, `sqlite3`.
"""

from __future__ import annotations

import sys
from typing import Any, Final
from weakref import WeakKeyDictionary

from ...harness.records.patches import Patches
from .wrapping import OfDelivery

library: Final = "peewee"


def install(patches: Patches) -> None:
    """Let a database that is closed before a delivery be closed again in the next one."""
    kind: Any = vars(sys.modules[library])["Database"]
    own: OfDelivery[WeakKeyDictionary[Any, Any]] = OfDelivery(WeakKeyDictionary)

    def state(database: Any) -> Any:
        genuine = vars(database)["_state"]
        states = own.get()
        # An open connection of the world is one of each delivery by itself.
        if states is None or not genuine.closed:
            return genuine
        if database not in states:
            states[database] = type(genuine)()
        return states[database]

    def put(database: Any, value: Any) -> None:
        vars(database)["_state"] = value

    patches.set(kind, "_state", property(state, put))
