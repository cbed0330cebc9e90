"""A retry timeline as a picture: one row an attempt, time running to the right on a log scale."""

from __future__ import annotations

import math
import re
from html import escape
from typing import TYPE_CHECKING

from .describe import duration, error_text

if TYPE_CHECKING:
    from .timeline import RetryTimeline, TimelineAttempt

_ROW = 30
_TOP = 64
_LEFT = 56
_PLOT = 460
_TEXT = 300
_WIDTH = _LEFT + _PLOT + _TEXT
_TICKS = (1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800, 2_592_000, 31_536_000)
_COLOURS = {"performed": "#2da44e", "retried": "#bf8700", "discarded": "#6e7781"}
_FAILURE = "#cf222e"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    'font-family="ui-sans-serif, system-ui, sans-serif" font-size="13">'
)


def draw(timeline: RetryTimeline) -> str:
    """Return an SVG document."""
    attempts = timeline.attempts
    height = _TOP + _ROW * len(attempts) + 16
    last = max(attempt.offset.total_seconds() + _longest_wait(attempt) for attempt in attempts)
    scale = _Scale(last)
    headline = _escaped(timeline.headline)
    parts = [
        _OPENING.format(width=_WIDTH, height=height),
        f"<title>{headline}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="26" font-size="15" font-weight="600" fill="#1f2328">{headline}</text>',
        *_axis(scale, last, height),
    ]
    for row, attempt in enumerate(attempts):
        parts += _attempt(attempt, _TOP + _ROW * row + _ROW / 2, scale)
    return "\n".join((*parts, "</svg>", ""))


def _escaped(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text))


class _Scale:
    """Seconds to pixels; the first second takes as much room as a tenfold later on."""

    def __init__(self, last: float) -> None:
        self._range = math.log10(1 + max(last, 1.0))

    def x(self, seconds: float) -> float:
        return round(_LEFT + _PLOT * math.log10(1 + seconds) / self._range, 1)


def _longest_wait(attempt: TimelineAttempt) -> float:
    if attempt.wait is None:
        return 0.0
    return (attempt.bounds[1] if attempt.bounds else attempt.wait).total_seconds()


def _axis(scale: _Scale, last: float, height: int) -> list[str]:
    parts = []
    for seconds in (0, *_TICKS):
        if seconds > last:
            break
        x = scale.x(seconds)
        parts.append(
            f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height - 12}" stroke="#eaeef2"/>'
        )
        label = duration(float(seconds))
        parts.append(
            f'<text x="{x}" y="{_TOP - 14}" fill="#6e7781" font-size="11" text-anchor="middle">{label}</text>'
        )
    return parts


def _attempt(attempt: TimelineAttempt, y: float, scale: _Scale) -> list[str]:
    start = attempt.offset.total_seconds()
    colour = _COLOURS.get(attempt.status, _FAILURE)
    x = scale.x(start)
    end = x
    parts = [f'<text x="20" y="{y + 4}" fill="#6e7781">{attempt.number}</text>']
    if attempt.wait is not None:
        end = scale.x(start + _longest_wait(attempt))
        sure = scale.x(start + attempt.wait.total_seconds())
        parts.append(_bar(x, end, y, "#fff1cc"))
        parts.append(_bar(x, sure, y, "#f2cf7a"))
    parts.append(f'<circle cx="{x}" cy="{y}" r="6" fill="{colour}"/>')
    parts.append(
        f'<text x="{end + 14}" y="{y + 4}" fill="#1f2328">{_escaped(_label(attempt))}</text>'
    )
    return parts


def _bar(start: float, end: float, y: float, colour: str) -> str:
    return f'<rect x="{start}" y="{y - 5}" width="{round(end - start, 1)}" height="10" rx="5" fill="{colour}"/>'


def _label(attempt: TimelineAttempt) -> str:
    if attempt.wait is not None:
        return f"again in {duration(attempt.wait)}"
    return (
        attempt.status
        if attempt.error is None
        else f"{attempt.status}: {error_text(attempt.error)}"
    )
