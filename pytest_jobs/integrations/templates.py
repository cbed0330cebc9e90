"""Jinja2, which makes HTML pages of ours from templates. What a page shows is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def has_templates() -> bool:
    """Return whether Jinja2 is installed."""
    return find_spec("jinja2") is not None


def rendered(
    folder: Path,
    name: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., object]],
) -> str:
    """Return a page.

    `source("page.css")` in a template includes a file of its folder as it is. `tojson` escapes what could end a
    script.

    Args:
        folder: the folder of the template.
        name: its name in there.
        values: what the template shows.
        filters: its own filters, by their names.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def source(name: str) -> Markup:
        return Markup((folder / name).read_text("utf-8"))  # noqa: S704  a file of ours

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters.update(filters)
    return environment.get_template(name).render({**values, "source": source})
