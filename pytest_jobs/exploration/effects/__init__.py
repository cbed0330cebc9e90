"""What jobs do outside of themselves: a file for each library through which they do it.

For libraries that have none here: `wrap`, or an `EffectSource` of the project's own.
"""

from ..engine.acts import (
    Act,
    holds_connection,
    is_explored,
    looking,
    may_wait_for_locks,
    note_connection,
    note_effect,
    perform_act,
    perform_act_async,
    refuse_delivery,
)
from ..engine.sources import EffectSource, reach
from .wrapping import wrap

__all__ = [
    "Act",
    "EffectSource",
    "holds_connection",
    "is_explored",
    "looking",
    "may_wait_for_locks",
    "note_connection",
    "note_effect",
    "perform_act",
    "perform_act_async",
    "reach",
    "refuse_delivery",
    "wrap",
]
