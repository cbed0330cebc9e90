"""What a job computes from chance or from the time, found by what differs between clean runs."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from .renaming import Fields, FirstForm, Keyed, Members, whole
from .times import Timed

#: What a value comes from.
Source: TypeAlias = Literal["chance", "time"]
#: A step to a part of a form: a key, a field or a position; `_EACH` for any member or any renamed key.
_Step: TypeAlias = "tuple[str, object]"

_EACH: Final[_Step] = ("each", None)


@dataclass(frozen=True)
class _Cut:
    """The part of a value that is different in each run. Of a text that is what stands between two others."""

    kind: type
    before: str
    behind: str
    source: Source

    def part_of(self, value: object) -> object:
        """Return the part of a value; None if the value does not fit."""
        if type(value) is not self.kind:
            return None
        if not isinstance(value, str):
            return value
        fits = value.startswith(self.before) and value.endswith(self.behind)
        return value[len(self.before) : len(value) - len(self.behind)] or None if fits else None


class _Hole:
    """Stands for a value that is different in each run, until all of them are known and get names."""

    __slots__ = ("cut", "part")

    def __init__(self, cut: _Cut, part: object) -> None:
        self.cut = cut
        self.part = part

    def __repr__(self) -> str:
        return f"{self.cut.before}<{self.cut.source}>{self.cut.behind}"


class _Pieces(tuple[Any, ...]):
    """The pieces of a text with times, while there are holes in them."""

    __slots__ = ()


@dataclass
class _Node:
    """A place in the observed state, with the places in it."""

    #: What is different there, in texts; numbers and bytes have an empty cut.
    values: list[_Cut] = field(default_factory=list)
    #: What is different in the keys of a mapping there.
    keys: list[_Cut] = field(default_factory=list)
    inner: dict[_Step, _Node] = field(default_factory=dict)

    def at(self, step: _Step) -> _Node:
        return self.inner.setdefault(step, _Node())


class Derived:
    """The places where clean runs differ because chance or the time differs.

    Runs that differ in one thing only tell which: with another seed, or with another clock. A value counts as
    derived if it is another one in each of several runs, since a status such as 'expired' soon repeats. In a
    history it gets a name by the order in which the different values stand, so that a token that was sent and the
    same token in the database are still the same.
    """

    def __init__(self) -> None:
        self._places: dict[str, _Node] = {}
        #: The names of items of stores that are different in each run.
        self._names: dict[_Cut, None] = {}
        #: Where derived values stand, for a report.
        self.found: dict[Source, dict[str, None]] = {"chance": {}, "time": {}}

    def __bool__(self) -> bool:
        return bool(self._places or self._names)

    # Learning

    def learn(self, source: Source, runs: Sequence[Mapping[str, Any]]) -> bool:
        """Find what is different in each of several clean runs; return whether any of it is new."""
        finding = _Finding(source)
        first, *others = runs
        for name in first:
            if all(name in other for other in others):
                finding.compare(
                    self._places.setdefault(name, _Node()), (name,), [run[name] for run in runs]
                )
        alone = [[name for name in run if any(name not in other for other in runs)] for run in runs]
        for names in _aligned(alone):
            cut = _cut_of(names, source)
            if cut is not None and cut not in self._names:
                self._names[cut] = None
                finding.found.append(f"{cut.before}<{source}>{cut.behind}")
        self.found[source].update(dict.fromkeys(finding.found))
        return bool(finding.found)

    # Applying

    def pattern(self, name: str) -> str:
        """Return the name of a file or of another item with one word for what is different in each run."""
        for cut in self._names:
            if cut.part_of(name) is not None:
                return f"{cut.before}<{cut.source}>{cut.behind}"
        return name

    def applied(self, observed: Mapping[str, Any], initial: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was observed with names in the places of derived values.

        What stood there before the first delivery is not derived.
        """
        if not self._places:
            return dict(observed)
        known = {leaf for value in initial.values() for leaf in _leaves(whole(value))}
        holed = {
            name: _holed(self._places[name], value, known) if name in self._places else value
            for name, value in observed.items()
        }
        names: dict[tuple[Source, object], str] = {}
        return {name: _filled(value, names) for name, value in holed.items()}


