"""The difference between a history and one clean run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from ...harness.records.texts import shortened
from ..engine.sameness.differences import MISSING
from ..engine.sameness.renaming import Fields

_WIDTH: Final = 96
_ITEMS: Final = 4
_COMMON: Final = 16


def difference_text(differences: tuple[tuple[str, Any, Any], ...]) -> str:
    """Return each name with its value after one clean run and its value now."""
    lines: list[str] = []
    told: list[tuple[str, str]] = []
    for name, once, now in differences:
        pair = _pair(once, now)
        # A fake whose calls are in the state as well would be shown twice.
        if pair not in told:
            told.append(pair)
            lines += [name, f"  once: {pair[0]}", f"  now:  {pair[1]}"]
    return "\n".join(lines)


def plain(value: Any) -> Any:
    """Return an observed value as JSON has it."""
    if isinstance(value, dict):
        return [{"value": plain(key), "count": count} for key, count in value.items()]
    if isinstance(value, tuple):
        return [plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | None) else repr(value)


def _pair(once: Any, now: Any) -> tuple[str, str]:
    if isinstance(once, str) and isinstance(now, str):
        return _texts(once, now)
    wanted, found = _counted(once), _counted(now)
    if wanted is None or found is None or wanted == found:
        return _single(once), _single(now)
    texts = _items(wanted, beside=found), _items(found, beside=wanted)
    if not any(found[item] == count for item, count in wanted.items()):
        return texts
    # Items that are there as often on the other side are left out, so that only the number speaks of them.
    return f"{texts[0]}; {wanted.total()} in all", f"{texts[1]}; {found.total()} in all"


def _single(value: Any) -> str:
    return shortened(repr(value), _WIDTH)


def _counted(value: Any) -> Counter[str] | None:
    if value is MISSING:
        return Counter()
    if isinstance(value, Mapping):
        return Counter({repr(key): count for key, count in value.items()})
    if isinstance(value, tuple) and not isinstance(value, Fields):
        return Counter(map(repr, value))
    return None


def _items(counted: Counter[str], beside: Counter[str]) -> str:
    """Return the items that are not there as often on the other side."""
    differing = [(item, count) for item, count in counted.items() if beside[item] != count]
    shown = [
        (f"{count} x " if count > 1 else "") + shortened(item, _WIDTH)
        for item, count in differing[:_ITEMS]
    ]
    left = len(differing) - len(shown)
    if left:
        shown.append(f"and {left} more")
    return shortened(", ".join(shown), _WIDTH * 2) or ("only the others" if counted else "nothing")


def _texts(once: str, now: str) -> tuple[str, str]:
    """Return two texts from shortly before the first difference."""
    pairs = enumerate(zip(once, now, strict=False))
    common = next((at for at, (one, other) in pairs if one != other), min(len(once), len(now)))
    begin = common - _COMMON if common > _WIDTH // 2 else 0
    dots = "..." if begin else ""
    return (
        dots + shortened(repr(once[begin:]), _WIDTH),
        dots + shortened(repr(now[begin:]), _WIDTH),
    )
