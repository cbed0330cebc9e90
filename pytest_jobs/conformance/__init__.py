"""The suite that every bridge must pass: ours, and one of your own.

Derive a test class from `BridgeConformance`, with a fixture `library`: see `docs/how-to/bridge-your-own.md`.

- `case`: what a library says of itself, what all tests share, and the table of what bridges can do.
- `bodies`: the functions that the library declares as its jobs.
- `enqueueing`, `performing`, `retrying`, `installing`: the tests, by what they are about.
- `suite`: the remaining tests, and `BridgeConformance`, which has them all.

Our own bridges are tested with it in `tests/conformance/`.
"""

from __future__ import annotations

from .case import CAPABILITIES, DeclaredJobs, Library
from .suite import BridgeConformance

__all__ = ["CAPABILITIES", "BridgeConformance", "DeclaredJobs", "Library"]
