"""What jobs do in `sync_to_async`, through which Django's asynchronous ORM goes."""

from __future__ import annotations

import copy
from typing import Any, Final

from asgiref.sync import SyncToAsync

from ...harness.records.patches import Patches
from ..engine.acts import Watch, watcher
from .wrapping import in_delivery

library: Final = "asgiref.sync"


def install(patches: Patches) -> None:
    """Let a function that runs in a context of the job's choice belong to the delivery as well."""

    async def call(current: Watch, genuine: Any, self: Any, /, *args: Any, **kwargs: Any) -> Any:
        own = copy.copy(self)

        def watched(*args: Any, **kwargs: Any) -> Any:
            token = watcher.set(current)
            try:
                return self.func(*args, **kwargs)
            finally:
                watcher.reset(token)

        if getattr(self, "context", None) is not None:
            own.func = watched
        return await genuine(own, *args, **kwargs)

    in_delivery(patches, SyncToAsync, "__call__", call)
