"""From the text of a schedule to when it fires: a phrase, a crontab line, or a length of time."""

from __future__ import annotations

import difflib
import re
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from ..errors import ScheduleError
from .recurring_cron import CronLine
from .recurring_draft import Draft
from .recurring_phrases import read_phrase
from .recurring_timing import Timing
from .recurring_words import VOCABULARY, closest, duration_seconds, words_of

_NICKNAMES: Final = MappingProxyType(
    {
        "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
        "@monthly": "0 0 1 * *",
        "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *",
        "@noon": "0 12 * * *",
        "@hourly": "0 * * * *",
    }
)
#: One phrase of each kind; what nobody understands is compared with them.
PHRASES: Final = (
    "every day",
    "every second",
    "every minute",
    "every hour",
    "every week",
    "every month",
    "every year",
    "every 10 seconds",
    "every 30 minutes",
    "every 45 minutes",
    "every 2 hours",
    "every 2 days",
    "every 2 weeks",
    "every 2 months",
    "every 3 months",
    "every 6 months",
    "every other day",
    "every other week",
    "every 1h30m",
    "every hour at minute 15",
    "every day at 2:30am",
    "every day at 16:30",
    "every day at noon",
    "every day at midnight",
    "every day at 9am and 5pm",
    "every day from 9am to 5pm",
    "every hour from 9am to 5pm",
    "every weekday at 9am",
    "every weekend at 9am",
    "every monday at 9am",
    "every monday and thursday at 9am",
    "every mon-fri at 9am",
    "every 1st day of month at 3am",
    "every last day of the month at 3am",
    "every first monday of the month at 9am",
    "every month on the 1st at 3am",
    "every month on day 2 at 10:00",
    "every quarter",
    "every fortnight",
    "at 16:30",
)
_ZONE = re.compile(r"[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+\-]+)+|UTC|GMT|Z")


def find_zone(name: str) -> ZoneInfo:
    """Return a timezone by its name in the IANA database.

    Raises:
        ScheduleError: when there is none, with the reason alone.
    """
    try:
        return ZoneInfo("UTC" if name == "Z" else name)
    except (ValueError, OSError, LookupError):
        raise ScheduleError(
            f"{name!r} names no timezone; the nearest is {_nearest_zone(name)!r}"
        ) from None


def read_schedule(text: str, zone: ZoneInfo) -> Timing:
    """Return when a text such as `every monday at 9am` or `0 9 * * 1` fires.

    Args:
        text: a phrase or a crontab line; a timezone may follow it.
        zone: the timezone where the text names none.

    Raises:
        ScheduleError: when it says nothing that can be meant; with the nearest that can.
    """
    try:
        return _read(text, zone)
    except ScheduleError as error:
        raise ScheduleError(f"{text!r} is no schedule: {error}. {_advice(text, zone)}") from None


def read_interval(text: str, zone: ZoneInfo) -> Timing:
    """Return when a length of time such as `1h`, or a phrase, fires: for `every:` of Sidekiq's schedulers.

    Raises:
        ScheduleError: as `read_schedule`.
    """
    if duration_seconds("".join(text.split())) is not None:
        text = f"every {''.join(text.split())}"
    elif words_of(text)[:1] != ["every"]:
        text = f"every {text}"
    return read_schedule(text, zone)


def _read(text: str, zone: ZoneInfo) -> Timing:
    words = text.split()
    if len(words) > 1 and _ZONE.fullmatch(words[-1]):
        zone = find_zone(words.pop())
        if words[-1] == "in":
            words.pop()
    text = " ".join(words)
    if text.startswith("@"):
        if text.lower() not in _NICKNAMES:
            raise ScheduleError(f"of nicknames there are {', '.join(_NICKNAMES)}")
        return Timing((CronLine(_NICKNAMES[text.lower()]),), zone)
    if duration_seconds("".join(words)) is not None:
        raise ScheduleError("a length of time needs `every` before it")
    if is_crontab(text):
        return Timing((CronLine(text),), zone)
    return _timing(read_phrase(text), zone)


def is_crontab(text: str) -> bool:
    """Say whether a text has the look of a crontab line, right or wrong."""
    duration = duration_seconds("".join(text.split())) is not None
    return len(text.split()) > 1 and not duration and re.match(r"[\d*]", text) is not None


def _timing(draft: Draft, zone: ZoneInfo) -> Timing:
    lines = tuple(CronLine(line) for line in draft.lines())
    return Timing(lines, zone, draft.each_days, draft.each_weeks, draft.interval)


def _advice(text: str, zone: ZoneInfo) -> str:
    if is_crontab(text):
        return (
            "Write minute, hour, day, month and weekday, as in '0 9 * * 1', or a phrase such as "
            "'every monday at 9am'."
        )
    return f"The nearest that is: {nearest(text, zone)!r}."


def nearest(text: str, zone: ZoneInfo) -> str:
    """Return the phrase that can be read and is most like a text."""
    words = words_of(text)
    *others, last = ["", *text.split()]
    respelt = [_respelt(word) for word in words]
    if not words:
        return PHRASES[0]
    beginning = words.index("every") if "every" in words else 0
    candidates = [
        f"every {text.strip()}",
        " ".join(respelt),
        f"every {' '.join(respelt)}",
        " ".join(respelt).replace("every day on", "every month on"),
        " ".join([*others, _nearest_zone(last) if _ZONE.fullmatch(last) else last]).strip(),
        " ".join([*words[beginning:], *words[:beginning]]),
        " ".join(words[:-1]),
        " ".join(words[:-2]),
    ]
    for candidate in candidates:
        try:
            _read(candidate, zone)
        except ScheduleError:
            continue
        return candidate
    found = difflib.get_close_matches(" ".join(words), PHRASES, 1, 0.0)
    return found[0] if found else PHRASES[0]


def _nearest_zone(name: str) -> str:
    return closest(name, sorted(available_timezones())) or "UTC"


def _respelt(word: str) -> str:
    if re.fullmatch(r"\d+:\d+", word):
        hour, minute = map(int, word.split(":"))
        return f"{min(hour, 23):02}:{min(minute, 59):02}"
    if any(letter.isdigit() for letter in word) or word in VOCABULARY:
        return word
    return closest(word, VOCABULARY) or word
