"""What databases make of the JSON that libraries whose queue is a table write into its columns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

#: The character 0 in JSON, whose backslash is not escaped itself.
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def check_json_text(text: str, error_class: type[Exception]) -> None:
    """Check JSON for a column of text that has to be valid JSON, as SQLite has it.

    Raises:
        Exception: the error of the driver for a broken constraint, for NaN and Infinity.
    """

    def refuse(constant: str) -> None:
        raise error_class(f"CHECK constraint failed: {constant} is not JSON")

    if "N" in text or "I" in text:  # Most arguments have neither.
        json.loads(text, parse_constant=refuse)


def as_jsonb(text: str, error_of: Callable[[str], type[Exception]]) -> str:
    """Return JSON as a column of the type `jsonb` gives it back: another order of keys, and other numbers.

    Args:
        text: the JSON that the library sends.
        error_of: returns the class of an error of the driver by its SQLSTATE, as `psycopg.errors.lookup`.

    Raises:
        Exception: the error of the driver, when PostgreSQL refuses the text: the character 0, half of a surrogate
            pair, NaN, Infinity.
    """

    def refuse(constant: str) -> None:
        raise error_of("22P02")(
            f'invalid input syntax for type json\nDETAIL:  Token "{constant.lstrip("-")}" is invalid.'
        )

    value = json.loads(
        text, parse_constant=refuse, parse_float=_number, object_pairs_hook=_in_order
    )
    kept = json.dumps(value, ensure_ascii=False)
    if _NUL.search(kept):
        raise error_of("22P05")(
            "unsupported Unicode escape sequence\nDETAIL:  \\u0000 cannot be converted to text."
        )
    if not kept.isascii() and any("\ud800" <= character <= "\udfff" for character in kept):
        raise error_of("22P02")(
            "invalid input syntax for type json\nDETAIL:  Unicode low surrogate must follow a high surrogate."
        )
    return kept


def _number(token: str) -> int | float:
    """Read a number, which has no exponent there, and no sign when it is 0."""
    number = Decimal(token)
    is_whole = "e" in token.lower() and number == number.to_integral_value()
    return int(number) if is_whole else float(token) or 0.0


def _in_order(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, whose shorter keys come first."""
    keyed = {key.encode("utf-8", "surrogatepass"): (key, value) for key, value in pairs}
    return dict(keyed[key] for key in sorted(keyed, key=lambda each: (len(each), each)))
