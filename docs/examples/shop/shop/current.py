"""Under which branch of the shop something happens."""

from __future__ import annotations

from pytest_jobs import CurrentAttributes


class Current(CurrentAttributes):
    """Set by what takes a request. Jobs take it along."""

    branch: str = "main"
