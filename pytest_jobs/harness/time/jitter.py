"""Where the jitter of waits comes from under the harness."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

Jitter: TypeAlias = Literal["zero", "seeded", "live"]

JITTERS: Final[tuple[Jitter, ...]] = ("zero", "seeded", "live")


def draws(jitter: Jitter) -> Callable[[], float]:
    """Return what draws where in its range of jitter a wait lies, from 0 up to 1.

    Args:
        jitter: `zero` for the shortest wait always, `seeded` for the same waits in every test run,
            `live` for chance as in production.
    """
    if jitter == "zero":
        return _zero
    return random.Random(0).random if jitter == "seeded" else random.random  # noqa: S311


def _zero() -> float:
    return 0.0
