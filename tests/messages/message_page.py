"""The page of the reference with the causes and the remedy of each kind of failure, and one message of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from message_gallery import Situation

from pytest_jobs.assertions import messages as advice

HEAD = """\
# Messages

Every kind of failure that a test can have through us: its remedy, its causes, and the message of the first cause.
The message of a failed assertion ends with a command that prints its section of this page, without a network.
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
        having = [
            shown
            for shown in situations
            if shown.asserts and texts[shown.name].endswith(f" explain {one.anchor}")
        ]
        yield f"## {heading(one.anchor)}\n"
        yield f"Remedy: {one.step}\n"
        yield "".join(f"- {shown.cause}\n" for shown in having)
        # A message ends with the remedy, and with the name of its section.
        yield _block(texts[having[0].name].partition("\n\nNext: ")[0])
    kinds: dict[str, list[Situation]] = {}
    for one in situations:
        if not one.asserts:
            kinds.setdefault(_error_of(texts[one.name]), []).append(one)
    for kind, having in kinds.items():
        yield f"## {kind}\n"
        yield "".join(f"- {shown.cause} Remedy: {shown.remedy}\n" for shown in having)
        yield _block(texts[having[0].name])


def _error_of(text: str) -> str:
    """Return the name of the class with which the text of an error begins."""
    return text.partition(":")[0].rpartition(".")[2]


def _block(text: str) -> str:
    return f"<!-- not run: made from tests/messages -->\n```text\n{text}\n```\n"
