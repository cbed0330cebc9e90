"""A library that is known and has no bridge, where none is installed."""

import sys
from contextlib import contextmanager
from types import ModuleType
from unittest.mock import patch


class WakaQ:
    """As WakaQ has it: what sends a task to redis."""

    def _enqueue_at_end(self, name, *args):
        raise ConnectionError


@contextmanager
def without_bridge():
    """Let the library be imported for a block, and return an application of it."""
    module = ModuleType("wakaq")
    module.WakaQ = WakaQ
    with patch.dict(sys.modules, {"wakaq": module}):
        yield WakaQ()