class _Finding:
    """Compares the forms of one part of the state after several runs."""

    def __init__(self, source: Source) -> None:
        self._source: Source = source
        self.found: list[str] = []

    def compare(self, node: _Node, path: tuple[object, ...], forms: Sequence[Any]) -> None:
        first, *others = forms
        if all(other == first for other in others):
            return
        forms = [whole(form) for form in forms]
        kinds = {type(form) for form in forms}
        if kinds == {Timed}:
            self._by_position(node, path, [form.pieces for form in forms])
        elif kinds == {dict}:
            self._members(node, path, [list(Counter(form).elements()) for form in forms])
        elif kinds == {Keyed}:
            self._by_key(node, path, [dict(form) for form in forms])
        elif kinds == {Fields} and len({form[0] for form in forms}) == 1:
            self._by_key(node, path, [dict(form[1]) for form in forms])
        elif kinds <= {Members, tuple} and (Members in kinds or all(map(_is_table, forms))):
            self._members(node, path, forms)
        elif kinds == {tuple}:
            self._by_position(node, path, forms)
        else:
            cut = _cut_of(forms, self._source)
            if cut is not None and cut not in node.values:
                node.values.append(cut)
                self.found.append(_text(path))

    def _by_position(
        self, node: _Node, path: tuple[object, ...], forms: Sequence[Sequence[Any]]
    ) -> None:
        if len({len(form) for form in forms}) == 1:
            for position, parts in enumerate(zip(*forms, strict=True)):
                self.compare(node.at(("at", position)), (*path, position), parts)

    def _by_key(
        self, node: _Node, path: tuple[object, ...], forms: Sequence[dict[Any, Any]]
    ) -> None:
        for key in forms[0]:
            if all(key in form for form in forms):
                step = ("key", key)
                self.compare(node.at(step), (*path, key), [form[key] for form in forms])
        alone = [[key for key in form if any(key not in one for one in forms)] for form in forms]
        for keys in _aligned(alone):
            cut = _cut_of(keys, self._source)
            if cut is None:
                continue
            if cut not in node.keys:
                node.keys.append(cut)
                self.found.append(_text((*path, repr(_Hole(cut, "")))))
            values = [form[key] for form, key in zip(forms, keys, strict=True)]
            self.compare(node.at(_EACH), (*path, repr(_Hole(cut, ""))), values)

    def _members(
        self, node: _Node, path: tuple[object, ...], forms: Sequence[Iterable[Any]]
    ) -> None:
        counted = [Counter(form) for form in forms]
        shared = counted[0]
        for other in counted[1:]:
            shared = shared & other
        for members in _aligned([list((count - shared).elements()) for count in counted]):
            self.compare(node.at(_EACH), path, members)


def _is_table(form: tuple[Any, ...]) -> bool:
    return bool(form) and all(isinstance(member, tuple) for member in form)


def _cut_of(values: Sequence[Any], source: Source) -> _Cut | None:
    """Return what texts have in common around the part that each has for itself; None if two are the same."""
    kinds = {type(value) for value in values}
    if len(set(values)) < len(values) or len(kinds) != 1:
        return None
    if kinds <= {int, float, bytes}:
        return _Cut(type(values[0]), "", "", source)
    if kinds != {str}:
        return None
    before = _common(values)
    rest = [value[len(before) :] for value in values]
    behind = _common([value[::-1] for value in rest])[::-1]
    parts = [value[: len(value) - len(behind)] for value in rest]
    # An empty part is a text that one run has and the others have not.
    return (
        _Cut(str, before, behind, source) if all(parts) and len(set(parts)) == len(parts) else None
    )


def _common(texts: Sequence[str]) -> str:
    """Return the beginning that texts have in common. It never ends within a word or a number."""
    length = 0
    for letters in zip(*texts, strict=False):
        if len(set(letters)) > 1:
            break
        length += 1
    common = texts[0][:length]
    return (
        common.rstrip(_WORD)
        if any(text[length : length + 1].isalnum() for text in texts)
        else common
    )


