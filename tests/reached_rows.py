"""What the page of a report says of how tests reach each job."""

from __future__ import annotations

import html
import re


def reached_rows(page: str) -> list[tuple[str, str, str]]:
    """Return for each job its name, what tests do with it, and what was never seen."""
    begin = page.index('<section id="reached"')
    table = page[page.index("<tbody>", begin) : page.index("</tbody>", begin)]
    cells = [
        html.unescape(re.sub(r"<.*?>", "", cell))
        for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", table, re.DOTALL)
    ]
    return [*zip(cells[::3], cells[1::3], cells[2::3], strict=True)]
