"""What jobs do through a portal of anyio, such as that of Starlette's `TestClient`."""

from __future__ import annotations

from typing import Any, Final

from anyio.from_thread import BlockingPortal

from ...harness.records.patches import Patches
from ..engine.acts import Unwound, Watch
from .wrapping import in_delivery

library: Final = "anyio.from_thread"


def install(patches: Patches) -> None:
    """Let a portal that was open before outlive the deliveries that die in it."""

    async def call(current: Watch, genuine: Any, /, *args: Any) -> None:
        try:
            await genuine(*args)
        except Unwound:
            # The caller has it as well, from the future.
            return

    in_delivery(patches, BlockingPortal, "_call_func", call)
