"""The suite, whole."""

from __future__ import annotations

from .enqueueing import Enqueueing
from .identifying import Identifying
from .installing import Installing
from .keeping import Keeping
from .performing import Performing
from .retrying import Retrying


class BridgeConformance(Enqueueing, Performing, Retrying, Identifying, Installing, Keeping):
    """Derive a test class from this, with a fixture `library` that returns a `Library`."""
