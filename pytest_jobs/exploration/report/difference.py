"""What differs, as a report shows it: each name with its value after one clean run and its value now.

What differs is never cut away: of rows that are too wide, the columns that differ come first, and of long values
the place where they begin to differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import repeat
from typing import Any, Final

from ...harness.records.texts import shortened
from ..engine.sameness.differences import MISSING
from ..engine.sameness.renaming import Fields, Keyed

_WIDTH: Final = 96
#: What each of several columns that differ may take at least.
_NARROW: Final = 32
#: Rows of a table, and columns of a row, that are shown at most of those that differ.
_ITEMS: Final = 4
#: Characters of two texts before they begin to differ, and of the first item of a list.
_COMMON: Final = 16
_DOTS: Final = "..."


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
    forms: dict[str, Any] = {}
    wanted, found = _as_counter(once, forms), _as_counter(now, forms)
    if wanted is None or found is None or wanted == found:
        return _beside(once, now, _WIDTH)
    missed = [item for item, count in wanted.items() if found[item] != count]
    more = [item for item, count in found.items() if wanted[item] != count]
    once_texts, now_texts = (
        {item: shortened(item, _WIDTH) for item in items} for items in (missed, more)
    )
    others = more[:_ITEMS]
    for item in missed[: min(_ITEMS, len(others))]:
        # A row that has changed is told beside what became of it.
        other = max(others, key=lambda each: _same_parts(forms[item], forms[each]))
        others.remove(other)
        once_texts[item], now_texts[other] = _beside(forms[item], forms[other], _WIDTH)
    texts = _items(wanted, once_texts), _items(found, now_texts)
    if not any(found[item] == count for item, count in wanted.items()):
        return texts
    # Items that are there as often on the other side are left out, so that only the number speaks of them.
    return f"{texts[0]}; {wanted.total()} in all", f"{texts[1]}; {found.total()} in all"


def _as_counter(value: Any, forms: dict[str, Any]) -> Counter[str] | None:
    """Return how often each item is in a value, by its text, and note the items; None if it has no items."""
    if value is MISSING:
        return Counter()
    if isinstance(value, Fields) or not isinstance(value, tuple | Mapping):
        return None
    counted: Counter[str] = Counter()
    for item, count in value.items() if isinstance(value, Mapping) else zip(value, repeat(1)):
        forms[repr(item)] = item
        counted[repr(item)] += count
    return counted


def _items(amounts: Counter[str], differing: Mapping[str, str]) -> str:
    """Return the items that are not there as often on the other side."""
    shown = [
        (f"{amounts[item]} x " if amounts[item] > 1 else "") + text
        for item, text in list(differing.items())[:_ITEMS]
    ]
    left = len(differing) - len(shown)
    if left:
        shown.append(f"and {left} more")
    return shortened(", ".join(shown), _WIDTH * 2) or ("only the others" if amounts else "nothing")


def _beside(once: Any, now: Any, width: int) -> tuple[str, str]:
    """Return two values of one thing, about as wide as is said, such that what differs is seen."""
    texts = repr(once), repr(now)
    if once == now or max(map(len, texts)) <= width:
        return shortened(texts[0], width), shortened(texts[1], width)
    sides = _parts(once), _parts(now)
    if not _are_of_a_kind(once, now):
        return _from_difference(*texts, width)
    names = dict.fromkeys((*sides[0], *sides[1]))
    differing = [
        name for name in names if sides[0].get(name, MISSING) != sides[1].get(name, MISSING)
    ]
    room = max(width // len(differing), _NARROW)
    told = {
        name: _beside(sides[0].get(name, MISSING), sides[1].get(name, MISSING), room)
        for name in differing[:_ITEMS]
    }
    first, second = (
        _written(form, {name: pair[side] for name, pair in told.items()}, width)
        for side, form in enumerate((once, now))
    )
    return first, second


def _are_of_a_kind(form: Any, other: Any) -> bool:
    """Return whether the parts of two forms can be told side by side."""
    if type(form) is not type(other) or not isinstance(form, tuple):
        return False
    if isinstance(form, Fields):
        return bool(form[0] == other[0])
    return isinstance(form, Keyed) or len(form) == len(other)


def _is_list(form: Any) -> bool:
    return isinstance(form, tuple) and not isinstance(form, Keyed | Fields)


def _parts(form: Any) -> dict[Any, Any]:
    """Return the parts of a form by their names; nothing if it has none."""
    if isinstance(form, Fields):
        return dict(form[1])
    if isinstance(form, Keyed):
        return dict(form)
    return dict(enumerate(form)) if isinstance(form, tuple) else {}


def _same_parts(form: Any, other: Any) -> int:
    """Return how many parts of two forms of one kind are the same."""
    parts = _parts(other) if _are_of_a_kind(form, other) else {}
    return sum(parts.get(name, MISSING) == part for name, part in _parts(form).items())


def _written(form: Any, told: Mapping[Any, str], width: int) -> str:
    """Return a form that is too wide, with the texts of the parts that differ.

    In a row they come first, and the others follow where there is room; in a list each is at its place.
    """
    shown: list[str] = []
    if _is_list(form):
        for place, part in enumerate(form):
            text = told.get(place) or (_DOTS if place else shortened(repr(part), _COMMON))
            if text != _DOTS or shown[-1:] != [_DOTS]:
                shown.append(text)
        return f"({', '.join(shown)})"
    label = "{}={}" if isinstance(form, Fields) else "{!r}: {}"
    parts = _parts(form)
    shown += [label.format(name, text) for name, text in told.items() if name in parts]
    for name, part in parts.items():
        text = label.format(name, repr(part))
        if name not in told and len(", ".join((*shown, text))) <= width:
            shown.append(text)
    left = [_DOTS] if len(shown) < len(parts) else []
    row = ", ".join((*shown, *left))
    return f"{form[0]}({row})" if isinstance(form, Fields) else f"{{{row}}}"


def _from_difference(once: str, now: str, width: int) -> tuple[str, str]:
    """Return two texts from shortly before the first difference."""
    pairs = enumerate(zip(once, now, strict=False))
    common = next((at for at, (one, other) in pairs if one != other), min(len(once), len(now)))
    if common <= width // 2:
        return shortened(once, width), shortened(now, width)
    begin = common - _COMMON
    # The texts of a text begin with a quotation mark.
    dots = f"...{once[0]}" if once[0] in "'\"" else "..."
    return dots + shortened(once[begin:], width), dots + shortened(now[begin:], width)
