"""Writes the pages of the rules. `python tests/insight/lint/lint_pages.py` writes them anew."""

from __future__ import annotations

from pathlib import Path

from pytest_jobs.insight.lint.linter import RULES
from pytest_jobs.insight.lint.output import shown_example, switching_off

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "lint"
BEGIN, END = "<!-- begin rules -->\n", "<!-- end rules -->\n"

#: The groups of rules, by the beginning of their ids.
GROUPS = {
    "JOB1": "Declaring jobs",
    "JOB2": "Enqueueing jobs",
    "JOB3": "Performing jobs",
    "JOB4": "Retrying jobs",
    "JOB5": "Scheduling jobs",
}


def pages() -> dict[Path, str]:
    """Return each page as it has to be."""
    found = {FOLDER / f"{rule.id.lower()}.md": "".join(_page(rule)) for rule in RULES}
    index = FOLDER / "index.md"
    head, _, rest = index.read_text("utf-8").partition(BEGIN)
    found[index] = f"{head}{BEGIN}{''.join(_index(RULES))}{END}{rest.partition(END)[2]}"
    return found


def _page(rule):
    example = rule.examples[0]
    yield f"# {rule.id} {rule.name}\n\n{rule.title}\n\n"
    yield f"**Why:** {rule.why}\n\n"
    for title, source in (("Bad", example.bad), ("Good", example.good)):
        name = "test_app.py" if rule.is_watched else "app.py"
        yield f"## {title}\n\n**`{name}`**\n```python\n{shown_example(source)}```\n\n"
    for name, source in example.files:
        if source:
            language = {"py": "python", "yml": "yaml"}.get(name.rpartition(".")[2], "text")
            yield f"Both with\n\n**`{name}`**\n```{language}\n{shown_example(source)}```\n\n"
    yield f"## Switch it off\n\n{switching_off(rule)}\n"


def _index(rules):
    for beginning, title in GROUPS.items():
        group = [rule for rule in rules if rule.id.startswith(beginning)]
        yield f"## {title}\n\n| rule | what it finds |\n|---|---|\n"
        yield from (
            f"| [{rule.id}]({rule.id.lower()}.md) `{rule.name}` | {rule.title} |\n"
            for rule in group
        )
        yield f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n"
        yield "".join(f"{rule.id.lower()}\n" for rule in group) + "```\n\n"


if __name__ == "__main__":
    for path in FOLDER.glob("job*.md"):
        path.unlink()
    for path, text in pages().items():
        path.write_text(text, "utf-8")
