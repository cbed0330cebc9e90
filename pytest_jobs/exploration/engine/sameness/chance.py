"""Random values that can be recognised."""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Final

#: Called by a world whose database numbers rows, with the numbers of a sequence and its name. The numbers
#: must occur nowhere else. Two states with different gaps in a sequence, as a rollback leaves, are the same.
numbering: ContextVar[Callable[[range, str], None] | None] = ContextVar(
    "pytest_jobs_numbering", default=None
)
#: Called with a random text that the world draws elsewhere, such as the name of a temporary folder.
drawing: ContextVar[Callable[[str], None] | None] = ContextVar("pytest_jobs_drawing", default=None)

#: Fewer random bytes are a number in a range, such as an index, which also occurs where nothing is random.
_LEAST_BYTES: Final = 2
#: A part of a random text is recognised if it is a word of its own and has so many characters,
_LEAST_WORD: Final = 6
#: and within a word if it has so many.
_LEAST_PART: Final = 8
#: No more of a random text is looked for in longer texts.
_LONGEST: Final = 200


class Chance:
    """A source of random bytes that recognises them later on."""

    def __init__(self, seed: int) -> None:
        self._random: random.Random | None = None
        self._seed = seed
        self._forms: dict[str, int] = {}
        self._values: dict[int | bytes, int] = {}
        #: The drawing of each form in small letters, and where each `_LEAST_WORD` characters are in which of
        #: these forms. Made when a longer text is compared.
        self._small: dict[str, int] = {}
        self._grams: dict[str, list[tuple[str, int]]] = {}
        self._indexed = 0
        self._drawn = 0
        self._numbers: list[tuple[range, str]] = []
        #: The texts that were drawn elsewhere.
        self.noted: list[str] = []

    def begin(self, stack: ExitStack) -> None:
        """Seed `random`, and let the world report what it draws elsewhere.

        The search puts the state of `random` back when it ends, since that takes long.
        """
        random.seed(self._seed)
        stack.callback(
            numbering.reset,
            numbering.set(lambda numbers, name: self._numbers.append((numbers, name))),
        )
        stack.callback(drawing.reset, drawing.set(self.note))

    @property
    def any_drawn(self) -> bool:
        return bool(self._forms)

    def note(self, text: str) -> None:
        """Recognise a text that was drawn elsewhere."""
        self._drawn += 1
        self._forms[text] = self._drawn
        self.noted.append(text)

    def number(self, text: str) -> int | None:
        """Return the number of the drawing that a text is made of; None if it is not random."""
        return self._forms.get(text)

    def number_of(self, value: int | bytes) -> int | None:
        """Return the number of the drawing that a number or some bytes are made of; None for others."""
        return self._values.get(value)

    def parts(self, text: str) -> Iterator[tuple[int, int, int, str]]:
        """Yield what is random in a text: where it begins and ends, the drawing, and which part of it this is."""
        self._index()
        lower = text.lower()
        if len(lower) != len(text):
            lower = text
        begin, last = 0, len(text) - _LEAST_WORD
        while begin <= last:
            places = self._grams.get(lower[begin : begin + _LEAST_WORD])
            found = None if places is None else self._longest(lower, begin, places)
            if found is None:
                begin += 1
                continue
            length, form, at = found
            whole = length == len(form)
            yield begin, begin + length, self._small[form], "" if whole else f"[{at}:{at + length}]"
            begin += length

    def forms(self) -> tuple[tuple[str, int], ...]:
        """Return what `parts` looks for."""
        return tuple(self._forms.items())

    def pattern(self, text: str) -> str:
        """Return a text with one word in place of everything in it that is random."""
        for begin, end, _, _ in reversed(list(self.parts(text))):
            text = f"{text[:begin]}<random>{text[end:]}"
        return text

    def numbered(self, value: float) -> str | None:
        """Return the sequence of a database that a number is from; None if it is from none."""
        return next((name for numbers, name in self._numbers if value in numbers), None)

    @property
    def numbers(self) -> bool:
        """Whether a database has reported any sequence."""
        return bool(self._numbers)

    def _longest(
        self, text: str, begin: int, places: list[tuple[str, int]]
    ) -> tuple[int, str, int] | None:
        """Return the longest part of a drawing at a place of a text: its length, the form, and where in that."""
        length, form, at = max((_common(text, begin, form, at), form, at) for form, at in places)
        end = begin + length
        is_word = not (text[begin - 1 : begin].isalnum() or text[end : end + 1].isalnum())
        return (length, form, at) if is_word or length >= _LEAST_PART else None

    def _index(self) -> None:
        if self._indexed == len(self._forms):
            return
        new = list(self._forms)[self._indexed :]
        self._indexed = len(self._forms)
        for text in new:
            form = text.lower()[:_LONGEST]
            for at in range(len(form) - _LEAST_WORD + 1):
                self._grams.setdefault(form[at : at + _LEAST_WORD], []).append((form, at))
            self._small.setdefault(form, self._forms[text])

    def urandom(self, size: int) -> bytes:
        """Return random bytes that are the same for each source with the same seed."""
        if self._random is None:
            # Most jobs draw nothing, and to make one takes as long as a short job.
            self._random = random.Random(self._seed)  # noqa: S311 - repeatable, and no secret
        drawn = self._random.randbytes(size)
        if size < _LEAST_BYTES:
            return drawn
        self._drawn += 1
        forms = [drawn.hex(), base64.urlsafe_b64encode(drawn).rstrip(b"=").decode()]
        values: list[int | bytes] = [drawn]
        if size == 16:
            unique = uuid.UUID(bytes=drawn, version=4)
            forms += [str(unique), unique.hex]
            values += [unique.int, unique.bytes]
        for form in forms:
            self._forms[form] = self._drawn
        for value in values:
            self._values[value] = self._drawn
        return drawn


def _common(text: str, begin: int, form: str, at: int) -> int:
    """Return how many characters are the same in both, from a place in each."""
    length = _LEAST_WORD
    longest = min(len(text) - begin, len(form) - at)
    while length < longest and text[begin + length] == form[at + length]:
        length += 1
    return length
