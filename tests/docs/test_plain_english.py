"""Sentences that readers stumbled over do not come back, in the documentation or in messages."""

from __future__ import annotations

from pathlib import Path

from tables import each_row

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if not {"decisions", "_build"} & {*path.parts}
    ),
    *(ROOT / "pytest_jobs").rglob("*.py"),
]


@each_row(
    ("awkward", "plain"),
    [
        ("Nothing is slept through", "No sleeping, no mocking."),
        ("What is said holds", "Celery and Django tasks behave the same."),
        ("ways were open", "Until now you had two options:"),
        ("separated by blanks", "Separate several apps with spaces."),
        ("neither is contacted", "The broker and the result backend are never contacted."),
        ("Do not take it for idempotency", "A lock does not make a job idempotent."),
        ("From several it pops it", "With several queues RQ pops the job first."),
        ("of what is bridged here", "a job of a captured library"),
        ("is no wait:", "must be a number of seconds"),
        ("names no instant", "must have a timezone"),
        ("those there are, are", "must be one of"),
        ("cannot be meant:", "a mistake in"),
    ],
)
def test_an_awkward_sentence_is_not_written_again(awkward: str, plain: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in PAGES if awkward in path.read_text("utf-8")]

    assert found == [], f"write {plain!r}"
