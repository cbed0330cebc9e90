"""The page of the reference that shows every failure message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from message_gallery import Situation

from pytest_jobs.assertions import messages as advice

HEAD = """\
# Messages

Every failure that a test can have through us: its cause, its remedy, and what it shows.
The message of a failed assertion ends with a command that prints its section of this page, without a network.
Made from `tests/messages`, where each text is pinned word for word.
"""
ADVICE = [value for value in vars(advice).values() if isinstance(value, advice.Advice)]


def page(situations: Iterable[Situation]) -> str:
    """Return the page, of the texts that the gallery keeps."""
    return "\n".join((HEAD, *_sections(list(situations))))


def heading(text: str) -> str:
    """Return a heading of which the anchor is the text with hyphens."""
    return text.replace("-", " ").replace("_", " ").capitalize()


def _sections(situations: list[Situation]) -> Iterator[str]:
    texts = {one.name: one.file.read_text("utf-8").rstrip("\n") for one in situations}
    for one in ADVICE:
        yield f"## {heading(one.anchor)}\n"
        yield f"Remedy: {one.step}\n"
        for shown in situations:
            if shown.asserts and texts[shown.name].endswith(f" explain {one.anchor}"):
                yield f"### {heading(shown.name)}\n"
                yield f"{shown.cause}\n"
                yield _block(texts[shown.name])
    refused = [shown for shown in situations if not shown.asserts]
    kinds = {shown.name: _error_of(texts[shown.name]) for shown in refused}
    for kind in dict.fromkeys(kinds.values()):
        yield f"## {kind}\n"
        for shown in refused:
            if kinds[shown.name] == kind:
                yield f"### {heading(shown.name)}\n"
                yield f"Cause: {shown.cause}\n"
                yield f"Remedy: {shown.remedy}\n"
                yield _block(texts[shown.name])


def _error_of(text: str) -> str:
    """Return the name of the class with which the text of an error begins."""
    return text.partition(":")[0].rpartition(".")[2]


def _block(text: str) -> str:
    return f"<!-- not run: made from tests/messages -->\n```text\n{text}\n```\n"
