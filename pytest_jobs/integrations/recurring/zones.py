"""Timezones by their names, and the nearest name to one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from ...errors import ScheduleError

#: What Rails calls a timezone, where its name does not end as the one of the IANA database does.
RAILS_ZONES: Final[Mapping[str, str]] = {
    "International Date Line West": "Etc/GMT+12",
    "Midway Island": "Pacific/Midway",
    "American Samoa": "Pacific/Pago_Pago",
    "Hawaii": "Pacific/Honolulu",
    "Alaska": "America/Juneau",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "Mountain Time (US & Canada)": "America/Denver",
    "Arizona": "America/Phoenix",
    "Central Time (US & Canada)": "America/Chicago",
    "Saskatchewan": "America/Regina",
    "Guadalajara": "America/Mexico_City",
    "Central America": "America/Guatemala",
    "Eastern Time (US & Canada)": "America/New_York",
    "Indiana (East)": "America/Indiana/Indianapolis",
    "Quito": "America/Lima",
    "Atlantic Time (Canada)": "America/Halifax",
    "Newfoundland": "America/St_Johns",
    "Brasilia": "America/Sao_Paulo",
    "Georgetown": "America/Guyana",
    "Greenland": "America/Nuuk",
    "Mid-Atlantic": "Atlantic/South_Georgia",
    "Cape Verde Is.": "Atlantic/Cape_Verde",
    "Edinburgh": "Europe/London",
    "Bern": "Europe/Zurich",
    "West Central Africa": "Africa/Algiers",
    "Pretoria": "Africa/Johannesburg",
    "St. Petersburg": "Europe/Moscow",
    "Abu Dhabi": "Asia/Muscat",
    "Ekaterinburg": "Asia/Yekaterinburg",
    "Islamabad": "Asia/Karachi",
    "Chennai": "Asia/Kolkata",
    "Mumbai": "Asia/Kolkata",
    "New Delhi": "Asia/Kolkata",
    "Sri Jayawardenepura": "Asia/Colombo",
    "Astana": "Asia/Almaty",
    "Hanoi": "Asia/Bangkok",
    "Beijing": "Asia/Shanghai",
    "Osaka": "Asia/Tokyo",
    "Sapporo": "Asia/Tokyo",
    "Solomon Is.": "Pacific/Guadalcanal",
    "New Caledonia": "Pacific/Noumea",
    "Marshall Is.": "Pacific/Majuro",
    "Wellington": "Pacific/Auckland",
    "Nuku'alofa": "Pacific/Tongatapu",
    "Tokelau Is.": "Pacific/Fakaofo",
    "Chatham Is.": "Pacific/Chatham",
    "Samoa": "Pacific/Apia",
}
_SOME_NAME: Final = "'America/New_York'"


def find_zone(zone: object) -> ZoneInfo:
    """Return a timezone: a `ZoneInfo` itself, or the one that has a name in the IANA database.

    Raises:
        ScheduleError: when there is none, with the reason alone.
    """
    if isinstance(zone, ZoneInfo):
        return zone
    if not isinstance(zone, str):
        raise ScheduleError(
            f"{zone!r} is not a timezone; write a name such as {_SOME_NAME}, or ZoneInfo({_SOME_NAME})"
        )
    try:
        return ZoneInfo("UTC" if zone == "Z" else zone)
    except (ValueError, OSError, LookupError):
        near = nearest_zone(zone)
        advice = (
            f"write a name of the IANA database, such as 'UTC' or {_SOME_NAME}"
            if near is None
            else f"the nearest is {near!r}"
        )
        raise ScheduleError(f"{zone!r} names no timezone; {advice}") from None


def nearest_zone(name: str) -> str | None:
    """Return the name of the timezone that was likely meant: by Rails, by a place alone, or misspelt."""
    if name in RAILS_ZONES:
        return RAILS_ZONES[name]
    zones = sorted(available_timezones())
    place = name.lower().replace(" ", "_")
    of_place = [zone for zone in zones if zone.lower().rpartition("/")[2] == place]
    return next(iter(of_place or difflib.get_close_matches(name, zones, 1)), None)
