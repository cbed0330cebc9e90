"""What jobs do outside of themselves: a file for each library through which they do it.

For libraries that have none here: `wrap`, or an `EffectSource` of the project's own.
"""

from ..acts import Act, looking, note_connection, note_effect, perform_act, perform_act_async
from ..sources import EffectSource
from .wrapping import wrap

__all__ = [
    "Act",
    "EffectSource",
    "looking",
    "note_connection",
    "note_effect",
    "perform_act",
    "perform_act_async",
    "wrap",
]
