"""The suite, whole."""

from __future__ import annotations

from .enqueueing import Enqueueing
from .identifying import Identifying
from .installing import Installing
from .performing import Performing
from .retrying import Retrying


class BridgeConformance(Enqueueing, Performing, Retrying, Identifying, Installing):
    """Derive a test class from this, with a fixture `library` that returns a `Library`."""
