"""What the bridges can do, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from .case import CAPABILITIES, Library


def capability_matrix(libraries: Sequence[Library]) -> str:
    """Return a table in Markdown: a line for each capability, a column for each library.

    Args:
        libraries: what the suite was told of each.
    """
    columns = [(library, library.bridge()) for library in libraries]
    names = [bridge.name for _, bridge in columns]
    lines = [
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for capability, meaning in CAPABILITIES.items():
        cells = [
            "yes" if capability in bridge.capabilities else f"no: {library.lacks[capability]}"
            for library, bridge in columns
        ]
        lines.append(f"| **{capability}**: {meaning} | {' | '.join(cells)} |")
    return "\n".join(lines)
