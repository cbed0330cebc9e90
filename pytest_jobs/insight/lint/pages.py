"""The pages of the rules in the documentation, and the same text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from .basis.rule import Rule
from .linter import RULES

#: The groups of rules, by the beginning of their ids.
GROUPS: Final[Mapping[str, str]] = {
    "JOB1": "Declaring jobs",
    "JOB2": "Enqueueing jobs",
    "JOB3": "Performing jobs",
    "JOB4": "Retrying jobs",
    "JOB5": "Scheduling jobs",
}


def page_of(rule: Rule) -> str:
    """Return the page of a rule in Markdown."""
    return "".join(_page(rule))


def text_of(rule: Rule) -> str:
    """Return the page of a rule for a terminal."""
    head = f"{rule.id} {rule.name}"
    example = rule.examples[0]
    return (
        f"{head}\n{'=' * len(head)}\n\n{rule.title}\n\n{rule.why}\n\nBad:\n\n{_indented(example.bad)}\n"
        f"Good:\n\n{_indented(example.good)}\nTo switch it off: {_off(rule)}\n"
    )


def tables() -> str:
    """Return the tables of all rules, which stand on the first page of the lint."""
    return "".join(_index(RULES))


def _page(rule: Rule) -> Iterator[str]:
    example = rule.examples[0]
    yield f"# {rule.id} {rule.name}\n\n{rule.title}\n\n"
    yield f"**Why:** {rule.why}\n\n"
    for title, source in (("Bad", example.bad), ("Good", example.good)):
        name = "test_app.py" if rule.is_watched else "app.py"
        yield f"## {title}\n\n**`{name}`**\n```python\n{_shown(source)}```\n\n"
    for name, source in example.files:
        if source:
            language = {"py": "python", "yml": "yaml"}.get(name.rpartition(".")[2], "text")
            yield f"Both with\n\n**`{name}`**\n```{language}\n{_shown(source)}```\n\n"
    yield f"## Switch it off\n\n{_off(rule)}\n"


def _off(rule: Rule) -> str:
    if rule.is_watched:
        return f'`ignore = ["{rule.id}"]` in `[tool.pytest-jobs.lint]` of `pyproject.toml`.'
    return (
        f'`# jobs: ignore[{rule.id}]` at the end of the line, or `ignore = ["{rule.id}"]` in '
        "`[tool.pytest-jobs.lint]` of `pyproject.toml`."
    )


def _index(rules: tuple[Rule, ...]) -> Iterator[str]:
    for beginning, title in GROUPS.items():
        group = [rule for rule in rules if rule.id.startswith(beginning)]
        yield f"## {title}\n\n| rule | what it finds |\n|---|---|\n"
        yield from (
            f"| [{rule.id}]({rule.id.lower()}.md) `{rule.name}` | {rule.title} |\n"
            for rule in group
        )
        yield f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n"
        yield "".join(f"{rule.id.lower()}\n" for rule in group) + "```\n\n"


def _shown(source: str) -> str:
    """Return an example as its readers would write it: the rules keep them in texts with double quotes."""
    return source.replace("'", '"')


def _indented(source: str) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in _shown(source).splitlines())