#: What a word or a number consists of.
_WORD: Final = string.ascii_letters + string.digits


def _aligned(groups: Sequence[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Yield the members of several groups that belong together: each with the most similar ones of the others.

    Nothing is yielded if the groups have different sizes.
    """
    first, *others = groups
    if not first or any(len(other) != len(first) for other in others):
        return
    left = [list(other) for other in others]
    for member in first:
        row = [member]
        leaves = Counter(_leaves(member))
        for other in left:
            nearest = max(other, key=lambda one: (leaves & Counter(_leaves(one))).total())
            other.remove(nearest)
            row.append(nearest)
        yield row


def _leaves(form: Any) -> Iterator[Any]:
    """Yield the values of a form that have no parts."""
    if isinstance(form, dict):
        for key in form:
            yield from _leaves(key)
    elif isinstance(form, tuple):
        for part in form:
            yield from _leaves(part)
    else:
        yield form


def _text(path: Sequence[object]) -> str:
    """Return a place as a reader writes it: `users.password`, or `rows[2]`."""
    name, *steps = path
    return str(name) + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps
    )


def _holed(node: _Node, form: Any, known: set[Any]) -> Any:
    """Return a form with holes in the places of derived values."""
    kind = type(form)
    if kind is FirstForm:
        return form
    if kind is Timed:
        pieces = [_holed_at(node, ("at", at), one, known) for at, one in enumerate(form.pieces)]
        return _Pieces(pieces)
    if kind is dict:
        holed: dict[Any, int] = {}
        for member, count in form.items():
            made = _holed_at(node, _EACH, member, known)
            holed[made] = holed.get(made, 0) + count
        return holed
    if kind is Keyed:
        return Keyed(
            sorted((_holed_pair(node, key, value, known) for key, value in form), key=repr)
        )
    if kind is Fields:
        return Fields(
            (form[0], tuple(_holed_pair(node, key, value, known) for key, value in form[1]))
        )
    if kind is Members or (kind is tuple and _EACH in node.inner and _is_table(form)):
        members = [_holed_at(node, _EACH, member, known) for member in form]
        return kind(sorted(members, key=repr) if kind is Members else members)
    if kind is tuple:
        return tuple(_holed_at(node, ("at", at), part, known) for at, part in enumerate(form))
    for cut in node.values:
        if (part := cut.part_of(form)) is not None and form not in known:
            return _Hole(cut, part)
    return form


def _holed_at(node: _Node, step: _Step, form: Any, known: set[Any]) -> Any:
    inner = node.inner.get(step)
    return form if inner is None else _holed(inner, form, known)


def _holed_pair(node: _Node, key: Any, value: Any, known: set[Any]) -> tuple[Any, Any]:
    if ("key", key) in node.inner:
        return key, _holed_at(node, ("key", key), value, known)
    for cut in node.keys:
        if (part := cut.part_of(key)) is not None and key not in known:
            return _Hole(cut, part), _holed_at(node, _EACH, value, known)
    return key, value


def _filled(form: Any, names: dict[tuple[Source, object], str]) -> Any:
    """Return a form with a name in each hole, the same one for the same value."""
    kind = type(form)

    def fill(part: Any) -> Any:
        return _filled(part, names)

    if kind is _Hole:
        cut = form.cut
        number = len(names) + 1
        name = names.setdefault((cut.source, form.part), f"<by {cut.source} {number}>")
        return f"{cut.before}{name}{cut.behind}"
    if kind is dict:
        filled: dict[Any, int] = {}
        for member in sorted(form, key=repr):
            made = fill(member)
            filled[made] = filled.get(made, 0) + form[member]
        return filled
    if kind is _Pieces:
        return Timed.of([fill(piece) for piece in form])
    if isinstance(form, tuple):
        return kind(map(fill, form)) if _has_hole(form) else form
    return form


def _has_hole(form: Any) -> bool:
    is_holed = isinstance(form, _Hole | _Pieces)
    return is_holed or (isinstance(form, tuple) and any(map(_has_hole, form)))
